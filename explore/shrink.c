/* SPDX-License-Identifier: MIT */
/*
 * Makes failures small: the fewest choices that must be missing from all, or there beside nothing, for the recovery to
 * fail (delta debugging, both ways). explore.c calls it for each state that is judged bad.
 */
#include "explore/explorer.h"

#include <errno.h>
#include <stdlib.h>

enum {
    TRIALS_MAX = 600,    /* of one failure */
    SINGLES_MAX = 16,    /* so few are tried one by one first */
    NEIGHBOURS_MAX = 48, /* alternatives of one choice, from the usual one on */
    STOPPED = 2          /* as explore.c says it */
};

struct shrinking {
    struct nv_explorer *explorer;
    bool newest; /* what the rest is: all pending, or nothing */
    struct nv_choice usual, failing, trial;
    uint32_t *set; /* choices that are as in the failing state */
    size_t count;
    unsigned trials;
    int status; /* what ended it */
};

/* ---- trials ---- */

/* Whether the usual state fails when these are as they were. */
static bool fails(struct shrinking *shrinking, const uint32_t *set, size_t count)
{
    struct nv_explorer *explorer = shrinking->explorer;
    enum nv_verdict verdict = NV_VERDICT_GOOD;

    if (shrinking->status || shrinking->trials++ > TRIALS_MAX)
        return false;
    memcpy(shrinking->trial.values, shrinking->usual.values, shrinking->trial.count * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++)
        shrinking->trial.values[set[i]] = shrinking->failing.values[set[i]];
    shrinking->status = nv_choice_load(&explorer->point, &shrinking->trial);
    if (!shrinking->status)
        shrinking->status = nv_verdict_get(explorer, false, &verdict);
    if (verdict == NV_VERDICT_STOP) {
        explorer->result->stopped = true;
        shrinking->status = STOPPED;
    }
    return !shrinking->status && verdict == NV_VERDICT_BAD;
}

static bool keep(struct shrinking *shrinking, const uint32_t *set, size_t count)
{
    if (!fails(shrinking, set, count))
        return false;
    memmove(shrinking->set, set, count * sizeof *set);
    shrinking->count = count;
    return true;
}

static bool one_is_enough(struct shrinking *shrinking)
{
    for (size_t i = 0; i < shrinking->count && shrinking->count <= SINGLES_MAX && shrinking->count > 1; i++)
        if (keep(shrinking, &shrinking->set[i], 1))
            return true;
    return shrinking->count <= 1;
}

/* One of `parts` parts, or all but one, fails too? */
static bool narrow(struct shrinking *shrinking, size_t parts, uint32_t *rest)
{
    for (size_t i = 0; i < parts; i++) {
        size_t from = shrinking->count * i / parts, to = shrinking->count * (i + 1) / parts;

        if (parts > 1 && keep(shrinking, shrinking->set + from, to - from))
            return true;
    }
    for (size_t i = 0; i < parts && parts > 2; i++) {
        size_t from = shrinking->count * i / parts, to = shrinking->count * (i + 1) / parts;

        memcpy(rest, shrinking->set, from * sizeof *rest);
        memcpy(rest + from, shrinking->set + to, (shrinking->count - to) * sizeof *rest);
        if (keep(shrinking, rest, shrinking->count - (to - from)))
            return true;
    }
    return false;
}

static void reduce(struct shrinking *shrinking)
{
    uint32_t *rest = calloc(shrinking->count + 1, sizeof *rest);
    size_t parts = 2;

    if (!rest)
        shrinking->status = -ENOMEM;
    if (rest && !keep(shrinking, shrinking->set, 0) && !one_is_enough(shrinking))
        while (shrinking->count > 1 && parts <= shrinking->count && !shrinking->status) {
            if (narrow(shrinking, parts, rest))
                parts = parts > 2 ? parts - 1 : 2;
            else if (parts == shrinking->count)
                break;
            else
                parts = parts * 2 < shrinking->count ? parts * 2 : shrinking->count;
        }
    free(rest);
}

/* ---- what is not as usual ---- */

