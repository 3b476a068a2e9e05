/* SPDX-License-Identifier: MIT */
/*
 * Every kernel that this CPU supports: sizes 0 to 300 at every alignment in a line, next to guard pages, and overlaps.
 */
#include "src/cpu/cpu.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <stdio.h>
#include <string.h>

#define SIZES 301
#define LINE 64
#define ROOM (2 * PAGE)

/* Every size; every third where all is slow. */
static size_t step(void)
{
    return emulated() ? 3 : 1;
}

typedef void kernel_test(const struct nv_cpu *cpu);

static void for_each_kernel(kernel_test *test)
{
    int tested = 0;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        if (!(*cpu)->supported())
            continue;
        test(*cpu);
        print_message("kernel tested: %s\n", (*cpu)->name);
        tested++;
    }
    assert_true(tested > 0);
}

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 167 + 13);
}

static unsigned char wanted[ROOM];

/* Every byte of [at, at + size) is the value, or with -1 the pattern; every other one is untouched. */
static void expect(const char *room, const char *at, size_t size_bytes, int value)
{
    size_t begin = (size_t)(at - room);
    memset(wanted, 0xEE, ROOM);
    for (size_t i = 0; i < size_bytes; i++)
        wanted[begin + i] = value < 0 ? pattern(i) : (unsigned char)value;
    if (memcmp(room, wanted, ROOM) == 0)
        return;
    for (size_t i = 0; i < ROOM; i++)
        if ((unsigned char)room[i] != wanted[i])
            fail_msg("byte %zu of a range of %zu at %zu", i, size_bytes, begin);
}

/* Ranges that begin at the first byte of the room, or end at the last one: guard pages lie beyond. */
static void copy_case(const struct nv_cpu *cpu, char *room, char *source_room, size_t size_bytes, size_t shift,
                      int at_end)
{
    char *at = at_end ? room + ROOM - size_bytes - shift : room + shift;
    for (size_t from = 0; from < 16; from += 5) {
        char *source = at_end ? source_room + ROOM - size_bytes - from : source_room + from;
        for (size_t i = 0; i < size_bytes; i++)
            source[i] = (char)pattern(i);
        memset(room, 0xEE, ROOM);
        cpu->copy(at, source, size_bytes);
        cpu->fence();
        expect(room, at, size_bytes, -1);
    }
}

static void copies(const struct nv_cpu *cpu)
{
    char *room = guarded_make(ROOM);
    char *source = guarded_make(ROOM);
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step())
        for (size_t shift = 0; shift < LINE; shift++)
            for (int at_end = 0; at_end < 2; at_end++)
                copy_case(cpu, room, source, size_bytes, shift, at_end);
    guarded_end(source, ROOM);
    guarded_end(room, ROOM);
}

static void fills(const struct nv_cpu *cpu)
{
    char *room = guarded_make(ROOM);
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step())
        for (size_t shift = 0; shift < LINE; shift++)
            for (int value = 0; value < 256; value += 0x5A * 2) {
                memset(room, 0xEE, ROOM);
                cpu->fill(room + shift, (uint8_t)value, size_bytes);
                cpu->fence();
                expect(room, room + shift, size_bytes, value);
                memset(room, 0xEE, ROOM);
                cpu->fill(room + ROOM - size_bytes - shift, (uint8_t)value, size_bytes);
                expect(room, room + ROOM - size_bytes - shift, size_bytes, value);
            }
    guarded_end(room, ROOM);
}

/* Large fills, with zero above all, for which some CPUs have an instruction. */
static void large_fills(const struct nv_cpu *cpu)
{
    char *room = guarded_make(ROOM);
    for (size_t size_bytes = 2000; size_bytes <= ROOM; size_bytes += size_bytes < 2300 ? 7 : 1501)
        for (size_t shift = 0; shift < LINE && shift + size_bytes <= ROOM; shift += 9)
            for (int value = 0; value < 256; value += 255) {
                memset(room, 0xEE, ROOM);
                cpu->fill(room + shift, (uint8_t)value, size_bytes);
                expect(room, room + shift, size_bytes, value);
                memset(room, 0xEE, ROOM);
                cpu->fill(room + ROOM - size_bytes - shift, (uint8_t)value, size_bytes);
                expect(room, room + ROOM - size_bytes - shift, size_bytes, value);
            }
    memset(room, 0xEE, ROOM);
    cpu->fill(room, 0, ROOM);
    expect(room, room, ROOM, 0);
    guarded_end(room, ROOM);
}

