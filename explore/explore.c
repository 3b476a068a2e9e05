/* SPDX-License-Identifier: MIT */
/*
 * Goes through crash points and states: in rounds, so that each point gets its share of a budget, and what is likely to
 * fail comes first. `nvrtl crash` calls it; space.c has the order within a point, verdicts.c the judging.
 */
#include "explore/explorer.h"

#include "explore/space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PASS_ENDS,    /* nothing pending, everything pending */
    PASS_SINGLES, /* one choice otherwise */
    PASS_PAIRS,
    PASS_ALL, /* every state, or some by chance */
    PASSES
};

enum {
    FIRST_SHARE = 64, /* states of a point in the first round */
    SHARE_GROWS = 4,
    LEAST_SHARE = 8,
    FIRST_BATCH = 64, /* points with no new stack */
    DRAWS = 16,       /* contents by chance for each layout by chance */
    CHECK_TIME = 1024
};

/* Phases of structure and contents that make up a pass. */
static const struct {
    uint8_t pass, structure, contents;
} steps[] = {
    {PASS_ENDS, NV_PHASE_ENDS, NV_PHASE_ENDS},       {PASS_SINGLES, NV_PHASE_ENDS, NV_PHASE_SINGLES},
    {PASS_SINGLES, NV_PHASE_SINGLES, NV_PHASE_ENDS}, {PASS_PAIRS, NV_PHASE_SINGLES, NV_PHASE_SINGLES},
    {PASS_PAIRS, NV_PHASE_ENDS, NV_PHASE_PAIRS},     {PASS_PAIRS, NV_PHASE_PAIRS, NV_PHASE_ENDS},
    {PASS_ALL, NV_PHASE_ALL, NV_PHASE_ALL},
};

/* Returned by visits. */
enum { ENOUGH = 1, STOP = 2 };

/* ---- crash points ---- */

static bool is_point(const struct nv_explorer *explorer, size_t i)
{
    const struct nv_trace_event *event = explorer->subject.trace->events[i];

    if (event->kind == NV_TRACE_DRAIN || event->kind == NV_TRACE_SYNC)
        return !(event->flags & NV_TRACE_FAILED);
    if (event->kind == NV_TRACE_STORE)
        return explorer->subject.objects[event->object].instant;
    return event->kind == NV_TRACE_PROMISE;
}

static bool is_before(uint16_t kind)
{
    return kind == NV_TRACE_DRAIN || kind == NV_TRACE_SYNC;
}

static int by_stack(const void *left, const void *right)
{
    const struct nv_crash *a = *(struct nv_crash *const *)left, *b = *(struct nv_crash *const *)right;

    if (a->place != b->place || a->kind != b->kind)
        return a->place != b->place ? (a->place < b->place ? -1 : 1) : (a->kind < b->kind ? -1 : 1);
    return (a->taken > b->taken) - (a->taken < b->taken);
}

static int mark_distinct(struct nv_explorer *explorer)
{
    struct nv_crash **sorted = calloc(explorer->crash_count, sizeof *sorted);

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < explorer->crash_count; i++)
        sorted[i] = &explorer->crashes[i];
    qsort(sorted, explorer->crash_count, sizeof *sorted, by_stack);
    for (size_t i = 0; i < explorer->crash_count; i++) {
        sorted[i]->distinct = !i || sorted[i]->place != sorted[i - 1]->place || sorted[i]->kind != sorted[i - 1]->kind;
        explorer->result->distinct_stacks += sorted[i]->distinct;
    }
    free(sorted);
    return 0;
}

static int find_crashes(struct nv_explorer *explorer)
{
    const struct nv_trace *trace = explorer->subject.trace;
    size_t count = 1, capacity = 1;

    for (size_t i = 0; i < trace->event_count; i++)
        capacity += is_point(explorer, i);
    explorer->crashes = calloc(capacity, sizeof *explorer->crashes);
    if (!explorer->crashes)
        return -ENOMEM;
    count = 0;
    for (size_t i = 0; i < trace->event_count; i++) {
        const struct nv_trace_event *event = trace->events[i];

        if (is_point(explorer, i))
            explorer->crashes[count++] = (struct nv_crash){
                .taken = is_before(event->kind) ? i : i + 1, .place = event->place, .kind = event->kind};
    }
    explorer->crashes[count++] = (struct nv_crash){.taken = trace->event_count, .kind = NV_TRACE_END};
    explorer->crash_count = explorer->result->points = count;
    return mark_distinct(explorer);
}

