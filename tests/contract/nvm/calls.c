/* SPDX-License-Identifier: MIT */
/*
 * Every other function of the memory plane: statuses, misuse of tokens, ranges and flags, and what is left untouched.
 */
#include "tests/support/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (16 * PAGE)
#define BEGIN (2 * PAGE)
#define LENGTH (4 * PAGE)

static struct file_map map;
static PVOID token; /* for [BEGIN, BEGIN + LENGTH) of the map */

/* Every function that takes a token, with arguments that are good for the live one. */
static void expect_every_call(PVOID value, NTSTATUS expected)
{
    char *at = map.base + BEGIN;
    NV_MEMORY_RANGE range = {at, 8};
    NVRTL_TOKEN_INFORMATION information;
    assert_status(RtlFlushNonVolatileMemory(value, at, 8, 0), expected);
    assert_status(RtlFlushNonVolatileMemory(value, at, 0, 0), expected);
    assert_status(RtlFlushNonVolatileMemoryRanges(value, &range, 1, 0), expected);
    assert_status(RtlFlushNonVolatileMemoryRanges(value, NULL, 0, 0), expected);
    assert_status(RtlDrainNonVolatileFlush(value), expected);
    assert_status(RtlWriteNonVolatileMemory(value, at, "12345678", 8, WRITE_NV_MEMORY_FLAG_PERSIST), expected);
    assert_status(RtlWriteNonVolatileMemory(value, at, "12345678", 8, 0), expected);
    assert_status(RtlFillNonVolatileMemory(value, at, 8, 'x', FILL_NV_MEMORY_FLAG_FLUSH), expected);
    if (value == DEFAULT_TOKEN)
        return;
    assert_status(NvrtlQueryToken(value, &information, sizeof(information)), expected);
    assert_status(NvrtlForgetFailure(value), expected);
}

static void live_token(void **state)
{
    (void)state;
    expect_every_call(token, STATUS_SUCCESS);
}

static void default_token_in_every_function(void **state)
{
    (void)state;
    NVRTL_TOKEN_INFORMATION information;
    expect_every_call(DEFAULT_TOKEN, STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(DEFAULT_TOKEN), STATUS_INVALID_PARAMETER);
    assert_status(NvrtlQueryToken(DEFAULT_TOKEN, &information, sizeof(information)), STATUS_INVALID_PARAMETER);
    assert_status(NvrtlForgetFailure(DEFAULT_TOKEN), STATUS_INVALID_PARAMETER);
}

static void garbage_tokens(void **state)
{
    (void)state;
    const uintptr_t values[] = {0,
                                1,
                                (uintptr_t)&values,
                                (uintptr_t)map.base,
                                (uintptr_t)token ^ 1,
                                (uintptr_t)token ^ (uintptr_t)1 << 24,
                                (uintptr_t)token ^ (uintptr_t)1 << 63,
                                (uintptr_t)-2,
                                0xA7000000FFFFFFFF,
                                0xA7FFFFFFFFFFFFFF};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        expect_every_call((PVOID)values[i], STATUS_INVALID_PARAMETER);
        assert_status(RtlFreeNonVolatileToken((PVOID)values[i]), STATUS_INVALID_PARAMETER);
    }
}

static void freed_twice(void **state)
{
    (void)state;
    PVOID freed, next;
    assert_status(RtlGetNonVolatileToken(map.base, SIZE, &freed), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(freed), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(freed), STATUS_INVALID_PARAMETER);
    expect_every_call(freed, STATUS_INVALID_PARAMETER);
    assert_status(RtlGetNonVolatileToken(map.base, SIZE, &next), STATUS_SUCCESS);
    assert_ptr_not_equal(freed, next); /* though its slot is in use again */
    expect_every_call(freed, STATUS_INVALID_PARAMETER);
    assert_status(RtlFreeNonVolatileToken(freed), STATUS_INVALID_PARAMETER);
    assert_status(RtlFreeNonVolatileToken(next), STATUS_SUCCESS);
}

