/* SPDX-License-Identifier: MIT */
/*
 * Pools of slots that are named by handles instead of pointers. A handle is a tag, a generation and a slot number;
 * whether it is live is asked of the slot, in O(1) and without a lock, and no handle is ever given twice. Slots are
 * never unmapped.
 */
#ifndef NV_POOL_H
#define NV_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NV_POOL_SLOTS ((uint32_t)1 << 24)
#define NV_POOL_SLOT_BYTES ((size_t)64) /* of every pool: a slot is a cache line */
#define NV_POOL_GENERATION_SHIFT 24
#define NV_POOL_TAG_SHIFT 56

/* The head of every slot; what a pool is for follows it. */
struct nv_slot {
    _Atomic uint64_t live; /* the handle, while it is live; else 0 */
    uint32_t generation;   /* of the last handle; under the pool's lock */
    uint32_t next_free;    /* slot number + 1; under the pool's lock */
};

struct nv_pool {
    uint8_t tag; /* the handle's top byte: neither 0 nor 0xFF */
    pthread_mutex_t lock;
    char *_Atomic slots;
    uint32_t used;       /* slots that were ever taken */
    uint32_t first_free; /* slot number + 1 */
};

#define NV_POOL(TAG)                                                                                                   \
    {                                                                                                                  \
        .tag = (TAG), .lock = PTHREAD_MUTEX_INITIALIZER                                                                \
    }
#define NV_POOL_TYPE(TYPE) _Static_assert(sizeof(TYPE) <= NV_POOL_SLOT_BYTES, "a slot of " #TYPE " is too large")

/* A slot that no one else has, and the handle it will have; NULL when there is none left. */
struct nv_slot *nv_pool_take(struct nv_pool *pool, uint64_t *handle);

/* From now on the handle is live: what was stored in the slot before is seen by whoever finds it. */
void nv_pool_publish(struct nv_slot *slot, uint64_t handle);

static inline bool nv_slot_is(const struct nv_slot *slot, uint64_t handle)
{
    return atomic_load_explicit(&slot->live, memory_order_acquire) == handle;
}

static inline struct nv_slot *nv_slot_at(char *slots, uint32_t number)
{
    return (struct nv_slot *)(void *)(slots + number * NV_POOL_SLOT_BYTES);
}

/*
 * The slot that the handle names if it is live, else NULL. By the time of return it may be live no more: ask again with
 * nv_slot_is after reading. Inline, as each call of a program passes here.
 */
static inline struct nv_slot *nv_pool_find(struct nv_pool *pool, uint64_t handle)
{
    char *slots = atomic_load_explicit(&pool->slots, memory_order_acquire);
    if (!slots || handle >> NV_POOL_TAG_SHIFT != pool->tag)
        return NULL;
    struct nv_slot *slot = nv_slot_at(slots, (uint32_t)handle & (NV_POOL_SLOTS - 1));
    return nv_slot_is(slot, handle) ? slot : NULL;
}

/* Ends the handle's life. One caller gets the slot, to give it back; every other one gets NULL. */
struct nv_slot *nv_pool_retire(struct nv_pool *pool, uint64_t handle);

/* The slot may be taken again. */
void nv_pool_give_back(struct nv_pool *pool, struct nv_slot *slot);

/* How many handles are taken and not given back. For tests. */
uint32_t nv_pool_count(struct nv_pool *pool);

#endif
