/* SPDX-License-Identifier: MIT */
/*
 * Failures are shrunk to what was planted: which store, write or name must be missing (or there), who made it, and what
 * would have made it durable in time. And what else explore.h promises: ids, budgets, seeds, what is not judged again.
 */
#include "explore/explore.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DATA = 1, POOL = 2, OTHER = 3, POOL_BYTES = 8192, LINE = 64 };
enum { PLACE_PAYLOAD = 11, PLACE_POINTER, PLACE_FLUSH, PLACE_DRAIN, PLACE_OTHER, PLACE_PROMISE };

/* ---- traces ---- */

struct recording {
    struct nv_trace trace;
    size_t capacity;
};

static struct nv_trace_event *add(struct recording *recording, uint16_t kind, uint32_t object, const void *payload,
                                  size_t payload_bytes)
{
    size_t bytes = sizeof(struct nv_trace_event) + ((payload_bytes + 7) & ~(size_t)7);
    struct nv_trace_event *event = calloc(1, bytes);

    if (recording->trace.event_count == recording->capacity) {
        recording->capacity = recording->capacity * 2 + 64;
        recording->trace.events =
            realloc(recording->trace.events, recording->capacity * sizeof *recording->trace.events);
    }
    assert_true(event && recording->trace.events);
    *event = (struct nv_trace_event){.bytes = (uint32_t)bytes,
                                     .payload_bytes = (uint32_t)payload_bytes,
                                     .kind = kind,
                                     .thread = 1,
                                     .object = object};
    if (payload_bytes)
        memcpy(nv_trace_payload(event), payload, payload_bytes);
    recording->trace.events[recording->trace.event_count++] = event;
    return event;
}

static void create(struct recording *recording, uint32_t object, const char *name, mode_t mode, uint16_t flags)
{
    struct nv_trace_event *event = add(recording, NV_TRACE_CREATE, object, name, strlen(name) + 1);

    event->parent = *name == '/' ? 0 : DATA;
    event->offset = mode;
    event->flags = flags;
}

/* A folder, and in it a pool of zeros that is mapped. */
static void start(struct recording *recording, bool mapped)
{
    static const uint8_t zeros[POOL_BYTES];

    create(recording, DATA, "/data", S_IFDIR | 0755, NV_TRACE_INITIAL);
    if (!mapped)
        return;
    create(recording, POOL, "pool", S_IFREG | 0644, NV_TRACE_INITIAL);
    add(recording, NV_TRACE_WRITE, POOL, zeros, sizeof zeros)->flags = NV_TRACE_INITIAL;
    add(recording, NV_TRACE_MAP, POOL, NULL, 0)->other = 2;
}

static struct nv_trace_event *store(struct recording *recording, uint64_t offset, const void *bytes, size_t length,
                                    uint32_t place)
{
    struct nv_trace_event *event = add(recording, NV_TRACE_STORE, POOL, bytes, length);

    event->offset = offset;
    event->place = place;
    return event;
}

static void store_number(struct recording *recording, uint64_t offset, uint64_t number, uint32_t place)
{
    store(recording, offset, &number, sizeof number, place);
}

static void flush(struct recording *recording, uint64_t offset, uint64_t length)
{
    struct nv_trace_event *event = add(recording, NV_TRACE_FLUSH, POOL, NULL, 0);

    event->offset = offset;
    event->length = length;
    event->place = PLACE_FLUSH;
}

static void drain(struct recording *recording)
{
    add(recording, NV_TRACE_DRAIN, 0, NULL, 0)->place = PLACE_DRAIN;
}

static void promise(struct recording *recording)
{
    add(recording, NV_TRACE_PROMISE, 0, "done", 4)->place = PLACE_PROMISE;
}

static void sync_object(struct recording *recording, uint32_t object, uint16_t flags)
{
    struct nv_trace_event *event;

    add(recording, NV_TRACE_SYNC_BEGIN, 0, NULL, 0);
    event = add(recording, NV_TRACE_SYNC, object, NULL, 0);
    event->flags = flags;
    event->length = UINT64_MAX;
    event->place = PLACE_DRAIN;
}

static void put(struct recording *recording, uint32_t object, uint64_t offset, const char *text, uint32_t place)
{
    struct nv_trace_event *event = add(recording, NV_TRACE_WRITE, object, text, strlen(text));

    event->offset = offset;
    event->place = place;
}

