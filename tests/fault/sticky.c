/* SPDX-License-Identifier: MIT */
/*
 * A failed msync: the drain that met it fails, and so does every later flush and drain of that file, by any token,
 * until the program forgets it.
 */
#include "src/backing/backing.h"
#include "src/nvm/binding.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (64 * PAGE)

static struct file_map map;
static struct file_map other;

static PVOID token_for(struct file_map *file, size_t at, size_t size_bytes)
{
    PVOID token;
    assert_status(RtlGetNonVolatileToken(file->base + at, size_bytes, &token), STATUS_SUCCESS);
    return token;
}

static void fail_next_sync(int error)
{
    system_now.sync_error = error;
    system_now.sync_errors = 1;
}

static void expect_failing(PVOID token, char *at, NTSTATUS status)
{
    NV_MEMORY_RANGE range = {at, 8};
    assert_status(RtlFlushNonVolatileMemory(token, at, 8, 0), status);
    assert_status(RtlFlushNonVolatileMemory(token, at, 8, 1), status);
    assert_status(RtlFlushNonVolatileMemoryRanges(token, &range, 1, 0), status);
    assert_status(RtlDrainNonVolatileFlush(token), status);
    assert_status(RtlWriteNonVolatileMemory(token, at, "12345678", 8, WRITE_NV_MEMORY_FLAG_PERSIST), status);
    assert_status(RtlFillNonVolatileMemory(token, at, 8, 1, FILL_NV_MEMORY_FLAG_FLUSH), status);
    assert_status(RtlWriteNonVolatileMemory(token, at, "12345678", 8, 0), STATUS_SUCCESS); /* nothing is promised */
}

static void every_token_of_the_file(void **state)
{
    (void)state;
    const struct {
        int error;
        NTSTATUS status;
    } rows[] = {{EIO, STATUS_IO_DEVICE_ERROR},
                {ENOSPC, STATUS_DISK_FULL},
                {EDQUOT, STATUS_DISK_FULL},
                {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
                {EINVAL, STATUS_INVALID_DEVICE_REQUEST},
                {ENODEV, STATUS_VOLUME_DISMOUNTED},
                {ENOMEM, STATUS_INSUFFICIENT_RESOURCES}}; /* everything is mapped: the file system had no memory */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        system_begin();
        PVOID first = token_for(&map, 0, SIZE), second = token_for(&map, 4 * PAGE, PAGE),
              third = token_for(&other, 0, SIZE);
        fail_next_sync(rows[i].error);
        assert_status(RtlFlushNonVolatileMemory(first, map.base, 8, 0), rows[i].status);
        expect_failing(first, map.base, rows[i].status);
        expect_failing(second, map.base + 4 * PAGE, rows[i].status);
        assert_status(RtlFlushNonVolatileMemory(third, other.base, 8, 0), STATUS_SUCCESS);
        assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, map.base, 8, 0), rows[i].status);
        assert_status(RtlFreeNonVolatileToken(first), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(second), STATUS_SUCCESS);
        first = token_for(&map, PAGE, PAGE); /* the failure outlives the tokens */
        expect_failing(first, map.base + PAGE, rows[i].status);
        assert_status(NvrtlForgetFailure(first), STATUS_SUCCESS);
        assert_status(RtlFlushNonVolatileMemory(first, map.base + PAGE, 8, 0), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(first), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(third), STATUS_SUCCESS);
        assert_int_equal(nv_backing_count(), 0);
        system_end();
    }
}

/* A flush without drain, the failure in the drain. */
static void told_by_the_drain(void **state)
{
    (void)state;
    system_begin();
    PVOID token = token_for(&map, 0, SIZE);
    fail_next_sync(EIO);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 1), STATUS_SUCCESS);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_IO_DEVICE_ERROR);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_IO_DEVICE_ERROR);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    system_end();
}

