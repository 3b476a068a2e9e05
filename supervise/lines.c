/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of the verifier's line records: one shared, sparse array a file, and the ranges of the durable
 * file that verifiers keep away from. Called by the server and by content.c.
 */
#include "supervise/lines.h"
#include "verify/page.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE_BYTES = 64 };

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + NV_PAGE_BYTES - 1) / NV_PAGE_BYTES * NV_PAGE_BYTES;
}

static struct nv_lines_header *header_of(const struct nv_object *object)
{
    return (struct nv_lines_header *)(void *)((char *)object->pages - NV_LINES_HEADER_BYTES);
}

/* A domain may flush whole pages. */
int nv_lines_provide(struct nv_object *object, uint64_t end)
{
    uint64_t bytes = whole_pages(end) / NV_PAGE_BYTES * sizeof(struct nv_page_records);
    char *memory;

    if (object->pages && bytes <= object->lines_bytes)
        return 0;
    if (object->lines_fd < 0)
        object->lines_fd = memfd_create("nvrtl-lines", MFD_CLOEXEC);
    if (object->lines_fd < 0 || ftruncate(object->lines_fd, (off_t)(NV_LINES_HEADER_BYTES + bytes)))
        return -errno;
    memory = mmap(NULL, NV_LINES_HEADER_BYTES + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                  object->lines_fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    if (object->pages)
        munmap(header_of(object), NV_LINES_HEADER_BYTES + object->lines_bytes);
    object->pages = (struct nv_page_records *)(void *)(memory + NV_LINES_HEADER_BYTES);
    object->lines_bytes = bytes;
    nv_lines_resized(object, object->durable_bytes);
    return 0;
}

void nv_lines_forget(struct nv_object *object)
{
    if (object->pages)
        munmap(header_of(object), NV_LINES_HEADER_BYTES + object->lines_bytes);
    if (object->lines_fd >= 0)
        close(object->lines_fd);
    object->pages = NULL;
    object->lines_fd = -1;
}

/* Lines of one page, [first, end) in it. True: this is what was looked for. */
typedef bool act_on_page(struct nv_page_records *page, size_t first, size_t end, void *context);

static bool was_touched(const struct nv_page_records *page)
{
    return atomic_load(&page->page.lock) || atomic_load(&page->page.unnamed);
}

/* One page; `number` is its own. Reading records would give them memory, so those that are none yet are not read. */
static bool visit_page(const struct nv_object *object, uint64_t number, uint64_t first, uint64_t end, act_on_page *act,
                       void *context)
{
    struct nv_page_records *page = &object->pages[number];
    uint64_t line = number * NV_PAGE_LINES, behind = line + NV_PAGE_LINES;

    return was_touched(page) &&
           act(page, first > line ? first - line : 0, (end < behind ? end : behind) - line, context);
}

static uint64_t line_count(const struct nv_object *object)
{
    return object->lines_bytes / sizeof(struct nv_page_records) * NV_PAGE_LINES;
}

/* Visit the pages of the lines [first, end) that were ever touched; UINT64_MAX, or the page that was looked for. */
static uint64_t visit(const struct nv_object *object, uint64_t first, uint64_t end, act_on_page *act, void *context)
{
    const uint64_t each = sizeof(struct nv_page_records);
    uint64_t page = first / NV_PAGE_LINES, stop;

    end = end < line_count(object) ? end : line_count(object);
    stop = (end + NV_PAGE_LINES - 1) / NV_PAGE_LINES;
    while (first < end && page < stop) {
        off_t data = lseek(object->lines_fd, (off_t)(NV_LINES_HEADER_BYTES + page * each), SEEK_DATA);
        off_t hole = data < 0 ? -1 : lseek(object->lines_fd, data, SEEK_HOLE);
        uint64_t from = (uint64_t)data - NV_LINES_HEADER_BYTES, to = (uint64_t)hole - NV_LINES_HEADER_BYTES;

        if (hole < 0)
            return UINT64_MAX;
        /* A page whose own record lies in a hole was never touched. */
        for (page = (from + each - 1) / each; page < stop && page * each < to; page++)
            if (visit_page(object, page, first, end, act, context))
                return page;
    }
    return UINT64_MAX;
}

static uint64_t line_behind(uint64_t offset)
{
    return offset / LINE_BYTES + (offset % LINE_BYTES != 0);
}

bool nv_lines_know(const struct nv_object *object, uint64_t offset, struct nv_line_record *known)
{
    uint64_t line = offset / LINE_BYTES;

    if (!object->pages || line >= line_count(object))
        return false;
    *known = nv_page_line(&object->pages[line / NV_PAGE_LINES], line % NV_PAGE_LINES);
    return true;
}

static bool flies(const struct nv_page_records *page, size_t number)
{
    struct nv_line_record line = nv_page_line(page, number);

    return atomic_load(&line.flushes) != atomic_load(&line.committed);
}

static bool find_flying(struct nv_page_records *page, size_t first, size_t end, void *found)
{
    for (size_t i = first; i < end; i++)
        if (flies(page, i)) {
            *(size_t *)found = i;
            return true;
        }
    return false;
}

uint64_t nv_lines_in_flight(const struct nv_object *object, uint64_t offset, uint64_t end)
{
    size_t line = 0;
    uint64_t page;

    if (!object->pages)
        return UINT64_MAX;
    page = visit(object, offset / LINE_BYTES, line_behind(end), find_flying, &line);
    return page == UINT64_MAX ? UINT64_MAX : page * NV_PAGE_BYTES + line * LINE_BYTES;
}

/* For lines of which `act` is to know. */
struct each {
    const struct nv_object *object;
    int (*act)(void *context, uint64_t offset);
    int (*act_on_bytes)(void *context, uint64_t offset, uint64_t bytes);
    void *context;
    int status;
};

static uint64_t offset_of(const struct nv_object *object, const struct nv_page_records *page, size_t line)
{
    return (uint64_t)(page - object->pages) * NV_PAGE_BYTES + line * LINE_BYTES;
}

static bool act_on_committed(struct nv_page_records *page, size_t first, size_t end, void *context)
{
    struct each *each = context;

    for (size_t i = first; i < end && !each->status; i++) {
        struct nv_line_record line = nv_page_line(page, i);

        if (atomic_load(&line.committed))
            each->status = each->act(each->context, offset_of(each->object, page, i));
    }
    return each->status != 0;
}

int nv_lines_each_committed(const struct nv_object *object, int (*act)(void *context, uint64_t offset), void *context)
{
    struct each each = {.object = object, .act = act, .context = context};

    if (object->pages)
        (void)visit(object, 0, UINT64_MAX, act_on_committed, &each);
    return each.status;
}

static bool act_on_unnamed(struct nv_page_records *page, size_t first, size_t end, void *context)
{
    struct each *each = context;

    for (size_t i = first; i < end && !each->status; i++) {
        uint64_t bytes = atomic_load(&page->page.unnamed) >> i & 1 ? atomic_load(&page->lines[i].unnamed) : 0;

        if (bytes)
            each->status = each->act_on_bytes(each->context, offset_of(each->object, page, i), bytes);
    }
    return each->status != 0;
}

int nv_lines_each_unnamed(const struct nv_object *object, int (*act)(void *context, uint64_t offset, uint64_t bytes),
                          void *context)
{
    struct each each = {.object = object, .act_on_bytes = act, .context = context};

    if (object->pages)
        (void)visit(object, 0, UINT64_MAX, act_on_unnamed, &each);
    return each.status;
}

struct unseen {
    uint64_t bytes;
    const struct nv_page_records *first;
};

static bool add_unseen(struct nv_page_records *page, size_t first, size_t end, void *context)
{
    struct unseen *unseen = context;
    uint64_t bytes = atomic_load(&page->page.unseen_bytes);

    (void)first, (void)end;
    if (bytes && !unseen->bytes)
        unseen->first = page;
    unseen->bytes += bytes;
    return false;
}

uint64_t nv_lines_unseen(const struct nv_object *object, uint64_t *first)
{
    struct unseen unseen = {0, NULL};

    if (object->pages)
        (void)visit(object, 0, UINT64_MAX, add_unseen, &unseen);
    if (unseen.bytes)
        *first = offset_of(object, unseen.first, 0);
    return unseen.bytes;
}

/* While a range is held: whoever locks a page from now on sees that, and lets it go again. */
struct holding {
    struct nv_lines_hold *hold; /* NULL: of the tail */
    bool alone;                 /* nobody can have a page locked */
    struct nv_patience patience;
};

static void lock(struct nv_page_records *page, struct holding *holding)
{
    uint32_t word = atomic_load(&page->page.lock);

    if (holding->alone && word & NV_LOCKED)
        atomic_store(&page->page.lock, word & ~NV_LOCKED);
    nv_page_lock(&page->page, &holding->patience);
}

/* With the page locked. */
static void commit(struct nv_page_records *page, size_t number, uint32_t version)
{
    struct nv_line_record *line = &page->lines[number];
    uint32_t passes = atomic_load(&page->page.passes);

    nv_page_own(page, (uint64_t)1 << number);
    if (nv_line_is_newer(version, atomic_load(&line->committed) + passes))
        atomic_store(&line->committed, version - passes);
}

static uint32_t *noted_version(const struct holding *holding, const struct nv_page_records *page, size_t number)
{
    struct nv_lines_hold *hold = holding->hold;

    return &hold->versions[(uint64_t)(page - hold->object->pages) * NV_PAGE_LINES + number - hold->first];
}

static bool note_versions(struct nv_page_records *page, size_t first, size_t end, void *context)
{
    struct holding *holding = context;

    lock(page, holding);
    for (size_t i = first; i < end; i++) {
        struct nv_line_record line = nv_page_line(page, i);

        *noted_version(holding, page, i) = atomic_load(&line.flushes);
    }
    nv_page_unlock(&page->page);
    return false;
}

void nv_lines_hold(struct nv_object *object, uint64_t offset, size_t length, bool alone, struct nv_lines_hold *hold)
{
    struct holding holding = {.hold = hold, .alone = alone};

    hold->object = object;
    hold->header = object->pages ? header_of(object) : NULL;
    if (!hold->header)
        return;
    hold->first = offset / LINE_BYTES;
    hold->end = line_behind(offset + length);
    memset(hold->versions, 0, sizeof hold->versions);
    atomic_store(&hold->header->held_from, offset);
    atomic_store(&hold->header->held_to, offset + length);
    (void)visit(object, hold->first, hold->end, note_versions, &holding);
}

/* A sync names all that it makes durable. */
static bool commit_noted(struct nv_page_records *page, size_t first, size_t end, void *context)
{
    struct holding *holding = context;

    lock(page, holding);
    for (size_t i = first; i < end; i++) {
        uint32_t version = *noted_version(holding, page, i);

        if (version)
            commit(page, i, version);
        if (atomic_load(&page->page.unnamed) >> i & 1)
            atomic_store(&page->lines[i].unnamed, 0), atomic_store(&page->lines[i].told, 0);
    }
    nv_page_unlock(&page->page);
    return false;
}

void nv_lines_let_go(struct nv_lines_hold *hold, bool copied)
{
    struct holding holding = {.hold = hold};

    if (!hold->header)
        return;
    if (copied)
        (void)visit(hold->object, hold->first, hold->end, commit_noted, &holding);
    atomic_store(&hold->header->held_to, 0);
}

static bool give_up(struct nv_page_records *page, size_t first, size_t end, void *holding)
{
    lock(page, holding);
    for (size_t i = first; i < end; i++)
        commit(page, i, atomic_load(&page->lines[i].flushes) + atomic_load(&page->page.passes));
    nv_page_unlock(&page->page);
    return false;
}

void nv_lines_hold_tail(struct nv_object *object, uint64_t offset, bool alone)
{
    struct holding holding = {.alone = alone};

    if (!object->pages)
        return;
    atomic_store(&header_of(object)->held_from, line_behind(offset) * LINE_BYTES);
    atomic_store(&header_of(object)->held_to, UINT64_MAX);
    (void)visit(object, line_behind(offset), UINT64_MAX, give_up, &holding);
}

void nv_lines_let_go_tail(struct nv_object *object)
{
    if (object->pages)
        atomic_store(&header_of(object)->held_to, 0);
}

void nv_lines_resized(struct nv_object *object, uint64_t size_bytes)
{
    if (object->pages)
        atomic_store(&header_of(object)->reach_bytes, whole_pages(size_bytes));
}
