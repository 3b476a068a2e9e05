/* SPDX-License-Identifier: MIT */
/* Tests report/map.c and timeline.c: whatever is added, they stay small, show the worst, and count exactly. */
#include "report/map.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct nv_report_map *map, uint64_t offset, uint64_t length, enum nv_map_state state,
                const struct nv_finding *finding)
{
    struct nv_map_range range = {.offset = offset, .length_bytes = length, .state = state, .finding = finding};
    assert_true(nv_map_add(map, &range));
}

static void expect_range(const struct nv_map_layer *layer, size_t at, uint64_t offset, uint64_t length,
                         enum nv_map_state state)
{
    assert_true(at < layer->count);
    assert_int_equal(layer->ranges[at].offset, offset);
    assert_int_equal(layer->ranges[at].length_bytes, length);
    assert_int_equal(layer->ranges[at].state, state);
}

/* What every layer promises. */
static void expect_order(const struct nv_map_layer *layer)
{
    uint64_t end = 0;
    for (size_t i = 0; i < layer->count; i++) {
        assert_true(layer->ranges[i].offset >= end);
        assert_true(layer->ranges[i].length_bytes > 0);
        assert_int_equal(layer->ranges[i].offset % layer->grain_bytes, 0);
        end = layer->ranges[i].offset + layer->ranges[i].length_bytes;
    }
}

static void few_ranges_are_exact(void **state)
{
    (void)state;
    struct nv_finding *first = nv_finding_new(NV_RULE_NOT_FLUSHED, NV_SEVERITY_ERROR);
    struct nv_finding *second = nv_finding_new(NV_RULE_NOT_DRAINED, NV_SEVERITY_ERROR);
    struct nv_report_map *map = nv_map_new("a");
    add(map, 3, 5, NV_MAP_DIRTY, first);
    add(map, 8, 2, NV_MAP_DIRTY, first);   /* goes on */
    add(map, 10, 2, NV_MAP_DIRTY, second); /* is another's */
    add(map, 12, 0, NV_MAP_DIRTY, second);
    add(map, 12, 1, NV_MAP_IN_FLIGHT, second);
    add(map, 20, 1, NV_MAP_IGNORED, NULL);
    add(map, 0, 4096, NV_MAP_DURABLE, NULL);
    assert_int_equal(map->differs.grain_bytes, 1);
    assert_int_equal(map->differs.count, 4);
    expect_range(&map->differs, 0, 3, 7, NV_MAP_DIRTY);
    expect_range(&map->differs, 1, 10, 2, NV_MAP_DIRTY);
    expect_range(&map->differs, 2, 12, 1, NV_MAP_IN_FLIGHT);
    expect_range(&map->differs, 3, 20, 1, NV_MAP_IGNORED);
    assert_ptr_equal(map->differs.ranges[1].finding, second);
    assert_int_equal(map->durable.count, 1);
    assert_int_equal(map->bytes[NV_MAP_DIRTY], 9);
    assert_int_equal(map->bytes[NV_MAP_DURABLE], 4096);
    nv_map_free(map);
    nv_finding_free(first);
    nv_finding_free(second);
}

/* A byte in each of a million lines, two lines apart, every thousandth of them dirty among some that are in flight. */
static void a_million_ranges_are_few(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    struct nv_report_map *map = nv_map_new("a");
    for (uint64_t i = 0; i < MILLION; i++)
        add(map, 128 * i + 7, 1, i % 1000 ? NV_MAP_IN_FLIGHT : NV_MAP_DIRTY, NULL);
    expect_order(&map->differs);
    assert_true(map->differs.count <= NV_MAP_RANGES_MAX);
    assert_true(map->differs.room <= 2 * NV_MAP_RANGES_MAX);
    assert_true(map->differs.count >= 1000); /* not one dirty one is hidden */
    for (size_t i = 0; i < 1000; i++) {
        const struct nv_map_range *range = NULL;
        for (size_t k = 0; k < map->differs.count && !range; k++)
            if (map->differs.ranges[k].offset + map->differs.ranges[k].length_bytes > 128000 * i + 7)
                range = &map->differs.ranges[k];
        assert_true(range && range->offset <= 128000 * i + 7);
        assert_int_equal(range->state, NV_MAP_DIRTY);
    }
    assert_int_equal(map->bytes[NV_MAP_DIRTY], 1000);
    assert_int_equal(map->bytes[NV_MAP_IN_FLIGHT], MILLION - 1000);
    nv_map_free(map);
}

