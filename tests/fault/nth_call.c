/* SPDX-License-Identifier: MIT */
/*
 * The Nth system call fails, once and for good, for every N, through the life of a token and calls with the default
 * token. Nothing is ever said to be durable that no msync has written, and nothing is left behind.
 */
#include "src/backing/backing.h"
#include "src/nvm/binding.h"
#include "src/nvm/token.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (64 * PAGE)

static struct file_map map;
static char written[SIZE]; /* what is on the device, and needs its flush */
static char durable[SIZE]; /* what was there when an msync succeeded */

static void write_range(uintptr_t low, uintptr_t high)
{
    size_t first = (low - (uintptr_t)map.base) / PAGE * PAGE;
    size_t end = (high - (uintptr_t)map.base + PAGE - 1) / PAGE * PAGE;
    memcpy(written + first, map.base + first, end - first);
}

static void pages_written(const struct nv_os_pages *pages)
{
    for (; pages; pages = pages->next)
        for (size_t i = 0; i < pages->count; i++)
            write_range(pages->ranges[i].low, pages->ranges[i].high);
}

static void synced(void *start, size_t size_bytes)
{
    write_range((uintptr_t)start, (uintptr_t)start + size_bytes);
    memcpy(durable, written, SIZE);
}

/* A success was claimed for the range: is it true? */
static void claimed(NTSTATUS status, size_t at, size_t size_bytes)
{
    if (status == STATUS_SUCCESS && memcmp(durable + at, map.base + at, size_bytes) != 0)
        fail_msg("call %ld failing: offset %zu was said to be durable, and is not", system_now.fail_at, at);
}

static void use_token(PVOID token, char mark)
{
    NV_MEMORY_RANGE ranges[] = {{map.base + 2 * PAGE, 8}, {map.base + 6 * PAGE, 8}};
    NV_MEMORY_RANGE scattered[] = {{map.base + 3 * PAGE, 8}, {map.base + 40 * PAGE, 8}, {map.base + 63 * PAGE, 8}};
    char text[16];
    memset(text, mark, sizeof(text));
    NTSTATUS status = RtlWriteNonVolatileMemory(token, map.base, text, 16, WRITE_NV_MEMORY_FLAG_PERSIST);
    claimed(status, 0, 16);
    map.base[PAGE] = mark;
    status = RtlFlushNonVolatileMemory(token, map.base + PAGE, 1, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    if (status == STATUS_SUCCESS) {
        status = RtlDrainNonVolatileFlush(token);
        claimed(status, PAGE, 1);
    }
    map.base[2 * PAGE] = map.base[6 * PAGE] = mark;
    status = RtlFlushNonVolatileMemoryRanges(token, ranges, 2, 0);
    claimed(status, 2 * PAGE, 8);
    claimed(status, 6 * PAGE, 8);
    map.base[3 * PAGE] = map.base[40 * PAGE] = map.base[63 * PAGE] = mark;
    status = RtlFlushNonVolatileMemoryRanges(token, scattered, 3, 0);
    claimed(status, 3 * PAGE, 8);
    claimed(status, 40 * PAGE, 8);
    claimed(status, 63 * PAGE, 8);
    status = RtlFillNonVolatileMemory(token, map.base + 7 * PAGE, 100, (UCHAR)mark, FILL_NV_MEMORY_FLAG_FLUSH);
    claimed(status, 7 * PAGE, 100);
}

/* Flushes without drain, of more ranges than a thread keeps; the drain tells of all. */
static void use_default_later(char mark)
{
    NTSTATUS first = STATUS_SUCCESS;
    for (size_t i = 0; i < 20; i++) {
        map.base[i * 400] = mark;
        NTSTATUS status = RtlFlushNonVolatileMemory(DEFAULT_TOKEN, map.base + i * 400, 1, 1);
        if (status != STATUS_SUCCESS)
            first = status;
    }
    NTSTATUS drained = RtlDrainNonVolatileFlush(DEFAULT_TOKEN);
    for (size_t i = 0; first == STATUS_SUCCESS && i < 20; i++)
        claimed(drained, i * 400, 1);
}

static void one_life(char mark)
{
    PVOID token;
    memset(map.base, 0, SIZE);
    memset(written, 0, SIZE);
    memset(durable, 0, SIZE);
    if (RtlGetNonVolatileToken(map.base, SIZE, &token) == STATUS_SUCCESS) {
        use_token(token, mark);
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    }
    use_token(DEFAULT_TOKEN, (char)(mark + 1));
    use_default_later((char)(mark + 2));
    (void)RtlDrainNonVolatileFlush(DEFAULT_TOKEN);
}

/* After a failure, with a system that works again: the file may still be failed, until it is forgotten. */
static void expect_nothing_left(void)
{
    PVOID token;
    system_now.fail_at = 0;
    assert_int_equal(system_now.open_now, 0);
    assert_int_equal(system_now.keepers_now, 0);
    assert_int_equal(nv_pool_count(&nv_token_pool), 0);
    assert_int_equal(nv_pool_count(&nv_binding_pool), 0);
    assert_status(RtlGetNonVolatileToken(map.base, SIZE, &token), STATUS_SUCCESS);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, SIZE, 0), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    assert_int_equal(nv_backing_count(), 0);
}

static void every_call_on(bool old_kernel, bool for_good, int error)
{
    long calls = 0, writes = 0;
    for (long n = 1;; n++) {
        system_begin();
        system_now.synced = synced;
        system_now.written = pages_written;
        system_now.no_disk = true;
        system_now.old_kernel = old_kernel;
        system_now.fail_at = n;
        system_now.for_good = for_good;
        system_now.error = error;
        one_life((char)('a' + n % 20));
        bool failed = system_now.failed > 0;
        writes += system_now.writes;
        expect_nothing_left();
        system_end();
        if (!failed)
            break;
        calls = n;
    }
    print_message("%ld calls, page by page %ld times\n", calls, writes);
    assert_true(calls > 50 && writes > 50);
}

static void every_call(bool for_good, int error)
{
    every_call_on(true, for_good, error);
    every_call_on(false, for_good, error);
}

static void once(void **state)
{
    (void)state;
    every_call(false, EIO);
    every_call(false, ENOMEM);
    every_call(false, EINTR);
}

static void for_good(void **state)
{
    (void)state;
    every_call(true, EIO);
    every_call(true, ENOMEM);
    every_call(true, EINTR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(once), cmocka_unit_test(for_good)};
    map = file_map_make(NULL, SIZE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
