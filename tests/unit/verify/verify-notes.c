/* SPDX-License-Identifier: MIT */
/* What is told to the ledger beside lines: tokens, regions, misuse, ignored ranges, marks. */
#include "nvrtl/status.h"
#include "tests/unit/verify/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static struct run_file *file;

static NTSTATUS refuse_from(const void *place, enum nv_refusal why, const char *function, const void *address)
{
    return run_seam->refuse(why, function, (PVOID)0x1234, address, 99, place);
}

static void refusals_merge_by_kind_place_and_function(void **state)
{
    const struct nv_ledger_event *event = &run_ledger->event[run_ledger->events];
    uint32_t events = run_ledger->events;
    const void *here = (const void *)0x5001, *there = (const void *)0x6001;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(refuse_from(here, NV_REFUSED_TOKEN, "RtlDrainNonVolatileFlush", NULL),
                         STATUS_INVALID_PARAMETER);
    assert_int_equal(run_ledger->events, events + 1);
    assert_int_equal(event->ready, 1);
    assert_int_equal(event->count, 10);
    assert_int_equal(event->kind, NV_REFUSED_TOKEN);
    assert_int_equal(event->token, 0x1234);
    assert_int_equal(event->size_bytes, 99);
    assert_int_equal(event->file, 0);
    assert_int_not_equal(event->place, 0);
    assert_string_equal(event->function, "RtlDrainNonVolatileFlush");
    refuse_from(there, NV_REFUSED_TOKEN, "RtlDrainNonVolatileFlush", NULL);
    assert_int_equal(run_ledger->events, events + 2);
    refuse_from(here, NV_REFUSED_FLAGS, "RtlDrainNonVolatileFlush", NULL);
    assert_int_equal(run_ledger->events, events + 3);
    refuse_from(here, NV_REFUSED_TOKEN, "RtlFreeNonVolatileToken", NULL);
    assert_int_equal(run_ledger->events, events + 4);
    assert_int_equal(event->count, 10);
}

static void refused_range_names_the_file(void **state)
{
    const struct nv_ledger_event *event = &run_ledger->event[run_ledger->events];

    (void)state;
    refuse_from((const void *)0x7001, NV_REFUSED_RANGE, "RtlFlushNonVolatileMemory", file->view + 100);
    assert_int_equal(event->file, file->id);
    assert_int_equal(event->address, (uintptr_t)file->view + 100);
}

static void refused_range_names_the_file_of_its_token(void **state)
{
    const struct nv_ledger_event *event = &run_ledger->event[run_ledger->events];
    struct nv_region token = {0}, plain = {0};

    (void)state;
    assert_int_equal(run_token(file->view, 4096, &token), STATUS_SUCCESS);
    run_live_token = &token;
    refuse_from((const void *)0x7101, NV_REFUSED_RANGE, "RtlFlushNonVolatileMemory", &token);
    run_live_token = &plain;
    refuse_from((const void *)0x7201, NV_REFUSED_RANGE, "RtlFlushNonVolatileMemory", &token);
    run_live_token = NULL;
    assert_int_equal(event[0].file, file->id);
    assert_int_equal(event[1].file, 0);
}

static void refused_range_outside_any_file_names_none(void **state)
{
    const struct nv_ledger_event *event = &run_ledger->event[run_ledger->events];

    (void)state;
    refuse_from((const void *)0x8001, NV_REFUSED_RANGE, "RtlFlushNonVolatileMemory", &event);
    assert_int_equal(event->ready, 1);
    assert_int_equal(event->file, 0);
}

static void tokens_and_their_regions_are_told(void **state)
{
    uint64_t tokens = run_ledger->tokens;
    uint32_t regions = run_ledger->regions;
    struct nv_region token = {0};

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(run_token(file->view + 4096, 8192, &token), STATUS_SUCCESS);
    assert_int_equal(run_ledger->tokens, tokens + 5);
    assert_int_equal(run_ledger->regions, regions + 1);
    assert_int_equal(run_ledger->region[regions].ready, 1);
    assert_int_equal(run_ledger->region[regions].file, file->id);
    assert_int_equal(run_ledger->region[regions].offset, 4096);
    assert_int_equal(run_ledger->region[regions].length_bytes, 8192);
    assert_int_equal(run_token(file->view + 5000, 10, &token), STATUS_SUCCESS);
    assert_int_equal(run_ledger->regions, regions + 1);
}