/* The default token: the failure of a region that had to make room is told by the drain. */
static void told_by_the_default_drain(void **state)
{
    (void)state;
    system_begin();
    for (int i = 0; i < 16; i++)
        assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, map.base, 8, 1), STATUS_SUCCESS);
    fail_next_sync(EIO);
    assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, other.base, 8, 1), STATUS_SUCCESS);
    PVOID token = token_for(&map, 0, SIZE);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    assert_status(RtlDrainNonVolatileFlush(DEFAULT_TOKEN), STATUS_IO_DEVICE_ERROR);
    assert_status(RtlDrainNonVolatileFlush(DEFAULT_TOKEN), STATUS_SUCCESS);
    system_end();
}

/* Linux gives the error to one of two threads that sync at once; both are told. */
static atomic_int in_sync;
static atomic_bool both_know;

static void wait_in_sync(void *start, size_t size_bytes)
{
    (void)start;
    (void)size_bytes;
    atomic_fetch_add(&in_sync, 1);
    while (!atomic_load(&both_know)) /* the one that succeeds returns first */
        usleep(1000);
}

static void *flush_other_pages(void *token)
{
    return (void *)(intptr_t)RtlFlushNonVolatileMemory(token, map.base + 4 * PAGE, 8, 0);
}

static int slow_failing_sync(void *start, size_t size_bytes)
{
    if ((char *)start < map.base + 4 * PAGE) {
        atomic_store(&both_know, true); /* the other is in its msync; it will be back before this one */
        usleep(100000);
        return -EIO;
    }
    wait_in_sync(start, size_bytes);
    return 0;
}

static void told_to_all_at_once(void **state)
{
    (void)state;
    struct nv_os system = nv_os_linux;
    system.sync = slow_failing_sync;
    nv_os = &system;
    PVOID first = token_for(&map, 0, 4 * PAGE), second = token_for(&map, 4 * PAGE, 4 * PAGE);
    pthread_t thread;
    void *theirs;
    assert_int_equal(pthread_create(&thread, NULL, flush_other_pages, second), 0);
    while (!atomic_load(&in_sync))
        usleep(1000);
    assert_status(RtlFlushNonVolatileMemory(first, map.base, 8, 0), STATUS_IO_DEVICE_ERROR);
    pthread_join(thread, &theirs);
    assert_status((NTSTATUS)(intptr_t)theirs, STATUS_IO_DEVICE_ERROR);
    assert_status(NvrtlForgetFailure(first), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(first), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(second), STATUS_SUCCESS);
    nv_os = &nv_os_linux;
}

/* A second drain of one token while the first is in msync waits for it. */
static atomic_bool release_sync;
static atomic_int syncs_done;

static int held_sync(void *start, size_t size_bytes)
{
    (void)start;
    (void)size_bytes;
    atomic_fetch_add(&in_sync, 1);
    while (!atomic_load(&release_sync))
        usleep(1000);
    atomic_fetch_add(&syncs_done, 1);
    return 0;
}

static void *drain(void *token)
{
    return (void *)(intptr_t)RtlDrainNonVolatileFlush(token);
}

static void *drain_and_look(void *token)
{
    NTSTATUS status = RtlDrainNonVolatileFlush(token);
    return (void *)(intptr_t)(status == STATUS_SUCCESS && atomic_load(&syncs_done) == 1);
}

static void a_second_drain_waits(void **state)
{
    (void)state;
    struct nv_os system = nv_os_linux;
    system.sync = held_sync;
    nv_os = &system;
    atomic_store(&in_sync, 0);
    PVOID token = token_for(&map, 0, SIZE);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 1), STATUS_SUCCESS);
    pthread_t first, second;
    void *status, *waited;
    assert_int_equal(pthread_create(&first, NULL, drain, token), 0);
    while (!atomic_load(&in_sync))
        usleep(1000);
    assert_int_equal(pthread_create(&second, NULL, drain_and_look, token), 0);
    usleep(50000);
    atomic_store(&release_sync, true);
    pthread_join(first, &status);
    pthread_join(second, &waited);
    assert_status((NTSTATUS)(intptr_t)status, STATUS_SUCCESS);
    assert_non_null(waited);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    nv_os = &nv_os_linux;
}

