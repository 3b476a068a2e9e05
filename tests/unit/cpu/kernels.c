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

typedef void kernel_test(const struct nv_cpu *cpu);

static void for_each_kernel(kernel_test *test)
{
    int tested = 0;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        if (!(*cpu)->supported())
            continue;
        test(*cpu);
        tested++;
    }
    assert_true(tested > 0);
}

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 167 + 13);
}

/* Every byte of [at, at + size) is the pattern, every other one is untouched. */
static void expect(const char *room, const char *at, size_t size_bytes, int value)
{
    size_t begin = (size_t)(at - room);
    for (size_t i = 0; i < ROOM; i++) {
        unsigned char wanted = 0xEE;
        if (i >= begin && i < begin + size_bytes)
            wanted = value < 0 ? pattern(i - begin) : (unsigned char)value;
        if ((unsigned char)room[i] != wanted)
            fail_msg("byte %zu of a range of %zu at %zu", i, size_bytes, begin);
    }
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
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += size_bytes < 140 ? 1 : 7)
        for (size_t shift = 0; shift < LINE; shift += size_bytes < 20 ? 1 : 3)
            for (int at_end = 0; at_end < 2; at_end++)
                copy_case(cpu, room, source, size_bytes, shift, at_end);
    guarded_end(source, ROOM);
    guarded_end(room, ROOM);
}

static void fills(const struct nv_cpu *cpu)
{
    char *room = guarded_make(ROOM);
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes++)
        for (size_t shift = 0; shift < LINE; shift += size_bytes < 20 ? 1 : 3) {
            memset(room, 0xEE, ROOM);
            cpu->fill(room + shift, 0x5A, size_bytes);
            cpu->fence();
            expect(room, room + shift, size_bytes, 0x5A);
            memset(room, 0xEE, ROOM);
            cpu->fill(room + ROOM - size_bytes - shift, 0xFF, size_bytes);
            expect(room, room + ROOM - size_bytes - shift, size_bytes, 0xFF);
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

static void overlaps(const struct nv_cpu *cpu)
{
    char room[1024];
    char wanted[1024];
    for (int distance = -130; distance <= 130; distance++)
        for (size_t size_bytes = 0; size_bytes < 260; size_bytes += 13) {
            for (size_t i = 0; i < sizeof(room); i++)
                wanted[i] = room[i] = (char)pattern(i);
            memmove(wanted + 300 + distance, wanted + 300, size_bytes);
            cpu->copy(room + 300 + distance, room + 300, size_bytes);
            assert_memory_equal(room, wanted, sizeof(room));
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
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes++) {
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

/* NVRTL_CPU forces any supported kernel; an unknown or unsupported name changes nothing. */
static void forced(void **state)
{
    (void)state;
    struct fake_file environment[] = {{"NVRTL_CPU", NULL}, {NULL, NULL}};
    system_begin();
    system_now.environment = environment;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        environment[0].text = (*cpu)->name;
        nv_cpu_choose();
        if ((*cpu)->supported())
            assert_ptr_equal(nv_cpu, *cpu);
        else
            assert_ptr_not_equal(nv_cpu, *cpu);
    }
    environment[0].text = "no such kernel";
    nv_cpu_choose();
    const struct nv_cpu *best = nv_cpu;
    environment[0].text = NULL;
    nv_cpu_choose();
    assert_ptr_equal(nv_cpu, best);
    system_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_copies),   cmocka_unit_test(each_fills),        cmocka_unit_test(each_large_fills),
        cmocka_unit_test(each_overlaps), cmocka_unit_test(each_large_copies), cmocka_unit_test(each_write_backs),
        cmocka_unit_test(forced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
