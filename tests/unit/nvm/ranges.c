/* SPDX-License-Identifier: MIT */
/* The walk over ranges: every line of every range is written back, and a running one not twice. */
#include "src/nvm/ranges.h"
#include "tests/support/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 512

static char *memory;
static unsigned times[LINES];

static void note(const void *address, size_t size_bytes)
{
    size_t first = (size_t)((const char *)address - memory) / NV_LINE_BYTES;
    size_t last = ((size_t)((const char *)address - memory) + size_bytes - 1) / NV_LINE_BYTES;
    assert_true(size_bytes > 0 && last < LINES);
    for (size_t line = first; line <= last; line++)
        times[line]++;
}

static void sorted_neighbours_once(void **state)
{
    (void)state;
    NV_MEMORY_RANGE ranges[64];
    for (size_t i = 0; i < 64; i++)
        ranges[i] = (NV_MEMORY_RANGE){memory + i * 24, 8};
    memset(times, 0, sizeof(times));
    nv_ranges_write_back(ranges, 64, note);
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
        NV_MEMORY_RANGE ranges[20];
        unsigned char wanted[LINES] = {0};
        for (size_t i = 0; i < 20; i++) {
            size_t at = (size_t)rand() % (LINES * NV_LINE_BYTES - 300);
            size_t size_bytes = (size_t)rand() % 300;
            ranges[i] = (NV_MEMORY_RANGE){memory + at, size_bytes};
            for (size_t b = at; b < at + size_bytes; b++)
                wanted[b / NV_LINE_BYTES] = 1;
        }
        memset(times, 0, sizeof(times));
        nv_ranges_write_back(ranges, 20, note);
        for (size_t line = 0; line < LINES; line++)
            assert_int_equal(times[line] != 0, wanted[line]);
    }
}

static void empty_ranges_nothing(void **state)
{
    (void)state;
    NV_MEMORY_RANGE ranges[] = {{memory, 0}, {NULL, 0}, {memory + 63, 2}, {memory + 64, 0}};
    memset(times, 0, sizeof(times));
    nv_ranges_write_back(ranges, 4, note);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_neighbours_once),
        cmocka_unit_test(random_ranges_covered),
        cmocka_unit_test(empty_ranges_nothing),
        cmocka_unit_test(inside),
    };
    memory = aligned_alloc(NV_LINE_BYTES, LINES * NV_LINE_BYTES);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(memory);
    return failed;
}