/* A unit that does not show in the layout is as usual, and so is one whose content would be the same. */
static void tell_usual(struct shrinking *shrinking)
{
    const struct nv_point *point = &shrinking->explorer->point;
    struct nv_choice *failing = &shrinking->failing;
    uint8_t *shows = calloc(point->unit_count + 1, 1);

    if (!shows) {
        shrinking->status = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < point->view_count; i++) {
        const struct nv_unit_view *view = &point->views[i];

        shows[view->unit] = view->chosen != (shrinking->newest ? view->choices->newest : 0);
        if (shows[view->unit])
            failing->values[point->part_count + view->unit] = view->chosen;
    }
    for (size_t i = 0; i < failing->count; i++) {
        shrinking->usual.values[i] = nv_choice_end(point, i, shrinking->newest);
        if (i >= point->part_count && !shows[i - point->part_count])
            failing->values[i] = shrinking->usual.values[i];
        if (failing->values[i] != shrinking->usual.values[i])
            shrinking->set[shrinking->count++] = (uint32_t)i;
    }
    free(shows);
}

static uint32_t alternatives(const struct nv_point *point, size_t i)
{
    if (i < point->part_count)
        return point->parts[i].count;
    for (size_t j = 0; j < point->view_count; j++)
        if (point->views[j].unit == i - point->part_count)
            return point->views[j].choices->count;
    return 1;
}

/* The choice that still fails and is as near to the usual one as can be. */
static void approach(struct shrinking *shrinking, uint32_t i)
{
    uint32_t count = alternatives(&shrinking->explorer->point, i), failing = shrinking->failing.values[i];

    for (uint32_t step = 0; step < NEIGHBOURS_MAX && step < count; step++) {
        uint32_t near = shrinking->newest ? count - 1 - step : step;

        if (near == failing)
            break;
        shrinking->failing.values[i] = near;
        if (fails(shrinking, shrinking->set, shrinking->count))
            return;
    }
    shrinking->failing.values[i] = failing;
}

static void shrink_towards(struct shrinking *shrinking, const struct nv_choice *found, bool newest)
{
    shrinking->newest = newest;
    shrinking->status = nv_choice_load(&shrinking->explorer->point, found);
    if (!shrinking->status)
        shrinking->status = nv_choice_copy(&shrinking->failing, found);
    if (!shrinking->status)
        shrinking->status = nv_choice_copy(&shrinking->usual, found);
    if (!shrinking->status)
        shrinking->status = nv_choice_copy(&shrinking->trial, found);
    shrinking->set = calloc(found->count + 1, sizeof *shrinking->set);
    if (!shrinking->status && !shrinking->set)
        shrinking->status = -ENOMEM;
    if (!shrinking->status)
        tell_usual(shrinking);
    reduce(shrinking);
    for (size_t i = 0; i < shrinking->count && !shrinking->status; i++) {
        if (fails(shrinking, shrinking->set, shrinking->count)) /* its layout, for what there is to choose from */
            approach(shrinking, shrinking->set[i]);
    }
}

static void free_shrinking(struct shrinking *shrinking)
{
    nv_choice_free(&shrinking->usual);
    nv_choice_free(&shrinking->failing);
    nv_choice_free(&shrinking->trial);
    free(shrinking->set);
}

/* ---- failures ---- */

void nv_patterns_forget(struct nv_explorer *explorer)
{
    for (size_t i = 0; i < explorer->pattern_count; i++) {
        nv_choice_free(&explorer->patterns[i].values);
        free(explorer->patterns[i].hangs);
    }
    free(explorer->patterns);
    explorer->patterns = NULL;
    explorer->pattern_count = 0;
}

/* As much is missing (or there) as in a failure that was shrunk at this point. */
static bool matches(const struct nv_pattern *pattern, const struct nv_choice *choice)
{
    bool any = false;

    for (size_t i = 0; i < choice->count; i++) {
        uint32_t value = choice->values[i], known = pattern->values.values[i];

        if (!pattern->hangs[i])
            continue;
        any = true;
        if (i < choice->part_count ? (pattern->missing ? value > known : value < known)
                                   : value != known && value != (pattern->missing ? 0 : NV_NEWEST))
            return false;
    }
    return any;
}

