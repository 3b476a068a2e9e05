/* SPDX-License-Identifier: MIT */
/*
 * The walk over ranges: every line of every range is written back, and a running one not twice. The check of ranges:
 * it finds the first that is outside, wherever it is.
 */
#include "src/nvm/ranges.h"
#include "src/cpu/ranges.h"
#include "tests/support/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 512

static char *memory;
static unsigned times[LINES];

static void note(uintptr_t line)
{
    size_t number = (line - (uintptr_t)memory) / NV_LINE_BYTES;
    assert_true(line % NV_LINE_BYTES == 0 && number < LINES);
    times[number]++;
}

static int by_address(const void *left, const void *right)
{
    const char *a = ((const NV_MEMORY_RANGE *)left)->BaseAddress, *b = ((const NV_MEMORY_RANGE *)right)->BaseAddress;
    return (a > b) - (a < b);
}

static void sorted_neighbours_once(void **state)
{
    (void)state;
    NV_MEMORY_RANGE ranges[64];
    for (size_t i = 0; i < 64; i++)
        ranges[i] = (NV_MEMORY_RANGE){memory + i * 24, 8};
    memset(times, 0, sizeof(times));
    nv_ranges_walk(ranges, 64, note);
    for (size_t line = 0; line < 63 * 24 / NV_LINE_BYTES; line++)
        assert_int_equal(times[line], 1);
}

static void random_ranges_covered(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 2000; round++) {
        NV_MEMORY_RANGE ranges[100];
        unsigned char wanted[LINES] = {0};
        size_t count = (size_t)rand() % 101, window = rand() % 2 ? LINES * NV_LINE_BYTES - 600 : 8000;
        for (size_t i = 0; i < count; i++) {
            size_t at = (size_t)rand() % window;
            size_t size_bytes = (size_t)rand() % (rand() % 20 ? 258 : 600);
            ranges[i] = (NV_MEMORY_RANGE){memory + at, size_bytes};
            for (size_t b = at; b < at + size_bytes; b++)
                wanted[b / NV_LINE_BYTES] = 1;
        }
        memset(times, 0, sizeof(times));
        if (rand() % 2)
            qsort(ranges, count, sizeof(ranges[0]), by_address);
        nv_ranges_walk(ranges, count, note);
        for (size_t line = 0; line < LINES; line++)
            assert_int_equal(times[line] != 0, wanted[line]);
    }
}

static void empty_ranges_nothing(void **state)
{
    (void)state;
    NV_MEMORY_RANGE ranges[] = {{memory, 0}, {NULL, 0}, {memory + 63, 2}, {memory + 64, 0}};
    memset(times, 0, sizeof(times));
    nv_ranges_walk(ranges, 4, note);
    assert_int_equal(times[0], 1);
    assert_int_equal(times[1], 1);
    assert_int_equal(times[2], 0);
}

static void inside(void **state)
{
    (void)state;
    struct nv_region region = {.base = memory + 100, .size_bytes = 50};
    assert_true(nv_range_inside(&region, memory + 100, 50));
    assert_true(nv_range_inside(&region, memory + 149, 1));
    assert_true(nv_range_inside(&region, NULL, 0));
    assert_false(nv_range_inside(&region, memory + 99, 1));
    assert_false(nv_range_inside(&region, memory + 100, 51));
    assert_false(nv_range_inside(&region, memory + 150, 1));
    assert_false(nv_range_inside(&region, memory + 120, SIZE_MAX));
    assert_false(nv_range_inside(&region, memory + 120, SIZE_MAX - (size_t)memory - 119));
}

/* One range among 40 is as it should not be, or is empty and lies anywhere. */
static void outside(void **state)
{
    (void)state;
    enum { COUNT = 40, SIZE = 4096 };
    struct nv_region region = {.base = memory + 128, .size_bytes = SIZE};
    static const size_t lengths[] = {1, 8, SIZE, SIZE + 1, SIZE_MAX / 2, SIZE_MAX / 2 + 2, SIZE_MAX - 7, SIZE_MAX};
    const uintptr_t base = (uintptr_t)region.base;
    const uintptr_t starts[] = {0,
                                7,
                                base - 1,
                                base,
                                base + 1,
                                base + SIZE - 1,
                                base + SIZE,
                                base * 2u,
                                ~base + 1,
                                UINTPTR_MAX / 2,
                                UINTPTR_MAX - 6,
                                UINTPTR_MAX};
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
        for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
            NV_MEMORY_RANGE ranges[COUNT];
            for (size_t i = 0; i < COUNT; i++)
                ranges[i] = (NV_MEMORY_RANGE){region.base + i * 100, 96};
            size_t odd = (s * 7 + l) % COUNT;
            ranges[odd] = (NV_MEMORY_RANGE){(void *)starts[s], lengths[l]};
            bool good = starts[s] >= base && starts[s] - base < SIZE && lengths[l] <= SIZE - (starts[s] - base);
            assert_ptr_equal(nv_ranges_outside(&region, ranges, COUNT), good ? NULL : &ranges[odd]);
            ranges[odd].Length = 0;
            assert_null(nv_ranges_outside(&region, ranges, COUNT));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_neighbours_once),
        cmocka_unit_test(random_ranges_covered),
        cmocka_unit_test(empty_ranges_nothing),
        cmocka_unit_test(inside),
        cmocka_unit_test(outside),
    };
    memory = aligned_alloc(NV_LINE_BYTES, LINES * NV_LINE_BYTES);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(memory);
    return failed;
}
