/* SPDX-License-Identifier: MIT */
/* Exactly the lines of a range are written back, and by copies and fills none that they store to is left out. */
#include "tests/support/memory.h"
#include "tests/unit/cpu/watch.h"

#include <string.h>

#define LINE ((uintptr_t)64)
#define KERNELS_MAX 16

/* The kernels whose write-backs can be seen, each instruction once unless `all`. */
static size_t find_kernels(const struct nv_cpu **kernels, bool all)
{
    size_t found = 0;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        bool known = false;
        for (size_t i = 0; i < found; i++)
            known = known || kernels[i]->write_back == (*cpu)->write_back;
        if ((all || !known) && found < KERNELS_MAX && watch_sees(*cpu))
            kernels[found++] = *cpu;
    }
    return found;
}

/* The size of the CPU's own lines, as the kernel has it. */
static uintptr_t line_bytes_of(const struct nv_cpu *cpu)
{
    watch_begin();
    cpu->write_back(watched, PAGE);
    watch_end();
    assert_true(touches_count > 0);
    return PAGE / touches_count;
}

static void expect_lines(uintptr_t from, uintptr_t to, uintptr_t line)
{
    size_t expected = to > from ? ((to - 1) & ~(line - 1)) / line - from / line + 1 : 0;
    assert_int_equal(touches_count, expected);
    for (size_t i = 0; i < touches_count; i++) {
        assert_int_equal(touches[i].by, WRITE_BACK);
        assert_int_equal(touches[i].address & ~(line - 1), (from & ~(line - 1)) + i * line);
    }
}

static void range(const struct nv_cpu *cpu)
{
    uintptr_t line = line_bytes_of(cpu);
    for (size_t size_bytes = 0; size_bytes <= 300; size_bytes += size_bytes < 70 ? 1 : 10)
        for (size_t shift = 0; shift < LINE; shift += size_bytes < 3 ? 1 : 9) {
            char *at = watched + PAGE - LINE + shift;
            NV_MEMORY_RANGE one = {at, size_bytes};
            watch_begin();
            cpu->write_back(at, size_bytes);
            watch_end();
            expect_lines((uintptr_t)at, (uintptr_t)at + size_bytes, line);
            watch_begin();
            cpu->write_back_ranges(&one, 1);
            watch_end();
            expect_lines((uintptr_t)at, (uintptr_t)at + size_bytes, line);
        }
}

static void expect_ranges(const struct nv_cpu *cpu, const NV_MEMORY_RANGE *list, size_t ranges_count, bool in_a_row)
{
    bool wanted[WATCHED_BYTES] = {false}, seen[WATCHED_BYTES] = {false}; /* by the first byte of a line */
    uintptr_t line = line_bytes_of(cpu);
    for (size_t i = 0; i < ranges_count; i++) {
        size_t from = (size_t)((char *)list[i].BaseAddress - watched);
        for (size_t at = from & ~(line - 1); list[i].Length && at < from + list[i].Length; at += line)
            wanted[at] = true;
    }
    watch_begin();
    cpu->write_back_ranges(list, ranges_count);
    watch_end();
    for (size_t i = 0; i < touches_count; i++) {
        uintptr_t at = (touches[i].address - (uintptr_t)watched) & ~(line - 1);
        assert_int_equal(touches[i].by, WRITE_BACK);
        assert_true(in_a_row || i == 0 || touches[i].address != touches[i - 1].address);
        seen[at] = true;
    }
    assert_memory_equal(seen, wanted, sizeof(seen));
}

/*
 * Many ranges, near each other or not: every line of each, and no other. None twice in a row, but perhaps where a long
 * range is among short ones.
 */
static void ranges(const struct nv_cpu *cpu)
{
    enum { RANGES = 100 };
    NV_MEMORY_RANGE list[RANGES];
    for (size_t spread = 1; spread < 80; spread += 3)
        for (size_t longer = 0; longer < 2; longer++) {
            for (size_t i = 0; i < RANGES; i++) {
                size_t size_bytes = longer && i * spread % 11 == 0 ? 600 : i * 13 % 257;
                list[i] = (NV_MEMORY_RANGE){watched + i * spread * 37 % (WATCHED_BYTES - 700), size_bytes};
            }
            expect_ranges(cpu, list, RANGES, longer);
        }
}

typedef void kernel_test(const struct nv_cpu *cpu);