static void drop(struct recording *recording)
{
    for (size_t i = 0; i < recording->trace.event_count; i++)
        free((void *)(uintptr_t)recording->trace.events[i]);
    free(recording->trace.events);
}

/* ---- judging ---- */

typedef bool accepts(const struct nv_model *model, const struct nv_state *state);

struct judging {
    accepts *accepts;
    const struct nv_model *model;
    struct nv_hash *judged;
    size_t count;
    uint64_t read_bytes; /* of the pool; 0: it is not told */
    struct nv_read read;
    size_t stop_at;
};

static const struct nv_state_entry *entry_of(const struct nv_state *state, const char *path)
{
    for (size_t i = 0; i < state->entry_count; i++)
        if (!strcmp(state->entries[i].path, path))
            return &state->entries[i];
    return NULL;
}

static void read_state(const struct nv_model *model, const struct nv_state *state, const char *path, uint64_t offset,
                       void *bytes, size_t length)
{
    const struct nv_state_entry *entry = entry_of(state, path);
    uint8_t *whole;

    memset(bytes, 0, length);
    if (!entry || offset >= entry->size_bytes)
        return;
    whole = calloc(1, entry->size_bytes);
    assert_non_null(whole);
    nv_model_read(model, entry->object, 0, whole, entry->size_bytes);
    for (size_t i = 0; i < entry->change_count; i++)
        memcpy(whole + entry->changes[i].offset, entry->changes[i].bytes, entry->changes[i].length_bytes);
    memcpy(bytes, whole + offset, entry->size_bytes - offset < length ? entry->size_bytes - offset : length);
    free(whole);
}

static uint64_t number_at(const struct nv_model *model, const struct nv_state *state, uint64_t offset)
{
    uint64_t number;

    read_state(model, state, "pool", offset, &number, sizeof number);
    return number;
}

static int base(void *context, const struct nv_model *model, const struct nv_state *state)
{
    struct judging *judging = context;

    assert_true(state->entry_count == 0 || state->entries[0].change_count == 0);
    judging->model = model;
    return 0;
}

static enum nv_verdict judge(void *context, const struct nv_state *state)
{
    struct judging *judging = context;
    struct nv_hash *grown = realloc(judging->judged, (judging->count + 1) * sizeof *grown);

    assert_non_null(grown);
    judging->judged = grown;
    grown[judging->count++] = state->id;
    if (judging->stop_at && judging->count >= judging->stop_at)
        return NV_VERDICT_STOP;
    return judging->accepts(judging->model, state) ? NV_VERDICT_GOOD : NV_VERDICT_BAD;
}

static bool reads(void *context, const struct nv_read **read, size_t *count)
{
    struct judging *judging = context;

    judging->read = (struct nv_read){POOL, 0, judging->read_bytes};
    *read = &judging->read;
    *count = 1;
    return judging->read_bytes != 0;
}

static struct nv_explore_result explore(struct recording *recording, struct judging *judging,
                                        struct nv_explore_options options)
{
    struct nv_judge all = {.context = judging, .base = base, .judge = judge, .reads = reads};
    struct nv_explore_result result;
    char error[200];

    judging->count = 0;
    if (nv_explore(&recording->trace, &options, &all, &result, error, sizeof error))
        fail_msg("%s", error);
    return result;
}

/* Explore, expect so many failures, and that each can be made again by its id. */
static struct nv_explore_result expect_failures(struct recording *recording, accepts *accept,
                                                enum nv_explore_model model, size_t count)
{
    struct judging judging = {.accepts = accept};
    struct nv_explore_options options = {.model = model, .seed = 1};
    struct nv_explore_result result = explore(recording, &judging, options);

    assert_true(result.exhaustive);
    assert_int_equal(result.failure_count, count);
    for (size_t i = 0; i < count; i++) {
        struct nv_judge all = {.context = &judging, .base = base, .judge = judge};
        char error[200];

        judging.count = 0;
        assert_int_equal(
            nv_explore_replay(&recording->trace, &options, result.failures[i].id, &all, error, sizeof error), 0);
        assert_int_equal(judging.count, 1);
        assert_memory_equal(&judging.judged[0], &result.failures[i].state, sizeof judging.judged[0]);
    }
    free(judging.judged);
    return result;
}