/* ---- one state ---- */

static bool time_is_up(struct nv_explorer *explorer)
{
    double now = nv_explorer_now();
    const struct nv_judge *judge = explorer->judge;

    if (judge->progress && now - explorer->told > 0.1) {
        explorer->told = now;
        if (!judge->progress(judge->context, (uint64_t)(explorer->crash - explorer->crashes) + 1, explorer->crash_count,
                             explorer->result->states, explorer->result->failure_count))
            return true;
    }
    return explorer->options.max_seconds > 0 && now - explorer->started > explorer->options.max_seconds;
}

static int judge_state(struct nv_explorer *explorer)
{
    enum nv_verdict verdict;
    int status = nv_verdict_get(explorer, true, &verdict);

    if (!status && verdict == NV_VERDICT_BAD)
        status = nv_shrink(explorer);
    if (status)
        return status;
    if (verdict == NV_VERDICT_STOP || time_is_up(explorer) ||
        (explorer->options.max_failures && explorer->result->failure_count >= explorer->options.max_failures)) {
        explorer->result->stopped = true;
        return STOP;
    }
    return 0;
}

/* The state that is chosen. STOP: the end of it all. */
static int meet(struct nv_explorer *explorer)
{
    const struct nv_explore_options *options = &explorer->options;
    int marks = nv_seen_mark(&explorer->seen, nv_verdict_key(explorer), NV_SEEN_MET), status = 0;

    if (marks < 0)
        return marks;
    if (++explorer->visits % CHECK_TIME == 0 && time_is_up(explorer)) {
        explorer->result->stopped = true;
        return STOP;
    }
    if (marks & NV_SEEN_MET) {
        explorer->result->repeated++;
        return 0;
    }
    explorer->result->states++;
    if (options->shards < 2 || nv_point_image(&explorer->point).low % options->shards == options->shard)
        status = judge_state(explorer);
    if (!status && options->max_states && explorer->result->states >= options->max_states) {
        explorer->exhausted = true;
        return STOP;
    }
    return status;
}

/* ---- the states of one point ---- */

struct visiting {
    struct nv_explorer *explorer;
    struct nv_crash *crash;
    uint64_t skip, left; /* states that were visited before; that may be visited now */
    enum nv_phase contents;
    uint32_t *parts;
    uint32_t *alternatives, *newest; /* of parts, then of views */
};

static int visit_state(void *context)
{
    struct visiting *visiting = context;
    int status;

    if (!visiting->left)
        return ENOUGH;
    status = meet(visiting->explorer);
    visiting->left--;
    visiting->crash->done++;
    return status;
}

static void choose_content(void *context, size_t view, uint32_t choice)
{
    struct visiting *visiting = context;

    nv_point_choose(&visiting->explorer->point, view, choice);
}

static struct nv_space content_space(struct visiting *visiting)
{
    const struct nv_point *point = &visiting->explorer->point;
    uint32_t *alternatives = visiting->alternatives + point->part_count, *newest = visiting->newest + point->part_count;

    for (size_t i = 0; i < point->view_count; i++) {
        alternatives[i] = point->views[i].choices->count;
        newest[i] = point->views[i].choices->newest;
    }
    return (struct nv_space){point->view_count, alternatives, newest};
}

static int visit_layout(void *context)
{
    struct visiting *visiting = context;
    struct nv_walk walk = {visiting, choose_content, visit_state};
    int status = nv_point_lay_out(&visiting->explorer->point, visiting->parts);
    struct nv_space space;
    uint64_t size, skip = visiting->skip;

    if (status)
        return status;
    space = content_space(visiting);
    size = nv_space_size(&space, visiting->contents);
    if (skip >= size) {
        visiting->skip -= size;
        return 0;
    }
    visiting->skip = 0;
    return visiting->left ? nv_space_walk(&space, visiting->contents, skip, &walk) : ENOUGH;
}

static void choose_part(void *context, size_t part, uint32_t choice)
{
    struct visiting *visiting = context;

    visiting->parts[part] = choice;
}

