/* SPDX-License-Identifier: MIT */
/*
 * What a run did when, for reports that draw it: shared memory that the verifiers write, and memory of the supervisor
 * for its own part. The first calls are kept one by one; after those only how many there were, in spans of time that
 * grow with the time that has passed. So it is bounded, counts are exact, and nobody ever waits.
 */
#ifndef NV_ACTIVITY_H
#define NV_ACTIVITY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum nv_activity_kind { NV_ACTIVITY_WRITE, NV_ACTIVITY_FLUSH, NV_ACTIVITY_DRAIN, NV_ACTIVITY_SYNC, NV_ACTIVITY_KINDS };

#define NV_ACTIVITY_EVENTS 2048
#define NV_ACTIVITY_STEPS_LOG2 8 /* each doubling of the time is told in 256 spans */
#define NV_ACTIVITY_STEPS ((size_t)1 << NV_ACTIVITY_STEPS_LOG2)
#define NV_ACTIVITY_UNIT_LOG2 10                   /* the first ones take 1 024 ns each */
#define NV_ACTIVITY_SPANS (33 * NV_ACTIVITY_STEPS) /* until 13 days have passed; the last one takes the rest */

struct nv_activity_event {
    _Atomic uint32_t ready;
    uint16_t kinds; /* a bit each: 1 << NV_ACTIVITY_WRITE ... */
    uint16_t place; /* in the ledger; 0: unknown */
    uint32_t thread;
    uint32_t failed;
    uint32_t file; /* its number; 0: unknown */
    uint64_t at_ns, duration_ns;
    uint64_t offset, length_bytes;
    uint64_t bytes; /* written, flushed or, by a sync, made durable */
};

struct nv_activity_span {
    _Atomic uint64_t calls[1 << NV_ACTIVITY_KINDS]; /* of these kinds: the number is that of an event's `kinds` */
    _Atomic uint64_t bytes;
};

struct nv_activity {
    _Atomic uint32_t taken; /* of events; goes on when they are full */
    struct nv_activity_event events[NV_ACTIVITY_EVENTS];
    struct nv_activity_span spans[NV_ACTIVITY_SPANS];
};

/* The span that a time belongs to. */
static inline size_t nv_activity_span(uint64_t at_ns)
{
    uint64_t unit = at_ns >> NV_ACTIVITY_UNIT_LOG2;
    size_t doublings, span;

    if (unit < NV_ACTIVITY_STEPS)
        return (size_t)unit;
    doublings = (size_t)(63 - __builtin_clzll(unit)) - NV_ACTIVITY_STEPS_LOG2;
    span = (doublings + 1) * NV_ACTIVITY_STEPS + (size_t)(unit >> doublings) - NV_ACTIVITY_STEPS;
    return span < NV_ACTIVITY_SPANS ? span : NV_ACTIVITY_SPANS - 1;
}

/* Where a span begins; it ends where the next one does. */
static inline uint64_t nv_activity_span_start(size_t span)
{
    size_t doublings = span / NV_ACTIVITY_STEPS;
    uint64_t step = span % NV_ACTIVITY_STEPS;

    if (doublings == 0)
        return step << NV_ACTIVITY_UNIT_LOG2;
    return (NV_ACTIVITY_STEPS + step) << (doublings - 1 + NV_ACTIVITY_UNIT_LOG2);
}

/* The next free event, or NULL: they are full, and nv_activity_count is all there is. */
static inline struct nv_activity_event *nv_activity_take(struct nv_activity *activity)
{
    uint32_t number = atomic_load_explicit(&activity->taken, memory_order_relaxed);

    if (number < NV_ACTIVITY_EVENTS)
        number = atomic_fetch_add_explicit(&activity->taken, 1, memory_order_relaxed);
    return number < NV_ACTIVITY_EVENTS ? &activity->events[number] : NULL;
}

static inline void nv_activity_count(struct nv_activity *activity, uint64_t at_ns, unsigned kinds, uint64_t bytes)
{
    struct nv_activity_span *span = &activity->spans[nv_activity_span(at_ns)];

    atomic_fetch_add_explicit(&span->calls[kinds], 1, memory_order_relaxed);
    if (bytes != 0)
        atomic_fetch_add_explicit(&span->bytes, bytes, memory_order_relaxed);
}

#endif