static int add_pattern(struct nv_explorer *explorer, const struct shrinking *shrinking, size_t failure)
{
    struct nv_pattern *grown = realloc(explorer->patterns, (explorer->pattern_count + 1) * sizeof *grown);
    struct nv_pattern pattern = {.failure = failure, .missing = shrinking->newest};

    if (!grown)
        return -ENOMEM;
    explorer->patterns = grown;
    pattern.hangs = calloc(shrinking->failing.count + 1, 1);
    if (!pattern.hangs || nv_choice_copy(&pattern.values, &shrinking->failing)) {
        free(pattern.hangs);
        return -ENOMEM;
    }
    for (size_t i = 0; i < shrinking->count; i++)
        pattern.hangs[shrinking->set[i]] = 1;
    grown[explorer->pattern_count++] = pattern;
    return 0;
}

static int add_failure(struct nv_explorer *explorer, const struct nv_choice *choice, struct nv_failure failure,
                       size_t *number)
{
    struct nv_explore_result *result = explorer->result;
    struct nv_failure *grown;

    for (*number = 0; *number < result->failure_count; ++*number) {
        struct nv_failure *known = &result->failures[*number];

        if (nv_causes_alike(known->causes, known->cause_count, failure.causes, failure.cause_count)) {
            known->count++;
            nv_causes_free(failure.causes, failure.cause_count);
            return 0;
        }
    }
    grown = realloc(result->failures, (result->failure_count + 1) * sizeof *grown);
    if (!grown) {
        nv_causes_free(failure.causes, failure.cause_count);
        return -ENOMEM;
    }
    result->failures = grown;
    failure.id = nv_id_make(explorer, choice);
    grown[result->failure_count++] = failure;
    return failure.id ? 0 : -ENOMEM;
}

/* What was shrunk becomes a failure, or one more of its like. */
static int report(struct shrinking *shrinking)
{
    struct nv_explorer *explorer = shrinking->explorer;
    struct nv_failure failure = {.point = explorer->point.number,
                                 .event = explorer->crash->taken + 1,
                                 .place = explorer->crash->place,
                                 .promise_count = explorer->model.promise_count,
                                 .count = 1};
    uint8_t *hangs = calloc(shrinking->failing.count + 1, 1);
    int status = hangs ? 0 : -ENOMEM;
    size_t number;

    for (size_t i = 0; i < shrinking->count && !status; i++)
        hangs[shrinking->set[i]] = 1;
    memcpy(shrinking->trial.values, shrinking->usual.values, shrinking->trial.count * sizeof(uint32_t));
    for (size_t i = 0; i < shrinking->count; i++)
        shrinking->trial.values[shrinking->set[i]] = shrinking->failing.values[shrinking->set[i]];
    if (!status)
        status = nv_choice_load(&explorer->point, &shrinking->trial);
    failure.state = nv_point_image(&explorer->point);
    if (!status)
        status = nv_causes_find(explorer, &shrinking->trial, hangs, shrinking->newest, &failure.causes,
                                &failure.cause_count);
    if (!status)
        status = add_failure(explorer, &shrinking->trial, failure, &number);
    if (!status)
        status = add_pattern(explorer, shrinking, number);
    free(hangs);
    return status;
}

static int shrink_both(struct nv_explorer *explorer, const struct nv_choice *found)
{
    struct shrinking from_all = {.explorer = explorer}, from_none = {.explorer = explorer};
    struct shrinking *best = &from_all;
    int status;

    shrink_towards(&from_all, found, true);
    if (!from_all.status && from_all.count != 1)
        shrink_towards(&from_none, found, false);
    else
        from_none.count = SIZE_MAX;
    if (from_none.count && (!from_all.count || from_none.count < from_all.count))
        best = &from_none;
    status = from_all.status ? from_all.status : from_none.status;
    if (!status)
        status = report(best);
    free_shrinking(&from_all);
    free_shrinking(&from_none);
    return status;
}

int nv_shrink(struct nv_explorer *explorer)
{
    struct nv_choice found;
    int status = nv_choice_save(&explorer->point, &found), restored;

    if (status)
        return status;
    for (size_t i = 0; i < explorer->pattern_count; i++)
        if (matches(&explorer->patterns[i], &found)) {
            explorer->result->failures[explorer->patterns[i].failure].count++;
            nv_choice_free(&found);
            return 0;
        }
    status = shrink_both(explorer, &found);
    restored = nv_choice_load(&explorer->point, &found);
    nv_choice_free(&found);
    return status ? status : restored;
}