static void expect_cause(const struct nv_explore_result *result, size_t number, bool missing, uint32_t kind,
                         uint32_t place, uint32_t guard_kind, const char *path)
{
    const struct nv_failure *failure = &result->failures[0];
    const struct nv_cause *cause = &failure->causes[number];

    assert_true(number < failure->cause_count);
    assert_int_equal(cause->missing, missing);
    assert_int_equal(cause->kind, kind);
    assert_int_equal(cause->place, place);
    assert_int_equal(cause->guard_kind, guard_kind);
    if (guard_kind)
        assert_int_equal(cause->guard_place, guard_kind == NV_TRACE_FLUSH ? PLACE_FLUSH : PLACE_DRAIN);
    assert_string_equal(cause->path, path);
}

static void finish(struct nv_explore_result *result, struct recording *recording)
{
    nv_explore_result_free(result);
    drop(recording);
}

/* ---- memory ---- */

enum { PAYLOAD_AT = 0, POINTER_AT = 1024, SECOND_AT = 2048 };

static bool payload_before_pointer(const struct nv_model *model, const struct nv_state *state)
{
    return !number_at(model, state, POINTER_AT) || number_at(model, state, PAYLOAD_AT);
}

static void published_too_early(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    flush(&recording, PAYLOAD_AT, LINE);
    store_number(&recording, POINTER_AT, 1, PLACE_POINTER);
    flush(&recording, POINTER_AT, LINE);
    drain(&recording);
    result = expect_failures(&recording, payload_before_pointer, NV_EXPLORE_JOURNALED, 1);
    assert_int_equal(result.failures[0].cause_count, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, NV_TRACE_DRAIN, "/data/pool");
    assert_int_equal(result.failures[0].causes[0].offset, PAYLOAD_AT);
    assert_int_equal(result.failures[0].causes[0].length_bytes, 8);
    assert_int_equal(result.failures[0].place, PLACE_DRAIN);
    finish(&result, &recording);
}

static void published_in_order(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    flush(&recording, PAYLOAD_AT, LINE);
    drain(&recording);
    store_number(&recording, POINTER_AT, 1, PLACE_POINTER);
    flush(&recording, POINTER_AT, LINE);
    drain(&recording);
    result = expect_failures(&recording, payload_before_pointer, NV_EXPLORE_JOURNALED, 0);
    assert_int_equal(result.states, 3);
    finish(&result, &recording);
}

static bool keeps_promise(const struct nv_model *model, const struct nv_state *state)
{
    return !state->promise_count || number_at(model, state, PAYLOAD_AT);
}

static void never_flushed(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    store_number(&recording, POINTER_AT, 7, PLACE_POINTER);
    flush(&recording, POINTER_AT, LINE);
    drain(&recording);
    promise(&recording);
    result = expect_failures(&recording, keeps_promise, NV_EXPLORE_JOURNALED, 1);
    assert_int_equal(result.failures[0].cause_count, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, 0, "/data/pool");
    assert_int_equal(result.failures[0].promise_count, 1);
    finish(&result, &recording);
}

static void never_drained(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    flush(&recording, PAYLOAD_AT, LINE);
    promise(&recording);
    result = expect_failures(&recording, keeps_promise, NV_EXPLORE_JOURNALED, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, NV_TRACE_FLUSH, "/data/pool");
    finish(&result, &recording);
}

static void drained_too_late(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    flush(&recording, PAYLOAD_AT, LINE);
    promise(&recording);
    drain(&recording);
    result = expect_failures(&recording, keeps_promise, NV_EXPLORE_JOURNALED, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, NV_TRACE_DRAIN, "/data/pool");
    finish(&result, &recording);
}

static bool not_both_missing(const struct nv_model *model, const struct nv_state *state)
{
    return !number_at(model, state, SECOND_AT) || number_at(model, state, PAYLOAD_AT) ||
           number_at(model, state, POINTER_AT);
}

