/* SPDX-License-Identifier: MIT */
/*
 * Owns the verified engines: what the interface's flags mean, and for each simulated domain what a flush puts into
 * flight and what a drain commits. The runtime calls them through the seam, at the speed of the program.
 */
#include "verify/engine.h"
#include "nvrtl/status.h"
#include "verify/alone.h"
#include "verify/binding.h"
#include "verify/expect.h"
#include "verify/level.h"
#include "verify/notes.h"
#include "verify/page.h"
#include "verify/pass.h"
#include "verify/places.h"
#include "verify/stores.h"
#include "verify/waste.h"
#include <string.h>

#define PAGE_BYTES ((uintptr_t)4096)

/* One call: who makes it, and from where. */
struct call {
    struct nv_thread *thread;
    const struct nv_binding *binding;
    const struct nv_region *region; /* NULL: of a drain */
    uint16_t place;
};

/* A domain: the engine as the runtime sees it, first, and what tells it from the others. */
struct domain {
    struct nv_engine engine;
    void (*touch)(const struct call *call, uintptr_t address, size_t size_bytes); /* is about to be written */
    NTSTATUS (*start)(const struct call *call, uintptr_t address, size_t size_bytes);
    NTSTATUS (*finish)(const struct call *call);
    /* Start and finish in one, after writing `source` if that is not NULL; false: it has to be done by itself. */
    bool (*pass)(const struct call *call, uintptr_t address, size_t size_bytes, const char *source);
    NTSTATUS (*finish_thread)(struct nv_thread *thread);
    bool (*has_flushed)(const struct call *call); /* there is something to drain; its place does not matter */
};

static const struct domain *domain_of(const struct nv_region *region)
{
    return (const struct domain *)(const void *)region->engine;
}

/* Lines of one file, one after the other, in memory and in the file. */
struct span {
    struct nv_file *file;
    uintptr_t start, end;
    uint64_t offset; /* of start */
};

/*
 * Cut the next span, in units of `grain` bytes, from *address up to `end`. A part begins and ends with a page, so a
 * unit never lies in two.
 */
static struct span cut(const struct nv_binding *binding, uintptr_t *address, uintptr_t end, uintptr_t grain)
{
    uintptr_t part_end;
    const struct nv_binding_part *part = nv_binding_part(binding, *address, &part_end);
    struct span span = {.file = part->file, .start = *address & ~(grain - 1)};

    *address = end < part_end ? end : part_end;
    span.end = (*address + grain - 1) & ~(grain - 1);
    span.offset = span.start + part->shift;
    return span;
}

static bool stores_are_watched(void)
{
    return __builtin_expect(atomic_load_explicit(&nv_stores_watched, memory_order_relaxed), 0);
}

static void touch_lines(const struct call *call, uintptr_t address, size_t size_bytes)
{
    uintptr_t end = address + size_bytes;

    if (stores_are_watched())
        nv_stores_write(call->binding, address, size_bytes, call->place);
    while (address < end) {
        struct span span = cut(call->binding, &address, end, NV_LINE_BYTES);
        uint64_t last = span.offset + (span.end - span.start);
        const struct nv_file_map *map = span.file != NULL ? nv_file_reach(span.file, last) : NULL;

        for (uint64_t at = span.offset, next; map != NULL && at < last; at = next) {
            next = at / NV_PAGE_BYTES * NV_PAGE_BYTES + NV_PAGE_BYTES;
            next = next < last ? next : last;
            __builtin_prefetch(map->durable + at, 1);
            nv_page_write(nv_file_page(map, at),
                          nv_page_set(at % NV_PAGE_BYTES / NV_LINE_BYTES, (next - at) / NV_LINE_BYTES), call->place);
        }
    }
}

/* Whether all stores to these lines are told, as far as they are seen. */
static bool is_watched(const struct call *call, const struct span *span)
{
    uintptr_t base = (uintptr_t)call->region->base, mask = NV_LINE_BYTES - 1;

    return stores_are_watched() && base <= (span->start & ~mask) &&
           ((span->end + mask) & ~mask) <= base + call->region->size_bytes;
}