/* The child of a process whose drain is in msync: it has no such thread, and its own drain writes the pages itself. */
static void fork_during_a_drain(void **state)
{
    (void)state;
    struct nv_os system = nv_os_linux;
    system.sync = held_sync;
    nv_os = &system;
    atomic_store(&in_sync, 0);
    atomic_store(&release_sync, false);
    PVOID token = token_for(&map, 0, SIZE);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 1), STATUS_SUCCESS);
    pthread_t thread;
    void *status;
    int result;
    assert_int_equal(pthread_create(&thread, NULL, drain, token), 0);
    while (!atomic_load(&in_sync))
        usleep(1000);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        atomic_store(&release_sync, true);
        atomic_store(&in_sync, 0);
        status = drain(token);
        _exit(status == NULL && atomic_load(&in_sync) == 1 && RtlFreeNonVolatileToken(token) == STATUS_SUCCESS ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    atomic_store(&release_sync, true);
    pthread_join(thread, &status);
    assert_int_equal(result, 0);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    nv_os = &nv_os_linux;
}

/* A thread that ends gives up what it flushed with the default token. */
static void *flush_with_default(void *argument)
{
    for (int i = 0; i < 5; i++)
        (void)RtlFlushNonVolatileMemory(DEFAULT_TOKEN, map.base, 8, 1);
    return argument;
}

static void a_thread_ends(void **state)
{
    (void)state;
    pthread_t thread;
    uint32_t before = nv_pool_count(&nv_binding_pool);
    assert_int_equal(pthread_create(&thread, NULL, flush_with_default, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(nv_pool_count(&nv_binding_pool), before);
}

static void interrupted(void **state)
{
    (void)state;
    system_begin();
    PVOID token = token_for(&map, 0, SIZE);
    system_now.sync_error = EINTR;
    system_now.sync_errors = 5;
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 0), STATUS_SUCCESS);
    assert_int_equal(system_now.syncs, 6);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    system_end();
}

/* Pages with many others between, each drained by itself where a descriptor can be had. */
static NTSTATUS flush_scattered(PVOID token)
{
    NV_MEMORY_RANGE ranges[] = {{map.base, 8}, {map.base + 40 * PAGE, 8}, {map.base + 63 * PAGE, 8}};
    return RtlFlushNonVolatileMemoryRanges(token, ranges, 3, 0);
}

static void needs_a_keeper(PVOID token)
{
    system_begin();
    assert_status(flush_scattered(token), STATUS_SUCCESS);
    bool has_one = system_now.writes == 1;
    system_end();
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    if (!has_one)
        skip();
}

/* A page was lost, and the held descriptor has been told; the mapping is asked, too, so that it can be forgotten. */
static void scattered_pages_lost(void **state)
{
    (void)state;
    const struct {
        int error;
        NTSTATUS status;
    } rows[] = {{EIO, STATUS_IO_DEVICE_ERROR}, {ENOSPC, STATUS_DISK_FULL}, {EDQUOT, STATUS_DISK_FULL}};
    needs_a_keeper(token_for(&map, 0, SIZE));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        system_begin();
        PVOID first = token_for(&map, 0, SIZE), second = token_for(&map, 4 * PAGE, PAGE);
        system_now.write_error = rows[i].error;
        system_now.write_errors = 1;
        assert_status(flush_scattered(first), rows[i].status);
        assert_int_equal(system_now.syncs, 1);
        assert_int_equal(system_now.sync_size_bytes, SIZE);
        expect_failing(first, map.base, rows[i].status);
        expect_failing(second, map.base + 4 * PAGE, rows[i].status);
        assert_status(NvrtlForgetFailure(second), STATUS_SUCCESS);
        assert_status(flush_scattered(first), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(first), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(second), STATUS_SUCCESS);
        assert_int_equal(system_now.keepers_now, 0);
        assert_int_equal(nv_backing_count(), 0);
        system_end();
    }
}