static void two_must_be_missing(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, SECOND_AT, 7, PLACE_OTHER);
    flush(&recording, SECOND_AT, LINE);
    drain(&recording);
    for (uint64_t i = 0; i < 6; i++) /* what it does not hang on */
        store_number(&recording, 4096 + i * LINE, 7, PLACE_OTHER);
    result = expect_failures(&recording, not_both_missing, NV_EXPLORE_JOURNALED, 2);
    expect_cause(&result, 0, false, NV_TRACE_STORE, PLACE_OTHER, NV_TRACE_DRAIN, "/data/pool");
    assert_int_equal(result.failures[1].cause_count, 0); /* after the drain, no matter what is there */
    nv_explore_result_free(&result);
    drop(&recording);

    recording = (struct recording){0};
    start(&recording, true);
    for (uint64_t i = 0; i < 6; i++)
        store_number(&recording, 4096 + i * LINE, 7, PLACE_OTHER);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    store_number(&recording, POINTER_AT, 7, PLACE_POINTER);
    store_number(&recording, SECOND_AT, 7, PLACE_OTHER);
    result = expect_failures(&recording, not_both_missing, NV_EXPLORE_JOURNALED, 1);
    assert_int_equal(result.failures[0].cause_count, 1);
    expect_cause(&result, 0, false, NV_TRACE_STORE, PLACE_OTHER, 0, "/data/pool");
    finish(&result, &recording);
}

static bool two_of_three(const struct nv_model *model, const struct nv_state *state)
{
    uint64_t there =
        number_at(model, state, PAYLOAD_AT) + number_at(model, state, POINTER_AT) + number_at(model, state, SECOND_AT);

    return there == 0 || there > 1;
}

static void pairs_are_shrunk(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;
    size_t pairs = 0;

    (void)context;
    start(&recording, true);
    for (uint64_t i = 0; i < 6; i++)
        store_number(&recording, 4096 + i * LINE, 7, PLACE_OTHER);
    store_number(&recording, PAYLOAD_AT, 1, PLACE_PAYLOAD);
    store_number(&recording, POINTER_AT, 1, PLACE_POINTER);
    store_number(&recording, SECOND_AT, 1, PLACE_PROMISE);
    result = expect_failures(&recording, two_of_three, NV_EXPLORE_JOURNALED, 3);
    for (size_t i = 0; i < result.failure_count; i++)
        pairs += result.failures[i].cause_count == 1 && !result.failures[i].causes[0].missing;
    assert_int_equal(pairs, 3); /* one alone is less than two missing */
    finish(&result, &recording);
}

static bool halves_agree(const struct nv_model *model, const struct nv_state *state)
{
    return number_at(model, state, 56) == number_at(model, state, 64);
}

static void torn_across_lines(void **context)
{
    static const uint64_t twice[2] = {5, 5};
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store(&recording, 56, twice, sizeof twice, PLACE_PAYLOAD);
    flush(&recording, 0, 2 * LINE);
    drain(&recording);
    result = expect_failures(&recording, halves_agree, NV_EXPLORE_JOURNALED, 1);
    assert_int_equal(result.failures[0].cause_count, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, NV_TRACE_DRAIN, "/data/pool");
    assert_true(result.failures[0].count > 1);
    finish(&result, &recording);
}

static bool is_not_three(const struct nv_model *model, const struct nv_state *state)
{
    return number_at(model, state, PAYLOAD_AT) != 3;
}

/* Of the many versions of a line the one that fails, by the first store that it lacks. */
static void middle_of_a_line(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    for (uint64_t i = 1; i <= 6; i++)
        store_number(&recording, PAYLOAD_AT, i, (uint32_t)(100 + i));
    flush(&recording, 0, LINE);
    drain(&recording);
    result = expect_failures(&recording, is_not_three, NV_EXPLORE_JOURNALED, 1);
    assert_int_equal(result.failures[0].cause_count, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, 104, NV_TRACE_DRAIN, "/data/pool");
    finish(&result, &recording);
}

static void same_causes_at_many_points(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, PAYLOAD_AT, 7, PLACE_PAYLOAD);
    for (uint64_t i = 0; i < 5; i++) {
        promise(&recording);
        store_number(&recording, SECOND_AT, i + 1, PLACE_OTHER);
        flush(&recording, SECOND_AT, LINE);
        drain(&recording);
    }
    result = expect_failures(&recording, keeps_promise, NV_EXPLORE_JOURNALED, 1);
    assert_true(result.failures[0].count >= 5);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, 0, "/data/pool");
    finish(&result, &recording);
}

/* ---- files ---- */

static bool whole_or_old(const struct nv_model *model, const struct nv_state *state)
{
    char text[4];

    read_state(model, state, "f", 0, text, sizeof text);
    return !memcmp(text, "old", 3) || !memcmp(text, "new", 3);
}