/* Ranges that stick out of the token, by one byte or by wrapping around. Nothing is written. */
static void outside_its_token(void **state)
{
    (void)state;
    static char source[SIZE];
    static char before[SIZE];
    memset(source, 'Z', sizeof(source));
    memcpy(before, map.base, SIZE);
    const struct {
        char *at;
        size_t size_bytes;
    } ranges[] = {
        {map.base + BEGIN - 1, 1},        {map.base + BEGIN - 1, LENGTH},     {map.base + BEGIN, LENGTH + 1},
        {map.base + BEGIN + LENGTH, 1},   {map.base + BEGIN + LENGTH - 8, 9}, {map.base, SIZE},
        {map.base + BEGIN + 1, SIZE_MAX}, {map.base + BEGIN, SIZE_MAX - 5},   {NULL, 1},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        NV_MEMORY_RANGE list[] = {{map.base + BEGIN, 8}, {ranges[i].at, ranges[i].size_bytes}};
        assert_status(RtlFlushNonVolatileMemory(token, ranges[i].at, ranges[i].size_bytes, 0),
                      STATUS_INVALID_PARAMETER);
        assert_status(RtlFlushNonVolatileMemoryRanges(token, list, 2, 0), STATUS_INVALID_PARAMETER);
        for (ULONG flags = 0; flags < 4; flags++) {
            assert_status(RtlWriteNonVolatileMemory(token, ranges[i].at, source, ranges[i].size_bytes, flags),
                          STATUS_INVALID_PARAMETER);
            assert_status(RtlFillNonVolatileMemory(token, ranges[i].at, ranges[i].size_bytes, 'Z', flags),
                          STATUS_INVALID_PARAMETER);
        }
    }
    assert_memory_equal(map.base, before, SIZE);
}

static void unknown_flags(void **state)
{
    (void)state;
    char *at = map.base + BEGIN;
    NV_MEMORY_RANGE range = {at, 8};
    memset(at, 'k', 8);
    for (int bit = 0; bit < 32; bit++) {
        ULONG flag = (ULONG)1 << bit;
        NTSTATUS flush = flag & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
        NTSTATUS write = flag & 0x103 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
        assert_status(RtlFlushNonVolatileMemory(token, at, 8, flag), flush);
        assert_status(RtlFlushNonVolatileMemoryRanges(token, &range, 1, flag), flush);
        assert_status(RtlFlushNonVolatileMemoryRanges(DEFAULT_TOKEN, &range, 1, flag), flush);
        assert_status(RtlWriteNonVolatileMemory(token, at, NT_SUCCESS(write) ? "kkkkkkkk" : "XXXXXXXX", 8, flag),
                      write);
        assert_status(RtlFillNonVolatileMemory(token, at, 8, NT_SUCCESS(write) ? 'k' : 'X', flag), write);
        assert_status(RtlWriteNonVolatileMemory(DEFAULT_TOKEN, at, "kkkkkkkk", 8, flag), write);
    }
    assert_memory_equal(at, "kkkkkkkk", 8);
    assert_status(RtlDrainNonVolatileFlush(DEFAULT_TOKEN), STATUS_SUCCESS);
}

static void zero_sizes(void **state)
{
    (void)state;
    NV_MEMORY_RANGE empty = {(void *)1, 0};
    PVOID tokens[] = {token, DEFAULT_TOKEN};
    for (int i = 0; i < 2; i++)
        for (ULONG flags = 0; flags < 2; flags++) {
            assert_status(RtlFlushNonVolatileMemory(tokens[i], NULL, 0, flags), STATUS_SUCCESS);
            assert_status(RtlFlushNonVolatileMemory(tokens[i], (void *)1, 0, flags), STATUS_SUCCESS);
            assert_status(RtlFlushNonVolatileMemoryRanges(tokens[i], NULL, 0, flags), STATUS_SUCCESS);
            assert_status(RtlFlushNonVolatileMemoryRanges(tokens[i], &empty, 1, flags), STATUS_SUCCESS);
            assert_status(RtlWriteNonVolatileMemory(tokens[i], NULL, NULL, 0, flags), STATUS_SUCCESS);
            assert_status(RtlFillNonVolatileMemory(tokens[i], NULL, 0, 1, flags), STATUS_SUCCESS);
        }
}

static void null_pointers(void **state)
{
    (void)state;
    PVOID tokens[] = {token, DEFAULT_TOKEN};
    for (int i = 0; i < 2; i++) {
        assert_status(RtlFlushNonVolatileMemoryRanges(tokens[i], NULL, 1, 0), STATUS_INVALID_PARAMETER);
        assert_status(RtlWriteNonVolatileMemory(tokens[i], map.base + BEGIN, NULL, 1, 0), STATUS_INVALID_PARAMETER);
        assert_status(RtlWriteNonVolatileMemory(tokens[i], NULL, "x", 1, 0), STATUS_INVALID_PARAMETER);
        assert_status(RtlFillNonVolatileMemory(tokens[i], NULL, 1, 0, 0), STATUS_INVALID_PARAMETER);
        assert_status(RtlFlushNonVolatileMemory(tokens[i], NULL, 1, 0), STATUS_INVALID_PARAMETER);
    }
}

