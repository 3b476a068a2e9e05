/* SPDX-License-Identifier: MIT */
/*
 * Owns the views of a run without a supervisor, how one takes the place of a shared mapping, and how that is put back.
 * alone.c calls it, under its lock.
 *
 * A view begins as MAP_PRIVATE | MAP_FIXED over the shared mapping. The kernel exchanges them with all page tables
 * held: a store before that is in the page cache, which the private mapping shows until it is stored to; one after it
 * makes a private copy of that very page. There is no moment between.
 *
 * To put the shared mapping back has none such: what was stored privately must be copied first, and a store behind the
 * copy would be lost. So the other threads are held while it is done. The new mapping is a second one of the durable
 * image (mremap from 0 bytes), so that no file has to be opened, and a file without a name is no worse.
 */
#include "verify/alone_views.h"
#include "verify/apart.h"
#include "verify/page.h"
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES ((size_t)4096)
#define LINE_BYTES ((size_t)64)
#define PAGE_LINES (PAGE_BYTES / LINE_BYTES)
#define PART_BYTES ((size_t)16 << 20) /* that are ended at once: what differs in them is kept for the judge */
#define ENTRIES 512                   /* of the page map that are read at once */
#define OF_FILE (UINT64_C(1) << 61)
#define SWAPPED (UINT64_C(1) << 62)
#define PRESENT (UINT64_C(1) << 63)
#define ATTEMPTS 100

static struct nv_alone_view *views; /* in no order */
static size_t view_count, view_room;

/* -- the list -- */

struct nv_alone_view *nv_alone_views_next(size_t *number, const char *start, const char *end)
{
    while (*number < view_count) {
        struct nv_alone_view *view = &views[(*number)++];

        if (view->start < end && start < view->end)
            return view;
    }
    return NULL;
}

static bool reserve(void)
{
    size_t room = view_room != 0 ? 2 * view_room : 16;
    struct nv_alone_view *grown;

    if (view_count < view_room)
        return true;
    grown = reallocarray(views, room, sizeof *views);
    if (grown == NULL)
        return false;
    views = grown;
    view_room = room;
    return true;
}

static char *page_below(const char *address)
{
    return (char *)((uintptr_t)address & ~(PAGE_BYTES - 1));
}

/* Where the views that hold `at` or begin behind it leave room: the gap's start, and its end in *end. */
static char *next_gap(char *at, char *stop, char **end)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < view_count; i++)
            if (views[i].start <= at && at < views[i].end) {
                at = views[i].end;
                moved = true;
            }
    }
    *end = stop;
    for (size_t i = 0; i < view_count; i++)
        if (views[i].start > at && views[i].start < *end)
            *end = views[i].start;
    return at;
}

/* The program may map the file's last page, of which only the beginning is in the file. */
bool nv_alone_views_add(struct nv_alone_file *file, const struct nv_segment *segment)
{
    char *at = page_below(segment->start), *stop = page_below(segment->end + PAGE_BYTES - 1), *end;
    uint64_t shift = segment->offset - (uint64_t)(uintptr_t)segment->start;

    while ((at = next_gap(at, stop, &end)) < stop) {
        uint64_t offset = (uint64_t)(uintptr_t)at + shift;

        if (!reserve() || !nv_alone_files_map_private(file, offset, at, (size_t)(end - at)))
            return false;
        views[view_count++] = (struct nv_alone_view){.start = at, .end = end, .file = file, .offset = offset};
        at = end;
    }
    return true;
}

/* -- the end of a view, with no other thread running, and without a lock -- */

struct ending {
    const struct nv_alone_view *view;
    struct nv_alone_pages *pages;
    bool patient; /* wait for pages that are being committed */
    bool locked;  /* one was: nothing was done */
    bool done;
};

static struct nv_page_records *records_of(const struct nv_alone_view *view, size_t page)
{
    return &view->file->pages[view->offset / PAGE_BYTES + page];
}

static bool is_locked(const struct nv_page_records *records)
{
    return (atomic_load(&records->page.lock) & NV_LOCKED) != 0;
}

/* Call `act` for each page that is the view's own, by number. False: one said so, or it cannot be known which. */
static bool each_own_page(struct ending *ending, bool (*act)(struct ending *ending, size_t page))
{
    size_t count = (size_t)(ending->view->end - ending->view->start) / PAGE_BYTES;
    uint64_t first = (uint64_t)(uintptr_t)ending->view->start / PAGE_BYTES, entries[ENTRIES];
    int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool good = map >= 0;

    for (size_t page = 0; good && page < count;) {
        size_t wanted = count - page < ENTRIES ? count - page : ENTRIES;
        ssize_t got = pread(map, entries, wanted * sizeof *entries, (off_t)((first + page) * sizeof *entries));

        good = got >= (ssize_t)sizeof *entries;
        for (size_t i = 0; good && i < (size_t)got / sizeof *entries; i++, page++)
            if ((entries[i] & (PRESENT | SWAPPED)) != 0 && ((entries[i] & OF_FILE) == 0))
                good = act(ending, page);
    }
    if (map >= 0)
        close(map);
    return good;
}

