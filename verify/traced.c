/* SPDX-License-Identifier: MIT */
/*
 * Owns the engine that stands before the verified one in a recorded run: it calls that one, and tells what was stored,
 * flushed and drained. seam.c binds tokens to it.
 */
#include "verify/traced.h"
#include "nvrtl/status.h"
#include "verify/engine.h"
#include "verify/places.h"
#include "verify/tell.h"
#include <pthread.h>

static const struct nv_engine *verified;
static struct nv_engine traced;

/*
 * A drain of pages covers what any thread had flushed before it: so flushes and drains are told in the order in which
 * they were made.
 */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

struct call {
    struct nv_thread *thread; /* NULL: no memory, and nothing is told */
    const struct nv_binding *binding;
    bool by_token;
    uint16_t place;
};

static struct call begin(const struct nv_region *region, const void *place, const void *frame)
{
    struct call call = {.thread = nv_thread_self()};

    if (region != NULL) {
        call.binding = region->context;
        call.by_token = !region->for_one_call;
    }
    if (call.thread != NULL && place != NULL)
        call.place = nv_place_id(call.thread, place, frame);
    if (traced.domain == NvrtlDomainPageCache)
        pthread_mutex_lock(&order);
    return call;
}

static NTSTATUS finish(NTSTATUS status)
{
    if (traced.domain == NvrtlDomainPageCache)
        pthread_mutex_unlock(&order);
    return status;
}

/* The verified engine looks at the region's own. */
static struct nv_region inner(const struct nv_region *region)
{
    struct nv_region copy = *region;

    copy.engine = verified;
    return copy;
}

static void tell_flush(const struct call *call, const void *address, size_t size_bytes)
{
    if (call->thread != NULL && size_bytes != 0)
        nv_tell_flush(call->thread, call->binding, (uintptr_t)address, size_bytes, call->place);
}

/*
 * Where stores become durable in their order, what was stored before a write is told before it: the one moment at which
 * there is an order.
 */
static void tell_before_write(const struct call *call)
{
    if (traced.domain == NvrtlDomainMemory && call->thread != NULL)
        nv_tell_rest(call->thread);
}

/* Of pages, by a token: the files of that one, for all threads. */
static void tell_drain(const struct call *call, NTSTATUS status)
{
    uint16_t flags = NT_SUCCESS(status) ? 0 : NV_TRACE_FAILED;

    if (call->thread == NULL)
        return;
    nv_tell_rest(call->thread);
    call->thread->flushed = false;
    if (traced.domain != NvrtlDomainPageCache || !call->by_token) {
        nv_tell_drain(call->thread, 0, flags, call->place);
        return;
    }
    for (size_t i = 0; i < call->binding->count; i++) {
        struct nv_file *file = call->binding->parts[i].file;
        const struct nv_told *told = file != NULL ? nv_told_reach(file, 0) : NULL;

        if (told != NULL)
            nv_tell_drain(call->thread, told->object, flags | NV_TRACE_ALL_THREADS, call->place);
    }
}

