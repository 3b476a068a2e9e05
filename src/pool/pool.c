/* SPDX-License-Identifier: MIT */
/*
 * Owns the slots behind handles. Called for tokens, for what a page-cache token has pending, and for handles of files.
 */
#include "src/pool/pool.h"

#include "src/os/os.h"

static uint32_t number_of(const struct nv_pool *pool, const struct nv_slot *slot)
{
    const char *slots = atomic_load_explicit(&pool->slots, memory_order_relaxed);
    return (uint32_t)((size_t)((const char *)slot - slots) / NV_POOL_SLOT_BYTES);
}

/* Under the lock. */
static struct nv_slot *take_locked(struct nv_pool *pool)
{
    char *slots = atomic_load_explicit(&pool->slots, memory_order_relaxed);
    if (!slots) {
        slots = nv_os->reserve((size_t)NV_POOL_SLOTS * NV_POOL_SLOT_BYTES);
        if (!slots)
            return NULL;
        atomic_store_explicit(&pool->slots, slots, memory_order_release);
    }
    if (pool->first_free) {
        struct nv_slot *slot = nv_slot_at(slots, pool->first_free - 1);
        pool->first_free = slot->next_free;
        return slot;
    }
    return pool->used < NV_POOL_SLOTS ? nv_slot_at(slots, pool->used++) : NULL;
}

struct nv_slot *nv_pool_take(struct nv_pool *pool, uint64_t *handle)
{
    pthread_mutex_lock(&pool->lock);
    struct nv_slot *slot = take_locked(pool);
    if (slot) {
        slot->generation++;
        *handle = (uint64_t)pool->tag << NV_POOL_TAG_SHIFT | (uint64_t)slot->generation << NV_POOL_GENERATION_SHIFT |
                  number_of(pool, slot);
    }
    pthread_mutex_unlock(&pool->lock);
    return slot;
}

void nv_pool_publish(struct nv_slot *slot, uint64_t handle)
{
    atomic_store_explicit(&slot->live, handle, memory_order_release);
}

struct nv_slot *nv_pool_retire(struct nv_pool *pool, uint64_t handle)
{
    struct nv_slot *slot = nv_pool_find(pool, handle);
    if (!slot || !atomic_compare_exchange_strong(&slot->live, &handle, 0))
        return NULL;
    return slot;
}

void nv_pool_give_back(struct nv_pool *pool, struct nv_slot *slot)
{
    pthread_mutex_lock(&pool->lock);
    if (slot->generation < UINT32_MAX) { /* else it stays out of use, so that no handle is ever given twice */
        slot->next_free = pool->first_free;
        pool->first_free = number_of(pool, slot) + 1;
    }
    pthread_mutex_unlock(&pool->lock);
}

uint32_t nv_pool_count(struct nv_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint32_t count = pool->used;
    char *slots = atomic_load_explicit(&pool->slots, memory_order_relaxed);
    for (uint32_t free_slot = pool->first_free; free_slot; free_slot = nv_slot_at(slots, free_slot - 1)->next_free)
        count--;
    pthread_mutex_unlock(&pool->lock);
    return count;
}
