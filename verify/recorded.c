/* SPDX-License-Identifier: MIT */
/*
 * Owns the engine that stands before the verified one when the run's activity is recorded: it calls that one, and notes
 * what was called, and when. seam.c binds tokens to it.
 */
#include "verify/recorded.h"
#include "nvrtl/status.h"
#include "verify/binding.h"
#include "verify/notes.h"
#include "verify/places.h"
#include <unistd.h>

enum { WRITE = 1 << NV_ACTIVITY_WRITE, FLUSH = 1 << NV_ACTIVITY_FLUSH, DRAIN = 1 << NV_ACTIVITY_DRAIN };

static const struct nv_engine *verified;
static struct nv_engine recorded;

/* What was called: with which range, from where. */
struct called {
    const struct nv_region *region; /* NULL: of no token */
    const void *address;
    uint64_t bytes;
    const void *place, *frame;
};

static void find_file(const struct called *called, struct nv_activity_event *event)
{
    uintptr_t address = (uintptr_t)called->address, end;
    const struct nv_binding_part *part;

    if (called->region == NULL)
        return;
    part = nv_binding_part(called->region->context, address != 0 ? address : (uintptr_t)called->region->base, &end);
    if (part->file == NULL)
        return;
    event->file = part->file->id;
    event->offset = address != 0 ? address + part->shift : 0;
}

static void note(const struct called *called, unsigned kinds, NTSTATUS status)
{
    uint64_t at_ns = nv_notes_now_ns();
    struct nv_activity *activity = &nv_notes_ledger()->activity;
    struct nv_activity_event *event = nv_activity_take(activity);
    struct nv_thread *thread;

    if (event == NULL) {
        nv_activity_count(activity, at_ns, kinds, called->bytes);
        return;
    }
    thread = nv_thread_self();
    event->kinds = (uint16_t)kinds;
    event->thread = (uint32_t)gettid();
    event->at_ns = at_ns;
    event->length_bytes = event->bytes = called->bytes;
    event->place = thread != NULL ? nv_place_id(thread, called->place, called->frame) : 0;
    event->failed = !NT_SUCCESS(status);
    find_file(called, event);
    atomic_store_explicit(&event->ready, 1, memory_order_release);
}

/* The verified engine looks at the region's own. */
static struct nv_region inner(const struct nv_region *region)
{
    struct nv_region copy = *region;

    copy.engine = verified;
    return copy;
}

static unsigned drains(uint32_t flags)
{
    return (flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) != 0 ? 0 : DRAIN;
}

static NTSTATUS record_flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                             const void *place)
{
    struct nv_region own = inner(region);
    NTSTATUS status = verified->flush(&own, address, size_bytes, flags, place);
    struct called called = {region, address, size_bytes, place, __builtin_frame_address(0)};

    note(&called, FLUSH | drains(flags), status);
    return status;
}

static NTSTATUS record_flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                                    uint32_t flags, const void *place)
{
    struct nv_region own = inner(region);
    NTSTATUS status = verified->flush_ranges(&own, ranges, count, flags, place);
    struct called called = {region, count != 0 ? ranges[0].BaseAddress : NULL, 0, place, __builtin_frame_address(0)};

    for (size_t i = 0; i < count; i++)
        called.bytes += ranges[i].Length;
    note(&called, (count != 0 ? FLUSH : 0) | drains(flags), status);
    return status;
}

/* The runtime drains one for itself, too: see engine.c. */
static NTSTATUS record_drain(const struct nv_region *region, const void *place)
{
    struct nv_region own = inner(region);
    NTSTATUS status = verified->drain(&own, place);
    struct called called = {region, NULL, 0, place, __builtin_frame_address(0)};

    if (!region->for_one_call)
        note(&called, DRAIN, status);
    return status;
}

static NTSTATUS record_write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                             uint32_t flags, const void *place)
{
    struct nv_region own = inner(region);
    NTSTATUS status = verified->write(&own, destination, source, size_bytes, flags, place);
    struct called called = {region, destination, size_bytes, place, __builtin_frame_address(0)};
    uint32_t way = flags & WRITE_NV_MEMORY_FLAG_PERSIST;
    unsigned kinds = WRITE | (way != 0 ? FLUSH : 0);

    if (way == WRITE_NV_MEMORY_FLAG_PERSIST || (way != 0 && (flags & WRITE_NV_MEMORY_FLAG_NO_DRAIN) == 0))
        kinds |= DRAIN;
    note(&called, kinds, status);
    return status;
}

static NTSTATUS record_fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                            uint32_t flags, const void *place)
{
    struct nv_region own = inner(region);
    NTSTATUS status = verified->fill(&own, destination, size_bytes, value, flags, place);
    struct called called = {region, destination, size_bytes, place, __builtin_frame_address(0)};
    uint32_t way = flags & FILL_NV_MEMORY_FLAG_PERSIST;
    unsigned kinds = WRITE | (way != 0 ? FLUSH : 0);

    if (way != 0 && (way != FILL_NV_MEMORY_FLAG_FLUSH || (flags & FILL_NV_MEMORY_FLAG_NO_DRAIN) == 0))
        kinds |= DRAIN;
    note(&called, kinds, status);
    return status;
}

static NTSTATUS record_forget_failure(const struct nv_region *region)
{
    struct nv_region own = inner(region);

    return verified->forget_failure(&own);
}

static void record_release(const struct nv_region *region, const void *place)
{
    struct nv_region own = inner(region);

    verified->release(&own, place);
}

const struct nv_engine *nv_recorded_engine(const struct nv_engine *engine)
{
    if (engine == NULL)
        return NULL;
    verified = engine;
    recorded = *engine;
    recorded.flush = record_flush;
    recorded.flush_ranges = record_flush_ranges;
    recorded.drain = record_drain;
    recorded.write = record_write;
    recorded.fill = record_fill;
    recorded.forget_failure = record_forget_failure;
    recorded.release = record_release;
    return &recorded;
}

void nv_recorded_drain(NTSTATUS status, const void *place)
{
    struct called called = {NULL, NULL, 0, place, __builtin_frame_address(0)};

    note(&called, DRAIN, status);
}
