/* SPDX-License-Identifier: MIT */
/*
 * Writes, fills and flushes through a token, by every kernel that this CPU supports: each size, each alignment, up to
 * the last byte of a mapping with guard pages before and behind it, from there and from elsewhere.
 */
#include "src/cpu/cpu.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZES 301
#define LINE 64
#define ROOM (2 * PAGE)
#define UNTOUCHED 0xEE

static char *room;   /* of the token; a file's mapping between guard pages */
static char *source; /* private memory between guard pages */
static PVOID token;
static unsigned char wanted[ROOM];

static void map_room(void)
{
    struct file_map map = file_map_make(NULL, ROOM);
    room = guarded_make(ROOM);
    assert_ptr_equal(mmap(room, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map.descriptor, 0), room);
    file_map_end(&map);
    source = guarded_make(ROOM);
}

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 167 + 13);
}

/* Of the flags, those that make a difference to the kernel: flushed and not drained, and durable at once. */
static ULONG flags_for(size_t number)
{
    static const ULONG flags[] = {WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN,
                                  0,
                                  WRITE_NV_MEMORY_FLAG_NON_TEMPORAL | WRITE_NV_MEMORY_FLAG_NO_DRAIN,
                                  WRITE_NV_MEMORY_FLAG_FLUSH,
                                  WRITE_NV_MEMORY_FLAG_PERSIST,
                                  WRITE_NV_MEMORY_FLAG_NON_TEMPORAL};
    return flags[number % (nv_cpu->write_back ? 6 : 2)]; /* a drain by msync takes its time */
}

static size_t step(void)
{
    return emulated() ? 5 : 1;
}

static void expect(const char *at, size_t size_bytes)
{
    if (memcmp(room, wanted, ROOM) != 0)
        fail_msg("%s: %zu bytes at %zu", nv_cpu->name, size_bytes, (size_t)(at - room));
}

static void write_case(char *at, const char *from, size_t size_bytes, size_t number)
{
    memset(room, UNTOUCHED, ROOM);
    memset(wanted, UNTOUCHED, ROOM);
    memcpy(wanted + (at - room), from, size_bytes);
    assert_status(RtlWriteNonVolatileMemory(token, at, from, size_bytes, flags_for(number)), STATUS_SUCCESS);
    assert_status(RtlFlushNonVolatileMemory(token, at, size_bytes, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN), STATUS_SUCCESS);
    expect(at, size_bytes);
}

/* Both begin or both end at a guard page, or the one does and the other. */
static void writes(void)
{
    for (size_t i = 0; i < ROOM; i++)
        source[i] = (char)pattern(i);
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step())
        for (size_t shift = 0; shift < LINE; shift++) {
            size_t other = (shift * 11 + size_bytes) % LINE;
            char *low = room + shift, *high = room + ROOM - size_bytes - shift;
            write_case(low, source + other, size_bytes, shift);
            write_case(low, source + ROOM - size_bytes, size_bytes, shift + 1);
            write_case(high, source + ROOM - size_bytes - other, size_bytes, shift + 2);
            write_case(high, source, size_bytes, shift + 3);
        }
}

static void fills(void)
{
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step())
        for (size_t shift = 0; shift < LINE; shift++)
            for (int at_end = 0; at_end < 2; at_end++) {
                char *at = at_end ? room + ROOM - size_bytes - shift : room + shift;
                UCHAR value = shift % 2 ? 0 : 0x5A;
                memset(room, UNTOUCHED, ROOM);
                memset(wanted, UNTOUCHED, ROOM);
                memset(wanted + (at - room), value, size_bytes);
                assert_status(RtlFillNonVolatileMemory(token, at, size_bytes, value, flags_for(shift / 2)),
                              STATUS_SUCCESS);
                expect(at, size_bytes);
            }
}

/* The source lies in the token's region, too: before, behind, and over the destination, by every distance. */
static void moves(void)
{
    for (size_t size_bytes = 0; size_bytes < SIZES; size_bytes += step())
        for (ptrdiff_t distance = -320; distance <= 320; distance += 1 + size_bytes % 3) {
            size_t number = size_bytes + (size_t)(distance + 320);
            size_t from = number % 2 ? 320 + number / 2 % LINE : ROOM - 320 - size_bytes - number / 2 % LINE;
            for (size_t i = from - 320; i < from + size_bytes + 320; i++)
                wanted[i] = (unsigned char)(room[i] = (char)pattern(i));
            memmove(wanted + from + distance, wanted + from, size_bytes);
            char *to = room + from + distance;
            assert_status(RtlWriteNonVolatileMemory(token, to, room + from, size_bytes, flags_for(number / 3)),
                          STATUS_SUCCESS);
            if (memcmp(room + from - 320, wanted + from - 320, size_bytes + 640) != 0)
                fail_msg("%s: %zu bytes at %zu by %td", nv_cpu->name, size_bytes, from, distance);
        }
}

/* The whole region, and nothing beside it. */
static void all_of_it(void)
{
    NV_MEMORY_RANGE ends[] = {{room, 1}, {room + ROOM - 1, 1}, {room, ROOM}, {room + ROOM, 0}};
    for (size_t i = 0; i < ROOM; i++)
        source[i] = (char)pattern(i);
    write_case(room, source, ROOM, 0);
    assert_status(RtlFillNonVolatileMemory(token, room, ROOM, 0, WRITE_NV_MEMORY_FLAG_PERSIST), STATUS_SUCCESS);
    assert_status(RtlFlushNonVolatileMemory(token, room, ROOM, 0), STATUS_SUCCESS);
    assert_status(RtlFlushNonVolatileMemoryRanges(token, ends, 4, 0), STATUS_SUCCESS);
    assert_status(RtlWriteNonVolatileMemory(token, room + 1, source, ROOM, WRITE_NV_MEMORY_FLAG_PERSIST),
                  STATUS_INVALID_PARAMETER);
    memset(wanted, 0, ROOM);
    expect(room, ROOM);
}

/* With each kernel, memory that is taken for persistent: so the kernel is what stores to it. */
static void for_each_kernel(void (*test)(void))
{
    const struct fake_file environment[] = {{"NVRTL_DOMAIN", "cpu-cache"}, {NULL, NULL}};
    const struct nv_cpu *before = nv_cpu;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        if (!(*cpu)->supported())
            continue;
        nv_cpu = *cpu;
        system_begin();
        system_now.environment = environment;
        assert_status(RtlGetNonVolatileToken(room, ROOM, &token), STATUS_SUCCESS);
        system_end();
        test();
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        print_message("kernel tested: %s\n", nv_cpu->name);
    }
    nv_cpu = before;
}

#define TEST_EACH(kernels_test)                                                                                        \
    static void each_##kernels_test(void **state)                                                                      \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        for_each_kernel(kernels_test);                                                                                 \
    }

TEST_EACH(writes)
TEST_EACH(fills)
TEST_EACH(moves)
TEST_EACH(all_of_it)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_writes),
        cmocka_unit_test(each_fills),
        cmocka_unit_test(each_moves),
        cmocka_unit_test(each_all_of_it),
    };
    map_room();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