static void files_that_differ_come_before_others(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    for (unsigned i = 0; i < 4 * NV_MAP_FILES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "%04u", i * 7 % 2048); /* in no order */
        struct nv_report_map *map = nv_map_new(name);
        if (i % 2)
            add(map, 0, 64, NV_MAP_DIRTY, NULL);
        else
            add(map, 0, 64, NV_MAP_DURABLE, NULL);
        assert_true(nv_report_add_map(report, map));
    }
    assert_int_equal(report->map_count, NV_MAP_FILES_MAX);
    assert_int_equal(report->maps_left_out, 3 * NV_MAP_FILES_MAX);
    for (size_t i = 0; i < report->map_count; i++) {
        assert_int_equal(report->maps[i]->differs.count, 1);
        assert_true(atoi(report->maps[i]->file) < 1024); /* the first 512 that differ */
    }
    nv_report_free(report);
}

static void all_files_together_have_few_ranges(void **state)
{
    (void)state;
    size_t total = 0;
    struct nv_report *report = nv_report_new();
    for (unsigned i = 0; i < NV_MAP_FILES_MAX; i++) {
        struct nv_report_map *map = nv_map_new("a");
        for (uint64_t k = 0; k < 1000; k++)
            add(map, 128 * k, 64, NV_MAP_DIRTY, NULL);
        assert_true(nv_report_add_map(report, map));
    }
    for (size_t i = 0; i < report->map_count; i++) {
        expect_order(&report->maps[i]->differs);
        assert_true(report->maps[i]->differs.count > 0);
        assert_int_equal(report->maps[i]->bytes[NV_MAP_DIRTY], 64000);
        total += report->maps[i]->differs.count;
    }
    assert_true(total <= NV_MAP_RANGES_OF_ALL_MAX);
    nv_report_free(report);
}

static void events_are_ordered_and_bounded(void **state)
{
    (void)state;
    struct nv_report_timeline *timeline = nv_timeline_new();
    for (uint64_t i = 0; i < NV_EVENTS_MAX + 1; i++) {
        struct nv_report_event event = {.at_ns = NV_EVENTS_MAX - i, .kinds = 1 << (i % NV_EVENT_KINDS)};
        assert_int_equal(nv_timeline_event(timeline, &event), i < NV_EVENTS_MAX);
    }
    nv_timeline_sort(timeline);
    assert_int_equal(timeline->event_count, NV_EVENTS_MAX);
    for (size_t i = 0; i < NV_EVENTS_MAX; i++)
        assert_int_equal(timeline->events[i].at_ns, i + 1);
    for (unsigned kind = 0; kind < NV_EVENT_KINDS; kind++)
        assert_int_equal(timeline->counts[kind], NV_EVENTS_MAX / NV_EVENT_KINDS);
    nv_timeline_free(timeline);
    nv_timeline_free(NULL);
}

static void near_spans_become_one(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    struct nv_report_timeline *timeline = nv_timeline_new();
    timeline->length_ns = UINT64_C(1000) * MILLION;
    for (uint64_t i = 0; i < MILLION; i++) {
        struct nv_report_span span = {.from_ns = 1000 * i, .to_ns = 1000 * i + 900, .bytes = 64};
        span.counts[NV_EVENT_FLUSH] = 2;
        span.counts[NV_EVENT_DRAIN] = 1;
        nv_timeline_span(timeline, &span);
    }
    uint64_t flushes = 0, bytes = 0;
    for (size_t i = 0; i < timeline->span_count; i++) {
        assert_true(timeline->spans[i].from_ns < timeline->spans[i].to_ns);
        assert_true(!i || timeline->spans[i].from_ns >= timeline->spans[i - 1].to_ns);
        flushes += timeline->spans[i].counts[NV_EVENT_FLUSH];
        bytes += timeline->spans[i].bytes;
    }
    assert_in_range(timeline->span_count, 1000, 2048);
    assert_int_equal(flushes, 2 * MILLION);
    assert_int_equal(bytes, 64 * UINT64_C(1000000));
    assert_int_equal(timeline->counts[NV_EVENT_FLUSH], 2 * MILLION);
    assert_int_equal(timeline->counts[NV_EVENT_DRAIN], MILLION);
    nv_timeline_free(timeline);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_ranges_are_exact),
        cmocka_unit_test(a_million_ranges_are_few),
        cmocka_unit_test(files_that_differ_come_before_others),
        cmocka_unit_test(all_files_together_have_few_ranges),
        cmocka_unit_test(events_are_ordered_and_bounded),
        cmocka_unit_test(near_spans_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
