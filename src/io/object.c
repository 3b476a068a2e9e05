/* SPDX-License-Identifier: MIT */
/*
 * Owns the handles and the counts of references. Called by every public function of the file plane, and by whoever
 * makes objects.
 */
#include "src/io/object.h"

#include "src/pool/pool.h"

#include <nvrtl/status.h>

/* The state is the generation above the number of references, so that a stale handle cannot count. */
struct nv_object_slot {
    struct nv_slot slot;
    _Atomic uint64_t state;
    _Atomic(struct nv_object *) object;
};
NV_POOL_TYPE(struct nv_object_slot);

static struct nv_pool pool = NV_POOL(0x4E);

#define GENERATION(value) ((uint32_t)((value) >> NV_POOL_GENERATION_SHIFT))
#define STATE(generation, references) ((uint64_t)(generation) << 32 | (references))

NTSTATUS nv_object_begin(struct nv_object *object, const struct nv_object_type *type)
{
    uint64_t value;
    struct nv_object_slot *slot = (struct nv_object_slot *)(void *)nv_pool_take(&pool, &value);
    if (!slot)
        return STATUS_INSUFFICIENT_RESOURCES;
    *object = (struct nv_object){.type = type, .slot = slot, .handle = (HANDLE)(uintptr_t)value};
    atomic_store_explicit(&slot->object, object, memory_order_release);
    atomic_store_explicit(&slot->state, STATE(GENERATION(value), 1), memory_order_release);
    return STATUS_SUCCESS;
}

HANDLE nv_handle_open(struct nv_object *object, ACCESS_MASK granted)
{
    HANDLE handle = object->handle;
    object->granted = granted;
    nv_pool_publish(&object->slot->slot, (uint64_t)(uintptr_t)handle);
    return handle;
}

void nv_object_reference(struct nv_object *object)
{
    atomic_fetch_add_explicit(&object->slot->state, 1, memory_order_relaxed);
}

void nv_object_release(struct nv_object *object)
{
    struct nv_object_slot *slot = object->slot;
    if ((uint32_t)atomic_fetch_sub_explicit(&slot->state, 1, memory_order_acq_rel) != 1)
        return;
    atomic_store_explicit(&slot->object, NULL, memory_order_seq_cst);
    object->type->destroy(object);
    nv_pool_give_back(&pool, &slot->slot);
}

/* One reference more, if there is one yet, and it is to the object of this generation. */
static bool count(struct nv_object_slot *slot, uint32_t generation)
{
    uint64_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);
    while ((uint32_t)(state >> 32) == generation && (uint32_t)state != 0)
        if (atomic_compare_exchange_weak_explicit(&slot->state, &state, state + 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

static bool is_pseudo(HANDLE handle)
{
    return handle == NtCurrentProcess() || handle == NtCurrentThread();
}

NTSTATUS nv_handle_reference(HANDLE handle, const struct nv_object_type *type, struct nv_object **object,
                             ACCESS_MASK *granted)
{
    uint64_t value = (uint64_t)(uintptr_t)handle;
    struct nv_object_slot *slot = (struct nv_object_slot *)(void *)nv_pool_find(&pool, value);
    if (!slot || !count(slot, GENERATION(value)))
        return is_pseudo(handle) ? STATUS_OBJECT_TYPE_MISMATCH : STATUS_INVALID_HANDLE;
    struct nv_object *found = atomic_load_explicit(&slot->object, memory_order_relaxed);
    if (type && found->type != type) {
        nv_object_release(found);
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    *object = found;
    *granted = found->granted;
    return STATUS_SUCCESS;
}

NTSTATUS nv_handle_close(HANDLE handle)
{
    if (is_pseudo(handle))
        return STATUS_SUCCESS;
    struct nv_object_slot *slot = (struct nv_object_slot *)(void *)nv_pool_retire(&pool, (uint64_t)(uintptr_t)handle);
    if (!slot)
        return STATUS_INVALID_HANDLE;
    struct nv_object *object = atomic_load_explicit(&slot->object, memory_order_relaxed);
    object->type->closed(object);
    nv_object_release(object);
    return STATUS_SUCCESS;
}

uint32_t nv_object_count(void)
{
    return nv_pool_count(&pool);
}

void nv_object_before_fork(void)
{
    pthread_mutex_lock(&pool.lock);
}

void nv_object_after_fork(bool in_child)
{
    char *slots = atomic_load_explicit(&pool.slots, memory_order_relaxed);
    for (uint32_t i = 0; in_child && i < pool.used; i++) {
        struct nv_object_slot *slot = (struct nv_object_slot *)(void *)nv_slot_at(slots, i);
        struct nv_object *object = atomic_load_explicit(&slot->object, memory_order_relaxed);
        if (object && object->type->forked)
            object->type->forked(object);
    }
    pthread_mutex_unlock(&pool.lock);
}
