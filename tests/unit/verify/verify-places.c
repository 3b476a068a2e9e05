/* SPDX-License-Identifier: MIT */
/* Places in the code: which calls share a number, and what the ledger says of them. */
#include "nvrtl/status.h"
#include "tests/unit/verify/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct run_file *file;
static struct nv_region token;
static const void *returns_to, *caller_returns_to;

static unsigned last_place(void)
{
    return run_line(file, 0).flush_place;
}

/* As a function of the interface: where it returns to is the place. */
__attribute__((noinline)) static void flush_here(void)
{
    returns_to = __builtin_return_address(0);
    assert_int_equal(token.engine->flush(&token, file->view, 1, 0, __builtin_return_address(0)), STATUS_SUCCESS);
}

__attribute__((noinline)) static unsigned one_site(void)
{
    caller_returns_to = __builtin_return_address(0);
    flush_here();
    return last_place();
}

__attribute__((noinline)) static unsigned other_site(void)
{
    flush_here();
    return last_place() + 0;
}

__attribute__((noinline)) static unsigned deeper(int depth)
{
    unsigned place = depth > 0 ? deeper(depth - 1) : one_site();

    __asm__ volatile("" ::: "memory"); /* no tail call */
    return place;
}

static void call_site_in_a_loop_is_one_place(void **state)
{
    uint32_t places = run_ledger->places;
    volatile unsigned first = 0; /* or the compiler gives the first round a call of its own */

    (void)state;
    for (int i = 0; i < 1000; i++) {
        unsigned place = one_site();

        if (first == 0)
            first = place;
        assert_int_not_equal(place, 0);
        assert_int_equal(place, first);
    }
    assert_int_equal(run_ledger->places, places + 1);
}

static void two_call_sites_are_two_places(void **state)
{
    (void)state;
    assert_int_not_equal(one_site(), other_site());
}

static void two_ways_to_a_call_site_are_two_places(void **state)
{
    (void)state;
    assert_int_not_equal(deeper(1), deeper(2));
}

/* Of the program itself, which is the first that dl_iterate_phdr tells. */
static int take_bias(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    *(uintptr_t *)data = info->dlpi_addr;
    return 1;
}

static void frames_are_offsets_of_calls_in_the_program(void **state)
{
    const struct nv_ledger_place *place = &run_ledger->place[one_site()];
    char path[PATH_MAX] = "";
    uintptr_t bias;

    (void)state;
    dl_iterate_phdr(take_bias, &bias);
    assert_true(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    assert_int_equal(place->ready, 1);
    assert_true(place->count >= 3 && place->count <= NV_LEDGER_FRAMES);
    assert_int_equal(place->frames[0].offset + bias, (uintptr_t)returns_to - 1);
    assert_int_equal(place->frames[1].offset + bias, (uintptr_t)caller_returns_to - 1);
    assert_int_equal(run_ledger->module[place->frames[0].module].ready, 1);
    assert_string_equal(run_ledger->module[place->frames[0].module].path, path);
    assert_int_equal(place->frames[1].module, place->frames[0].module);
}

static void libraries_are_modules_of_their_own(void **state)
{
    const struct nv_ledger_place *place = &run_ledger->place[one_site()];
    bool found = false;

    (void)state;
    for (uint32_t i = 0; i < place->count; i++)
        if (place->frames[i].module < NV_LEDGER_MODULES)
            found = found || strstr(run_ledger->module[place->frames[i].module].path, "/libc") != NULL;
    assert_true(found);
}

static void place_that_is_not_on_the_stack_is_one_frame(void **state)
{
    const struct nv_ledger_place *place;
    uintptr_t bias;

    (void)state;
    dl_iterate_phdr(take_bias, &bias);
    token.engine->flush(&token, file->view, 1, 0, (const char *)(uintptr_t)one_site + 1);
    place = &run_ledger->place[last_place()];
    assert_int_equal(place->count, 1);
    assert_int_equal(place->frames[0].offset + bias, (uintptr_t)one_site);
}

static void place_outside_any_module_keeps_its_address(void **state)
{
    const struct nv_ledger_frame *frame;

    (void)state;
    token.engine->flush(&token, file->view, 1, 0, (const void *)0x1001);
    frame = &run_ledger->place[last_place()].frames[0];
    assert_int_equal(frame->module, UINT32_MAX);
    assert_int_equal(frame->offset, 0x1000);
}

/* More of them than any cache has room for. */
static void places_in_great_number_stay_apart(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++)
        for (uintptr_t i = 1; i < 3000; i++) {
            token.engine->flush(&token, file->view, 1, 0, (const void *)(i + 1));
            assert_int_equal(run_ledger->place[last_place()].frames[0].offset, i);
        }
}

