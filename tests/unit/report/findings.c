/* SPDX-License-Identifier: MIT */
/* Tests report/findings.c: what is equal becomes one, nothing else does, and nothing is lost. */
#include "sample.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void equal_findings_are_one(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    for (uint64_t i = 0; i < 3; i++) {
        struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", "library");
        finding->offset = 100 * ((i + 1) % 3 + 1); /* 200, 300, 100 */
        finding->length_bytes = finding->total_bytes = 8 + i;
        nv_stack_push(&finding->write_stack, "caller", i); /* further out: no part of the place */
        assert_true(nv_report_add(report, finding));
    }
    assert_int_equal(report->finding_count, 1);
    assert_int_equal(report->findings[0]->count, 3);
    assert_int_equal(report->findings[0]->offset, 100);
    assert_int_equal(report->findings[0]->length_bytes, 10);
    assert_int_equal(report->findings[0]->total_bytes, 27);
    nv_report_free(report);
}

static void what_differs_in_one_thing_stays_apart(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    for (int twice = 0; twice < 2; twice++) {
        struct nv_finding *other_offset = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", "library");
        other_offset->write_stack.frames[0].offset++;
        struct nv_finding *findings[] = {
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", "library"),
            nv_sample_finding(NV_RULE_NOT_DRAINED, "a", "program", "library"),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "b", "program", "library"),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, NULL, "program", "library"),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "another", "library"),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", "another"),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, "library"),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", NULL),
            nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL),
            other_offset,
        };
        size_t count = sizeof findings / sizeof findings[0];
        for (size_t i = 0; i < count; i++)
            assert_true(nv_report_add(report, findings[i]));
        assert_int_equal(report->finding_count, count);
    }
    for (size_t i = 0; i < report->finding_count; i++)
        assert_int_equal(report->findings[i]->count, 2);
    nv_report_free(report);
}

static void merging_keeps_the_graver_severity(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    struct nv_finding *note = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL);
    note->severity = NV_SEVERITY_NOTE;
    assert_true(nv_report_add(report, note));
    assert_int_equal(nv_report_errors(report), 0);
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL)));
    assert_int_equal(nv_report_errors(report), 1);
    nv_report_free(report);
}

static void there_is_no_cap(void **state)
{
    (void)state;
    enum { PLACES = 40000 };
    struct nv_report *report = nv_report_new();
    for (uint64_t i = 0; i < 2 * PLACES; i++) {
        struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", NULL);
        finding->write_stack.frames[0].offset = i % PLACES;
        assert_true(nv_report_add(report, finding));
    }
    assert_int_equal(report->finding_count, PLACES);
    for (uint64_t i = 0; i < PLACES; i++) {
        assert_int_equal(report->findings[i]->write_stack.frames[0].offset, i);
        assert_int_equal(report->findings[i]->count, 2);
    }
    nv_report_free(report);
}

/* Live bytes of the heap, which the reports of these tests are on. */
static size_t heap_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

static void a_million_equal_findings_are_one(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    size_t bytes = 0;
    struct nv_report *report = nv_report_new();
    for (uint64_t i = 0; i < MILLION; i++) {
        struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", "program", "library");
        finding->offset = 64 * (MILLION - i);
        finding->total_bytes = 8;
        const struct nv_finding *stands = nv_report_take(report, finding);
        assert_ptr_equal(stands, report->findings[0]);
        if (i == 10)
            bytes = heap_bytes();
    }
    assert_int_equal(heap_bytes(), bytes);
    assert_int_equal(report->finding_count, 1);
    assert_int_equal(report->findings[0]->count, MILLION);
    assert_int_equal(report->findings[0]->offset, 64);
    assert_int_equal(report->findings[0]->total_bytes, 8 * MILLION);
    nv_report_free(report);
}

static void no_finding_is_a_failure(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_false(nv_report_add(report, NULL)); /* what nv_finding_new gives when memory is short */
    nv_report_free(report);
    nv_report_free(NULL);
    nv_finding_free(NULL);
}

static void a_kept_finding_is_still_found(void **state)
{
    (void)state;
    static const char *const why[] = {"first", NULL, "third"};
    struct nv_report *report = nv_report_new();
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL)));
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, "b", NULL, NULL)));
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, "c", NULL, NULL)));
    assert_true(nv_report_suppress(report, why));
    assert_int_equal(report->suppressed_count, 2);
    assert_string_equal(report->suppressed[1]->file, "c");
    assert_string_equal(report->suppressed[1]->suppressed_by, "third");
    assert_int_equal(report->finding_count, 1);
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, "b", NULL, NULL)));
    assert_int_equal(report->finding_count, 1);
    assert_string_equal(report->findings[0]->file, "b");
    assert_int_equal(report->findings[0]->count, 2);
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL)));
    assert_int_equal(report->finding_count, 2);
    nv_report_free(report);
}

static void a_stack_keeps_its_innermost_frames(void **state)
{
    (void)state;
    struct nv_finding *finding = nv_finding_new(NV_RULE_NOT_FLUSHED, NV_SEVERITY_ERROR);
    assert_null(nv_stack_innermost(&finding->write_stack));
    for (uint64_t i = 0; i < 2 * NV_STACK_FRAMES_MAX; i++)
        assert_true(nv_stack_push(&finding->write_stack, "program", i));
    assert_int_equal(finding->write_stack.count, NV_STACK_FRAMES_MAX);
    assert_int_equal(nv_stack_innermost(&finding->write_stack)->offset, 0);
    nv_finding_free(finding);
}

