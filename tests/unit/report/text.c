/* SPDX-License-Identifier: MIT */
/*
 * Tests report/text.c against NAME.out beside this file. With --accept it rewrites them instead: read the difference
 * before you commit it.
 */
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *folder;
static bool accept;

/* Compare what is written of the report with NAME.out, and free the report. */
static void expect(struct nv_report *report, const char *name, bool colour)
{
    char path[4096], expected[16384] = "", *written = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&written, &size);
    assert_true(nv_report_text(report, out, colour));
    fclose(out);
    nv_report_free(report);
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    FILE *file = fopen(path, accept ? "w" : "r");
    assert_non_null(file);
    if (accept)
        fputs(written, file);
    else
        assert_true(fread(expected, 1, sizeof expected - 1, file) < sizeof expected - 1);
    fclose(file);
    if (!accept)
        assert_string_equal(written, expected);
    free(written);
}

static void complete(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_fill(report));
    expect(report, "complete", false);
}

static void complete_in_colour(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_fill(report));
    expect(report, "colour", true);
}

static void clean(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    assert_true(nv_sample_describe(report));
    expect(report, "clean", false);
}

static void after_a_power_failure(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    report->power_failure = true;
    report->files_watched = report->files_changed = 1;
    report->bytes_watched = 1023;
    report->exit_status = 137;
    expect(report, "power-failure", false);
}

static void nothing_known(void **state)
{
    (void)state;
    expect(nv_report_new(), "nothing", false);
}

/* Names that would talk to the terminal, places that nobody knows, half a row of bytes, sizes of all magnitudes. */
static void awkward(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    struct nv_finding *finding =
        nv_sample_finding(NV_RULE_NOT_FLUSHED, "a\033[31m\nb\xff\xc3\xa9\xe2\x82\xc2\x9b\x7f", "/lib/a\tb.so", NULL);
    finding->offset = UINT64_C(0x123456789a);
    finding->length_bytes = 1;
    finding->total_bytes = (UINT64_C(5) << 30) + 1;
    finding->count = 2;
    finding->sample_bytes = 20;
    memset(finding->durable + 3, 0xee, 4);
    assert_true(nv_stack_push(&finding->write_stack, "/lib/a\tb.so", 0x1234));
    assert_true(nv_sample_name(&finding->write_stack.frames[0], "small_and_inlined", "x.h", 3));
    assert_true(nv_sample_name(&finding->write_stack.frames[1], "f", "x.c", 0));
    finding->flush_stack.count = 1; /* a frame of which nothing is known */
    assert_true(nv_report_add(report, finding));
    finding = nv_sample_finding(NV_RULE_TOKEN_MISUSE, NULL, "bin/journal", NULL);
    finding->count = 7;
    finding->severity = NV_SEVERITY_NOTE;
    assert_true(nv_report_add(report, finding));
    report->bytes_watched = UINT64_C(1048575);
    report->bytes_made_durable = UINT64_MAX;
    expect(report, "awkward", false);
}

/* The block of a finding with so many frames on its stacks, and so long sentences: lines, the empty one left out. */
static size_t block_lines(size_t writers, size_t flushers, bool known, const char *message)
{
    struct nv_report *report = nv_report_new();
    struct nv_finding *finding = nv_sample_finding(NV_RULE_CHANGED_AFTER_FLUSH, "a", NULL, NULL);
    char *written = NULL;
    size_t size = 0, lines = 0;
    for (size_t i = 0; i < writers; i++)
        assert_true(nv_stack_push(&finding->write_stack, "program", i));
    for (size_t i = 0; i < flushers; i++)
        assert_true(nv_stack_push(&finding->flush_stack, "program", i));
    if (known) {
        finding->length_bytes = finding->total_bytes = finding->count = 9;
        finding->sample_bytes = NV_SAMPLE_BYTES_MAX;
        memset(finding->view, 7, sizeof finding->view);
    }
    finding->message = message ? strdup(message) : NULL;
    assert_true(nv_report_add(report, finding));
    FILE *out = open_memstream(&written, &size);
    assert_true(nv_report_text(report, out, false));
    fclose(out);
    for (const char *at = written; *at != '\n'; at = strchr(at, '\n') + 1)
        lines++;
    assert_non_null(strstr(written, known ? "written         0  07" : "to do"));
    assert_int_equal(strstr(written, "... called from") != NULL, writers + flushers > 9);
    free(written);
    nv_report_free(report);
    return lines;
}

static void a_block_has_at_most_twelve_lines(void **state)
{
    (void)state;
    assert_int_equal(block_lines(0, 0, false, NULL), 5);
    assert_int_equal(block_lines(1, 0, true, NULL), 10); /* both rows of bytes */
    assert_int_equal(block_lines(5, 1, true, NULL), 12);
    assert_int_equal(block_lines(2, 16, true, NULL), 12);
    assert_int_equal(block_lines(16, 16, true, NULL), 12);
    assert_int_equal(block_lines(16, 16, false, NULL), 12);
    assert_true(block_lines(3, 2, true,
                            "a sentence that does not fit on one line of a hundred columns, since it goes on and on, "
                            "and only ends where the second one has begun a good while ago") <= 12);
}

static void advice_is_one_line(void **state)
{
    (void)state;
    for (unsigned rule = 0; rule < NV_RULE_COUNT; rule++) {
        assert_true(strlen(nv_rule_advice((enum nv_rule)rule)) <= 86);
        assert_true(strlen(nv_rule_message((enum nv_rule)rule)) <= 98);
    }
}

static void a_failed_write_is_told(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_false(nv_report_text(report, full, false));
    assert_false(nv_report_json(report, full));
    assert_false(nv_report_sarif(report, full));
    assert_false(nv_report_html(report, full));
    fclose(full);
    nv_report_free(report);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete),
        cmocka_unit_test(complete_in_colour),
        cmocka_unit_test(clean),
        cmocka_unit_test(after_a_power_failure),
        cmocka_unit_test(nothing_known),
        cmocka_unit_test(awkward),
        cmocka_unit_test(a_block_has_at_most_twelve_lines),
        cmocka_unit_test(advice_is_one_line),
        cmocka_unit_test(a_failed_write_is_told),
    };
    if (argc < 2) {
        fputs("usage: text FOLDER [--accept]\n", stderr);
        return 2;
    }
    folder = argv[1];
    accept = argc > 2 && strcmp(argv[2], "--accept") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