/* The default token refuses what RtlGetNonVolatileToken refuses, with the one status that these functions document. */
static void default_token_on_wrong_memory(void **state)
{
    (void)state;
    char on_stack[8] = "abcdefg";
    char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, map.descriptor, 0);
    NV_MEMORY_RANGE ranges[] = {{map.base + BEGIN, 8}, {on_stack, 8}};
    assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, on_stack, 8, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, read_only, 8, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, (void *)PAGE, 8, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFlushNonVolatileMemoryRanges(DEFAULT_TOKEN, ranges, 2, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlWriteNonVolatileMemory(DEFAULT_TOKEN, on_stack, "XXXXXXX", 8, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFillNonVolatileMemory(DEFAULT_TOKEN, on_stack, 8, 'X', 0), STATUS_INVALID_PARAMETER);
    assert_string_equal(on_stack, "abcdefg");
    munmap(read_only, PAGE);
}

/* More flushes without drain than a thread keeps. */
static void default_token_keeps_many(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++)
            assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, map.base + (i % 16) * PAGE, 64, 1), STATUS_SUCCESS);
        assert_status(RtlDrainNonVolatileFlush(DEFAULT_TOKEN), STATUS_SUCCESS);
        assert_status(RtlDrainNonVolatileFlush(DEFAULT_TOKEN), STATUS_SUCCESS);
    }
}

static void overlapping_write(void **state)
{
    (void)state;
    char *at = map.base + BEGIN;
    char wanted[600];
    for (ULONG flags = 0; flags < 4; flags++)
        for (int distance = -70; distance <= 70; distance += 7) {
            for (int i = 0; i < 600; i++)
                wanted[i] = at[i] = (char)(i * 31);
            memmove(wanted + 100 + distance, wanted + 100, 300);
            assert_status(RtlWriteNonVolatileMemory(token, at + 100 + distance, at + 100, 300, flags), STATUS_SUCCESS);
            assert_memory_equal(at, wanted, 600);
        }
}

/* Sizes and alignments through the public functions, with all flags; the bytes around are untouched. */
static void sizes_and_alignments(void **state)
{
    (void)state;
    static const ULONG flags[] = {0, 1, 2, 3, 0x100, 0x101, 0x102, 0x103};
    char source[300];
    char *at = map.base + BEGIN;
    for (size_t i = 0; i < sizeof(source); i++)
        source[i] = (char)(i * 7 + 1);
    for (size_t size_bytes = 0; size_bytes < 300; size_bytes = size_bytes * 5 / 4 + 1)
        for (size_t shift = 0; shift < 64; shift += 5)
            for (int f = 0; f < 8; f += 1) {
                PVOID by = size_bytes % 16 == 3 && shift == 15 ? DEFAULT_TOKEN : token;
                memset(at, 0x77, 512);
                assert_status(RtlWriteNonVolatileMemory(by, at + 64 + shift, source, size_bytes, flags[f] & ~1u),
                              STATUS_SUCCESS);
                assert_memory_equal(at + 64 + shift, source, size_bytes);
                assert_int_equal(at[63 + shift], 0x77);
                assert_int_equal(at[64 + shift + size_bytes], 0x77);
                if (shift % 15 != 0)
                    continue;
                assert_status(RtlFillNonVolatileMemory(by, at + 64 + shift, size_bytes, 0xFE, flags[f] & ~2u),
                              STATUS_SUCCESS);
                for (size_t i = 0; i < size_bytes; i++)
                    assert_int_equal((unsigned char)at[64 + shift + i], 0xFE);
                assert_int_equal(at[64 + shift + size_bytes], 0x77);
            }
}