/* What says nothing of the file's pages: an msync of all does it, and the file has not failed. */
static void scattered_pages_otherwise(void **state)
{
    (void)state;
    static const int errors[] = {ESTALE, ESRCH, ENOSYS, EPERM, EBADF, EINVAL, ENOMEM, EINTR};
    needs_a_keeper(token_for(&map, 0, SIZE));
    system_begin();
    PVOID token = token_for(&map, 0, SIZE);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        system_now.write_error = errors[i];
        system_now.write_errors = 1;
        system_now.syncs = 0;
        assert_status(flush_scattered(token), STATUS_SUCCESS);
        assert_int_equal(system_now.syncs, 1);
        assert_int_equal(system_now.sync_size_bytes, SIZE);
    }
    system_now.write_errors = 1;
    fail_next_sync(EIO);
    assert_status(flush_scattered(token), STATUS_IO_DEVICE_ERROR);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    system_now.no_keeper = true;
    token = token_for(&map, 0, SIZE);
    for (int i = 0; i < 2; i++) {
        system_now.writes = system_now.syncs = 0;
        assert_status(flush_scattered(token), STATUS_SUCCESS);
        assert_int_equal(system_now.writes, 0);
        assert_int_equal(system_now.sync_size_bytes, SIZE);
    }
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    system_end();
}

/* The msync that ends it may fail, too, and may meet pages that are not mapped any more. */
static void scattered_pages_unmapped(void **state)
{
    (void)state;
    needs_a_keeper(token_for(&map, 0, SIZE));
    system_begin();
    PVOID token = token_for(&map, 0, SIZE);
    assert_status(flush_scattered(token), STATUS_SUCCESS);
    fail_next_sync(ENOSPC);
    assert_status(flush_scattered(token), STATUS_DISK_FULL);
    assert_int_equal(system_now.sync_size_bytes, 1);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    munmap(map.base, PAGE);
    assert_status(flush_scattered(token), STATUS_INVALID_PARAMETER);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
    assert_ptr_equal(mmap(map.base, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map.descriptor, 0), map.base);
    assert_status(flush_scattered(token), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    system_end();
}

/* The child starts a keeper of its own, and its parent's serves on. */
static void scattered_pages_of_a_child(void **state)
{
    (void)state;
    int result;
    needs_a_keeper(token_for(&map, 0, SIZE));
    system_begin();
    PVOID token = token_for(&map, 0, SIZE);
    assert_status(flush_scattered(token), STATUS_SUCCESS);
    assert_int_equal(system_now.keepers_now, 1);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        bool had_none = system_now.keepers_now == 0;
        bool flushed =
            flush_scattered(token) == STATUS_SUCCESS && system_now.keepers_now == 1 && system_now.writes == 2;
        bool freed = RtlFreeNonVolatileToken(token) == STATUS_SUCCESS && system_now.keepers_now == 0;
        _exit(had_none && flushed && freed ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_status(flush_scattered(token), STATUS_SUCCESS);
    assert_int_equal(system_now.writes, 2);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    system_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_of_the_file),   cmocka_unit_test(told_by_the_drain),
        cmocka_unit_test(told_by_the_default_drain), cmocka_unit_test(told_to_all_at_once),
        cmocka_unit_test(a_second_drain_waits),      cmocka_unit_test(interrupted),
        cmocka_unit_test(fork_during_a_drain),       cmocka_unit_test(a_thread_ends),
        cmocka_unit_test(scattered_pages_lost),      cmocka_unit_test(scattered_pages_otherwise),
        cmocka_unit_test(scattered_pages_unmapped),  cmocka_unit_test(scattered_pages_of_a_child),
    };
    map = file_map_make(NULL, SIZE);
    other = file_map_make(NULL, SIZE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    file_map_end(&other);
    return failed;
}
