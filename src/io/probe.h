/* SPDX-License-Identifier: MIT */
/*
 * Pointers that a caller gave: may they be used? A pointer into the caller's own stack is known to be good; of any
 * other the kernel is asked, by a call that changes nothing.
 */
#ifndef NV_IO_PROBE_H
#define NV_IO_PROBE_H

#include <nvrtl/file.h>

/* STATUS_SUCCESS, or STATUS_ACCESS_VIOLATION: part of the memory may not be read. */
NTSTATUS nv_probe_read(const void *start, size_t size_bytes);

/* Likewise written. The memory is left as it is. */
NTSTATUS nv_probe_write(void *start, size_t size_bytes);

/*
 * Likewise a status block written, in less than half of the time: but the four bytes behind Status, that no member has
 * to itself and nothing is told in, may change.
 */
NTSTATUS nv_probe_status_block(IO_STATUS_BLOCK *io);

#endif