static NTSTATUS trace_flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                            const void *place)
{
    struct call call = begin(region, place, __builtin_frame_address(0));
    struct nv_region own = inner(region);
    NTSTATUS status;

    tell_flush(&call, address, size_bytes);
    status = verified->flush(&own, address, size_bytes, flags, place);
    if ((flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == 0)
        tell_drain(&call, status);
    return finish(status);
}

static NTSTATUS trace_flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                                   uint32_t flags, const void *place)
{
    struct call call = begin(region, place, __builtin_frame_address(0));
    struct nv_region own = inner(region);
    NTSTATUS status;

    for (size_t i = 0; i < count; i++)
        tell_flush(&call, ranges[i].BaseAddress, ranges[i].Length);
    status = verified->flush_ranges(&own, ranges, count, flags, place);
    if ((flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == 0)
        tell_drain(&call, status);
    return finish(status);
}

/* The runtime drains one for itself, too: see engine.c. */
static NTSTATUS trace_drain(const struct nv_region *region, const void *place)
{
    struct call call = begin(region, place, __builtin_frame_address(0));
    struct nv_region own = inner(region);
    NTSTATUS status = verified->drain(&own, place);

    if (!region->for_one_call)
        tell_drain(&call, status);
    return finish(status);
}

/* What was stored, and what of it the same call flushed and drained. */
static void tell_written(const struct call *call, const void *address, size_t size_bytes, bool flushes, bool drains,
                         NTSTATUS status)
{
    if (call->thread == NULL || size_bytes == 0)
        return;
    nv_tell_write(call->thread, call->binding, (uintptr_t)address, size_bytes, call->place);
    if (flushes)
        tell_flush(call, address, size_bytes);
    if (drains)
        tell_drain(call, status);
}

static NTSTATUS trace_write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                            uint32_t flags, const void *place)
{
    struct call call = begin(region, place, __builtin_frame_address(0));
    struct nv_region own = inner(region);
    uint32_t way = flags & WRITE_NV_MEMORY_FLAG_PERSIST;
    bool drains = way == WRITE_NV_MEMORY_FLAG_PERSIST || (way != 0 && (flags & WRITE_NV_MEMORY_FLAG_NO_DRAIN) == 0);
    NTSTATUS status;

    tell_before_write(&call);
    status = verified->write(&own, destination, source, size_bytes, flags, place);
    tell_written(&call, destination, size_bytes, way != 0, drains, status);
    return finish(status);
}

static NTSTATUS trace_fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                           uint32_t flags, const void *place)
{
    struct call call = begin(region, place, __builtin_frame_address(0));
    struct nv_region own = inner(region);
    uint32_t way = flags & FILL_NV_MEMORY_FLAG_PERSIST;
    bool drains = way != 0 && (way != FILL_NV_MEMORY_FLAG_FLUSH || (flags & FILL_NV_MEMORY_FLAG_NO_DRAIN) == 0);
    NTSTATUS status;

    tell_before_write(&call);
    status = verified->fill(&own, destination, size_bytes, value, flags, place);
    tell_written(&call, destination, size_bytes, way != 0, drains, status);
    return finish(status);
}

static NTSTATUS trace_forget_failure(const struct nv_region *region)
{
    struct nv_region own = inner(region);

    return verified->forget_failure(&own);
}

static void trace_release(const struct nv_region *region, const void *place)
{
    struct nv_thread *thread = nv_thread_self();
    struct nv_region own = inner(region);

    if (thread != NULL)
        nv_tell_unmap(thread, region);
    verified->release(&own, place);
}

const struct nv_engine *nv_traced_engine(const struct nv_engine *engine)
{
    uint64_t grain_bytes;

    if (engine == NULL)
        return NULL;
    grain_bytes = engine->domain == NvrtlDomainPageCache ? NV_SHADOW_PAGE_BYTES : NV_SHADOW_LINE_BYTES;
    if (!nv_tell_open(engine->domain, grain_bytes))
        return NULL;
    verified = engine;
    traced = *engine;
    traced.flush = trace_flush;
    traced.flush_ranges = trace_flush_ranges;
    traced.drain = trace_drain;
    traced.write = trace_write;
    traced.fill = trace_fill;
    traced.forget_failure = trace_forget_failure;
    traced.release = trace_release;
    return &traced;
}

/* Where no place is, the drain is the end of another call, or a fence, which may well have been for something else. */
NTSTATUS nv_traced_drain(NVRTL_DOMAIN domain, const void *place, const void *frame)
{
    struct call call = begin(NULL, place, frame);
    NTSTATUS status = nv_verified_drain(domain, place, frame);

    if (call.thread != NULL && (place != NULL || call.thread->flushed))
        tell_drain(&call, status);
    return finish(status);
}

void nv_traced_before_fork(void)
{
    pthread_mutex_lock(&order);
}

void nv_traced_after_fork(void)
{
    pthread_mutex_unlock(&order);
}
