/* SPDX-License-Identifier: MIT */
/* Places in the code: the stack that led to a call of the interface, as a small number in the ledger. */
#ifndef NV_VERIFY_PLACES_H
#define NV_VERIFY_PLACES_H

#include "verify/thread.h"

/* Before the first use: what unwinding loads, it loads now. */
void nv_places_open(void);

/* The number, found out by unwinding. */
uint16_t nv_place_find(struct nv_thread *thread, const void *place, const void *frame);

/* The number of the call that returns to `place`, on the stack that has `frame`. 0: unknown. */
static inline uint16_t nv_place_id(struct nv_thread *thread, const void *place, const void *frame)
{
    uintptr_t mix = (uintptr_t)place * 31 + (uintptr_t)frame / 16;
    size_t i = (mix ^ (mix >> 9)) % NV_THREAD_PLACES;

    if (__builtin_expect(thread->places[i].place == place && thread->places[i].frame == frame, 1))
        return thread->places[i].id;
    return nv_place_find(thread, place, frame);
}

void nv_places_before_fork(void);
void nv_places_after_fork(void);

#endif
