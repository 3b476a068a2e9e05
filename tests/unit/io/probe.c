/* SPDX-License-Identifier: MIT */
/*
 * Pointers on every kind of stack, and elsewhere: good ones pass, bad ones do not, and the kernel is not asked of what
 * lies on the stack of a thread that libc made.
 */
#include "src/io/probe.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#define BAD ((void *)(uintptr_t)0xdeadbee8)
#define STACK_BYTES ((size_t)2 << 20)

/* How often the kernel is asked of a pointer to a variable of a caller. */
static __attribute__((noinline)) long questions_about(IO_STATUS_BLOCK *near)
{
    assert_status(nv_probe_read(near, sizeof(*near)), STATUS_SUCCESS); /* the first time, for the bounds */
    long before = system_now.calls;
    assert_status(nv_probe_read(near, sizeof(*near)), STATUS_SUCCESS);
    assert_status(nv_probe_write(near, sizeof(*near)), STATUS_SUCCESS);
    assert_status(nv_probe_status_block(near), STATUS_SUCCESS);
    return system_now.calls - before;
}

/* On whatever stack this runs. */
static __attribute__((noinline)) void good_and_bad(void)
{
    static IO_STATUS_BLOCK elsewhere, *far = &elsewhere;
    IO_STATUS_BLOCK near = {.Status = 5, .Information = 6};
    *far = near;
    assert_status(nv_probe_read(far, sizeof(*far)), STATUS_SUCCESS);
    assert_status(nv_probe_write(far, sizeof(*far)), STATUS_SUCCESS);
    assert_memory_equal(far, &near, sizeof(near));
    (void)questions_about(&near);
    assert_status(nv_probe_status_block(far), STATUS_SUCCESS);
    assert_int_equal(far->Status == 5 && far->Information == 6, 1);
    assert_status(nv_probe_read(BAD, 8), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_write(BAD, 8), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_status_block(BAD), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_status_block(NULL), STATUS_ACCESS_VIOLATION);
}

static void first_thread(void **state)
{
    (void)state;
    IO_STATUS_BLOCK near = {0};
    assert_int_equal(questions_about(&near), 0);
    good_and_bad();
    assert_status(nv_probe_read(&near, SIZE_MAX / 2 - (uintptr_t)&near), STATUS_ACCESS_VIOLATION);
}

/* Deep below, and at the end of what the thread has. */
static __attribute__((noinline)) long deep(int levels, IO_STATUS_BLOCK *outer)
{
    volatile char room[4096];
    room[0] = (char)levels;
    long questions = levels ? deep(levels - 1, outer) : questions_about(outer);
    return questions + room[0] - (char)levels;
}

static void *in_thread(void *own)
{
    IO_STATUS_BLOCK near;
    *(long *)own = questions_about(&near) + deep(20, &near);
    good_and_bad();
    return NULL;
}

static void other_threads(void **state)
{
    (void)state;
    pthread_t thread;
    pthread_attr_t attributes;
    long questions = -1;
    assert_int_equal(pthread_create(&thread, NULL, in_thread, &questions), 0);
    pthread_join(thread, NULL);
    assert_int_equal(questions, 0);
    char *stack = guarded_make(STACK_BYTES);
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attributes, in_thread, &questions), 0);
    pthread_join(thread, NULL);
    assert_int_equal(questions, 0);
    pthread_attr_destroy(&attributes);
    guarded_end(stack, STACK_BYTES);
}

/* Memory behind the stack that runs is not taken for a part of it. */
static char *end_of_stack;

static void check_end(void)
{
    good_and_bad();
    assert_status(nv_probe_read(end_of_stack - 8, 8), STATUS_SUCCESS);
    assert_status(nv_probe_read(end_of_stack - 8, 16), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_write(end_of_stack, 8), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_status_block((void *)(end_of_stack - 8)), STATUS_ACCESS_VIOLATION);
}

static void on_signal(int number)
{
    (void)number;
    check_end();
}

static void alternate_stack(void **state)
{
    (void)state;
    char *stack = guarded_make(STACK_BYTES);
    stack_t alternate = {.ss_sp = stack, .ss_size = STACK_BYTES}, none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK}, before;
    end_of_stack = stack + STACK_BYTES;
    assert_int_equal(sigaltstack(&alternate, NULL) | sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL) | sigaltstack(&none, NULL), 0);
    guarded_end(stack, STACK_BYTES);
}

static ucontext_t outside, inside;

static void *coroutine(void *argument)
{
    char *stack = guarded_make(STACK_BYTES);
    end_of_stack = stack + STACK_BYTES;
    assert_int_equal(getcontext(&inside), 0);
    inside.uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
    inside.uc_link = &outside;
    makecontext(&inside, check_end, 0);
    assert_int_equal(swapcontext(&outside, &inside), 0);
    guarded_end(stack, STACK_BYTES);
    return argument;
}

