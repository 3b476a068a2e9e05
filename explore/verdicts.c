/* SPDX-License-Identifier: MIT */
/*
 * Has states judged, each image once: what is known is not asked again, nor what differs only in bytes that the
 * recovery did not read. explore.c asks for each state it meets, shrink.c for its trials.
 */
#include "explore/explorer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { READ_SETS_MAX = 64 };

/* What a recovery read at this point, in some state; and the states that were judged so, by what they hold there. */
struct nv_read_set {
    struct nv_read *reads; /* by object and offset */
    size_t count;
    struct nv_seen states;
};

double nv_explorer_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct nv_hash nv_verdict_key(struct nv_explorer *explorer)
{
    return nv_hash_add(nv_point_image(&explorer->point),
                       nv_hash_bytes(&explorer->model.promise_count, sizeof explorer->model.promise_count, 7));
}

/* ---- what was read ---- */

void nv_verdict_forget_point(struct nv_explorer *explorer)
{
    for (size_t i = 0; i < explorer->read_set_count; i++) {
        free(explorer->read_sets[i].reads);
        nv_seen_free(&explorer->read_sets[i].states);
    }
    free(explorer->read_sets);
    explorer->read_sets = NULL;
    explorer->read_set_count = 0;
    explorer->based = false;
}

static bool was_read(const struct nv_read_set *set, uint32_t object, uint64_t from, uint64_t to)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct nv_read *read = &set->reads[middle];

        if (read->object < object || (read->object == object && read->offset + read->length_bytes <= from))
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->reads[low].object == object && set->reads[low].offset < to;
}

/* Of names and lengths, and of the units that were read. */
static struct nv_hash restricted(const struct nv_explorer *explorer, const struct nv_read_set *set)
{
    const struct nv_point *point = &explorer->point;
    struct nv_hash sum = nv_hash_bytes(point->chosen_parts, point->part_count * sizeof *point->chosen_parts, 1);

    for (size_t i = 0; i < point->view_count; i++) {
        const struct nv_unit_view *view = &point->views[i];
        const struct nv_unit *unit = point->units[view->unit];
        uint64_t start = unit->index * unit->object->unit_bytes;

        if (was_read(set, unit->object->number, start, start + unit->object->unit_bytes)) {
            struct nv_hash place = {view->unit, view->unit};

            sum = nv_hash_add(sum, nv_hash_join(place, view->choices->hashes[view->chosen]));
        }
    }
    return sum;
}

static bool reads_as_judged(struct nv_explorer *explorer)
{
    for (size_t i = 0; i < explorer->read_set_count; i++)
        if (nv_seen_mark(&explorer->read_sets[i].states, restricted(explorer, &explorer->read_sets[i]), 0) > 0)
            return true;
    return false;
}

static int by_place(const void *left, const void *right)
{
    const struct nv_read *a = left, *b = right;

    if (a->object != b->object)
        return a->object < b->object ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static struct nv_read_set *find_set(struct nv_explorer *explorer, const struct nv_read *reads, size_t count)
{
    struct nv_read_set *grown;

    for (size_t i = 0; i < explorer->read_set_count; i++)
        if (explorer->read_sets[i].count == count &&
            !memcmp(explorer->read_sets[i].reads, reads, count * sizeof *reads))
            return &explorer->read_sets[i];
    if (explorer->read_set_count == READ_SETS_MAX)
        return NULL;
    grown = realloc(explorer->read_sets, (explorer->read_set_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    explorer->read_sets = grown;
    grown += explorer->read_set_count;
    *grown = (struct nv_read_set){.reads = malloc((count + 1) * sizeof *reads), .count = count};
    if (!grown->reads)
        return NULL;
    memcpy(grown->reads, reads, count * sizeof *reads);
    explorer->read_set_count++;
    return grown;
}

/* Sorted, and those that meet made one: a search by place needs them apart. */
static size_t tidy_reads(struct nv_read *reads, size_t count)
{
    size_t kept = 0;

    qsort(reads, count, sizeof *reads, by_place);
    for (size_t i = 0; i < count; i++) {
        struct nv_read *last = kept ? &reads[kept - 1] : NULL;

        if (last && last->object == reads[i].object && last->offset + last->length_bytes >= reads[i].offset) {
            uint64_t end = reads[i].offset + reads[i].length_bytes;

            if (end > last->offset + last->length_bytes)
                last->length_bytes = end - last->offset;
        } else {
            reads[kept++] = reads[i];
        }
    }
    return kept;
}

/* Without memory nothing is remembered, and more is judged. */
static void note_reads(struct nv_explorer *explorer)
{
    const struct nv_read *reads;
    struct nv_read_set *set;
    struct nv_read *sorted;
    size_t count;

    if (!explorer->judge->reads || !explorer->judge->reads(explorer->judge->context, &reads, &count))
        return;
    sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted)
        return;
    for (size_t i = 0; i < count; i++) {
        sorted[i].object = reads[i].object;
        sorted[i].offset = reads[i].offset;
        sorted[i].length_bytes = reads[i].length_bytes;
    }
    count = tidy_reads(sorted, count);
    set = find_set(explorer, sorted, count);
    if (set)
        (void)nv_seen_mark(&set->states, restricted(explorer, set), NV_SEEN_MET);
    free(sorted);
}

/* ---- judging ---- */

/* The judge sees the base first, once for each visit of the point. */
static int show_base(struct nv_explorer *explorer)
{
    struct nv_point *point = &explorer->point;
    struct nv_choice choice, base;
    int status = nv_choice_save(point, &choice);

    if (status)
        return status;
    status = nv_choice_copy(&base, &choice);
    if (!status) {
        memset(base.values, 0, base.count * sizeof *base.values);
        status = nv_choice_load(point, &base);
    }
    if (!status)
        status = nv_image_show(&explorer->image, point, true);
    if (!status && explorer->judge->base) {
        status = explorer->judge->base(explorer->judge->context, &explorer->model, &explorer->image.state);
        if (status > 0)
            status = -EIO;
    }
    if (!status)
        status = nv_choice_load(point, &choice);
    explorer->based = true;
    nv_choice_free(&choice);
    nv_choice_free(&base);
    return status;
}

int nv_verdict_get(struct nv_explorer *explorer, bool may_skip, enum nv_verdict *verdict)
{
    struct nv_hash key = nv_verdict_key(explorer);
    int status = 0, marks = nv_seen_mark(&explorer->seen, key, 0);

    *verdict = marks & NV_SEEN_BAD ? NV_VERDICT_BAD : NV_VERDICT_GOOD;
    if (marks < 0 || marks & (NV_SEEN_GOOD | NV_SEEN_BAD))
        return marks < 0 ? marks : 0;
    if (may_skip && explorer->read_set_count && reads_as_judged(explorer)) {
        explorer->result->skipped++;
        return 0;
    }
    if (!explorer->based)
        status = show_base(explorer);
    if (!status)
        status = nv_image_show(&explorer->image, &explorer->point, false);
    if (status)
        return status;
    *verdict = explorer->judge->judge(explorer->judge->context, &explorer->image.state);
    explorer->result->judged++;
    if (*verdict == NV_VERDICT_STOP)
        return 0;
    note_reads(explorer);
    marks = nv_seen_mark(&explorer->seen, key, *verdict == NV_VERDICT_BAD ? NV_SEEN_BAD : NV_SEEN_GOOD);
    return marks < 0 ? marks : 0;
}
