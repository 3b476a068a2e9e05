/* SPDX-License-Identifier: MIT */
/* Owns the live tokens. Called by nvm.c for each public function. */
#include "src/nvm/token.h"

struct nv_pool nv_token_pool = NV_POOL(0xA7);

/* A release store, so that whoever reads the new value sees that the former token is dead. */
#define SET(member, value) atomic_store_explicit(&token->member, (value), memory_order_release)

PVOID nv_token_new(const struct nv_region *region, NVRTL_DOMAIN domain, const char *reason)
{
    uint64_t handle;
    struct nv_token_slot *token = (struct nv_token_slot *)(void *)nv_pool_take(&nv_token_pool, &handle);
    if (!token)
        return NULL;
    SET(engine, region->engine);
    SET(base, region->base);
    SET(size_bytes, region->size_bytes);
    SET(context, region->context);
    SET(domain, domain);
    SET(reason, reason);
    nv_pool_publish(&token->slot, handle);
    return (PVOID)(uintptr_t)handle;
}

bool nv_token_query(PVOID value, struct nv_region *region, NVRTL_DOMAIN *domain, const char **reason)
{
    uint64_t handle = (uint64_t)(uintptr_t)value;
    struct nv_token_slot *token = (struct nv_token_slot *)(void *)nv_pool_find(&nv_token_pool, handle);
    if (!token)
        return false;
    nv_token_read(token, region);
    *domain = NV_TOKEN_GET(domain);
    *reason = NV_TOKEN_GET(reason);
    return nv_slot_is(&token->slot, handle);
}

bool nv_token_free(PVOID value, struct nv_region *region)
{
    struct nv_token_slot *token =
        (struct nv_token_slot *)(void *)nv_pool_retire(&nv_token_pool, (uint64_t)(uintptr_t)value);
    if (!token)
        return false;
    nv_token_read(token, region);
    nv_pool_give_back(&nv_token_pool, &token->slot);
    return true;
}