static struct nv_space part_space(struct visiting *visiting)
{
    const struct nv_point *point = &visiting->explorer->point;

    for (size_t i = 0; i < point->part_count; i++) {
        visiting->alternatives[i] = point->parts[i].count;
        visiting->newest[i] = point->parts[i].count - 1;
    }
    return (struct nv_space){point->part_count, visiting->alternatives, visiting->newest};
}

static int visit_pass(struct visiting *visiting)
{
    struct nv_walk walk = {visiting, choose_part, visit_layout};
    struct nv_space space = part_space(visiting);
    int status = 0;

    visiting->skip = visiting->crash->done;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !status; i++) {
        if (steps[i].pass != visiting->crash->pass)
            continue;
        visiting->contents = steps[i].contents;
        memset(visiting->parts, 0, space.count * sizeof *visiting->parts);
        status = nv_space_walk(&space, steps[i].structure, 0, &walk);
    }
    return status;
}

/* ---- states by chance ---- */

/* More combinations than can ever be gone through. */
static bool is_too_large(struct visiting *visiting, bool *large)
{
    struct nv_point *point = &visiting->explorer->point;
    const struct nv_explore_options *options = &visiting->explorer->options;
    struct nv_space space = part_space(visiting);
    uint64_t parts = nv_space_size(&space, NV_PHASE_ALL), most = UINT64_MAX, contents;

    memcpy(visiting->parts, visiting->newest, space.count * sizeof *visiting->parts);
    if (nv_point_lay_out(point, visiting->parts))
        return false;
    space = content_space(visiting);
    contents = nv_space_size(&space, NV_PHASE_ALL);
    if (options->max_seconds > 0)
        most = 1 << 24;
    if (options->max_states)
        most = options->max_states > 1 << 16 ? options->max_states * 4 : 1 << 18;
    *large = contents > most / parts;
    return true;
}

static uint32_t draw(uint64_t *random, uint32_t count, uint32_t newest, unsigned leaning)
{
    uint64_t number = nv_random(random);

    if ((number & 255) < 64)
        return (uint32_t)((number >> 8) % count);
    return (number >> 40 & 255) < leaning ? newest : 0;
}

static int visit_draw(struct visiting *visiting, uint64_t *random)
{
    struct nv_point *point = &visiting->explorer->point;
    unsigned leaning = (unsigned)(nv_random(random) & 255);

    for (size_t i = 0; i < point->view_count; i++)
        nv_point_choose(point, i,
                        draw(random, point->views[i].choices->count, point->views[i].choices->newest, leaning));
    return visit_state(visiting);
}

static int visit_by_chance(struct visiting *visiting)
{
    struct nv_point *point = &visiting->explorer->point;
    int status = 0;

    visiting->explorer->sampled = true;
    while (!status) {
        uint64_t random = visiting->explorer->options.seed * 0x9e3779b97f4a7c15u + point->number * 0xd1b54a32d192ed03u +
                          visiting->crash->done / DRAWS;
        unsigned leaning = (unsigned)(nv_random(&random) & 255);

        for (size_t i = 0; i < point->part_count; i++)
            visiting->parts[i] = draw(&random, point->parts[i].count, point->parts[i].count - 1, leaning);
        status = nv_point_lay_out(point, visiting->parts);
        do
            status = status ? status : visit_draw(visiting, &random);
        while (!status && visiting->crash->done % DRAWS);
    }
    return status;
}

/* ---- a visit of a point ---- */

static int visit_passes(struct visiting *visiting, uint8_t last_pass)
{
    struct nv_crash *crash = visiting->crash;
    uint64_t states = visiting->explorer->result->states, share = visiting->left;
    bool large = false;
    int status = 0;

    while (!status && crash->pass <= last_pass && crash->pass < PASSES) {
        if (crash->pass == PASS_ALL && !is_too_large(visiting, &large))
            status = -ENOMEM;
        if (!status)
            status = large ? visit_by_chance(visiting) : visit_pass(visiting);
        if (!status) {
            crash->pass++;
            crash->done = 0;
        }
    }
    crash->complete = crash->pass == PASSES;
    /* Chance meets nothing new any more. */
    if (large && share >= FIRST_SHARE * SHARE_GROWS * SHARE_GROWS && visiting->explorer->result->states == states)
        crash->complete = true;
    return status == ENOUGH ? 0 : status;
}

