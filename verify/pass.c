/* SPDX-License-Identifier: MIT */
/*
 * Owns the short way of lines into the durable image, for a flush with its drain. Called by engine.c, by a thread that
 * has nothing else in flight. A whole page is one change of its record, and none of its lines'.
 */
#include "verify/pass.h"
#include "verify/line.h"
#include "verify/page.h"
#include "verify/unseen.h"
#include <string.h>

#define LINE_BYTES ((uint64_t)64)

/* Bytes of one page, in whole lines, while it is locked: versions and content are taken together. */
struct part {
    const struct nv_file_map *map;
    struct nv_page_records *page;
    uint64_t offset; /* in the file */
    size_t size_bytes;
    uint16_t place;
    bool watched;
};

static bool is_whole(const struct part *part)
{
    return part->size_bytes == NV_PAGE_BYTES;
}

/* What will be waited for is on its way, all of it at once. */
static void prefetch(const struct part *part)
{
    __builtin_prefetch(&part->page->page, 1);
    if (is_whole(part))
        return;
    __builtin_prefetch(&part->page->lines[part->offset % NV_PAGE_BYTES / LINE_BYTES], 1);
    for (size_t at = 0; at < part->size_bytes; at += LINE_BYTES)
        __builtin_prefetch(part->map->durable + part->offset + at, 1);
}

/* False: the file was cut in front of the page, which is not locked. */
static bool begin(const struct part *part)
{
    const struct nv_lines_header *header = part->map->header;
    struct nv_patience patience = {0};

    nv_page_lock_unheld(header, &part->page->page, part->offset, part->offset + part->size_bytes, &patience);
    if (__builtin_expect(atomic_load_explicit(&header->reach_bytes, memory_order_acquire) > part->offset, 1))
        return true;
    nv_page_unlock(&part->page->page);
    return false;
}

static uint64_t lines_of(const struct part *part)
{
    return nv_page_set(part->offset % NV_PAGE_BYTES / LINE_BYTES, part->size_bytes / LINE_BYTES);
}

static void note_lines(const struct part *part)
{
    size_t first = part->offset % NV_PAGE_BYTES / LINE_BYTES, count = part->size_bytes / LINE_BYTES;

    nv_page_own(part->page, lines_of(part));
    for (struct nv_line_record *line = &part->page->lines[first]; line < &part->page->lines[first + count]; line++) {
        uint32_t version = atomic_load_explicit(&line->flushes, memory_order_relaxed) + 1;

        atomic_store_explicit(&line->flushes, version, memory_order_relaxed);
        atomic_store_explicit(&line->committed, version, memory_order_relaxed);
        atomic_store_explicit(&line->flush_place, part->place, memory_order_relaxed);
    }
}

static void end(const struct part *part)
{
    struct nv_page_record *page = &part->page->page;

    if (is_whole(part)) {
        uint32_t passes = atomic_load_explicit(&page->passes, memory_order_relaxed);

        atomic_store_explicit(&page->passes, passes + 1, memory_order_relaxed);
        atomic_store_explicit(&page->whole, NV_PAGE_ALL, memory_order_relaxed);
        atomic_store_explicit(&page->flush_place, part->place, memory_order_relaxed);
    } else {
        note_lines(part);
    }
    nv_page_unlock(page);
}

/* Bytes [from, to) of the part, as far as they lie in the line at `at`: a bit for each. */
static uint64_t bits_of_line(size_t at, size_t from, size_t to)
{
    from = from > at ? from - at : 0;
    to = to > at ? to - at : 0;
    to = to < LINE_BYTES ? to : LINE_BYTES;
    return from < to ? nv_page_set(from, to - from) : 0;
}

/* The interface has written [from, to) of the part. */
static void look(const struct part *part, const char *view, size_t from, size_t to)
{
    const char *durable = part->map->durable + part->offset;

    for (size_t at = 0; at < part->size_bytes; at += LINE_BYTES)
        nv_unseen_look(part->page, (part->offset + at) % NV_PAGE_BYTES / LINE_BYTES, durable + at, view + at,
                       bits_of_line(at, from, to), true);
}

