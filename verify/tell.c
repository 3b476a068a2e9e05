/* SPDX-License-Identifier: MIT */
/*
 * Owns the events that this process appends to the log of a recorded run, and the regions that it looks through for
 * what changed. Called by traced.c and seam.c.
 */
#include "verify/tell.h"
#include "nvrtl/status.h"
#include "verify/client.h"
#include "verify/dirty.h"
#include "verify/pending.h"
#include "verify/stores.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE NV_SHADOW_PAGE_BYTES

/* Whole pages in which a part of a region lies, all of one file. */
struct area {
    struct nv_file *file;
    uintptr_t start, end;
    uint64_t offset; /* of start */
    bool watched;
    bool lasting;   /* it was used without a token, and lasts as long as the process */
    uint32_t count; /* of tokens */
};

struct nv_log *nv_tell_log;

static struct area *areas;
static size_t area_count, area_room;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static NVRTL_DOMAIN domain;
static uint64_t grain;

bool nv_tell_open(NVRTL_DOMAIN simulated, uint64_t grain_bytes)
{
    struct nv_verifier_request request = {.kind = NV_VERIFIER_LOG};
    struct nv_verifier_reply reply;
    int descriptor;

    if (!NT_SUCCESS(nv_client_ask(&request, &reply, &descriptor, 1)))
        return false;
    nv_tell_log = nv_log_open(descriptor);
    close(descriptor);
    domain = simulated;
    grain = grain_bytes;
    return nv_tell_log != NULL;
}

bool nv_tell_tears(void)
{
    return domain == NvrtlDomainCpuCache;
}

uint32_t nv_tell_thread(struct nv_thread *thread)
{
    if (thread->number == 0)
        thread->number = (uint32_t)gettid();
    return thread->number;
}

static struct nv_trace_event *begin(struct nv_thread *thread, uint16_t kind, uint32_t payload_bytes)
{
    struct nv_trace_event *event = nv_log_begin(nv_tell_log, payload_bytes);

    if (event == NULL)
        return NULL;
    event->kind = kind;
    event->thread = nv_tell_thread(thread);
    return event;
}

/* -- pieces of a range, file by file -- */

struct piece {
    const struct nv_told *told;
    uint64_t offset, length;
};

/* The next piece that anything can be told of, rounded to `unit`. False: there is none up to `end`. */
static bool cut(const struct nv_binding *binding, uintptr_t *address, uintptr_t end, uint64_t unit, struct piece *piece)
{
    while (*address < end) {
        uintptr_t part_end;
        const struct nv_binding_part *part = nv_binding_part(binding, *address, &part_end);
        uintptr_t from = *address, to = end < part_end ? end : part_end;
        uint64_t stop = (to + part->shift + unit - 1) / unit * unit;

        *address = to;
        piece->offset = (from + part->shift) / unit * unit;
        piece->told = part->file != NULL ? nv_told_reach(part->file, stop) : NULL;
        if (piece->told == NULL || piece->told->bytes <= piece->offset)
            continue;
        stop = stop < piece->told->bytes ? stop : piece->told->bytes;
        piece->length = stop - piece->offset;
        return true;
    }
    return false;
}

static void tell_changes(struct nv_thread *thread, const struct nv_told *told, uint64_t offset, uint64_t length)
{
    struct nv_teller teller = {.log = nv_tell_log, .object = told->object, .thread = nv_tell_thread(thread)};

    nv_shadow_tell_changes(&told->shadow, &teller, offset, told->view + offset, length);
}

/* -- regions -- */

struct look {
    struct nv_thread *thread;
    const struct area *area;
};

static void look_at(void *context, uintptr_t start, uintptr_t end)
{
    const struct look *look = context;
    const struct area *area = look->area;
    uint64_t from = area->offset + (start - area->start), to = area->offset + (end - area->start);
    const struct nv_told *told = nv_told_reach(area->file, to);

    if (told == NULL || told->bytes <= from)
        return;
    to = to < told->bytes ? to : told->bytes;
    if (to - from == PAGE) { /* this one was written */
        tell_changes(look->thread, told, from, PAGE);
        return;
    }
    while (from < to) {
        uint64_t first = nv_told_next(told, &from, to);

        if (first < from)
            tell_changes(look->thread, told, first, from - first);
    }
}

/* Under the mutex. */
static void look_through(struct nv_thread *thread, struct area *area)
{
    struct look look = {thread, area};

    if (area->watched)
        nv_dirty_each(area->start, area->end, look_at, &look);
    else
        look_at(&look, area->start, area->end);
}

static struct area *find(const struct area *like)
{
    for (size_t i = 0; i < area_count; i++)
        if (areas[i].file == like->file && areas[i].start == like->start && areas[i].end == like->end &&
            areas[i].offset == like->offset)
            return &areas[i];
    return NULL;
}