static NTSTATUS start_span(const struct call *call, const struct span *span, struct nv_flight *flight)
{
    uint64_t length = span->end - span->start;
    const struct nv_file_map *map = nv_file_reach(span->file, span->offset + length);

    if (map == NULL) {
        nv_notes_lost();
        return STATUS_SUCCESS;
    }
    if (!nv_flight_add(flight, map, span->offset, (const void *)span->start, length, call->place,
                       is_watched(call, span)))
        return STATUS_INSUFFICIENT_RESOURCES;
    return STATUS_SUCCESS;
}

static NTSTATUS start_lines(const struct call *call, uintptr_t address, size_t size_bytes)
{
    uintptr_t end = address + size_bytes;
    NTSTATUS status = STATUS_SUCCESS;

    if (stores_are_watched())
        nv_stores_cover(call->binding, address, size_bytes);
    while (address < end && NT_SUCCESS(status)) {
        struct span span = cut(call->binding, &address, end, NV_LINE_BYTES);

        if (span.file != NULL)
            status = start_span(call, &span, &call->thread->flight);
    }
    return status;
}

static NTSTATUS finish_thread_lines(struct nv_thread *thread)
{
    nv_expect_before_drain(&thread->flight);
    nv_flight_drain(&thread->flight);
    return STATUS_SUCCESS;
}

/* Past the flight: nothing else of the thread is in it, and nobody watches what is durable when, or flushed in vain. */
static bool may_pass(const struct call *call)
{
    return nv_flight_is_empty(&call->thread->flight) && !nv_expect_orders() && !nv_waste_wanted();
}

static bool overlaps(uintptr_t address, const char *source, size_t size_bytes)
{
    return (uintptr_t)source - address < size_bytes || address - (uintptr_t)source < size_bytes;
}

/* What of `source` belongs to the span, and past the flight into the durable image. */
static bool write_span(const struct call *call, const struct span *span, const char *source)
{
    size_t size_bytes = span->end - span->start;
    const struct nv_file_map *map = span->file != NULL ? nv_file_reach(span->file, span->offset + size_bytes) : NULL;

    if (map != NULL)
        return nv_pass_write(map, span->offset, (void *)span->start, source, size_bytes, call->place,
                             is_watched(call, span));
    if (span->file == NULL)
        memcpy((void *)span->start, source, size_bytes);
    return span->file == NULL;
}

static bool pass_span(const struct call *call, const struct span *span)
{
    size_t size_bytes = span->end - span->start;
    const struct nv_file_map *map = span->file != NULL ? nv_file_reach(span->file, span->offset + size_bytes) : NULL;

    if (map != NULL)
        return nv_pass(map, span->offset, (const void *)span->start, size_bytes, call->place, is_watched(call, span));
    return span->file == NULL;
}

static bool pass_lines(const struct call *call, uintptr_t address, size_t size_bytes, const char *source)
{
    uintptr_t begin = address, end = address + size_bytes;
    bool passed = may_pass(call) && (source == NULL || !overlaps(address, source, size_bytes));

    if (passed && stores_are_watched())
        nv_stores_cover(call->binding, address, size_bytes);
    while (passed && address < end) {
        struct span span = cut(call->binding, &address, end, source != NULL ? 1 : NV_LINE_BYTES);

        passed = source != NULL ? write_span(call, &span, source + (span.start - begin)) : pass_span(call, &span);
    }
    return passed;
}

static bool pass_nothing(const struct call *call, uintptr_t address, size_t size_bytes, const char *source)
{
    (void)call, (void)address, (void)size_bytes, (void)source;
    return false;
}

static bool has_flushed_lines(const struct call *call)
{
    return !nv_flight_is_empty(&call->thread->flight);
}

static NTSTATUS finish_lines(const struct call *call)
{
    return finish_thread_lines(call->thread);
}

