/* SPDX-License-Identifier: MIT */
/*
 * Owns a slot for each thread that stores, with the store that it is about to make. Called by stores.c in each hook,
 * and by tell.c before anything else is told.
 */
#include "verify/pending.h"
#include "trace/shadow.h"
#include "verify/tell.h"
#include <sched.h>

#define SLOTS 256
#define PLAIN_BYTES 16 /* the largest store of one instruction that a hook tells; what is larger is a copy */

enum state {
    FREE,    /* nothing is pending */
    PENDING, /* a store may be made by now, and nobody has told it */
    KNOWN,   /* another thread has told it, as it was then */
    BUSY     /* another thread is about to */
};

struct nv_pending {
    _Atomic bool taken;
    _Atomic uint32_t state; /* enum state */
    const struct nv_told *told;
    uint64_t offset, length;
    uint32_t thread;
    uint16_t place;
} __attribute__((aligned(64)));

static struct nv_pending slots[SLOTS];
static _Atomic uint32_t slots_used; /* ever */

/* NULL: too many threads; the next comparison finds what it stores. */
static struct nv_pending *take_slot(void)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        bool taken = false;
        uint32_t used = atomic_load(&slots_used);

        if (!atomic_compare_exchange_strong(&slots[i].taken, &taken, true))
            continue;
        while (used < i + 1 && !atomic_compare_exchange_weak(&slots_used, &used, i + 1))
            ;
        return &slots[i];
    }
    return NULL;
}

static bool tell(const struct nv_pending *slot, bool news)
{
    bool copied = slot->length > PLAIN_BYTES && nv_tell_tears();
    struct nv_teller teller = {.log = nv_tell_log,
                               .object = slot->told->object,
                               .thread = slot->thread,
                               .place = slot->place,
                               .flags = copied ? NV_TRACE_WORDS : 0};

    return nv_shadow_tell_store(&slot->told->shadow, &teller, slot->offset, slot->told->view + slot->offset,
                                slot->length, news);
}

static void settle(struct nv_pending *slot)
{
    uint32_t state = atomic_load_explicit(&slot->state, memory_order_acquire);

    while (state != FREE) {
        if (state == BUSY) {
            sched_yield();
            state = atomic_load_explicit(&slot->state, memory_order_acquire);
        } else if (atomic_compare_exchange_weak(&slot->state, &state, FREE)) {
            (void)tell(slot, state == KNOWN);
            return;
        }
    }
}

/* Another thread's. What lies there is as it was told: then its store is not made yet, as far as anyone can see. */
static void look(struct nv_pending *slot)
{
    uint32_t state = PENDING;

    if (atomic_load_explicit(&slot->state, memory_order_relaxed) != PENDING ||
        !atomic_compare_exchange_strong(&slot->state, &state, BUSY))
        return;
    state = slot->length <= PLAIN_BYTES && tell(slot, true) ? KNOWN : PENDING;
    atomic_store_explicit(&slot->state, state, memory_order_release);
}

void nv_pending_made(struct nv_thread *thread)
{
    if (thread->pending == NULL)
        return;
    thread->telling = true;
    settle(thread->pending);
    thread->telling = false;
}

void nv_pending_settle_all(struct nv_thread *thread)
{
    uint32_t used = atomic_load_explicit(&slots_used, memory_order_relaxed);

    if (thread->pending != NULL)
        settle(thread->pending);
    for (uint32_t i = 0; i < used; i++)
        if (&slots[i] != thread->pending)
            look(&slots[i]);
}

void nv_pending_note(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, size_t size_bytes,
                     uint16_t place)
{
    uintptr_t part_end;
    const struct nv_binding_part *part = nv_binding_part(binding, address, &part_end);
    uint64_t offset = address + part->shift;
    const struct nv_told *told = part->file != NULL ? nv_told_reach(part->file, offset + size_bytes) : NULL;
    struct nv_pending *slot;

    if (thread->telling)
        return;
    thread->telling = true;
    nv_pending_settle_all(thread);
    if (thread->pending == NULL)
        thread->pending = take_slot();
    slot = thread->pending;
    if (slot != NULL && told != NULL && told->bytes >= offset + size_bytes && size_bytes <= part_end - address) {
        slot->told = told;
        slot->offset = offset;
        slot->length = size_bytes;
        slot->thread = nv_tell_thread(thread);
        slot->place = place;
        atomic_store_explicit(&slot->state, PENDING, memory_order_release);
    }
    thread->telling = false;
}

void nv_pending_end(struct nv_thread *thread)
{
    struct nv_pending *slot = thread->pending;

    if (slot == NULL)
        return;
    settle(slot);
    thread->pending = NULL;
    atomic_store(&slot->taken, false);
}

void nv_pending_after_fork(void)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        atomic_store(&slots[i].state, FREE);
        if (nv_thread_state == NULL || nv_thread_state->pending != &slots[i])
            atomic_store(&slots[i].taken, false);
    }
}
