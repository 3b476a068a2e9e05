/* SPDX-License-Identifier: MIT */
/* Tokens that are freed and made again while other threads use them, and forks in the middle of it. */
#include "tests/support/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOKENS 8
#define USERS 4

static struct file_map map;
static _Atomic(PVOID) tokens[TOKENS];
static atomic_bool stop;
static atomic_long successes;
static atomic_long refusals;
static atomic_long others;

static void count(NTSTATUS status)
{
    if (status == STATUS_SUCCESS)
        atomic_fetch_add(&successes, 1);
    else if (status == STATUS_INVALID_PARAMETER)
        atomic_fetch_add(&refusals, 1);
    else
        atomic_fetch_add(&others, 1);
}

static void use(PVOID token, unsigned step, char *at)
{
    NVRTL_TOKEN_INFORMATION information;
    NV_MEMORY_RANGE range = {at, 8};
    switch (step % 9) {
    case 0:
        count(RtlFlushNonVolatileMemory(token, at, 8, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN));
        break;
    case 1:
        count(RtlDrainNonVolatileFlush(token));
        break;
    case 2:
        count(RtlWriteNonVolatileMemory(token, at, "abcdefgh", 8, WRITE_NV_MEMORY_FLAG_FLUSH | (step & 0x100)));
        break;
    case 3:
        count(NvrtlQueryToken(token, &information, sizeof(information)));
        break;
    case 4:
        count(RtlFlushNonVolatileMemoryRanges(token, &range, 1, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN));
        break;
    case 5:
        count(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, at, 8, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN));
        break;
    case 6:
        count(RtlDrainNonVolatileFlush(DEFAULT_TOKEN));
        break;
    case 7:
        count(NvrtlForgetFailure(token));
        break;
    default:
        count(RtlFillNonVolatileMemory(token, at, 8, 1, FILL_NV_MEMORY_FLAG_FLUSH | FILL_NV_MEMORY_FLAG_NO_DRAIN));
    }
}

static void *user(void *argument)
{
    char *at = map.base + (size_t)(uintptr_t)argument * PAGE; /* each thread stores to a page of its own */
    for (unsigned step = 0; !atomic_load(&stop); step++)
        use(atomic_load(&tokens[step % TOKENS]), step / TOKENS, at);
    return NULL;
}

static void *renewer(void *argument)
{
    (void)argument;
    for (unsigned step = 0; !atomic_load(&stop); step++) {
        PVOID token;
        if (RtlGetNonVolatileToken(map.base, map.size_bytes, &token) != STATUS_SUCCESS)
            abort();
        token = atomic_exchange(&tokens[step % TOKENS], token);
        if (token && RtlFreeNonVolatileToken(token) != STATUS_SUCCESS)
            abort();
    }
    return NULL;
}

static void run_for(unsigned ms, void (*meanwhile)(void))
{
    pthread_t threads[USERS + 1];
    atomic_store(&stop, false);
    for (uintptr_t i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, user, (void *)i), 0);
    assert_int_equal(pthread_create(&threads[USERS], NULL, renewer, NULL), 0);
    if (meanwhile)
        meanwhile();
    else
        usleep(ms * 1000);
    atomic_store(&stop, true);
    for (int i = 0; i <= USERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TOKENS; i++) {
        PVOID token = atomic_exchange(&tokens[i], NULL);
        if (token)
            assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    }
}

static void freed_while_in_use(void **state)
{
    (void)state;
    run_for(1500, NULL);
    print_message("%ld successes, %ld refusals\n", successes, refusals);
    assert_true(successes > 100);
    assert_int_equal(others, 0);
}

/* All threads write to lines of one page, each to its own, by one token: every call succeeds, and no line is lost. */
#define ROUNDS 300

static PVOID shared;

