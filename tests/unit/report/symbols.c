/* SPDX-License-Identifier: MIT */
/*
 * Tests report/symbols.c on this program itself, on copies of it without debug information and without symbols, and on
 * what is no module at all. usage: symbols [WITHOUT-DEBUG WITHOUT-SYMBOLS]
 */
#include "sample.h"

#include <limits.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char program[PATH_MAX];
static const char *without_debug, *without_symbols;

static __attribute__((noinline)) uintptr_t caller(void)
{
    return (uintptr_t)__builtin_return_address(0);
}

enum { INLINED_LINE = __LINE__ + 3 };
static inline __attribute__((always_inline)) uintptr_t inlined_place(void)
{
    uintptr_t place = caller();
    __asm__ volatile("" : "+r"(place)); /* no tail call */
    return place;
}

enum { OUTER_LINE = __LINE__ + 3 };
static __attribute__((noinline)) uintptr_t outer_place(void)
{
    uintptr_t place = inlined_place();
    __asm__ volatile("" : "+r"(place));
    return place;
}

static int find_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
    (void)size;
    *(uintptr_t *)bias = info->dlpi_addr;
    return 1; /* the program comes first */
}

static uint64_t outer_offset(void)
{
    uintptr_t bias = 0;
    dl_iterate_phdr(find_bias, &bias);
    return outer_place() - bias;
}

/* A report with one finding, written at these places. */
static struct nv_report *report_at(const char *module, const uint64_t *offsets, size_t count)
{
    struct nv_report *report = nv_report_new();
    struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL);
    for (size_t i = 0; i < count; i++)
        assert_true(nv_stack_push(&finding->write_stack, module, offsets[i]));
    assert_true(nv_report_add(report, finding));
    nv_report_symbolise(report);
    return report;
}

static bool ends_with(const char *text, const char *end)
{
    return text && strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void inlined_functions_are_told_apart(void **state)
{
    (void)state;
    uint64_t offset = outer_offset();
    struct nv_report *report = report_at(program, &offset, 1);
    const struct nv_stack *stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, 2);
    assert_string_equal(stack->frames[0].function, "inlined_place");
    assert_int_equal(stack->frames[0].line, INLINED_LINE);
    assert_true(ends_with(stack->frames[0].source, "tests/unit/report/symbols.c"));
    assert_string_equal(stack->frames[1].function, "outer_place");
    assert_int_equal(stack->frames[1].line, OUTER_LINE);
    assert_true(ends_with(stack->frames[1].source, "tests/unit/report/symbols.c"));
    assert_string_equal(stack->frames[1].module, program);
    assert_int_equal(stack->frames[1].offset, offset);
    nv_report_symbolise(report); /* what is known is not expanded again */
    assert_int_equal(stack->count, 2);
    nv_report_free(report);
}

static void sources_are_named_from_the_current_folder(void **state)
{
    (void)state;
    uint64_t offset = outer_offset();
    char here[PATH_MAX], folder[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir("/"), 0);
    struct nv_report *report = report_at(program, &offset, 1);
    const char *source = report->findings[0]->write_stack.frames[0].source;
    assert_true(*source != '/' && !strstr(source, ".."));
    snprintf(folder, sizeof folder, "/%s", source);
    *strrchr(folder, '/') = '\0';
    nv_report_free(report);
    if (chdir(folder) == 0) { /* the sources are there, as they mostly are */
        report = report_at(program, &offset, 1);
        assert_string_equal(report->findings[0]->write_stack.frames[0].source, "symbols.c");
        assert_string_equal(report->findings[0]->write_stack.frames[1].source, "symbols.c");
        nv_report_free(report);
    }
    assert_int_equal(chdir(here), 0);
}

static void a_full_stack_loses_its_outermost_frames(void **state)
{
    (void)state;
    uint64_t offsets[NV_STACK_FRAMES_MAX];
    for (size_t i = 0; i < NV_STACK_FRAMES_MAX; i++)
        offsets[i] = outer_offset();
    struct nv_report *report = report_at(program, offsets, NV_STACK_FRAMES_MAX);
    const struct nv_stack *stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, NV_STACK_FRAMES_MAX);
    for (size_t i = 0; i < NV_STACK_FRAMES_MAX; i++)
        assert_string_equal(stack->frames[i].function, i % 2 ? "outer_place" : "inlined_place");
    nv_report_free(report);

    offsets[0] = 1; /* now the last one is cut in half */
    report = report_at(program, offsets, NV_STACK_FRAMES_MAX);
    stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, NV_STACK_FRAMES_MAX);
    assert_string_equal(stack->frames[NV_STACK_FRAMES_MAX - 1].function, "inlined_place");
    nv_report_free(report);
}

