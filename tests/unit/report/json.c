/* SPDX-License-Identifier: MIT */
/* Tests report/json.c: what is written is read back, and says what the report says. */
#include "sample.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The report as JSON, read back. Frees the report. */
static json_t *round_trip(struct nv_report *report)
{
    char *written = NULL;
    size_t size = 0;
    json_error_t error;
    FILE *out = open_memstream(&written, &size);
    assert_true(nv_report_json(report, out));
    fclose(out);
    nv_report_free(report);
    assert_int_equal(written[size - 1], '\n');
    json_t *document = json_loads(written, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(document);
    free(written);
    return document;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static void findings_are_whole(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_fill(report));
    json_t *document = round_trip(report);
    assert_string_equal(text_of(document, "schema"), "nvrtl-findings/1");
    json_t *program = json_object_get(document, "program");
    assert_int_equal(json_array_size(program), 2);
    assert_string_equal(json_string_value(json_array_get(program, 1)), "--commit");
    json_t *findings = json_object_get(document, "findings");
    assert_int_equal(json_array_size(findings), 2);
    json_t *error = json_array_get(findings, 0);
    assert_string_equal(text_of(error, "rule"), "changed-after-flush");
    assert_string_equal(text_of(error, "severity"), "error");
    assert_string_equal(text_of(error, "file"), "data/journal.bin");
    assert_int_equal(number_of(error, "offset"), 4096);
    assert_int_equal(number_of(error, "length"), 64);
    assert_int_equal(number_of(error, "count"), 24);
    assert_int_equal(number_of(error, "total_bytes"), 1536);
    assert_string_equal(text_of(error, "message"), nv_rule_message(NV_RULE_CHANGED_AFTER_FLUSH));
    assert_string_equal(text_of(error, "advice"), nv_rule_advice(NV_RULE_CHANGED_AFTER_FLUSH));
    assert_string_equal(text_of(error, "view"), "686561643d307830303030303030323b"
                                                "7461696c3d307830303030303030313b");
    assert_string_equal(text_of(error, "durable"), "686561643d307830303030303030313b"
                                                   "7461696c3d3078303030303030303100");
    json_t *warning = json_array_get(findings, 1);
    assert_string_equal(text_of(warning, "severity"), "warning");
    assert_string_equal(text_of(warning, "advice"), "Sync the folder data after the rename.");
    assert_int_equal(json_array_size(json_object_get(warning, "stack")), 0);
    json_decref(document);
}

static void stacks_are_whole(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_fill(report));
    json_t *document = round_trip(report);
    json_t *error = json_array_get(json_object_get(document, "findings"), 0);
    json_t *stack = json_object_get(error, "stack"), *frame = json_array_get(stack, 0);
    assert_int_equal(json_array_size(stack), 3);
    assert_string_equal(text_of(frame, "function"), "append");
    assert_string_equal(text_of(frame, "source"), "src/journal.c");
    assert_int_equal(number_of(frame, "line"), 120);
    assert_string_equal(text_of(frame, "module"), "bin/journal");
    assert_int_equal(number_of(frame, "module_offset"), 0x1234);
    assert_string_equal(text_of(json_array_get(stack, 1), "function"), "main");
    frame = json_array_get(json_object_get(error, "flush_stack"), 0);
    assert_string_equal(text_of(frame, "function"), "journal_commit");
    assert_true(json_is_null(json_object_get(frame, "source")));
    assert_true(json_is_null(json_object_get(frame, "line")));
    json_decref(document);
}

static void summary_is_whole(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_fill(report));
    json_t *document = round_trip(report), *summary = json_object_get(document, "summary");
    static const struct {
        const char *key;
        json_int_t value;
    } numbers[] = {{"errors", 1},        {"warnings", 1},      {"notes", 0},
                   {"exit_status", 139}, {"files_watched", 3}, {"bytes_watched", 16 << 20},
                   {"syncs", 12},        {"tokens", 1},        {"bytes_made_durable", 4500}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(number_of(summary, numbers[i].key), numbers[i].value);
    assert_true(json_is_false(json_object_get(summary, "power_failure")));
    assert_true(json_is_false(json_object_get(summary, "nothing_verified")));
    assert_true(json_real_value(json_object_get(summary, "seconds")) == 1.25);
    assert_string_equal(text_of(summary, "level"), "pages");
    assert_string_equal(text_of(summary, "domain"), "cpu-cache");
    assert_string_equal(text_of(summary, "view"), "overlay");
    assert_string_equal(text_of(summary, "file_system_model"), "journaled");
    assert_int_equal(json_array_size(json_object_get(summary, "folders")), 2);
    json_t *left_out = json_object_get(summary, "left_out");
    assert_int_equal(json_array_size(left_out), 2);
    assert_string_equal(text_of(json_array_get(left_out, 0), "what"), "data/lock.mdb");
    assert_string_equal(text_of(json_array_get(left_out, 0), "why"), "built-in suppression *:*lock.mdb:*");
    assert_int_equal(number_of(json_array_get(left_out, 0), "count"), 2);
    assert_int_equal(json_array_size(json_object_get(summary, "not_seen")), 1);
    json_t *marks = json_object_get(summary, "marks");
    assert_int_equal(json_array_size(marks), 2);
    assert_string_equal(text_of(json_array_get(marks, 0), "text"), "recovery begins");
    assert_int_equal(json_array_size(json_object_get(json_array_get(marks, 0), "stack")), 1);
    json_decref(document);
}