static void query(void **state)
{
    (void)state;
    NVRTL_TOKEN_INFORMATION information;
    assert_status(NvrtlQueryToken(token, NULL, sizeof(information)), STATUS_INVALID_PARAMETER);
    assert_status(NvrtlQueryToken(token, &information, sizeof(information) - 1), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NvrtlQueryToken(token, &information, 0), STATUS_INFO_LENGTH_MISMATCH);
    assert_status(NvrtlQueryToken(token, &information, sizeof(information)), STATUS_SUCCESS);
    assert_ptr_equal(information.BaseAddress, map.base + BEGIN);
    assert_int_equal(information.Length, LENGTH);
    assert_false(information.Verified);
    const char *forced = getenv("NVRTL_DOMAIN");
    assert_int_equal(information.Forced, forced != NULL);
    if (forced && strcmp(forced, "cpu-cache") == 0 && strcmp(information.WriteBack, "msync") == 0)
        forced = "page-cache"; /* what remains where the CPU writes no lines back */
    if (forced)
        assert_string_equal(NvrtlDomainName(information.Domain), forced);
    const char *cpu = getenv("NVRTL_CPU");
    if (cpu && strcmp(cpu, "generic") == 0)
        assert_int_not_equal(information.Domain, NvrtlDomainCpuCache);
    assert_true(information.Reason[0] && information.WriteBack[0]);
    print_message("%s (%s): %s\n", NvrtlDomainName(information.Domain), information.WriteBack, information.Reason);
}

/* Closing any descriptor of a file drops the program's fcntl locks on it: a token must not have one to close. */
static void file_locks_survive(void **state)
{
    (void)state;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    PVOID other;
    assert_int_equal(fcntl(map.descriptor, F_SETLK, &lock), 0);
    assert_status(RtlGetNonVolatileToken(map.base, SIZE, &other), STATUS_SUCCESS);
    expect_every_call(other, STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(other), STATUS_SUCCESS);
    expect_every_call(DEFAULT_TOKEN, STATUS_SUCCESS);
    pid_t child = fork();
    if (child == 0) {
        struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        _exit(fcntl(map.descriptor, F_GETLK, &probe) == 0 && probe.l_type == F_WRLCK ? 0 : 1);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
}

/* The program unmaps a token's memory: it is told so by page-cache, where that is known, and can free the token. */
static void unmapped_under_a_token(void **state)
{
    (void)state;
    struct file_map other = file_map_make(NULL, 4 * PAGE);
    NVRTL_TOKEN_INFORMATION information;
    PVOID gone, again;
    assert_status(RtlGetNonVolatileToken(other.base, 4 * PAGE, &gone), STATUS_SUCCESS);
    assert_status(NvrtlQueryToken(gone, &information, sizeof(information)), STATUS_SUCCESS);
    munmap(other.base, 4 * PAGE);
    if (strcmp(information.WriteBack, "msync") == 0)
        for (int i = 0; i < 2; i++)
            assert_status(RtlFlushNonVolatileMemory(gone, other.base, 8, 0), STATUS_INVALID_PARAMETER);
    other.base = mmap(other.base, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other.descriptor, 0);
    assert_status(RtlGetNonVolatileToken(other.base, 4 * PAGE, &again), STATUS_SUCCESS); /* the file has not failed */
    assert_status(RtlFlushNonVolatileMemory(again, other.base, 8, 0), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(again), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(gone), STATUS_SUCCESS);
    file_map_end(&other);
}

static void verifier_calls(void **state)
{
    (void)state;
    NvrtlIgnore(map.base, 8);
    NvrtlIgnore(NULL, 0);
    NvrtlMark("a mark");
    NvrtlMark(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_token),
        cmocka_unit_test(default_token_in_every_function),
        cmocka_unit_test(garbage_tokens),
        cmocka_unit_test(freed_twice),
        cmocka_unit_test(outside_its_token),
        cmocka_unit_test(unknown_flags),
        cmocka_unit_test(zero_sizes),
        cmocka_unit_test(null_pointers),
        cmocka_unit_test(default_token_on_wrong_memory),
        cmocka_unit_test(default_token_keeps_many),
        cmocka_unit_test(overlapping_write),
        cmocka_unit_test(sizes_and_alignments),
        cmocka_unit_test(query),
        cmocka_unit_test(file_locks_survive),
        cmocka_unit_test(unmapped_under_a_token),
        cmocka_unit_test(verifier_calls),
    };
    map = file_map_make(NULL, SIZE);
    if (RtlGetNonVolatileToken(map.base + BEGIN, LENGTH, &token) != STATUS_SUCCESS)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    failed |= RtlFreeNonVolatileToken(token) != STATUS_SUCCESS;
    file_map_end(&map);
    return failed;
}