static void what_is_left_out_is_counted(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_report_leave_out(report, "a", "this"));
    assert_true(nv_report_leave_out(report, "a", "that"));
    assert_true(nv_report_leave_out(report, "b", "this"));
    assert_true(nv_report_leave_out(report, "a", "this"));
    assert_int_equal(report->left_out_count, 3);
    assert_int_equal(report->left_out[0].count, 2);
    assert_int_equal(report->left_out[1].count, 1);
    assert_true(nv_report_not_seen(report, "x"));
    assert_true(nv_report_not_seen(report, "y"));
    assert_true(nv_report_not_seen(report, "x"));
    assert_int_equal(report->not_seen_count, 2);
    nv_report_free(report);
}

static void marks_have_a_stack_of_their_own(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    struct nv_stack stack = {0};
    assert_true(nv_stack_push(&stack, "program", 7));
    for (int i = 0; i < 40; i++)
        assert_true(nv_report_add_mark(report, "here", 7, &stack));
    stack.frames[0].module[0] = 'P';
    assert_int_equal(report->mark_count, 40);
    assert_string_equal(report->marks[39].stack.frames[0].module, "program");
    assert_int_equal(report->marks[39].stack.frames[0].offset, 7);
    free(stack.frames[0].module);
    nv_report_free(report);
}

static void nothing_watched_is_told_from_clean(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    uint64_t *const seen[] = {&report->files_changed, &report->syncs, &report->tokens};
    assert_true(nv_report_watched_nothing(report));
    for (size_t i = 0; i < 3; i++) {
        *seen[i] = 1;
        assert_false(nv_report_watched_nothing(report));
        *seen[i] = 0;
    }
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_TOKEN_MISUSE, NULL, "program", NULL)));
    assert_false(nv_report_watched_nothing(report));
    nv_report_free(report);
}

static void a_blind_run_verified_nothing(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    report->blind = true;
    report->syncs = report->tokens = report->files_changed = 1;
    assert_true(nv_report_watched_nothing(report));
    assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_TOKEN_MISUSE, NULL, "program", NULL)));
    assert_false(nv_report_watched_nothing(report));
    nv_report_free(report);
}

static void sorted_by_severity_file_and_offset(void **state)
{
    (void)state;
    static const struct {
        enum nv_severity severity;
        const char *file;
        uint64_t offset;
    } expected[] = {{NV_SEVERITY_ERROR, NULL, 0},
                    {NV_SEVERITY_ERROR, "a", 64},
                    {NV_SEVERITY_ERROR, "a", 128},
                    {NV_SEVERITY_ERROR, "b", 0},
                    {NV_SEVERITY_WARNING, "a", 0}};
    const size_t count = sizeof expected / sizeof expected[0];
    struct nv_report *report = nv_report_new();
    for (size_t i = 0; i < count; i++) {
        size_t at = (i * 2 + 3) % count;
        char place[] = {(char)('p' + at), 0};
        struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, expected[at].file, place, NULL);
        finding->severity = expected[at].severity;
        finding->offset = expected[at].offset;
        assert_true(nv_report_add(report, finding));
    }
    nv_report_sort(report);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(report->findings[i]->severity, expected[i].severity);
        assert_int_equal(report->findings[i]->offset, expected[i].offset);
        assert_string_equal(report->findings[i]->file ? report->findings[i]->file : "",
                            expected[i].file ? expected[i].file : "");
    }
    nv_report_free(report);
}

static void every_rule_has_its_words(void **state)
{
    (void)state;
    for (int rule = 0; rule < NV_RULE_COUNT; rule++) {
        assert_non_null(nv_rule_name((enum nv_rule)rule));
        assert_true(strlen(nv_rule_message((enum nv_rule)rule)) > 20);
        assert_true(strlen(nv_rule_advice((enum nv_rule)rule)) > 20);
    }
    static const char *const names[] = {"not-flushed",   "not-drained",     "changed-after-flush", "name-not-flushed",
                                        "outside-token", "token-misuse",    "flush-error-ignored", "neighbour-flush",
                                        "torn-publish",  "redundant-flush", "needless-drain",      "broken-expectation",
                                        "wrong-irql",    "crash-state"};
    assert_int_equal(sizeof names / sizeof names[0], NV_RULE_COUNT);
    for (unsigned rule = 0; rule < NV_RULE_COUNT; rule++)
        assert_string_equal(nv_rule_name((enum nv_rule)rule), names[rule]);
    assert_string_equal(nv_rule_name(NV_RULE_COUNT), "unknown");
    assert_string_equal(nv_severity_name(NV_SEVERITY_ERROR), "error");
    assert_string_equal(nv_severity_name(NV_SEVERITY_WARNING), "warning");
    assert_string_equal(nv_severity_name(NV_SEVERITY_NOTE), "note");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_findings_are_one),
        cmocka_unit_test(what_differs_in_one_thing_stays_apart),
        cmocka_unit_test(merging_keeps_the_graver_severity),
        cmocka_unit_test(there_is_no_cap),
        cmocka_unit_test(a_million_equal_findings_are_one),
        cmocka_unit_test(no_finding_is_a_failure),
        cmocka_unit_test(a_kept_finding_is_still_found),
        cmocka_unit_test(a_stack_keeps_its_innermost_frames),
        cmocka_unit_test(what_is_left_out_is_counted),
        cmocka_unit_test(marks_have_a_stack_of_their_own),
        cmocka_unit_test(nothing_watched_is_told_from_clean),
        cmocka_unit_test(a_blind_run_verified_nothing),
        cmocka_unit_test(sorted_by_severity_file_and_offset),
        cmocka_unit_test(every_rule_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