/* NULL: no memory. */
static struct area *add(const struct area *wanted)
{
    struct area *more;

    if (area_count == area_room) {
        more = realloc(areas, (area_room + 64) * sizeof *areas);
        if (more == NULL)
            return NULL;
        areas = more;
        area_room += 64;
    }
    areas[area_count] = *wanted;
    return &areas[area_count++];
}

static bool watch(const struct area *area, const struct nv_segment *segments, size_t count)
{
    bool watched = true;

    for (size_t i = 0; i < count; i++) {
        uintptr_t start = (uintptr_t)segments[i].mapping_start, end = (uintptr_t)segments[i].mapping_end;

        if (start < area->end && area->start < end)
            watched = nv_dirty_watch(start, end) && watched;
    }
    return watched;
}

static void tell_region(struct nv_thread *thread, uint16_t kind, uint32_t object, const struct area *exact)
{
    struct nv_trace_event *event = begin(thread, kind, 0);

    if (event == NULL)
        return;
    event->object = object;
    event->address = exact->start;
    event->offset = exact->offset;
    event->length = exact->end - exact->start;
    event->other = kind == NV_TRACE_MAP ? (uint32_t)domain : 0;
    nv_log_commit(event);
}

static struct area in_pages(const struct area *exact)
{
    struct area area = *exact;

    area.start = exact->start / PAGE * PAGE;
    area.end = (exact->end + PAGE - 1) / PAGE * PAGE;
    area.offset -= exact->start - area.start;
    return area;
}

/* Under the mutex. `exact` is the region's part, to the byte. False: it was known as a lasting one, or no memory. */
static bool map_area(struct nv_thread *thread, const struct area *exact, const struct nv_segment *segments,
                     size_t count)
{
    const struct nv_told *told = nv_told_reach(exact->file, exact->offset + (exact->end - exact->start));
    struct area wanted = in_pages(exact), *area = find(&wanted);

    if (told == NULL || (area != NULL && area->lasting && exact->lasting))
        return false;
    tell_region(thread, NV_TRACE_MAP, told->object, exact);
    if (area == NULL) {
        area = add(&wanted);
        if (area == NULL)
            return false;
        area->watched = watch(area, segments, count);
    }
    area->lasting = area->lasting || exact->lasting;
    area->count += !exact->lasting;
    look_through(thread, area);
    return true;
}

static void unmap_area(struct nv_thread *thread, const struct area *exact)
{
    struct area wanted = in_pages(exact), *area = find(&wanted);
    const struct nv_told *told = nv_told_reach(exact->file, exact->offset + (exact->end - exact->start));

    if (area != NULL)
        look_through(thread, area);
    if (told != NULL)
        tell_region(thread, NV_TRACE_UNMAP, told->object, exact);
    if (area != NULL && area->count != 0 && --area->count == 0 && !area->lasting)
        *area = areas[--area_count];
}

/* Call `act` for each part of [address, end) that is at stake. */
static void map_parts(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, uintptr_t end,
                      const struct nv_segment *segments, size_t count)
{
    while (address < end) {
        uintptr_t part_end;
        const struct nv_binding_part *part = nv_binding_part(binding, address, &part_end);
        uintptr_t stop = end < part_end ? end : part_end;
        struct area exact = {.file = part->file, .start = address, .end = stop, .offset = address + part->shift};

        if (part->file != NULL && count != 0)
            (void)map_area(thread, &exact, segments, count);
        else if (part->file != NULL)
            unmap_area(thread, &exact);
        address = stop;
    }
}

/* Without a token there is no telling which part of the mapping is meant. */
static void map_whole(struct nv_thread *thread, const struct nv_binding *binding, const struct nv_segment *segment)
{
    uintptr_t end;
    const struct nv_binding_part *part = nv_binding_part(binding, (uintptr_t)segment->start, &end);
    struct area exact = {.file = part->file,
                         .start = (uintptr_t)segment->mapping_start,
                         .end = (uintptr_t)segment->mapping_end,
                         .lasting = true};

    exact.offset = exact.start + part->shift;
    if (part->file != NULL && map_area(thread, &exact, segment, 1))
        nv_stores_add(binding, segment->mapping_start, exact.end - exact.start);
}

/* False: a signal came in the midst of telling, and its handler is not told of. */
static bool enter(struct nv_thread *thread)
{
    if (thread->telling)
        return false;
    thread->telling = true;
    nv_pending_settle_all(thread);
    return true;
}