/* The thread has flushed pages of the file, for a drain that names no token. */
static void remember_file(struct nv_thread *thread, struct nv_file *file)
{
    for (size_t i = 0; i < thread->file_count && i < NV_THREAD_FILES; i++)
        if (thread->files[i] == file)
            return;
    if (thread->file_count < NV_THREAD_FILES)
        thread->files[thread->file_count] = file;
    if (thread->file_count <= NV_THREAD_FILES)
        thread->file_count++;
}

static NTSTATUS start_pages(const struct call *call, uintptr_t address, size_t size_bytes)
{
    uintptr_t end = address + size_bytes;
    NTSTATUS status = STATUS_SUCCESS;

    while (address < end && NT_SUCCESS(status)) {
        struct span span = cut(call->binding, &address, end, PAGE_BYTES);

        if (span.file == NULL)
            continue;
        if (atomic_load(&span.file->failed))
            return STATUS_IO_DEVICE_ERROR;
        remember_file(call->thread, span.file);
        if (stores_are_watched())
            nv_stores_cover(call->binding, span.start, span.end - span.start);
        nv_files_flight_lock();
        status = start_span(call, &span, &span.file->flight);
        nv_files_flight_unlock();
    }
    return status;
}

/* Whether this is the drain that the run wants to see fail; what is in flight is lost then. */
static bool is_to_fail(struct nv_file *file)
{
    struct nv_ledger *ledger = nv_notes_ledger();
    struct nv_ledger_range range = {.file = file->id};

    if (__builtin_expect(ledger->fail_sync == 0, 1) || nv_flight_is_empty(&file->flight) ||
        atomic_fetch_add(&ledger->syncs, 1) + 1 != ledger->fail_sync)
        return false;
    nv_notes_event(NV_EVENT_DRAIN_FAILED, "drain", 0, NULL, &range, NULL);
    nv_flight_clear(&file->flight);
    atomic_store(&file->failed, true);
    return true;
}

static NTSTATUS finish_file(struct nv_file *file)
{
    NTSTATUS status = STATUS_SUCCESS;

    nv_files_flight_lock();
    if (atomic_load(&file->failed) || is_to_fail(file)) {
        status = STATUS_IO_DEVICE_ERROR;
    } else {
        nv_expect_before_drain(&file->flight);
        nv_flight_drain(&file->flight);
    }
    nv_files_flight_unlock();
    return status;
}

static NTSTATUS finish_pages(const struct call *call)
{
    NTSTATUS first = STATUS_SUCCESS;

    for (size_t i = 0; i < call->binding->count; i++) {
        struct nv_file *file = call->binding->parts[i].file;
        NTSTATUS status = file != NULL ? finish_file(file) : STATUS_SUCCESS;

        first = NT_SUCCESS(first) ? status : first;
    }
    return first;
}

static NTSTATUS finish_thread_pages(struct nv_thread *thread)
{
    NTSTATUS first = STATUS_SUCCESS;

    if (thread->file_count > NV_THREAD_FILES)
        first = nv_files_each(finish_file);
    for (size_t i = 0; i < thread->file_count && i < NV_THREAD_FILES; i++) {
        NTSTATUS status = finish_file(thread->files[i]);

        first = NT_SUCCESS(first) ? status : first;
    }
    thread->file_count = 0;
    return first;
}

static bool is_in_flight(const struct nv_file *file)
{
    return file != NULL && !nv_flight_is_empty(&file->flight);
}

/* A drain by a token finishes what other threads flushed, too; one without a token has no binding. */
static bool has_flushed_pages(const struct call *call)
{
    const struct nv_thread *thread = call->thread;
    bool found = call->binding == NULL && thread->file_count > NV_THREAD_FILES;

    nv_files_flight_lock();
    for (size_t i = 0; call->binding != NULL && i < call->binding->count; i++)
        found = found || is_in_flight(call->binding->parts[i].file);
    for (size_t i = 0; call->binding == NULL && i < thread->file_count && i < NV_THREAD_FILES; i++)
        found = found || is_in_flight(thread->files[i]);
    nv_files_flight_unlock();
    return found;
}

