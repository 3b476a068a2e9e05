/* SPDX-License-Identifier: MIT */
/*
 * Owns the parts of a file that need not be durable, while it is judged. judge.c calls it for each file that differs.
 */
#include "supervise/ignored.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD_BYTES 64

static int add(struct nv_ignored *ignored, const struct nv_ignored_part *part)
{
    if (ignored->count == ignored->room) {
        size_t room = ignored->room ? ignored->room * 2 : 8;
        struct nv_ignored_part *parts = reallocarray(ignored->parts, room, sizeof *parts);

        if (!parts)
            return -ENOMEM;
        ignored->parts = parts;
        ignored->room = room;
    }
    ignored->parts[ignored->count++] = *part;
    return 0;
}

int nv_ignored_add(struct nv_ignored *ignored, uint64_t from, uint64_t to, const char *why)
{
    return add(ignored, &(struct nv_ignored_part){.from = from, .to = to, .why = why});
}

/* What the program said. */
static int gather_told(struct nv_ignored *ignored, const struct nv_ledger *ledger, uint32_t file)
{
    uint32_t count = atomic_load(&ledger->ignored);
    int status = 0;

    for (uint32_t i = 0; file && i < count && i < NV_LEDGER_RANGES && !status; i++) {
        const struct nv_ledger_range *range = &ledger->ignore[i];

        if (atomic_load(&range->ready) && range->file == file)
            status = nv_ignored_add(ignored, range->offset, range->offset + range->length_bytes,
                                    "not meant to be durable, as the program says (NvrtlIgnore)");
    }
    return status;
}

static int gather_suppressed(struct nv_ignored *ignored, const struct nv_suppressions *list,
                             const struct nv_ignored_file *file)
{
    char head[HEAD_BYTES];
    ssize_t head_bytes = pread(file->view, head, sizeof head, 0);
    struct nv_suppressed_part part;
    int status = 0;

    for (size_t i = 0; list && !status; i++) {
        if (!nv_suppressions_part(list, i, file->path, head, head_bytes > 0 ? (size_t)head_bytes : 0, &part))
            break;
        status = add(ignored, &(struct nv_ignored_part){part.from, part.to, part.rule, part.why, part.used, 0});
    }
    return status;
}

static int by_start(const void *left, const void *right)
{
    const struct nv_ignored_part *a = left, *b = right;

    return a->from < b->from ? -1 : a->from > b->from;
}

static void sort(struct nv_ignored *ignored)
{
    uint64_t reach = 0;

    if (ignored->count)
        qsort(ignored->parts, ignored->count, sizeof *ignored->parts, by_start);
    for (size_t i = 0; i < ignored->count; i++) {
        reach = ignored->parts[i].to > reach ? ignored->parts[i].to : reach;
        ignored->parts[i].reach = reach;
    }
}

int nv_ignored_gather(struct nv_ignored *ignored, const struct nv_ledger *ledger, const struct nv_suppressions *list,
                      const struct nv_ignored_file *file)
{
    int status = gather_told(ignored, ledger, file->number);

    if (!status)
        status = gather_suppressed(ignored, list, file);
    if (!status)
        status = nv_pmemobj_gather(ignored, file->view);
    sort(ignored);
    return status;
}

/* The number of parts that begin at the offset or before it. */
static size_t begun_at(const struct nv_ignored *ignored, uint64_t offset)
{
    size_t low = 0, high = ignored->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ignored->parts[middle].from <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The part that holds the byte; parts may lie over each other. */
static struct nv_ignored_part *part_at(struct nv_ignored *ignored, enum nv_rule rule, uint64_t offset)
{
    for (size_t i = begun_at(ignored, offset); i-- && ignored->parts[i].reach > offset;) {
        struct nv_ignored_part *part = &ignored->parts[i];

        if (offset < part->to && (!part->rule || !fnmatch(part->rule, nv_rule_name(rule), 0)))
            return part;
    }
    return NULL;
}

static void note_use(struct nv_ignored_part *part)
{
    part->count++;
    if (part->suppression_used)
        *part->suppression_used = true;
}

/* Without contents nothing can be trimmed: it is ignored as a whole, or not. */
static bool is_covered(struct nv_ignored *ignored, enum nv_rule rule, uint64_t from, uint64_t to)
{
    while (from < to) {
        struct nv_ignored_part *part = part_at(ignored, rule, from);

        if (!part)
            return false;
        note_use(part);
        from = part->to;
    }
    return true;
}

bool nv_ignored_trim(struct nv_ignored *ignored, enum nv_rule rule, uint64_t *from, uint64_t *to, const uint8_t *view,
                     const uint8_t *durable)
{
    struct nv_ignored_part *part, *last = NULL;
    uint64_t begin = *from, end = *to, left_from = end, left_to = begin;

    if (!ignored->count)
        return true;
    if (!view || !durable)
        return !is_covered(ignored, rule, begin, end);
    for (uint64_t at = begin; at < end; at++) {
        if (view[at - begin] == durable[at - begin])
            continue;
        part = part_at(ignored, rule, at);
        if (!part) {
            left_from = at < left_from ? at : left_from;
            left_to = at + 1;
        } else if (part != last) {
            note_use(last = part);
        }
    }
    if (!last)
        return true;
    *from = left_from;
    *to = left_to;
    return left_from < left_to;
}

bool nv_ignored_tell(const struct nv_ignored *ignored, struct nv_report *report, const char *path)
{
    bool ok = true;

    for (size_t i = 0; i < ignored->count; i++)
        for (uint64_t k = 0; k < ignored->parts[i].count; k++)
            ok = nv_report_leave_out(report, path, ignored->parts[i].why) && ok;
    return ok;
}

void nv_ignored_free(struct nv_ignored *ignored)
{
    free(ignored->parts);
    *ignored = (struct nv_ignored){0};
}
