/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of the verifier's line records: one shared, sparse array a file, and the ranges of the durable
 * file that verifiers keep away from. Called by the server and by content.c.
 */
#include "supervise/lines.h"
#include "trace/patience.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE_BYTES = 64 };
#define PAGE_BYTES ((uint64_t)4096)

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static struct nv_lines_header *header_of(const struct nv_object *object)
{
    return (struct nv_lines_header *)(void *)((char *)object->lines - NV_LINES_HEADER_BYTES);
}

/* A domain may flush whole pages. */
int nv_lines_provide(struct nv_object *object, uint64_t end)
{
    uint64_t bytes = whole_pages(end) / LINE_BYTES * sizeof(struct nv_line_record);
    char *memory;

    if (object->lines && bytes <= object->lines_bytes)
        return 0;
    if (object->lines_fd < 0)
        object->lines_fd = memfd_create("nvrtl-lines", MFD_CLOEXEC);
    if (object->lines_fd < 0 || ftruncate(object->lines_fd, (off_t)(NV_LINES_HEADER_BYTES + bytes)))
        return -errno;
    memory = mmap(NULL, NV_LINES_HEADER_BYTES + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                  object->lines_fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    if (object->lines)
        munmap(header_of(object), NV_LINES_HEADER_BYTES + object->lines_bytes);
    object->lines = (struct nv_line_record *)(void *)(memory + NV_LINES_HEADER_BYTES);
    object->lines_bytes = bytes;
    nv_lines_resized(object, object->durable_bytes);
    return 0;
}

void nv_lines_forget(struct nv_object *object)
{
    if (object->lines)
        munmap(header_of(object), NV_LINES_HEADER_BYTES + object->lines_bytes);
    if (object->lines_fd >= 0)
        close(object->lines_fd);
    object->lines = NULL;
    object->lines_fd = -1;
}

/* Visit the records of [first, end) that were ever touched, until one is wanted; returns it, or NULL. */
static struct nv_line_record *visit(const struct nv_object *object, struct nv_line_record *first,
                                    struct nv_line_record *end, bool (*wanted)(struct nv_line_record *, void *),
                                    void *context)
{
    char *base = (char *)header_of(object);
    off_t at = (char *)first - base, stop = (char *)end - base;

    while (at < stop) {
        off_t data = lseek(object->lines_fd, at, SEEK_DATA);
        off_t hole = data < 0 ? -1 : lseek(object->lines_fd, data, SEEK_HOLE);

        if (hole < 0 || data >= stop)
            return NULL;
        at = hole < stop ? hole : stop;
        for (char *record = base + data; record < base + at; record += sizeof(struct nv_line_record))
            if (wanted((struct nv_line_record *)(void *)record, context))
                return (struct nv_line_record *)(void *)record;
    }
    return NULL;
}

static struct nv_line_record *record_at(const struct nv_object *object, uint64_t offset)
{
    uint64_t count = object->lines_bytes / sizeof(struct nv_line_record), line = offset / LINE_BYTES;

    return object->lines + (line < count ? line : count);
}

static bool flies(struct nv_line_record *record, void *unused)
{
    (void)unused;
    return atomic_load(&record->flushes) != atomic_load(&record->committed);
}

uint64_t nv_lines_in_flight(const struct nv_object *object, uint64_t offset, uint64_t end)
{
    struct nv_line_record *found;

    if (!object->lines)
        return UINT64_MAX;
    found = visit(object, record_at(object, offset), record_at(object, end + LINE_BYTES - 1), flies, NULL);
    return found ? (uint64_t)(found - object->lines) * LINE_BYTES : UINT64_MAX;
}

struct committed {
    const struct nv_object *object;
    int (*act)(void *context, uint64_t offset);
    void *context;
    int status;
};

static bool act_on_committed(struct nv_line_record *record, void *context)
{
    struct committed *committed = context;

    if (atomic_load(&record->committed) & ~NV_LINE_LOCKED)
        committed->status =
            committed->act(committed->context, (uint64_t)(record - committed->object->lines) * LINE_BYTES);
    return committed->status != 0;
}

int nv_lines_each_committed(const struct nv_object *object, int (*act)(void *context, uint64_t offset), void *context)
{
    struct committed committed = {object, act, context, 0};

    if (object->lines)
        (void)visit(object, object->lines, record_at(object, UINT64_MAX), act_on_committed, &committed);
    return committed.status;
}

struct unnamed {
    const struct nv_object *object;
    int (*act)(void *context, uint64_t offset, uint64_t bytes);
    void *context;
    int status;
};

static bool act_on_unnamed(struct nv_line_record *record, void *context)
{
    struct unnamed *unnamed = context;
    uint64_t bytes = atomic_load(&record->unnamed);

    if (bytes)
        unnamed->status =
            unnamed->act(unnamed->context, (uint64_t)(record - unnamed->object->lines) * LINE_BYTES, bytes);
    return unnamed->status != 0;
}

int nv_lines_each_unnamed(const struct nv_object *object, int (*act)(void *context, uint64_t offset, uint64_t bytes),
                          void *context)
{
    struct unnamed unnamed = {object, act, context, 0};

    if (object->lines)
        (void)visit(object, object->lines, record_at(object, UINT64_MAX), act_on_unnamed, &unnamed);
    return unnamed.status;
}

/* For lines of one range, which one thread may have locked. */
struct wait {
    bool alone; /* nobody can have them locked */
    struct nv_patience patience;
};

/* Whoever locks the line from now on sees that it is held, and lets it go again. */
static uint32_t await_unlocked(struct nv_line_record *record, struct wait *wait)
{
    uint32_t word = atomic_load(&record->committed);

    if (wait->alone)
        return atomic_fetch_and(&record->committed, ~NV_LINE_LOCKED) & ~NV_LINE_LOCKED;
    while (word & NV_LINE_LOCKED) {
        nv_patience_wait(&wait->patience, &record->committed, word);
        word = atomic_load(&record->committed);
    }
    return word;
}

static void commit(struct nv_line_record *record, uint32_t version)
{
    struct wait wait = {0};
    uint32_t word = await_unlocked(record, &wait);

    while (nv_line_is_newer(version, word) && !atomic_compare_exchange_strong(&record->committed, &word, version))
        word = await_unlocked(record, &wait);
}

static bool note_version(struct nv_line_record *record, void *context)
{
    struct nv_lines_hold *hold = context;

    if (record >= hold->first && record < hold->end)
        hold->versions[record - hold->first] = atomic_load(&record->flushes);
    return false;
}

static bool await_line(struct nv_line_record *record, void *wait)
{
    (void)await_unlocked(record, wait);
    return false;
}

void nv_lines_hold(struct nv_object *object, uint64_t offset, size_t length, bool alone, struct nv_lines_hold *hold)
{
    struct wait wait = {.alone = alone};

    hold->object = object;
    hold->header = object->lines ? header_of(object) : NULL;
    if (!hold->header)
        return;
    hold->first = record_at(object, offset);
    hold->end = record_at(object, offset + length + LINE_BYTES - 1);
    memset(hold->versions, 0, sizeof hold->versions);
    atomic_store(&hold->header->held_from, offset);
    atomic_store(&hold->header->held_to, offset + length);
    (void)visit(object, hold->first, hold->end, await_line, &wait);
    (void)visit(object, hold->first, hold->end, note_version, hold);
}

static bool name_all(struct nv_line_record *record, void *unused)
{
    (void)unused;
    atomic_store(&record->unnamed, 0);
    return false;
}

/* A sync names all that it makes durable. */
void nv_lines_let_go(struct nv_lines_hold *hold, bool copied)
{
    if (!hold->header)
        return;
    for (struct nv_line_record *record = hold->first; copied && record < hold->end; record++)
        if (hold->versions[record - hold->first])
            commit(record, hold->versions[record - hold->first]);
    if (copied)
        (void)visit(hold->object, hold->first, hold->end, name_all, NULL);
    atomic_store(&hold->header->held_to, 0);
}

static bool give_up(struct nv_line_record *record, void *wait)
{
    (void)await_unlocked(record, wait);
    commit(record, atomic_load(&record->flushes));
    return false;
}

void nv_lines_hold_tail(struct nv_object *object, uint64_t offset, bool alone)
{
    struct wait wait = {.alone = alone};

    offset = (offset + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    if (!object->lines)
        return;
    atomic_store(&header_of(object)->held_from, offset);
    atomic_store(&header_of(object)->held_to, UINT64_MAX);
    (void)visit(object, record_at(object, offset), record_at(object, UINT64_MAX), give_up, &wait);
}

void nv_lines_let_go_tail(struct nv_object *object)
{
    if (object->lines)
        atomic_store(&header_of(object)->held_to, 0);
}

void nv_lines_resized(struct nv_object *object, uint64_t size_bytes)
{
    if (object->lines)
        atomic_store(&header_of(object)->reach_bytes, whole_pages(size_bytes));
}
