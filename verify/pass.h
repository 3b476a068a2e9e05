/* SPDX-License-Identifier: MIT */
/* What one call flushes and drains: it need not be in flight. */
#ifndef NV_VERIFY_PASS_H
#define NV_VERIFY_PASS_H

#include "verify/files.h"

/*
 * Flush and drain whole lines, from `offset` in the file: `view` is what they hold. False: the file was cut in front of
 * some of them, which have not been flushed. `watched`: all stores there are told, as far as they are seen.
 */
bool nv_pass(const struct nv_file_map *map, uint64_t offset, const void *view, size_t size_bytes, uint16_t place,
             bool watched);

/*
 * Write `source`, which lies elsewhere, to `view`, at `offset` in the file, and flush and drain it. False: as above; of
 * what was not flushed, nothing was written.
 */
bool nv_pass_write(const struct nv_file_map *map, uint64_t offset, void *view, const void *source, size_t size_bytes,
                   uint16_t place, bool watched);

#endif