static void for_each_watched(kernel_test *test, bool all)
{
    const struct nv_cpu *kernels[KERNELS_MAX];
    watch_signals();
    size_t found = find_kernels(kernels, all);
    for (size_t i = 0; i < found; i++) {
        test(kernels[i]);
        print_message("kernel watched: %s%s\n", kernels[i]->name,
                      kernels[i]->supported() ? "" : ", which this CPU does not have");
    }
    if (found == 0) {
        print_message("no write-back is seen on this CPU: an emulator does nothing for it\n");
        skip();
    }
}

static void each_range(void **state)
{
    (void)state;
    for_each_watched(range, false);
}

static void each_ranges(void **state)
{
    (void)state;
    for_each_watched(ranges, false);
}

#if defined(__x86_64__)

/*
 * Each line of [from, to) is stored to by non-temporal stores alone, or is written back after the last ordinary store
 * to it. (A store that reaches into the next line is seen in the first only; so a line without a store needs a
 * write-back, too.)
 */
static void expect_durable(const struct nv_cpu *cpu, uintptr_t from, uintptr_t to)
{
    for (uintptr_t line = from & ~(LINE - 1); line < to && from < to; line += LINE) {
        enum touch last = STORE;
        bool non_temporal = false, ordinary = false;
        for (size_t i = 0; i < touches_count; i++) {
            if ((touches[i].address & ~(LINE - 1)) != line || touches[i].by == LOAD)
                continue;
            non_temporal = non_temporal || touches[i].by == NON_TEMPORAL;
            ordinary = ordinary || touches[i].by == STORE;
            last = touches[i].by;
        }
        if (last == STORE)
            fail_msg("%s: line %zu of %zu bytes at %zu is not written back", cpu->name,
                     (size_t)(line - (uintptr_t)watched), (size_t)(to - from), (size_t)(from - (uintptr_t)watched));
        assert_false(non_temporal && ordinary); /* costs three times as much */
    }
    for (size_t i = 0; i < touches_count; i++)
        assert_true(touches[i].address >= (from & ~(LINE - 1)) && touches[i].address < to + LINE);
}

static void store_case(const struct nv_cpu *cpu, size_t shift, size_t size_bytes)
{
    static char source[WATCHED_BYTES];
    char *at = watched + LINE + shift;
    watch_begin();
    cpu->copy(at, source, size_bytes);
    watch_end();
    expect_durable(cpu, (uintptr_t)at, (uintptr_t)at + size_bytes);
    watch_begin();
    cpu->fill(at, size_bytes % 2 ? 0xFF : 0, size_bytes);
    watch_end();
    expect_durable(cpu, (uintptr_t)at, (uintptr_t)at + size_bytes);
}

static void overlap_case(const struct nv_cpu *cpu, ptrdiff_t distance, size_t size_bytes)
{
    char *at = watched + 1000;
    watch_begin();
    cpu->copy(at + distance, at, size_bytes);
    watch_end();
    size_t kept = 0; /* without the loads */
    for (size_t i = 0; i < touches_count; i++)
        if (touches[i].by != LOAD)
            touches[kept++] = touches[i];
    touches_count = kept;
    expect_durable(cpu, (uintptr_t)at + distance, (uintptr_t)at + distance + size_bytes);
}

static void stores(const struct nv_cpu *cpu)
{
    static const size_t shifts[] = {0, 1, 4, 7, 8, 12, 33, 63};
    static const size_t large[] = {1000, 2047, 2048, 2112, 2200, 2201, 4096, 5999};
    for (size_t i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
        for (size_t size_bytes = 0; size_bytes <= 300; size_bytes += size_bytes < 20 ? 1 : 7)
            store_case(cpu, shifts[i], size_bytes);
        for (size_t j = 0; j < sizeof(large) / sizeof(large[0]) && i % 3 == 0; j++)
            store_case(cpu, shifts[i], large[j]);
    }
    for (ptrdiff_t distance = -200; distance <= 200; distance += 33)
        for (size_t size_bytes = 1; size_bytes <= 300; size_bytes += 23)
            overlap_case(cpu, distance, size_bytes);
}

static void each_stores(void **state)
{
    (void)state;
    for_each_watched(stores, true);
}

#else

/* All other kernels copy and fill by the C library, and then write back the range. */
static void each_stores(void **state)
{
    (void)state;
    print_message("the stores of this CPU's kernels cannot be watched\n");
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_range),
        cmocka_unit_test(each_ranges),
        cmocka_unit_test(each_stores),
    };
    watched = guarded_make(WATCHED_BYTES);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