static void copy_lines(const struct part *part, const char *view, size_t from, size_t to)
{
    char *durable = part->map->durable + part->offset;

    if (__builtin_expect(part->watched, 0))
        look(part, view, from, to);
    for (size_t at = 0; at < part->size_bytes; at += LINE_BYTES)
        nv_line_copy(durable + at, view + at);
}

static void stream_page(const struct part *part, const char *view)
{
    char *durable = part->map->durable + part->offset;

    if (__builtin_expect(part->watched, 0))
        look(part, view, 0, 0);
    for (size_t at = 0; at < NV_PAGE_BYTES; at += LINE_BYTES)
        nv_line_stream(durable + at, view + at);
    nv_line_fence();
}

/* Of [offset, offset + size_bytes) in the file, what lies in its first page. */
static size_t in_page(uint64_t offset, size_t size_bytes)
{
    size_t room = NV_PAGE_BYTES - offset % NV_PAGE_BYTES;

    return size_bytes < room ? size_bytes : room;
}

bool nv_pass(const struct nv_file_map *map, uint64_t offset, const void *view, size_t size_bytes, uint16_t place,
             bool watched)
{
    const char *from = view;

    for (size_t done = 0; done < size_bytes;) {
        struct part part = {map,           nv_file_page(map, offset + done),
                            offset + done, in_page(offset + done, size_bytes - done),
                            place,         watched};

        prefetch(&part);
        if (!begin(&part))
            return false;
        if (is_whole(&part))
            stream_page(&part, from + done);
        else
            copy_lines(&part, from + done, 0, 0);
        end(&part);
        done += part.size_bytes;
    }
    return true;
}

/* To both images at once: nobody flushes the page, and so nobody's flush takes what is on its way. */
static void copy_both(const struct part *part, char *view, const char *source)
{
    char *durable = part->map->durable + part->offset;

    for (size_t at = 0; at < part->size_bytes; at += LINE_BYTES) {
        nv_line_copy(view + at, source + at);
        nv_line_copy(durable + at, source + at);
    }
}

static void stream_both(const struct part *part, char *view, const char *source)
{
    char *durable = part->map->durable + part->offset;

    for (size_t at = 0; at < NV_PAGE_BYTES; at += LINE_BYTES) {
        nv_line_stream(view + at, source + at);
        nv_line_stream(durable + at, source + at);
    }
    nv_line_fence();
}

/* A bad source is found before anything is locked. */
static void prepare(const struct part *part, const char *view, const char *source, size_t size_bytes)
{
    prefetch(part);
    if (!is_whole(part))
        __builtin_prefetch(view, 1);
    (void)*(const volatile char *)source;
    (void)*(const volatile char *)(source + size_bytes - 1);
}

/* Bytes of one page. */
static bool write_part(const struct nv_file_map *map, uint64_t offset, char *view, const char *source,
                       size_t size_bytes, uint16_t place, bool watched)
{
    size_t before = offset % LINE_BYTES, lines = (before + size_bytes + LINE_BYTES - 1) / LINE_BYTES;
    struct part part = {map, nv_file_page(map, offset), offset - before, lines * LINE_BYTES, place, watched};

    prepare(&part, view, source, size_bytes);
    if (!begin(&part))
        return false;
    nv_page_note_write(part.page, lines_of(&part), place);
    if (__builtin_expect(watched, 0) && size_bytes == part.size_bytes)
        nv_unseen_none(part.page, lines_of(&part));
    if (size_bytes == NV_PAGE_BYTES) {
        stream_both(&part, view, source);
    } else if (size_bytes == part.size_bytes) {
        copy_both(&part, view, source);
    } else {
        memcpy(view, source, size_bytes);
        copy_lines(&part, view - before, before, before + size_bytes);
    }
    end(&part);
    return true;
}

bool nv_pass_write(const struct nv_file_map *map, uint64_t offset, void *view, const void *source, size_t size_bytes,
                   uint16_t place, bool watched)
{
    for (size_t done = 0, part; done < size_bytes; done += part) {
        part = in_page(offset + done, size_bytes - done);
        if (!write_part(map, offset + done, (char *)view + done, (const char *)source + done, part, place, watched))
            return false;
    }
    return true;
}