static void files_and_timeline_are_whole(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_fill(report));
    const char *why[] = {NULL, "a suppression"};
    assert_true(nv_report_suppress(report, why));
    json_t *document = round_trip(report), *suppressed = json_object_get(document, "suppressed");
    assert_string_equal(text_of(json_array_get(suppressed, 0), "suppressed_by"), "a suppression");
    json_t *rules = json_object_get(document, "rules");
    assert_int_equal(json_array_size(rules), 1);
    assert_string_equal(text_of(json_array_get(rules, 0), "id"), "changed-after-flush");
    json_t *file = json_array_get(json_object_get(document, "files"), 0);
    assert_string_equal(text_of(file, "file"), "data/journal.bin");
    assert_int_equal(number_of(file, "size"), 1 << 20);
    assert_int_equal(number_of(json_object_get(file, "bytes"), "dirty"), 16 * 64);
    assert_int_equal(number_of(json_object_get(file, "bytes"), "in-flight"), 8 * 64);
    assert_int_equal(json_array_size(json_object_get(file, "durable")), 1);
    json_t *differs = json_object_get(file, "differs"), *range = json_array_get(differs, 23);
    assert_int_equal(json_array_size(differs), 24);
    assert_int_equal(number_of(range, "offset"), 4096 + 23 * 128);
    assert_int_equal(number_of(range, "length"), 64);
    assert_int_equal(number_of(range, "finding"), 0);
    assert_string_equal(text_of(range, "state"), "dirty");
    json_t *timeline = json_object_get(document, "timeline"), *events = json_object_get(timeline, "events");
    assert_int_equal(json_array_size(events), 2);
    assert_string_equal(text_of(json_array_get(events, 0), "call"), "fsync"); /* by time */
    assert_int_equal(json_array_size(json_object_get(json_array_get(events, 1), "kinds")), 3);
    assert_int_equal(number_of(json_array_get(events, 1), "place"), 0);
    assert_int_equal(number_of(json_object_get(timeline, "counts"), "flush"), 11);
    assert_int_equal(json_array_size(json_object_get(timeline, "spans")), 1);
    assert_int_equal(json_array_size(json_array_get(json_object_get(timeline, "places"), 0)), 1);
    json_decref(document);
}

static void an_empty_report_is_valid(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    report->power_failure = true;
    json_t *document = round_trip(report), *summary = json_object_get(document, "summary");
    assert_true(json_is_array(json_object_get(document, "program")));
    assert_int_equal(json_array_size(json_object_get(document, "findings")), 0);
    assert_true(json_is_true(json_object_get(summary, "power_failure")));
    assert_true(json_is_null(json_object_get(summary, "level")));
    assert_null(json_object_get(document, "files"));
    assert_null(json_object_get(document, "timeline"));
    json_decref(document);
}

static void names_that_are_no_text_survive(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
    } names[] = {{"caf\xc3\xa9 \xf0\x9f\x92\xbe \"\\\n\x01", "caf\xc3\xa9 \xf0\x9f\x92\xbe \"\\\n\x01"},
                 {"\xff", "\\xff"},
                 {"a\xc3", "a\\xc3"},
                 {"\xc0\xaf", "\\xc0\\xaf"},
                 {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
                 {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
                 {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
                 {"\xf0\x8f\x80\x80", "\\xf0\\x8f\\x80\\x80"},
                 {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
                 {"", ""}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct nv_report *report = nv_report_new();
        assert_true(nv_report_add(report, nv_sample_finding(NV_RULE_NOT_FLUSHED, names[i].name, NULL, NULL)));
        json_t *document = round_trip(report);
        assert_string_equal(text_of(json_array_get(json_object_get(document, "findings"), 0), "file"),
                            names[i].expected);
        json_decref(document);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_are_whole),       cmocka_unit_test(stacks_are_whole),
        cmocka_unit_test(summary_is_whole),         cmocka_unit_test(files_and_timeline_are_whole),
        cmocka_unit_test(an_empty_report_is_valid), cmocka_unit_test(names_that_are_no_text_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
