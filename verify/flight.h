/* SPDX-License-Identifier: MIT */
/* Lines in flight: flushed, and not in the durable image before a drain. */
#ifndef NV_VERIFY_FLIGHT_H
#define NV_VERIFY_FLIGHT_H

#include "verify/ledger.h"
#include <stdbool.h>
#include <stddef.h>

struct nv_file;
struct nv_file_map;
struct nv_flight_chunk;

/* All zero is an empty one. Its owner keeps it to one thread at a time. */
struct nv_flight {
    struct nv_flight_chunk *first, *last;
};

/*
 * Flush whole lines, from `offset` in the file: each takes a version, and the content that `view` has now. False: no
 * memory, and not all of them are in flight. `watched`: all stores there are told, as far as they are seen.
 */
bool nv_flight_add(struct nv_flight *flight, const struct nv_file_map *map, uint64_t offset, const void *view,
                   size_t size_bytes, uint16_t place, bool watched);

/* Bring everything into the durable image, but what is older than what stands there. */
void nv_flight_drain(struct nv_flight *flight);

bool nv_flight_is_empty(const struct nv_flight *flight);

/* A line in flight: its file, where in that, its content as flushed, and as the durable image has it. */
typedef void nv_flight_visitor(void *context, const struct nv_file *file, uint64_t offset, const void *flushed,
                               const void *durable);
void nv_flight_each(const struct nv_flight *flight, nv_flight_visitor *visit, void *context);

/* Forget everything. */
void nv_flight_clear(struct nv_flight *flight);

/* Forget everything, and give the memory back. */
void nv_flight_free(struct nv_flight *flight);

#endif