static NTSTATUS write_line(char *at, unsigned round)
{
    static const ULONG flags[] = {WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN,
                                  WRITE_NV_MEMORY_FLAG_NON_TEMPORAL | WRITE_NV_MEMORY_FLAG_NO_DRAIN, 0,
                                  WRITE_NV_MEMORY_FLAG_PERSIST};
    NV_MEMORY_RANGE ranges[] = {{at, 8}, {at + 32, 8}};
    uint64_t words[2] = {round, ~(uint64_t)round};
    NTSTATUS status = RtlWriteNonVolatileMemory(shared, at, &words[0], 8, flags[round % 4]);
    if (status == STATUS_SUCCESS)
        status = RtlWriteNonVolatileMemory(shared, at + 32, &words[1], 8, flags[round / 4 % 4]);
    if (status == STATUS_SUCCESS)
        status = RtlFlushNonVolatileMemoryRanges(shared, ranges, 2, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    return status == STATUS_SUCCESS && round % 3 == 0 ? RtlDrainNonVolatileFlush(shared) : status;
}

static void *writer(void *argument)
{
    char *at = map.base + (size_t)(uintptr_t)argument * 64;
    intptr_t failures = 0;
    for (unsigned round = 1; round <= ROUNDS; round++)
        failures += write_line(at, round) != STATUS_SUCCESS;
    return (void *)failures;
}

static void one_token_for_all(void **state)
{
    (void)state;
    pthread_t threads[USERS];
    assert_status(RtlGetNonVolatileToken(map.base, map.size_bytes, &shared), STATUS_SUCCESS);
    for (uintptr_t i = 0; i < USERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, (void *)i), 0);
    for (uintptr_t i = 0; i < USERS; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        assert_null(failures);
        uint64_t words[5];
        memcpy(words, map.base + i * 64, sizeof(words));
        assert_int_equal(words[0], ROUNDS);
        assert_int_equal(words[4], ~(uint64_t)ROUNDS);
    }
    assert_status(RtlFreeNonVolatileToken(shared), STATUS_SUCCESS);
}

/* Two threads free the same tokens in the same order: each token is freed by one of them. */
#define FREED 2000

static PVOID freed[FREED];
static atomic_int ready;

static void *free_all(void *argument)
{
    intptr_t count_freed = 0;
    (void)argument;
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < 2)
        continue;
    for (int i = 0; i < FREED; i++)
        count_freed += RtlFreeNonVolatileToken(freed[i]) == STATUS_SUCCESS;
    return (void *)count_freed;
}

static void freed_by_two_threads(void **state)
{
    (void)state;
    for (int round = emulated() ? 29 : 0; round < 30; round++) {
        pthread_t thread;
        void *theirs;
        for (int i = 0; i < FREED; i++)
            assert_status(RtlGetNonVolatileToken(map.base, PAGE, &freed[i]), STATUS_SUCCESS);
        atomic_store(&ready, 0);
        assert_int_equal(pthread_create(&thread, NULL, free_all, NULL), 0);
        intptr_t ours = (intptr_t)free_all(NULL);
        pthread_join(thread, &theirs);
        assert_int_equal(ours + (intptr_t)theirs, FREED);
    }
}

static int in_child(void)
{
    PVOID token;
    char *at = map.base + (USERS + 1) * PAGE;
    alarm(20);
    if (RtlGetNonVolatileToken(map.base, map.size_bytes, &token) != STATUS_SUCCESS)
        return 1;
    for (int i = 0; i < 20; i++)
        if (RtlWriteNonVolatileMemory(token, at, "child", 5, WRITE_NV_MEMORY_FLAG_PERSIST) != STATUS_SUCCESS ||
            RtlFlushNonVolatileMemory(DEFAULT_TOKEN, at, 5, 0) != STATUS_SUCCESS)
            return 2;
    for (int i = 0; i < TOKENS; i++) {
        PVOID inherited = atomic_load(&tokens[i]);
        if (inherited)
            (void)RtlDrainNonVolatileFlush(inherited); /* may have been freed just before the fork */
    }
    return RtlFreeNonVolatileToken(token) == STATUS_SUCCESS ? 0 : 3;
}

static void fork_some(void)
{
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(in_child());
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
}

static void forks(void **state)
{
    (void)state;
    skip_emulated("qemu-user cannot fork a program that has threads");
#ifdef __SANITIZE_ADDRESS__
    print_message("AddressSanitizer's allocator may be locked in the child of a program with threads\n");
    skip();
#endif
    run_for(0, fork_some);
    assert_int_equal(others, 0);
}

/* What a thread flushed with the default token and did not drain goes with the thread. */
static void *flush_and_end(void *argument)
{
    for (size_t i = 0; i < 5; i++)
        count(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, map.base + i * PAGE, 8, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN));
    return argument;
}

static void thread_ends_undrained(void **state)
{
    (void)state;
    long before = refusals;
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, flush_and_end, NULL), 0);
        pthread_join(thread, NULL);
    }
    assert_int_equal(refusals, before);
    assert_int_equal(others, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_while_in_use),    cmocka_unit_test(one_token_for_all),
        cmocka_unit_test(freed_by_two_threads),  cmocka_unit_test(forks),
        cmocka_unit_test(thread_ends_undrained),
    };
    map = file_map_make(NULL, 16 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