/* Calls from here with as many frame addresses as it takes for any two ways to meet in a cache. */
__attribute__((noinline)) static unsigned with_gap(size_t gap_bytes)
{
    volatile char *gap = __builtin_alloca(gap_bytes + 1);
    unsigned place;

    gap[0] = 0;
    place = one_site();
    return place + (unsigned)gap[0];
}

__attribute__((noinline)) static unsigned first_way(size_t gap_bytes)
{
    unsigned place = with_gap(gap_bytes);

    __asm__ volatile("" ::: "memory");
    return place;
}

__attribute__((noinline)) static unsigned second_way(size_t gap_bytes)
{
    unsigned place = with_gap(gap_bytes);

    __asm__ volatile("" ::: "memory");
    return place;
}

/* Compares frames, not numbers: the compiler may give the loop several calls. */
static void ways_to_a_call_site_stay_apart(void **state)
{
    static unsigned (*const volatile ways[])(size_t) = {first_way, second_way};
    uint64_t came_from[2];

    (void)state;
    for (unsigned i = 0; i < 4096; i++) {
        const struct nv_ledger_place *place = &run_ledger->place[ways[i % 2](i / 4 * 16)];

        if (i < 2)
            came_from[i] = place->frames[2].offset;
        assert_int_equal(place->frames[2].offset, came_from[i % 2]);
    }
    assert_int_not_equal(came_from[0], came_from[1]);
}

static unsigned in_thread[2];

static void *flush_in_thread(void *argument)
{
    unsigned *place = argument;

    *place = one_site();
    return NULL;
}

static void threads_share_places(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pthread_t thread;

        pthread_create(&thread, NULL, flush_in_thread, &in_thread[i]);
        pthread_join(thread, NULL);
    }
    assert_int_not_equal(in_thread[0], 0);
    assert_int_equal(in_thread[0], in_thread[1]);
}

static void full_ledger_gives_none_and_counts_the_loss(void **state)
{
    uint32_t places = run_ledger->places, lost = run_ledger->lost;

    (void)state;
    run_ledger->places = NV_LEDGER_PLACES - 2;
    assert_int_equal(deeper(5), NV_LEDGER_PLACES - 1);
    assert_int_equal(run_ledger->lost, lost);
    assert_int_equal(deeper(6), 0);
    assert_int_equal(run_ledger->lost, lost + 1);
    assert_int_equal(deeper(5), NV_LEDGER_PLACES - 1);
    run_ledger->places = places;
}

static int set_up(void **state)
{
    (void)state;
    run_start(NvrtlDomainCpuCache);
    file = run_file(4096, true);
    return run_token(file->view, 4096, &token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_site_in_a_loop_is_one_place),
        cmocka_unit_test(two_call_sites_are_two_places),
        cmocka_unit_test(two_ways_to_a_call_site_are_two_places),
        cmocka_unit_test(frames_are_offsets_of_calls_in_the_program),
        cmocka_unit_test(libraries_are_modules_of_their_own),
        cmocka_unit_test(place_that_is_not_on_the_stack_is_one_frame),
        cmocka_unit_test(place_outside_any_module_keeps_its_address),
        cmocka_unit_test(places_in_great_number_stay_apart),
        cmocka_unit_test(ways_to_a_call_site_stay_apart),
        cmocka_unit_test(threads_share_places),
        cmocka_unit_test(full_ledger_gives_none_and_counts_the_loss),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
