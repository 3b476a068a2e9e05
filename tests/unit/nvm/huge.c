/* SPDX-License-Identifier: MIT */
/*
 * Ranges of more than 4 GiB, by every kernel that this CPU supports: a size that is cut to 32 bits anywhere shows.
 *
 * The memory is small: one piece of a file, mapped over and over, and behind it another one, which only a whole size
 * reaches.
 */
#include "src/cpu/cpu.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"
#include "tests/unit/cpu/watch.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE ((size_t)2 << 20)
#define BEFORE ((size_t)1 << 32) /* the last piece: 4 GiB */
#define SIZE (BEFORE + PIECE)
#define BEYOND ((size_t)24) /* bytes of it that are stored to: not a whole line, by whole words */

static char *memory; /* of the token */
static char *source;
static PVOID token;

/* A guard page lies behind. */
static char *huge_make(void)
{
    int descriptor = memfd_create("huge", MFD_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_int_equal(ftruncate(descriptor, 2 * PIECE), 0);
    char *base = mmap(NULL, SIZE + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(base != MAP_FAILED);
    for (size_t at = 0; at < SIZE; at += PIECE)
        assert_true(mmap(base + at, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, descriptor,
                         at == BEFORE ? (off_t)PIECE : 0) != MAP_FAILED);
    close(descriptor);
    return base;
}

static void take_token(const char *domain)
{
    const struct fake_file environment[] = {{"NVRTL_DOMAIN", domain}, {NULL, NULL}};
    system_begin();
    system_now.environment = environment;
    assert_status(RtlGetNonVolatileToken(memory, SIZE, &token), STATUS_SUCCESS);
    system_end();
}

/* All bytes are the value. */
static bool is_all(const char *at, size_t size_bytes, char value)
{
    return at[0] == value && memcmp(at, at + 1, size_bytes - 1) == 0;
}

static void expect(char value)
{
    assert_true(is_all(memory, PIECE, value));
    assert_true(is_all(memory + BEFORE, BEYOND, value));
    assert_true(is_all(memory + BEFORE + BEYOND, PIECE - BEYOND, 0));
}

/* Written and filled up to just beyond 4 GiB. */
static void stores(void)
{
    memset(memory, 0, PIECE);
    memset(memory + BEFORE, 0, PIECE);
    assert_status(RtlFillNonVolatileMemory(token, memory, BEFORE + BEYOND, 0x5A, FILL_NV_MEMORY_FLAG_PERSIST),
                  STATUS_SUCCESS);
    expect(0x5A);
    assert_status(RtlWriteNonVolatileMemory(token, memory, source, BEFORE + BEYOND, WRITE_NV_MEMORY_FLAG_PERSIST),
                  STATUS_SUCCESS);
    expect(0x33);
    assert_status(RtlFillNonVolatileMemory(token, memory, BEFORE + BEYOND, 0, FILL_NV_MEMORY_FLAG_PERSIST),
                  STATUS_SUCCESS);
    assert_true(is_all(memory, PIECE, 0) && is_all(memory + BEFORE, PIECE, 0));
}

static void each_stores(void **state)
{
    (void)state;
    const struct nv_cpu *before = nv_cpu;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        if (!(*cpu)->supported() || !(*cpu)->write_back)
            continue;
        nv_cpu = *cpu;
        take_token("cpu-cache");
        stores();
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        print_message("kernel tested: %s\n", nv_cpu->name);
    }
    nv_cpu = before;
}

/* Lines are written back to the very end: the guard page behind it is a signal. */
static sigjmp_buf at_guard;
static void *guard;

static void on_guard(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    (void)context;
    guard = information->si_addr;
    siglongjmp(at_guard, 1);
}

/* Where it ends that the kernel writes lines back, from one byte too many. */
static void *end_of_write_back(const struct nv_cpu *cpu, bool by_range)
{
    struct sigaction action = {.sa_sigaction = on_guard, .sa_flags = SA_SIGINFO};
    NV_MEMORY_RANGE range = {memory, SIZE + 1};
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    guard = NULL;
    if (sigsetjmp(at_guard, 1) != 0)
        return guard;
    if (by_range)
        cpu->write_back_ranges(&range, 1);
    else
        cpu->write_back(memory, SIZE + 1);
    return NULL;
}

static void each_write_backs(void **state)
{
    (void)state;
    watched = memory;
    for (const struct nv_cpu *const *cpu = nv_cpu_list; *cpu; cpu++) {
        watch_signals();
        if (!(*cpu)->supported() || !watch_sees(*cpu))
            continue;
        assert_ptr_equal(end_of_write_back(*cpu, false), memory + SIZE);
        assert_ptr_equal(end_of_write_back(*cpu, true), memory + SIZE);
    }
}

static size_t synced_bytes;

static void synced(void *start, size_t size_bytes)
{
    (void)start;
    synced_bytes += size_bytes;
}

/* Every byte is synced once; and the pages of a range that begins and ends within. */
static void page_cache(void **state)
{
    (void)state;
    take_token("page-cache");
    system_begin();
    system_now.no_disk = true;
    system_now.synced = synced;
    synced_bytes = 0;
    assert_status(RtlFlushNonVolatileMemory(token, memory, SIZE, 0), STATUS_SUCCESS);
    assert_int_equal(synced_bytes, SIZE);
    synced_bytes = 0;
    NV_MEMORY_RANGE range = {memory + 1, SIZE - 2};
    assert_status(RtlFlushNonVolatileMemoryRanges(token, &range, 1, 0), STATUS_SUCCESS);
    assert_int_equal(synced_bytes, SIZE);
    system_end();
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
}

/* A range that is too long by a multiple of 4 GiB is outside, and not cut. */
static void outside(void **state)
{
    (void)state;
    take_token("cpu-cache");
    assert_status(RtlFlushNonVolatileMemory(token, memory, SIZE + 1, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFlushNonVolatileMemory(token, memory + SIZE - 8, BEFORE + 8, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFillNonVolatileMemory(token, memory + SIZE - 8, BEFORE + 8, 1, 0), STATUS_INVALID_PARAMETER);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stores),
        cmocka_unit_test(each_write_backs),
        cmocka_unit_test(page_cache),
        cmocka_unit_test(outside),
    };
    if (emulated())
        skip_all("gigabytes of stores take an emulator minutes");
    memory = huge_make();
    source = huge_make();
    memset(source, 0x33, PIECE);
    memset(source + BEFORE, 0x33, PIECE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
