/* SPDX-License-Identifier: MIT */
/* Tokens: what RtlGetNonVolatileToken gives out stands for a region, and for nothing once it is freed. */
#ifndef NV_TOKEN_H
#define NV_TOKEN_H

#include "src/nvm/seam.h"
#include "src/pool/pool.h"

/* Makes a token for the region. `reason` lives as long as the process. NULL: no slot is left. */
PVOID nv_token_new(const struct nv_region *region, NVRTL_DOMAIN domain, const char *reason);

/* Likewise what the token was made with besides its region. */
bool nv_token_query(PVOID token, struct nv_region *region, NVRTL_DOMAIN *domain, const char **reason);

/* Ends a token's life and copies out its region, which is then the caller's to release. False if it was not live. */
bool nv_token_free(PVOID token, struct nv_region *region);

extern struct nv_pool nv_token_pool;

/*
 * A slot is read without a lock while another thread may free it and a third may take it again: so its members are
 * atomic, they are read before the token is asked for the last time whether it is live, and they change only while it
 * is not.
 */
struct nv_token_slot {
    struct nv_slot slot;
    _Atomic(const struct nv_engine *) engine;
    _Atomic(char *) base;
    _Atomic size_t size_bytes;
    _Atomic(void *) context;
    _Atomic NVRTL_DOMAIN domain;
    _Atomic(const char *) reason;
};
NV_POOL_TYPE(struct nv_token_slot);

#define NV_TOKEN_GET(member) atomic_load_explicit(&token->member, memory_order_acquire)

static inline void nv_token_read(struct nv_token_slot *token, struct nv_region *region)
{
    region->engine = NV_TOKEN_GET(engine);
    region->base = NV_TOKEN_GET(base);
    region->size_bytes = NV_TOKEN_GET(size_bytes);
    region->context = NV_TOKEN_GET(context);
    region->for_one_call = false;
}

/* Copies out the region of a live token. False for everything else, whatever its bits. */
static inline bool nv_token_find(PVOID value, struct nv_region *region)
{
    uint64_t handle = (uint64_t)(uintptr_t)value;
    struct nv_token_slot *token = (struct nv_token_slot *)(void *)nv_pool_find(&nv_token_pool, handle);
    if (!token)
        return false;
    nv_token_read(token, region);
    return nv_slot_is(&token->slot, handle);
}

#endif