static void record_rename(struct recording *recording, bool synced)
{
    struct nv_trace_event *event;

    start(recording, false);
    create(recording, POOL, "f", S_IFREG | 0644, NV_TRACE_INITIAL);
    add(recording, NV_TRACE_WRITE, POOL, "old", 3)->flags = NV_TRACE_INITIAL;
    create(recording, OTHER, "tmp", S_IFREG | 0644, 0);
    put(recording, OTHER, 0, "new", PLACE_PAYLOAD);
    if (synced)
        sync_object(recording, OTHER, 0);
    event = add(recording, NV_TRACE_RENAME, OTHER, "tmp\0f", 6);
    event->parent = event->other = DATA;
    event->place = PLACE_OTHER;
}

static void rename_without_fsync(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    record_rename(&recording, false);
    result = expect_failures(&recording, whole_or_old, NV_EXPLORE_JOURNALED, 2);
    expect_cause(&result, 0, true, NV_TRACE_WRITE, PLACE_PAYLOAD, 0, "/data/tmp");
    assert_int_equal(result.failures[1].cause_count, 1);
    assert_int_equal(result.failures[1].causes[0].kind, NV_TRACE_SIZE);
    assert_int_equal(result.failures[1].causes[0].place, PLACE_PAYLOAD);
    finish(&result, &recording);

    recording = (struct recording){0};
    record_rename(&recording, true);
    result = expect_failures(&recording, whole_or_old, NV_EXPLORE_JOURNALED, 0);
    finish(&result, &recording);
}

static bool promised_is_there(const struct nv_model *model, const struct nv_state *state)
{
    (void)model;
    return !state->promise_count || entry_of(state, "new");
}

static void name_without_fsync(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, false);
    create(&recording, OTHER, "new", S_IFREG | 0644, 0);
    put(&recording, OTHER, 0, "new", PLACE_PAYLOAD);
    sync_object(&recording, OTHER, 0);
    promise(&recording);
    result = expect_failures(&recording, promised_is_there, NV_EXPLORE_JOURNALED, 0);
    nv_explore_result_free(&result);
    result = expect_failures(&recording, promised_is_there, NV_EXPLORE_POSIX, 1);
    assert_int_equal(result.failures[0].cause_count, 1);
    expect_cause(&result, 0, true, NV_TRACE_CREATE, 0, 0, "/data/new");
    finish(&result, &recording);
}

static bool promised_is_gone(const struct nv_model *model, const struct nv_state *state)
{
    (void)model;
    return !state->promise_count || !entry_of(state, "journal");
}

/* As a rollback journal's: the transaction was committed by its removal. */
static void unlink_too_late(void **context)
{
    struct recording recording = {0};
    struct nv_trace_event *event;
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    create(&recording, OTHER, "journal", S_IFREG | 0644, NV_TRACE_INITIAL);
    event = add(&recording, NV_TRACE_UNLINK, OTHER, "journal", 8);
    event->parent = DATA;
    event->place = PLACE_OTHER;
    put(&recording, POOL, 0, "new", PLACE_PAYLOAD);
    sync_object(&recording, POOL, 0);
    promise(&recording);
    sync_object(&recording, DATA, NV_TRACE_FOLDER);
    result = expect_failures(&recording, promised_is_gone, NV_EXPLORE_JOURNALED, 0);
    nv_explore_result_free(&result);
    result = expect_failures(&recording, promised_is_gone, NV_EXPLORE_POSIX, 1);
    expect_cause(&result, 0, true, NV_TRACE_UNLINK, PLACE_OTHER, NV_TRACE_SYNC, "/data/journal");
    finish(&result, &recording);
}

static bool second_needs_first(const struct nv_model *model, const struct nv_state *state)
{
    char first[4], second[4];

    read_state(model, state, "first", 0, first, sizeof first);
    read_state(model, state, "second", 0, second, sizeof second);
    return memcmp(second, "new", 3) || !memcmp(first, "new", 3);
}

static void files_out_of_order(void **context)
{
    struct recording recording = {0};
    struct nv_explore_result result;

    (void)context;
    start(&recording, false);
    create(&recording, POOL, "first", S_IFREG | 0644, NV_TRACE_INITIAL);
    add(&recording, NV_TRACE_WRITE, POOL, "old", 3)->flags = NV_TRACE_INITIAL;
    create(&recording, OTHER, "second", S_IFREG | 0644, NV_TRACE_INITIAL);
    add(&recording, NV_TRACE_WRITE, OTHER, "old", 3)->flags = NV_TRACE_INITIAL;
    put(&recording, POOL, 0, "new", PLACE_PAYLOAD);
    put(&recording, OTHER, 0, "new", PLACE_POINTER);
    sync_object(&recording, POOL, NV_TRACE_DATA_ONLY);
    sync_object(&recording, OTHER, NV_TRACE_DATA_ONLY);
    result = expect_failures(&recording, second_needs_first, NV_EXPLORE_JOURNALED, 1);
    expect_cause(&result, 0, true, NV_TRACE_WRITE, PLACE_PAYLOAD, NV_TRACE_SYNC, "/data/first");
    finish(&result, &recording);
}