static void regions_of_one_call_are_not_told(void **state)
{
    uint32_t regions = run_ledger->regions;
    struct nv_region token = {.for_one_call = true};

    (void)state;
    assert_int_equal(run_token(file->view + 32768, 100, &token), STATUS_SUCCESS);
    assert_int_equal(run_ledger->regions, regions);
}

static void ignored_range_is_told_once(void **state)
{
    uint32_t ignored = run_ledger->ignored;

    (void)state;
    for (int i = 0; i < 5; i++)
        run_seam->ignore(file->view + 200, 16);
    assert_int_equal(run_ledger->ignored, ignored + 1);
    assert_int_equal(run_ledger->ignore[ignored].ready, 1);
    assert_int_equal(run_ledger->ignore[ignored].file, file->id);
    assert_int_equal(run_ledger->ignore[ignored].offset, 200);
    assert_int_equal(run_ledger->ignore[ignored].length_bytes, 16);
    run_seam->ignore(&ignored, 4);
    run_seam->ignore(file->view, 0);
    assert_int_equal(run_ledger->ignored, ignored + 1);
}

static void naming_a_file_asks_for_nothing_of_it(void **state)
{
    struct run_file *named = run_file(4096, true), *other = run_file(4096, false);
    uint32_t ignored = run_ledger->ignored;

    (void)state;
    run_seam->ignore(named->view, 8);
    run_seam->ignore(other->view, 8);
    assert_int_equal(run_ledger->ignored, ignored + 1);
    assert_int_equal(run_ledger->ignore[ignored].file, named->id);
    assert_int_equal(named->named, 1);
    assert_int_equal(named->asked, 0);
}

static void mark_is_cut_between_characters(void **state)
{
    const struct nv_ledger_mark *mark = &run_ledger->mark[run_ledger->marks];
    char text[300];

    (void)state;
    run_seam->mark("phase two", (const void *)0x9001);
    assert_int_equal(mark->ready, 1);
    assert_string_equal(mark->text, "phase two");
    assert_int_not_equal(mark->place, 0);
    memset(text, 'a', sizeof text);
    memcpy(text + 254, "\xc3\xa4", 2); /* the second byte would be the 256th */
    text[299] = '\0';
    run_seam->mark(text, (const void *)0x9001);
    assert_int_equal(strlen(mark[1].text), 254);
    text[253] = '\0';
    run_seam->mark(text, (const void *)0x9001);
    assert_int_equal(strlen(mark[2].text), 253);
}

static void full_ledger_counts_the_loss(void **state)
{
    uint32_t marks = run_ledger->marks, lost = run_ledger->lost;

    (void)state;
    run_ledger->marks = NV_LEDGER_MARKS;
    run_seam->mark("one too many", (const void *)0x9001);
    assert_int_equal(run_ledger->lost, lost + 1);
    run_ledger->marks = marks;
}

static int set_up(void **state)
{
    (void)state;
    run_start(NvrtlDomainCpuCache);
    file = run_file(65536, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_merge_by_kind_place_and_function),
        cmocka_unit_test(refused_range_names_the_file),
        cmocka_unit_test(refused_range_names_the_file_of_its_token),
        cmocka_unit_test(refused_range_outside_any_file_names_none),
        cmocka_unit_test(tokens_and_their_regions_are_told),
        cmocka_unit_test(regions_of_one_call_are_not_told),
        cmocka_unit_test(ignored_range_is_told_once),
        cmocka_unit_test(naming_a_file_asks_for_nothing_of_it),
        cmocka_unit_test(mark_is_cut_between_characters),
        cmocka_unit_test(full_ledger_counts_the_loss),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