static void without_debug_information_the_symbol_is_told(void **state)
{
    (void)state;
    if (!without_debug)
        skip();
    uint64_t offset = outer_offset();
    struct nv_report *report = report_at(without_debug, &offset, 1);
    const struct nv_stack *stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, 1);
    assert_string_equal(stack->frames[0].function, "outer_place");
    assert_null(stack->frames[0].source);
    nv_report_free(report);
}

static void without_symbols_the_place_is_told(void **state)
{
    (void)state;
    if (!without_symbols)
        skip();
    uint64_t offset = outer_offset();
    struct nv_report *report = report_at(without_symbols, &offset, 1);
    const struct nv_stack *stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, 1);
    assert_null(stack->frames[0].function);
    assert_null(stack->frames[0].source);
    assert_string_equal(stack->frames[0].module, without_symbols);
    assert_int_equal(stack->frames[0].offset, offset);
    nv_report_free(report);
}

static void what_is_no_module_is_left_alone(void **state)
{
    (void)state;
    static const char *const modules[] = {"/no/such/file", "/etc/passwd", "/", "[vdso]", "", "/dev/null"};
    static const uint64_t offset = 0x1000;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        struct nv_report *report = report_at(modules[i], &offset, 1);
        const struct nv_frame *frame = &report->findings[0]->write_stack.frames[0];
        assert_null(frame->function);
        assert_null(frame->source);
        assert_string_equal(frame->module, modules[i]);
        nv_report_free(report);
    }
}

static void offsets_outside_the_module_are_left_alone(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {0, 1, UINT64_C(1) << 40, UINT64_MAX};
    struct nv_report *report = report_at(program, offsets, 4);
    const struct nv_stack *stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_null(stack->frames[i].source);
    nv_report_free(report);
}

static void marks_and_flushes_are_named_too(void **state)
{
    (void)state;
    struct nv_report *report = nv_report_new();
    struct nv_finding *finding = nv_sample_finding(NV_RULE_NOT_FLUSHED, "a", NULL, NULL);
    assert_true(nv_stack_push(&finding->flush_stack, program, outer_offset()));
    assert_true(nv_report_add_mark(report, "here", 0, &finding->flush_stack));
    assert_true(nv_report_add(report, finding));
    nv_report_symbolise(report);
    assert_string_equal(report->findings[0]->flush_stack.frames[1].function, "outer_place");
    assert_string_equal(report->marks[0].stack.frames[1].function, "outer_place");
    nv_report_free(report);
}

static uintptr_t main_place;

static void what_calls_main_stays_unnamed(void **state)
{
    (void)state;
    uintptr_t bias = 0;
    dl_iterate_phdr(find_bias, &bias);
    const uint64_t offsets[] = {outer_offset(), main_place - bias, outer_offset()};
    struct nv_report *report = report_at(program, offsets, 3);
    const struct nv_stack *stack = &report->findings[0]->write_stack;
    assert_int_equal(stack->count, 4); /* the first is two */
    assert_string_equal(stack->frames[1].function, "outer_place");
    assert_string_equal(stack->frames[2].function, "main");
    assert_null(stack->frames[3].function);
    assert_int_equal(stack->frames[3].offset, offsets[2]);
    nv_report_free(report);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(inlined_functions_are_told_apart),
        cmocka_unit_test(sources_are_named_from_the_current_folder),
        cmocka_unit_test(a_full_stack_loses_its_outermost_frames),
        cmocka_unit_test(without_debug_information_the_symbol_is_told),
        cmocka_unit_test(without_symbols_the_place_is_told),
        cmocka_unit_test(what_is_no_module_is_left_alone),
        cmocka_unit_test(offsets_outside_the_module_are_left_alone),
        cmocka_unit_test(marks_and_flushes_are_named_too),
        cmocka_unit_test(what_calls_main_stays_unnamed),
    };
    main_place = caller();
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return 2;
    if (argc == 3) {
        without_debug = argv[1];
        without_symbols = argv[2];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
