/* SPDX-License-Identifier: MIT */
/*
 * Makes the Nth allocation fail, for every N: nothing crashes, nothing leaks (under AddressSanitizer), and no failure
 * is lost: either somebody says so, or the output is what it would have been.
 */
#include "sample.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static long until_failure; /* 0: never */
static bool fired;

static bool fails(void)
{
    if (until_failure == 0 || --until_failure)
        return false;
    fired = true;
    errno = ENOMEM;
    return true;
}

/* -- the linker puts these in the place of libc's, for report/ and this test -- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list arguments;
    if (fails())
        return -1; /* *text is undefined then, and stays so here */
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}

/* -- what is tried -- */

static char list_path[] = "/tmp/nvrtl-faults-XXXXXX";

/* Everything but symbols, from an empty report to JSON. False: something failed, and said so. */
static bool whole_way(FILE *out)
{
    unsigned line;
    struct nv_report *report = nv_report_new();
    if (!report)
        return false;
    bool ok = nv_sample_fill(report);
    struct nv_finding *lock = ok ? nv_sample_finding(NV_RULE_NOT_FLUSHED, "lock.mdb", NULL, NULL) : NULL;
    ok = ok && nv_report_add(report, lock);
    struct nv_suppressions *list = ok ? nv_suppressions_new() : NULL;
    ok = ok && list && nv_suppressions_read(list, list_path, &line) == 0;
    size_t before = report->finding_count + report->left_out_count;
    if (ok && !nv_suppressions_apply(list, report)) {
        /* A finding is either there or told to be left out, also when that failed half way. */
        assert_int_equal(report->finding_count + report->left_out_count, before);
        ok = false;
    }
    ok = ok && nv_report_text(report, out, false) && nv_report_json(report, out) && nv_report_sarif(report, out) &&
         nv_report_html(report, out);
    nv_suppressions_free(list);
    nv_report_free(report);
    return ok;
}

/* Names that are looked up: a failure costs the name, never the finding. */
static bool symbols(FILE *out)
{
    char program[4096] = "";
    struct nv_report *report = nv_report_new();
    if (!report || readlink("/proc/self/exe", program, sizeof program - 1) <= 0) {
        nv_report_free(report);
        return false;
    }
    bool ok = true;
    for (int i = 0; ok && i < 40; i++) {
        struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", program, program);
        if (finding)
            finding->write_stack.frames[0].offset += (uint64_t)(64 * (i / 2)); /* some twice */
        ok = nv_report_add(report, finding);
    }
    nv_report_symbolise(report);
    if (ok)
        assert_int_equal(report->finding_count, 20);
    if (ok && !fired)
        ok = nv_report_json(report, out);
    else
        ok = nv_report_text(report, out, false) && false;
    nv_report_free(report);
    return ok;
}

static void for_every_allocation(bool (*way)(FILE *out))
{
    char *expected = NULL, *written;
    size_t size;
    long n = 0;
    FILE *out = open_memstream(&expected, &size);
    until_failure = 0;
    fired = false;
    assert_true(way(out));
    fclose(out);
    do {
        written = NULL;
        out = open_memstream(&written, &size);
        until_failure = ++n;
        fired = false;
        bool ok = way(out);
        until_failure = 0;
        fclose(out);
        if (ok)
            assert_string_equal(written, expected);
        else
            assert_true(fired);
        free(written);
    } while (fired);
    free(expected);
    print_message("%ld allocations failed in turn\n", n - 1);
    assert_true(n > 20);
}

static void report_to_output(void **state)
{
    (void)state;
    for_every_allocation(whole_way);
}

static void places_to_names(void **state)
{
    (void)state;
    for_every_allocation(symbols);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_to_output),
        cmocka_unit_test(places_to_names),
    };
    json_set_alloc_funcs(__wrap_malloc, free);
    int descriptor = mkstemp(list_path);
    if (descriptor < 0 || write(descriptor, "*:*.tmp:*\nnot-flushed:journal.new:*\n", 36) != 36)
        return 2;
    close(descriptor);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(list_path);
    return failed;
}