void nv_tell_map(struct nv_thread *thread, const struct nv_region *region, const struct nv_binding *binding,
                 const struct nv_segment *segments, size_t count)
{
    uintptr_t start = (uintptr_t)region->base;

    if (!enter(thread))
        return;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < count && region->for_one_call; i++)
        map_whole(thread, binding, &segments[i]);
    if (!region->for_one_call)
        map_parts(thread, binding, start, start + region->size_bytes, segments, count);
    pthread_mutex_unlock(&mutex);
    thread->telling = false;
}

void nv_tell_unmap(struct nv_thread *thread, const struct nv_region *region)
{
    uintptr_t start = (uintptr_t)region->base;

    if (region->for_one_call || !enter(thread))
        return;
    pthread_mutex_lock(&mutex);
    map_parts(thread, region->context, start, start + region->size_bytes, NULL, 0);
    pthread_mutex_unlock(&mutex);
    thread->telling = false;
}

/* -- calls -- */

void nv_tell_write(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, size_t size_bytes,
                   uint16_t place)
{
    uintptr_t end = address + size_bytes;
    struct piece piece;

    if (!enter(thread))
        return;
    while (cut(binding, &address, end, 1, &piece)) {
        struct nv_teller teller = {.log = nv_tell_log,
                                   .object = piece.told->object,
                                   .thread = nv_tell_thread(thread),
                                   .place = place,
                                   .flags = nv_tell_tears() ? NV_TRACE_WORDS : 0};

        (void)nv_shadow_tell_store(&piece.told->shadow, &teller, piece.offset, piece.told->view + piece.offset,
                                   piece.length, false);
    }
    thread->telling = false;
}

void nv_tell_flush(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, size_t size_bytes,
                   uint16_t place)
{
    uintptr_t end = address + size_bytes;
    struct piece piece;

    if (!enter(thread))
        return;
    while (cut(binding, &address, end, grain, &piece)) {
        struct nv_trace_event *event;

        tell_changes(thread, piece.told, piece.offset, piece.length);
        event = begin(thread, NV_TRACE_FLUSH, 0);
        if (event == NULL)
            continue;
        event->place = place;
        event->object = piece.told->object;
        event->offset = piece.offset;
        event->length = piece.length;
        nv_log_commit(event);
    }
    thread->flushed = true;
    thread->telling = false;
}

/* Under the mutex all the while: who drains next must find told what was found now. */
void nv_tell_rest(struct nv_thread *thread)
{
    if (!enter(thread))
        return;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < area_count; i++)
        look_through(thread, &areas[i]);
    pthread_mutex_unlock(&mutex);
    thread->telling = false;
}

/* Not in the midst of what another thread has found: a power failure is looked at there. */
static struct nv_trace_event *begin_point(struct nv_thread *thread, uint16_t kind, uint32_t payload_bytes)
{
    struct nv_trace_event *event;

    if (!enter(thread))
        return NULL;
    pthread_mutex_lock(&mutex);
    event = begin(thread, kind, payload_bytes);
    pthread_mutex_unlock(&mutex);
    thread->telling = false;
    return event;
}

void nv_tell_drain(struct nv_thread *thread, uint32_t object, uint16_t flags, uint16_t place)
{
    struct nv_trace_event *event = begin_point(thread, NV_TRACE_DRAIN, 0);

    if (event == NULL)
        return;
    event->object = object;
    event->flags = flags;
    event->place = place;
    nv_log_commit(event);
}

/* One line. */
void nv_tell_promise(struct nv_thread *thread, const char *text, uint16_t place)
{
    size_t length = strlen(text);
    struct nv_trace_event *event;
    char *line;

    nv_tell_rest(thread);
    event = begin_point(thread, NV_TRACE_PROMISE, (uint32_t)length);
    if (event == NULL)
        return;
    event->place = place;
    line = memcpy(nv_trace_payload(event), text, length);
    for (size_t i = 0; i < length; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    nv_log_commit(event);
}

/* -- ends -- */

/* After it nobody looks any more. */
__attribute__((destructor)) static void end(void)
{
    if (nv_tell_log != NULL && nv_thread_state != NULL)
        nv_tell_rest(nv_thread_state);
}

void nv_tell_before_fork(void)
{
    if (nv_tell_log != NULL && nv_thread_state != NULL && enter(nv_thread_state))
        nv_thread_state->telling = false;
    pthread_mutex_lock(&mutex);
    nv_told_before_fork();
}

void nv_tell_after_fork(bool child)
{
    if (child) {
        nv_dirty_after_fork();
        nv_pending_after_fork();
    }
    for (size_t i = 0; i < area_count && child; i++)
        areas[i].watched = nv_dirty_watch(areas[i].start, areas[i].end);
    nv_told_after_fork();
    pthread_mutex_unlock(&mutex);
}
