/* SPDX-License-Identifier: MIT */
/* FLUSH_NV_MEMORY_DEFAULT_TOKEN: a region for each call, and what each thread has flushed that way and not drained. */
#ifndef NV_DEFAULT_TOKEN_H
#define NV_DEFAULT_TOKEN_H

#include "src/nvm/flags.h"
#include "src/nvm/seam.h"

static inline bool nv_is_default_token(PVOID token)
{
    return (ULONG_PTR)token == FLUSH_NV_MEMORY_DEFAULT_TOKEN;
}

/* A region for one call. Statuses of nv_resolve and of the seam's bind. */
NTSTATUS nv_default_region(void *address, size_t size_bytes, struct nv_region *region);

/*
 * Ends the call: the region is released, or kept for the thread's drain when its flush is not drained. Returns
 * `status`, or when that is a success the outcome of what else the call had to wait for.
 */
NTSTATUS nv_default_done(const struct nv_region *region, NTSTATUS status, enum nv_effect effect, const void *place);

/* Makes durable what this thread has flushed with the default token. */
NTSTATUS nv_default_drain(const void *place);

/* Called by the constructor: from then on a thread that ends gives up what it has kept. */
void nv_default_start(void);

#endif