static int visit_point(struct nv_explorer *explorer, struct nv_crash *crash, uint8_t last_pass, uint64_t share)
{
    struct nv_point *point = &explorer->point;
    struct visiting visiting = {.explorer = explorer, .crash = crash, .left = share};
    size_t room;
    int status = nv_point_open(point, &explorer->model, (uint64_t)(crash - explorer->crashes) + 1);

    room = point->part_count + point->unit_count + 1;
    visiting.parts = calloc(room, sizeof *visiting.parts);
    visiting.alternatives = calloc(room, sizeof *visiting.alternatives);
    visiting.newest = calloc(room, sizeof *visiting.newest);
    if (!visiting.parts || !visiting.alternatives || !visiting.newest)
        status = -ENOMEM;
    explorer->crash = crash;
    explorer->image.layout = 0;
    if (!status)
        status = visit_passes(&visiting, last_pass);
    if (!point->complete)
        explorer->sampled = true;
    nv_verdict_forget_point(explorer);
    nv_patterns_forget(explorer);
    nv_point_close(point);
    free(visiting.parts);
    free(visiting.alternatives);
    free(visiting.newest);
    return status;
}

/* ---- rounds ---- */

/* Which points a round visits: those that `wants` marks. */
struct round {
    const bool *wants;
    uint8_t last_pass;
    uint64_t share;
};

static uint64_t fair_share(const struct nv_explorer *explorer, const struct round *round)
{
    uint64_t points = 0, left;

    if (!explorer->options.max_states)
        return round->share;
    for (size_t i = 0; i < explorer->crash_count; i++)
        points += round->wants[i] && !explorer->crashes[i].complete && explorer->crashes[i].pass <= round->last_pass;
    left = (explorer->options.max_states - explorer->result->states) / (2 * points + 1);
    left = left < LEAST_SHARE ? LEAST_SHARE : left;
    return left < round->share ? left : round->share;
}

/* One way through the trace. */
static int go_round(struct nv_explorer *explorer, struct round round)
{
    int status = nv_model_open(&explorer->model, &explorer->subject, explorer->options.model);
    uint64_t share = fair_share(explorer, &round);

    for (size_t i = 0; i < explorer->crash_count && !status; i++) {
        struct nv_crash *crash = &explorer->crashes[i];

        if (!round.wants[i] || crash->complete || crash->pass > round.last_pass)
            continue;
        while (explorer->model.event < crash->taken && !status)
            status = nv_model_take(&explorer->model);
        if (!status)
            status = visit_point(explorer, crash, round.last_pass, share);
    }
    nv_model_close(&explorer->model);
    return status;
}

struct shuffled {
    uint64_t key;
    size_t crash;
};

static int by_key(const void *left, const void *right)
{
    const struct shuffled *a = left, *b = right;

    return (a->key > b->key) - (a->key < b->key);
}

/* Points with a stack that was seen, in an order by chance: more of them each time. */
static int visit_others(struct nv_explorer *explorer, bool *wants)
{
    struct shuffled *order = calloc(explorer->crash_count + 1, sizeof *order);
    uint64_t random = explorer->options.seed;
    size_t count = 0;
    int status = order ? 0 : -ENOMEM;

    for (size_t i = 0; i < explorer->crash_count && !status; i++)
        if (!explorer->crashes[i].distinct)
            order[count++] = (struct shuffled){nv_random(&random), i};
    if (count)
        qsort(order, count, sizeof *order, by_key);
    for (size_t first = 0, batch = FIRST_BATCH; first < count && !status; first += batch, batch *= 2) {
        memset(wants, 0, explorer->crash_count * sizeof *wants);
        for (size_t i = first; i < first + batch && i < count; i++)
            wants[order[i].crash] = true;
        status = go_round(explorer, (struct round){wants, PASS_SINGLES, FIRST_SHARE});
    }
    free(order);
    return status;
}

static bool all_complete(const struct nv_explorer *explorer)
{
    for (size_t i = 0; i < explorer->crash_count; i++)
        if (!explorer->crashes[i].complete)
            return false;
    return true;
}