static void touch_nothing(const struct call *call, uintptr_t address, size_t size_bytes)
{
    (void)call, (void)address, (void)size_bytes;
}

static NTSTATUS start_nothing(const struct call *call, uintptr_t address, size_t size_bytes)
{
    (void)call, (void)address, (void)size_bytes;
    return STATUS_SUCCESS;
}

static NTSTATUS finish_nothing(const struct call *call)
{
    (void)call;
    return STATUS_SUCCESS;
}

static NTSTATUS finish_thread_nothing(struct nv_thread *thread)
{
    (void)thread;
    return STATUS_SUCCESS;
}

/* Which domain it is does not tell: a drain is never in vain where nothing is simulated. */
static bool has_flushed_something(const struct call *call)
{
    (void)call;
    return true;
}

/* False: no memory. */
static inline bool begin(struct call *call, const struct nv_region *region, const char *function, const void *place,
                         const void *frame)
{
    nv_level_check(function, place, frame);
    call->thread = nv_thread_self();
    if (call->thread == NULL)
        return false;
    call->binding = region->context;
    call->region = region;
    call->place = nv_place_id(call->thread, place, frame);
    return true;
}

static const char *write_back_name(void)
{
    return "verified";
}

/* What a flush does, and the drain that its flags ask for. */
static NTSTATUS make_durable(const struct domain *domain, const struct call *call, void *address, size_t size_bytes,
                             bool drains)
{
    NTSTATUS status;

    if (drains && domain->pass(call, (uintptr_t)address, size_bytes, NULL))
        return STATUS_SUCCESS;
    status = domain->start(call, (uintptr_t)address, size_bytes);
    return NT_SUCCESS(status) && drains ? domain->finish(call) : status;
}

static NTSTATUS flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                      const void *place)
{
    struct call call;

    if (!begin(&call, region, "RtlFlushNonVolatileMemory", place, __builtin_frame_address(0)))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (nv_waste_wanted() && size_bytes != 0)
        nv_waste_note_flush(call.place, nv_waste_is_news(call.binding, address, size_bytes));
    return make_durable(domain_of(region), &call, address, size_bytes, (flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == 0);
}

static bool some_range_is_news(const struct nv_binding *binding, const NV_MEMORY_RANGE *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (nv_waste_is_news(binding, ranges[i].BaseAddress, ranges[i].Length))
            return true;
    return false;
}

static NTSTATUS flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                             uint32_t flags, const void *place)
{
    const struct domain *domain = domain_of(region);
    NTSTATUS status = STATUS_SUCCESS;
    struct call call;

    if (!begin(&call, region, "RtlFlushNonVolatileMemoryRanges", place, __builtin_frame_address(0)))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (nv_waste_wanted() && count != 0)
        nv_waste_note_flush(call.place, some_range_is_news(call.binding, ranges, count));
    for (size_t i = 0; i < count && NT_SUCCESS(status); i++)
        status = domain->start(&call, (uintptr_t)ranges[i].BaseAddress, ranges[i].Length);
    if (NT_SUCCESS(status) && (flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == 0)
        status = domain->finish(&call);
    return status;
}

/*
 * Regions of the default token are drained together, by drain_default: the runtime also drains one when it can keep no
 * more of them, which is nothing that the program asked for.
 */
static NTSTATUS drain(const struct nv_region *region, const void *place)
{
    const struct domain *domain = domain_of(region);
    struct call call = {.thread = nv_thread_self(), .binding = region->context};

    if (region->for_one_call)
        return STATUS_SUCCESS;
    nv_level_check("RtlDrainNonVolatileFlush", place, __builtin_frame_address(0));
    if (call.thread == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (nv_waste_wanted())
        nv_waste_note_drain(nv_place_id(call.thread, place, __builtin_frame_address(0)), domain->has_flushed(&call));
    return domain->finish(&call);
}

static NTSTATUS write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                      uint32_t flags, const void *place)
{
    const struct domain *domain = domain_of(region);
    uint32_t way = flags & WRITE_NV_MEMORY_FLAG_PERSIST;
    bool drains = way == WRITE_NV_MEMORY_FLAG_PERSIST || (flags & WRITE_NV_MEMORY_FLAG_NO_DRAIN) == 0;
    struct call call;

    if (!begin(&call, region, "RtlWriteNonVolatileMemory", place, __builtin_frame_address(0)))
        return STATUS_INSUFFICIENT_RESOURCES;
    if (way != 0 && drains && domain->pass(&call, (uintptr_t)destination, size_bytes, source))
        return STATUS_SUCCESS;
    domain->touch(&call, (uintptr_t)destination, size_bytes);
    memmove(destination, source, size_bytes);
    return way != 0 ? make_durable(domain, &call, destination, size_bytes, drains) : STATUS_SUCCESS;
}

/* NO_DRAIN holds for a fill with FLUSH alone. */
static NTSTATUS fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                     uint32_t flags, const void *place)
{
    uint32_t way = flags & FILL_NV_MEMORY_FLAG_PERSIST;
    struct call call;

    if (!begin(&call, region, "RtlFillNonVolatileMemory", place, __builtin_frame_address(0)))
        return STATUS_INSUFFICIENT_RESOURCES;
    domain_of(region)->touch(&call, (uintptr_t)destination, size_bytes);
    memset(destination, value, size_bytes);
    if (way == 0)
        return STATUS_SUCCESS;
    return make_durable(domain_of(region), &call, destination, size_bytes,
                        way != FILL_NV_MEMORY_FLAG_FLUSH || (flags & FILL_NV_MEMORY_FLAG_NO_DRAIN) == 0);
}