static bool name_is_old(const struct nv_model *model, const struct nv_state *state)
{
    (void)model;
    return entry_of(state, "pool");
}

static void renames_are_named(void **context)
{
    struct recording recording = {0};
    struct nv_trace_event *event;
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    event = add(&recording, NV_TRACE_RENAME, POOL, "pool\0moved", 11);
    event->parent = event->other = DATA;
    event->place = PLACE_OTHER;
    result = expect_failures(&recording, name_is_old, NV_EXPLORE_JOURNALED, 1);
    expect_cause(&result, 0, false, NV_TRACE_RENAME, PLACE_OTHER, 0, "/data/pool -> /data/moved");
    finish(&result, &recording);
}

/* ---- the rest of explore.h ---- */

static bool all_good(const struct nv_model *model, const struct nv_state *state)
{
    (void)model;
    (void)state;
    return true;
}

static void record_many(struct recording *recording, unsigned lines)
{
    start(recording, true);
    for (uint64_t i = 0; i < lines; i++)
        store_number(recording, i * LINE, i + 1, PLACE_PAYLOAD);
}

static void budgets_and_seeds(void **context)
{
    struct recording recording = {0};
    struct judging first = {.accepts = all_good}, second = {.accepts = all_good};
    struct nv_explore_options options = {.seed = 5, .max_states = 6000};
    struct nv_explore_result result;

    (void)context;
    record_many(&recording, 60);
    result = explore(&recording, &first, options);
    assert_int_equal(result.states, 6000);
    assert_int_equal(result.judged, 6000);
    assert_false(result.exhaustive);
    nv_explore_result_free(&result);
    result = explore(&recording, &second, options);
    assert_int_equal(first.count, second.count);
    assert_memory_equal(first.judged, second.judged, first.count * sizeof *first.judged);
    nv_explore_result_free(&result);
    options.seed = 6;
    result = explore(&recording, &second, options);
    assert_int_equal(first.count, second.count);
    assert_memory_not_equal(first.judged, second.judged, first.count * sizeof *first.judged);
    finish(&result, &recording);
    free(first.judged);
    free(second.judged);
}

/* A line and a folder with more states than are kept: the result says so, and the ends are among them. */
static void too_many_contents(void **context)
{
    uint64_t words[8];
    struct recording recording = {0};
    struct judging judging = {.accepts = all_good};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    for (uint64_t i = 1; i <= 3; i++) {
        for (size_t j = 0; j < 8; j++)
            words[j] = i * 16 + j;
        store(&recording, 0, words, sizeof words, PLACE_PAYLOAD)->flags = NV_TRACE_WORDS;
    }
    result = explore(&recording, &judging, (struct nv_explore_options){0});
    assert_false(result.exhaustive);
    assert_in_range(result.states, 8192, 16384);
    nv_explore_result_free(&result);
    drop(&recording);

    recording = (struct recording){0};
    start(&recording, false);
    for (uint32_t i = 0; i < 14; i++) { /* all hang on the first name */
        char names[16];
        struct nv_trace_event *event;

        create(&recording, 10 + i, "a", S_IFREG | 0644, 0);
        event =
            add(&recording, NV_TRACE_RENAME, 10 + i, names, (size_t)snprintf(names, sizeof names, "a%cb%u", 0, i) + 1);
        event->parent = event->other = DATA;
        event = add(&recording, NV_TRACE_UNLINK, 10 + i, names, (size_t)snprintf(names, sizeof names, "b%u", i) + 1);
        event->parent = DATA;
    }
    result = explore(&recording, &judging, (struct nv_explore_options){.model = NV_EXPLORE_POSIX});
    assert_false(result.exhaustive);
    assert_true(result.states > 1000);
    nv_explore_result_free(&result);
    drop(&recording);
    free(judging.judged);
}