static int visit_all_points(struct nv_explorer *explorer)
{
    bool *wants = calloc(explorer->crash_count, sizeof *wants);
    uint64_t share = FIRST_SHARE;
    int status = wants ? 0 : -ENOMEM;

    for (size_t i = 0; i < explorer->crash_count && !status; i++)
        wants[i] = explorer->crashes[i].distinct;
    if (!status)
        status = go_round(explorer, (struct round){wants, PASS_ENDS, FIRST_SHARE});
    if (!status)
        status = go_round(explorer, (struct round){wants, PASS_PAIRS, FIRST_SHARE * SHARE_GROWS});
    if (!status)
        status = visit_others(explorer, wants);
    for (size_t i = 0; i < explorer->crash_count && !status; i++)
        wants[i] = true;
    while (!status && !all_complete(explorer)) {
        share = share < UINT64_MAX / SHARE_GROWS ? share * SHARE_GROWS : share;
        status = go_round(explorer, (struct round){wants, PASS_ALL, share});
    }
    free(wants);
    return status == STOP ? 0 : status;
}

/* ---- the whole ---- */

static int start(struct nv_explorer *explorer, const struct nv_trace *trace, const struct nv_explore_options *options,
                 const struct nv_judge *judge, struct nv_explore_result *result, char *error, size_t error_bytes)
{
    int status;

    *result = (struct nv_explore_result){0};
    *explorer = (struct nv_explorer){.options = *options,
                                     .judge = judge,
                                     .result = result,
                                     .started = nv_explorer_now(),
                                     .error = error,
                                     .error_bytes = error_bytes};
    if (error_bytes)
        *error = 0;
    status = nv_subject_open(&explorer->subject, trace);
    return status ? status : find_crashes(explorer);
}

static void finish(struct nv_explorer *explorer, int status)
{
    if (status && explorer->error_bytes && !*explorer->error)
        snprintf(explorer->error, explorer->error_bytes, "%s", strerror(-status));
    nv_image_end(&explorer->image);
    nv_seen_free(&explorer->seen);
    nv_subject_close(&explorer->subject);
    free(explorer->crashes);
}

int nv_explore(const struct nv_trace *trace, const struct nv_explore_options *options, const struct nv_judge *judge,
               struct nv_explore_result *result, char *error, size_t error_bytes)
{
    struct nv_explorer explorer;
    int status = start(&explorer, trace, options, judge, result, error, error_bytes);

    if (!status)
        status = visit_all_points(&explorer);
    for (size_t i = 0; i < explorer.crash_count && explorer.crashes; i++)
        result->points_done += explorer.crashes[i].pass || explorer.crashes[i].done;
    result->exhaustive =
        !status && explorer.crashes && all_complete(&explorer) && !explorer.sampled && !result->stopped;
    finish(&explorer, status);
    return status;
}

int nv_explore_replay(const struct nv_trace *trace, const struct nv_explore_options *options, const char *id,
                      const struct nv_judge *judge, char *error, size_t error_bytes)
{
    struct nv_explore_result result;
    struct nv_explorer explorer;
    enum nv_verdict verdict;
    uint64_t number = 0;
    int status = start(&explorer, trace, options, judge, &result, error, error_bytes);

    if (!status)
        status = nv_id_read(&explorer, id, &number);
    if (!status)
        status = nv_model_open(&explorer.model, &explorer.subject, options->model);
    while (!status && explorer.model.event < explorer.crashes[number - 1].taken)
        status = nv_model_take(&explorer.model);
    if (!status) {
        explorer.crash = &explorer.crashes[number - 1];
        status = nv_point_open(&explorer.point, &explorer.model, number);
    }
    if (!status)
        status = nv_id_choose(&explorer, id);
    if (!status)
        status = nv_verdict_get(&explorer, false, &verdict);
    nv_verdict_forget_point(&explorer);
    nv_point_close(&explorer.point);
    nv_model_close(&explorer.model);
    finish(&explorer, status);
    nv_explore_result_free(&result);
    return status;
}

void nv_explore_result_free(struct nv_explore_result *result)
{
    for (size_t i = 0; i < result->failure_count; i++) {
        nv_causes_free(result->failures[i].causes, result->failures[i].cause_count);
        free(result->failures[i].id);
    }
    free(result->failures);
    *result = (struct nv_explore_result){0};
}