/* The durable image fails only where the run was asked for it. */
static NTSTATUS forget_failure(const struct nv_region *region)
{
    const struct nv_binding *binding = region->context;

    for (size_t i = 0; i < binding->count; i++)
        if (binding->parts[i].file != NULL)
            atomic_store(&binding->parts[i].file->failed, false);
    return STATUS_SUCCESS;
}

/* Bindings are immortal, and what was left undone is judged at the end of the run. */
static void release(const struct nv_region *region, const void *place)
{
    (void)place;
    if (region->for_one_call)
        return;
    nv_stores_remove(region->base, region->size_bytes);
    if (nv_alone_is_on())
        nv_alone_release(region);
}

#define ENGINE(domain_)                                                                                                \
    {                                                                                                                  \
        .name = "verifier", .domain = (domain_), .write_back_name = write_back_name, .flush = flush,                   \
        .flush_ranges = flush_ranges, .drain = drain, .write = write, .fill = fill, .forget_failure = forget_failure,  \
        .release = release                                                                                             \
    }

static const struct domain domains[] = {
    [NvrtlDomainPageCache] = {ENGINE(NvrtlDomainPageCache), touch_lines, start_pages, finish_pages, pass_nothing,
                              finish_thread_pages, has_flushed_pages},
    [NvrtlDomainCpuCache] = {ENGINE(NvrtlDomainCpuCache), touch_lines, start_lines, finish_lines, pass_lines,
                             finish_thread_lines, has_flushed_lines},
    [NvrtlDomainMemory] = {ENGINE(NvrtlDomainMemory), touch_nothing, start_nothing, finish_nothing, pass_nothing,
                           finish_thread_nothing, has_flushed_something},
};

const struct nv_engine *nv_verified_engine(NVRTL_DOMAIN domain)
{
    if (domain <= NvrtlDomainVolatile || (size_t)domain >= sizeof domains / sizeof *domains)
        return NULL;
    return &domains[domain].engine;
}

NTSTATUS nv_verified_drain(NVRTL_DOMAIN domain, const void *place, const void *frame)
{
    struct call call = {.thread = nv_thread_self()};

    if (call.thread == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (place != NULL)
        nv_level_check("RtlDrainNonVolatileFlush", place, frame);
    if (nv_waste_wanted() && place != NULL)
        nv_waste_note_drain(nv_place_id(call.thread, place, frame), domains[domain].has_flushed(&call));
    return domains[domain].finish_thread(call.thread);
}