static void shards_share_a_budget(void **context)
{
    struct recording recording = {0};
    struct judging judging = {.accepts = all_good};
    uint64_t judged = 0;

    (void)context;
    record_many(&recording, 60);
    for (uint32_t i = 0; i < 4; i++) {
        struct nv_explore_result result =
            explore(&recording, &judging, (struct nv_explore_options){.max_states = 4000, .shard = i, .shards = 4});

        assert_int_equal(result.states, 4000);
        judged += result.judged;
        nv_explore_result_free(&result);
    }
    assert_int_equal(judged, 4000);
    drop(&recording);
    free(judging.judged);
}

static bool first_page_is_good(const struct nv_model *model, const struct nv_state *state)
{
    return number_at(model, state, 0) || !number_at(model, state, LINE);
}

static void unread_bytes_are_not_tried(void **context)
{
    struct recording recording = {0};
    struct judging judging = {.accepts = first_page_is_good, .read_bytes = 4096};
    struct nv_explore_result result;

    (void)context;
    start(&recording, true);
    store_number(&recording, 0, 1, PLACE_PAYLOAD);
    store_number(&recording, LINE, 1, PLACE_POINTER);
    for (uint64_t i = 0; i < 10; i++)
        store_number(&recording, 4096 + i * LINE, 1, PLACE_OTHER);
    result = explore(&recording, &judging, (struct nv_explore_options){0});
    assert_true(result.exhaustive);
    assert_int_equal(result.states, 1 << 12);
    assert_true(result.judged < 40);
    assert_int_equal(result.failure_count, 1);
    expect_cause(&result, 0, true, NV_TRACE_STORE, PLACE_PAYLOAD, 0, "/data/pool");
    finish(&result, &recording);
    free(judging.judged);
}

static void stops_when_told(void **context)
{
    struct recording recording = {0};
    struct judging judging = {.accepts = all_good, .stop_at = 10};
    struct nv_explore_result result;

    (void)context;
    record_many(&recording, 10);
    result = explore(&recording, &judging, (struct nv_explore_options){0});
    assert_true(result.stopped);
    assert_false(result.exhaustive);
    assert_int_equal(judging.count, 10);
    nv_explore_result_free(&result);
    judging = (struct judging){.accepts = first_page_is_good, .judged = judging.judged};
    result = explore(&recording, &judging, (struct nv_explore_options){.max_failures = 1});
    assert_true(result.stopped);
    assert_int_equal(result.failure_count, 1);
    finish(&result, &recording);
    free(judging.judged);
}

static void foreign_ids_are_refused(void **context)
{
    static const char *const ids[] = {"",           "p0-e0-a-x0",      "nonsense",          "p1-e9-n-x0",
                                      "p1-e6-q-x0", "p1-e6-a-s9.1-x0", "p1-e6-a-u9.9.9-x0", "p1-e6-a-u2.0.0",
                                      "p9-e6-a-x0", "p1-e6-a-x1",      "p1-e6-a-u2.0"};
    struct recording recording = {0};
    struct judging judging = {.accepts = all_good};
    struct nv_judge all = {.context = &judging, .base = base, .judge = judge};

    (void)context;
    record_many(&recording, 2);
    assert_int_equal(recording.trace.event_count, 6);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct nv_explore_options options = {0};
        char error[200] = "";

        assert_int_equal(nv_explore_replay(&recording.trace, &options, ids[i], &all, error, sizeof error), -EINVAL);
        assert_true(*error);
    }
    assert_int_equal(judging.count, 0);
    drop(&recording);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_too_early),
        cmocka_unit_test(published_in_order),
        cmocka_unit_test(never_flushed),
        cmocka_unit_test(never_drained),
        cmocka_unit_test(drained_too_late),
        cmocka_unit_test(two_must_be_missing),
        cmocka_unit_test(pairs_are_shrunk),
        cmocka_unit_test(torn_across_lines),
        cmocka_unit_test(middle_of_a_line),
        cmocka_unit_test(same_causes_at_many_points),
        cmocka_unit_test(rename_without_fsync),
        cmocka_unit_test(name_without_fsync),
        cmocka_unit_test(unlink_too_late),
        cmocka_unit_test(files_out_of_order),
        cmocka_unit_test(renames_are_named),
        cmocka_unit_test(budgets_and_seeds),
        cmocka_unit_test(too_many_contents),
        cmocka_unit_test(shards_share_a_budget),
        cmocka_unit_test(unread_bytes_are_not_tried),
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(foreign_ids_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