static void coroutines(void **state)
{
    (void)state;
    pthread_t thread;
    (void)coroutine(NULL);
    assert_int_equal(pthread_create(&thread, NULL, coroutine, NULL), 0);
    pthread_join(thread, NULL);
}

/* -- ranges -- */

static void ranges(void **state)
{
    (void)state;
    char *pages = guarded_make(4 * PAGE);
    assert_int_equal(mprotect(pages + 2 * PAGE, PAGE, PROT_READ), 0);
    memset(pages, 0x5a, 2 * PAGE);
    const struct {
        size_t start, size_bytes;
        bool read, write;
    } rows[] = {
        {0, 2 * PAGE, true, true},       {0, 2 * PAGE + 1, true, false}, {1, 4 * PAGE - 1, true, false},
        {1, 4 * PAGE, false, false},     {2 * PAGE, 1, true, false},     {3 * PAGE - 1, 1, true, false},
        {3 * PAGE - 1, 2, true, false},  {3 * PAGE, 1, true, true},      {4 * PAGE - 1, 1, true, true},
        {4 * PAGE - 1, 2, false, false}, {4 * PAGE, 0, true, true},      {4 * PAGE, 1, false, false},
        {0, SIZE_MAX, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool read = nv_probe_read(pages + rows[i].start, rows[i].size_bytes) == STATUS_SUCCESS;
        bool write = nv_probe_write(pages + rows[i].start, rows[i].size_bytes) == STATUS_SUCCESS;
        if (read != rows[i].read || write != rows[i].write)
            fail_msg("row %zu: %d %d", i, read, write);
    }
    for (size_t i = 0; i < 2 * PAGE; i++)
        assert_int_equal(pages[i], 0x5a);
    for (size_t at = 0; at < 3 * PAGE; at++) {
        bool may = nv_probe_status_block((void *)(pages + at)) == STATUS_SUCCESS;
        assert_int_equal(may, at + 16 <= 2 * PAGE);
    }
    guarded_end(pages, 4 * PAGE);
}

/* A private page that was never touched, a file's page, and one behind the end of its file. */
static void pages_of_all_kinds(void **state)
{
    (void)state;
    char *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct file_map map = file_map_make(NULL, 2 * PAGE);
    assert_status(nv_probe_write(fresh, PAGE), STATUS_SUCCESS);
    assert_status(nv_probe_status_block((void *)fresh), STATUS_SUCCESS);
    assert_status(nv_probe_write(map.base, 2 * PAGE), STATUS_SUCCESS);
    assert_int_equal(ftruncate(map.descriptor, PAGE), 0);
    assert_status(nv_probe_write(map.base, 2 * PAGE), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_read(map.base + PAGE, 8), STATUS_ACCESS_VIOLATION);
    assert_status(nv_probe_status_block((void *)(map.base + PAGE)), STATUS_ACCESS_VIOLATION);
    file_map_end(&map);
    munmap(fresh, PAGE);
}

/* A kernel that does not know the quick way, or forbids it, is asked the slow way. */
static void without_scribbling(void **state)
{
    (void)state;
    IO_STATUS_BLOCK *far = malloc(sizeof(*far));
    system_now.fail_at = system_now.calls + 1;
    system_now.error = 38; /* ENOSYS */
    assert_status(nv_probe_status_block(far), STATUS_SUCCESS);
    assert_int_equal(system_now.failed, 1);
    system_now.fail_at = system_now.calls + 1;
    assert_status(nv_probe_status_block(BAD), STATUS_ACCESS_VIOLATION);
    free(far);
}

/* Where libc cannot tell of the stack, all pointers are asked about. */
static void *without_bounds(void *argument)
{
    IO_STATUS_BLOCK near = {0};
    system_now.fail_at = system_now.calls + 1;
    assert_status(nv_probe_read(&near, sizeof(near)), STATUS_SUCCESS);
    assert_int_equal(questions_about(&near), 3);
    good_and_bad();
    return argument;
}

static void unknown_stack(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, without_bounds, NULL), 0);
    pthread_join(thread, NULL);
}

static int begin(void **state)
{
    (void)state;
    system_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    system_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_thread),       cmocka_unit_test(other_threads), cmocka_unit_test(alternate_stack),
        cmocka_unit_test(coroutines),         cmocka_unit_test(ranges),        cmocka_unit_test(pages_of_all_kinds),
        cmocka_unit_test(without_scribbling), cmocka_unit_test(unknown_stack),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
