/* SPDX-License-Identifier: MIT */
/* Places in the code: the stack that led to a call of the interface, as a small number in the ledger. */
#ifndef NV_VERIFY_PLACES_H
#define NV_VERIFY_PLACES_H

#include "verify/thread.h"

/* Before the first use: what unwinding loads, it loads now. */
void nv_places_open(void);

/* The number, found out by unwinding. */
uint16_t nv_place_find(struct nv_thread *thread, const void *place, const void *frame);

/* Likewise for a place alone. */
uint16_t nv_place_find_code(struct nv_thread *thread, const void *place);

static inline struct nv_thread_place *nv_place_slot(struct nv_thread *thread, const void *place, const void *frame)
{
    uintptr_t mix = (uintptr_t)place * 31 + (uintptr_t)frame / 16;

    return &thread->places[(mix ^ (mix >> 9)) % NV_THREAD_PLACES];
}

/* A word of this thread's stack, whatever a sanitizer thinks of it. */
__attribute__((no_sanitize("address", "thread"))) static inline uintptr_t nv_place_word(const void *frame,
                                                                                        size_t at_bytes)
{
    return *(const volatile uintptr_t *)((uintptr_t)frame + at_bytes);
}

/* Whether the stack is the one that the slot knows: two ways to one call may well have frames of the same size. */
static inline bool nv_place_same(const struct nv_thread_place *slot, const void *place, const void *frame)
{
    if (slot->place != place || slot->frame != frame)
        return false;
    for (uint16_t i = 0; i < slot->caller_count; i++)
        if (nv_place_word(frame, slot->at_bytes[i]) != slot->callers[i])
            return false;
    return true;
}

/* The number of the call that returns to `place`, on the stack that has `frame`. 0: unknown. */
static inline uint16_t nv_place_id(struct nv_thread *thread, const void *place, const void *frame)
{
    const struct nv_thread_place *slot = nv_place_slot(thread, place, frame);

    return __builtin_expect(nv_place_same(slot, place, frame), 1) ? slot->id : nv_place_find(thread, place, frame);
}

/* The number of a place whose stack is not of interest. */
static inline uint16_t nv_place_of_code(struct nv_thread *thread, const void *place)
{
    const struct nv_thread_place *slot = nv_place_slot(thread, place, NULL);

    if (__builtin_expect(slot->place == place && slot->frame == NULL, 1))
        return slot->id;
    return nv_place_find_code(thread, place);
}

void nv_places_before_fork(void);
void nv_places_after_fork(void);

#endif
