/* SPDX-License-Identifier: MIT */
/*
 * What a page-cache token has flushed and not yet drained: for each of its mappings a set of pages.
 *
 * A binding is named by a handle, as a token is, so that one thread may free a token while another drains it: the
 * handle of a freed binding is refused with STATUS_INVALID_PARAMETER.
 */
#ifndef NV_BINDING_H
#define NV_BINDING_H

#include "src/nvm/seam.h"
#include "src/pool/pool.h"

/*
 * NULL without memory. `may_keep`: a drain of scattered pages may come to hold a descriptor of the file outside of the
 * program's table, and may sync less than whole ranges of addresses.
 */
void *nv_binding_new(const struct nv_segment *segments, size_t count, bool may_keep);

/* Note ranges as flushed. Fails if one of the token's files has failed. */
NTSTATUS nv_binding_flush(void *handle, const NV_MEMORY_RANGE *ranges, size_t count);

/* Make durable what has been flushed, by any thread. Several drains of one binding run beside each other. */
NTSTATUS nv_binding_drain(void *handle);

/* Take the token's files out of their failed state. */
NTSTATUS nv_binding_forget_failure(void *handle);

/* Waits for drains under way. What was not drained is dropped. */
void nv_binding_free(void *handle);

void nv_binding_before_fork(void);
void nv_binding_after_fork(int in_child);

extern struct nv_pool nv_binding_pool;

#endif