static bool find_lock(struct ending *ending, size_t page)
{
    ending->locked = ending->locked || is_locked(records_of(ending->view, page));
    return !ending->locked;
}

/* What was in flight is older than what stands there now. */
static void settle(struct nv_page_records *records)
{
    nv_page_own(records, NV_PAGE_ALL);
    for (size_t i = 0; i < PAGE_LINES; i++)
        atomic_store(&records->lines[i].committed, atomic_load(&records->lines[i].flushes));
}

static bool bring_page(struct ending *ending, size_t page)
{
    const struct nv_alone_view *view = ending->view;
    const char *from = view->start + page * PAGE_BYTES;
    char *to = view->file->durable + view->offset + page * PAGE_BYTES;
    struct nv_page_records *records = records_of(view, page);

    if (memcmp(from, to, PAGE_BYTES) != 0) {
        struct nv_alone_page *kept = &ending->pages->pages[ending->pages->count++];

        kept->offset = view->offset + page * PAGE_BYTES;
        memcpy(kept->view, from, PAGE_BYTES);
        memcpy(kept->durable, to, PAGE_BYTES);
        for (size_t i = 0; i < PAGE_LINES; i++)
            kept->records[i] = nv_page_line(records, i);
        for (size_t at = 0; at < PAGE_BYTES; at += LINE_BYTES)
            if (memcmp(from + at, to + at, LINE_BYTES) != 0)
                memcpy(to + at, from + at, LINE_BYTES);
    }
    settle(records);
    return true;
}

static void end_view(void *context)
{
    struct ending *ending = context;
    const struct nv_alone_view *view = ending->view;
    size_t bytes = (size_t)(view->end - view->start);

    if ((ending->patient && !each_own_page(ending, find_lock)) || !each_own_page(ending, bring_page))
        return;
    ending->done =
        mremap(view->file->durable + view->offset, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, view->start) != MAP_FAILED;
}

/* -- the end of a view -- */

/* Whether the file is mapped there still. */
static bool is_there(const struct nv_alone_view *view, const struct nv_runtime *runtime)
{
    struct nv_segment *segments = NULL;
    size_t count = 0;
    uint64_t shift = view->offset - (uint64_t)(uintptr_t)view->start;
    bool there = runtime->resolve(view->start, (size_t)(view->end - view->start), &segments, &count) >= 0;

    for (size_t i = 0; there && i < count; i++)
        there = segments[i].device == view->file->device && segments[i].inode == view->file->inode &&
                segments[i].offset - (uint64_t)(uintptr_t)segments[i].start == shift;
    free(segments);
    return there;
}

/* Room for all of its pages; only what is used becomes memory. */
static bool make_room(struct nv_alone_pages *pages, const struct nv_alone_view *view)
{
    size_t count = (size_t)(view->end - view->start) / PAGE_BYTES;
    void *room = mmap(NULL, count * sizeof *pages->pages, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED)
        return false;
    pages->pages = room;
    pages->room = count;
    return true;
}

/* While a thread commits a line it is let go on; one that was killed there is not waited for any longer. */
static enum nv_alone_end end_held(struct ending *ending)
{
    bool held = false;

    for (int attempt = 0; attempt < ATTEMPTS && !ending->done; attempt++) {
        ending->patient = attempt + 1 < ATTEMPTS;
        ending->locked = false;
        ending->pages->count = 0;
        held = nv_apart_alone(end_view, ending);
        if (!held || (!ending->done && !ending->locked))
            break;
        sched_yield();
    }
    if (ending->done)
        return NV_ALONE_ENDED;
    ending->pages->count = 0;
    if (!held && nv_apart(end_view, ending) && ending->done)
        return NV_ALONE_RACED;
    return NV_ALONE_STAYS;
}

/* The first part, and the rest stays in the list. */
static struct nv_alone_view take_part(struct nv_alone_view *view)
{
    struct nv_alone_view part = *view;

    if ((size_t)(part.end - part.start) > PART_BYTES) {
        part.end = part.start + PART_BYTES;
        view->start = part.end;
        view->offset += PART_BYTES;
    } else {
        *view = views[--view_count];
    }
    return part;
}

enum nv_alone_end nv_alone_views_end(struct nv_alone_view *view, const struct nv_runtime *runtime,
                                     struct nv_alone_pages *pages)
{
    struct nv_alone_view part;
    struct ending ending = {.view = &part, .pages = pages};
    bool there = is_there(view, runtime);

    part = take_part(view);
    *pages = (struct nv_alone_pages){.file = part.file};
    if (!there)
        return NV_ALONE_MISSING;
    return make_room(pages, &part) ? end_held(&ending) : NV_ALONE_STAYS;
}

void nv_alone_pages_free(struct nv_alone_pages *pages)
{
    if (pages->pages != NULL)
        munmap(pages->pages, pages->room * sizeof *pages->pages);
    *pages = (struct nv_alone_pages){0};
}
