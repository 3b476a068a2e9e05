/* SPDX-License-Identifier: MIT */
/*
 * Owns the live tokens. Called by nvm.c for each public function.
 *
 * A slot is read without a lock while another thread may free it and a third may take it again: so its members are
 * atomic, they are read before the token is asked for the last time whether it is live, and they change only while it
 * is not.
 */
#include "src/nvm/token.h"

struct token_slot {
    struct nv_slot slot;
    _Atomic(const struct nv_engine *) engine;
    _Atomic(char *) base;
    _Atomic size_t size_bytes;
    _Atomic(void *) context;
    _Atomic NVRTL_DOMAIN domain;
    _Atomic(const char *) reason;
};

struct nv_pool nv_token_pool = NV_POOL(0xA7, struct token_slot);

/* A release store, so that whoever reads the new value sees that the former token is dead. */
#define SET(member, value) atomic_store_explicit(&token->member, (value), memory_order_release)
#define GET(member) atomic_load_explicit(&token->member, memory_order_acquire)

PVOID nv_token_new(const struct nv_region *region, NVRTL_DOMAIN domain, const char *reason)
{
    uint64_t handle;
    struct token_slot *token = (struct token_slot *)(void *)nv_pool_take(&nv_token_pool, &handle);
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

static void read_region(struct token_slot *token, struct nv_region *region)
{
    region->engine = GET(engine);
    region->base = GET(base);
    region->size_bytes = GET(size_bytes);
    region->context = GET(context);
    region->for_one_call = false;
}

bool nv_token_find(PVOID value, struct nv_region *region)
{
    uint64_t handle = (uint64_t)(uintptr_t)value;
    struct token_slot *token = (struct token_slot *)(void *)nv_pool_find(&nv_token_pool, handle);
    if (!token)
        return false;
    read_region(token, region);
    return nv_slot_is(&token->slot, handle);
}

bool nv_token_query(PVOID value, struct nv_region *region, NVRTL_DOMAIN *domain, const char **reason)
{
    uint64_t handle = (uint64_t)(uintptr_t)value;
    struct token_slot *token = (struct token_slot *)(void *)nv_pool_find(&nv_token_pool, handle);
    if (!token)
        return false;
    read_region(token, region);
    *domain = GET(domain);
    *reason = GET(reason);
    return nv_slot_is(&token->slot, handle);
}

bool nv_token_free(PVOID value, struct nv_region *region)
{
    struct token_slot *token = (struct token_slot *)(void *)nv_pool_retire(&nv_token_pool, (uint64_t)(uintptr_t)value);
    if (!token)
        return false;
    read_region(token, region);
    nv_pool_give_back(&nv_token_pool, &token->slot);
    return true;
}