/* Both directions, each size, each distance; where the destination lies in its line goes along with them. */
static void overlaps(const struct nv_cpu *cpu)
{
    enum { REACH = 320 };
    char room[4 * REACH] __attribute__((aligned(LINE)));
    char moved[sizeof(room)];
    for (int distance = -REACH; distance <= REACH; distance++)
        for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step()) {
            size_t from = REACH + (size_bytes * 5 + (size_t)(distance + REACH) / 7) % LINE;
            for (size_t i = 0; i < sizeof(room); i++)
                moved[i] = room[i] = (char)pattern(i);
            memmove(moved + from + distance, moved + from, size_bytes);
            cpu->copy(room + from + distance, room + from, size_bytes);
            assert_memory_equal(room, moved, sizeof(room));
        }
}

static void large_copies(const struct nv_cpu *cpu)
{
    enum { SIZE = 1 << 20 };
    char *memory = guarded_make(2 * SIZE);
    for (size_t i = 0; i < SIZE; i++)
        memory[i] = (char)pattern(i);
    cpu->copy(memory + SIZE, memory, SIZE);
    assert_memory_equal(memory + SIZE, memory, SIZE);
    cpu->copy(memory + SIZE + 3, memory + 1, SIZE - 5);
    assert_memory_equal(memory + SIZE + 3, memory + 1, SIZE - 5);
    guarded_end(memory, 2 * SIZE);
}

/* Writing back lines changes nothing and reaches no neighbouring page. */
static void write_backs(const struct nv_cpu *cpu)
{
    if (!cpu->write_back)
        return;
    NV_MEMORY_RANGE ranges[100];
    char *room = guarded_make(ROOM);
    memset(room, 0x11, ROOM);
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step()) {
        cpu->write_back(room, size_bytes);
        cpu->write_back(room + ROOM - size_bytes, size_bytes);
    }
    for (size_t i = 0; i < 100; i++)
        ranges[i] = (NV_MEMORY_RANGE){room + i * (ROOM - 255) / 100, i * 7 % 255};
    ranges[99] = (NV_MEMORY_RANGE){room + ROOM - 1, 1};
    cpu->write_back_ranges(ranges, 100);
    cpu->write_back_ranges(ranges, 0);
    cpu->write_back(room, ROOM);
    cpu->write_back(room + ROOM, 0); /* the guard page */
    cpu->fence();
    for (size_t i = 0; i < ROOM; i++)
        assert_int_equal(room[i], 0x11);
    guarded_end(room, ROOM);
}

#define TEST_EACH(kernels_test)                                                                                        \
    static void each_##kernels_test(void **state)                                                                      \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        for_each_kernel(kernels_test);                                                                                 \
    }

TEST_EACH(copies)
TEST_EACH(fills)
TEST_EACH(large_fills)
TEST_EACH(overlaps)
TEST_EACH(large_copies)
TEST_EACH(write_backs)

static const struct nv_cpu *forced_by(const char *name)
{
    const struct fake_file environment[] = {{"NVRTL_CPU", name}, {NULL, NULL}};
    system_begin();
    system_now.environment = environment;
    nv_cpu_choose();
    system_end();
    return nv_cpu;
}

/* NVRTL_CPU forces any supported kernel; an unknown or unsupported name changes nothing. */
static void forced(void **state)
{
    (void)state;
    const struct nv_cpu *best = forced_by(NULL);
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++)
        assert_ptr_equal(forced_by((*cpu)->name), (*cpu)->supported() ? *cpu : best);
    assert_ptr_equal(forced_by("no such kernel"), best);
    assert_ptr_equal(forced_by(NULL), best);
}

/* The first that is supported and promises what it does; every CPU has one, if only generic. */
static void chosen(void **state)
{
    (void)state;
    const struct nv_cpu *best = forced_by(NULL);
    assert_true(best->supported());
    assert_null(best->only_forced);
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu != best; cpu++)
        assert_true((*cpu)->only_forced || !(*cpu)->supported());
    print_message("kernel in force: %s\n", best->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_copies),
        cmocka_unit_test(each_fills),
        cmocka_unit_test(each_large_fills),
        cmocka_unit_test(each_overlaps),
        cmocka_unit_test(each_large_copies),
        cmocka_unit_test(each_write_backs),
        cmocka_unit_test(forced),
        cmocka_unit_test(chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
