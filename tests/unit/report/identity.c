/* SPDX-License-Identifier: MIT */
/* Tests report/identity.c: a fingerprint outlives a rebuild and a move of the data, and tells findings apart. */
#include "report/identity.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A finding in `function`, written at that place and line. */
static struct nv_finding *finding_in(const char *file, const char *function, uint64_t place, unsigned line)
{
    struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, file, "/build/program", NULL);
    finding->write_stack.frames[0].offset = place;
    assert_true(nv_sample_name(&finding->write_stack.frames[0], function, function ? "a.c" : NULL, line));
    return finding;
}

/* The fingerprint of the only finding of a report. */
static uint64_t fingerprint(struct nv_finding *finding)
{
    struct nv_identities identities;
    struct nv_report *report = nv_report_new();
    assert_true(nv_report_add(report, finding));
    assert_true(nv_identify(&identities, report));
    assert_int_equal(identities.count, 1);
    assert_int_equal(identities.items[0].twin, 1);
    uint64_t found = identities.items[0].fingerprint;
    nv_identities_free(&identities);
    nv_report_free(report);
    return found;
}

static void it_outlives_lines_and_offsets(void **state)
{
    (void)state;
    uint64_t before = fingerprint(finding_in("db/journal", "append", 0x1000, 10));
    struct nv_finding *moved = finding_in("/tmp/x/journal", "append", 0x2000, 12);
    moved->offset = 77;
    moved->count = 5;
    assert_true(fingerprint(moved) == before);
    assert_false(fingerprint(finding_in("db/journal", "commit", 0x1000, 10)) == before);
    assert_false(fingerprint(finding_in("db/other", "append", 0x1000, 10)) == before);
    assert_false(fingerprint(finding_in(NULL, "append", 0x1000, 10)) == before);
    struct nv_finding *other_rule = finding_in("db/journal", "append", 0x1000, 10);
    other_rule->rule = NV_RULE_NOT_DRAINED;
    assert_false(fingerprint(other_rule) == before);
    struct nv_finding *flushed = finding_in("db/journal", "append", 0x1000, 10);
    assert_true(nv_stack_push(&flushed->flush_stack, "/build/program", 1));
    assert_false(fingerprint(flushed) == before);
}

static void without_names_the_place_tells(void **state)
{
    (void)state;
    uint64_t before = fingerprint(finding_in("a", NULL, 0x1000, 0));
    assert_true(fingerprint(finding_in("a", NULL, 0x1000, 0)) == before);
    assert_false(fingerprint(finding_in("a", NULL, 0x1008, 0)) == before);
}

static void twins_are_counted_and_all_are_found(void **state)
{
    (void)state;
    struct nv_identities identities;
    struct nv_report *report = nv_report_new();
    for (unsigned i = 0; i < 100; i++)
        assert_true(nv_report_add(report, finding_in("a", i % 2 ? "odd" : "even", i, i)));
    const char *why[100] = {[7] = "seven"};
    assert_true(nv_report_suppress(report, why));
    assert_true(nv_identify(&identities, report));
    assert_int_equal(identities.count, 100);
    for (size_t i = 0; i < 99; i++) {
        assert_ptr_equal(identities.items[i].finding, report->findings[i]);
        assert_int_equal(nv_identity_number(&identities, report->findings[i]), i);
    }
    assert_int_equal(identities.items[0].twin, 1);
    assert_int_equal(identities.items[1].twin, 1);
    assert_int_equal(identities.items[2].twin, 2);
    assert_int_equal(identities.items[98].twin, 49);
    assert_int_equal(identities.items[99].twin, 50); /* the suppressed one comes last */
    assert_int_equal(nv_identity_number(&identities, report->suppressed[0]), 99);
    struct nv_finding *stranger = finding_in("a", "odd", 1, 1);
    assert_true(nv_identity_number(&identities, stranger) == SIZE_MAX);
    assert_true(nv_identity_number(&identities, NULL) == SIZE_MAX);
    nv_finding_free(stranger);
    nv_identities_free(&identities);
    nv_report_free(report);
}

static void the_users_own_frame_is_found(void **state)
{
    (void)state;
    struct nv_finding *finding = nv_finding_new(NV_RULE_NOT_FLUSHED, NV_SEVERITY_ERROR);
    struct nv_stack *stack = &finding->write_stack;
    assert_null(nv_stack_user_frame(stack));
    for (uint64_t i = 0; i < 4; i++)
        assert_true(nv_stack_push(stack, "program", i));
    assert_null(nv_stack_user_frame(stack));
    assert_true(nv_sample_name(&stack->frames[1], "memcpy", "/usr/include/x86/string.h", 9));
    assert_null(nv_stack_user_frame(stack));
    assert_true(nv_sample_name(&stack->frames[2], "append", "src/a.c", 0)); /* no line */
    assert_true(nv_sample_name(&stack->frames[3], "main", "src/a.c", 3));
    assert_ptr_equal(nv_stack_user_frame(stack), &stack->frames[3]);
    assert_int_equal(nv_stack_shown(stack), 4);
    free(stack->frames[3].module);
    stack->frames[3].module = strdup("/usr/lib/x86_64-linux-gnu/libpmem.so.1");
    assert_null(nv_stack_user_frame(stack));
    free(stack->frames[1].function);
    stack->frames[1].function = strdup("main");
    assert_int_equal(nv_stack_shown(stack), 2);
    nv_finding_free(finding);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_outlives_lines_and_offsets),
        cmocka_unit_test(without_names_the_place_tells),
        cmocka_unit_test(twins_are_counted_and_all_are_found),
        cmocka_unit_test(the_users_own_frame_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
