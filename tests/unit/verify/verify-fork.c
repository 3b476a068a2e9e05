/* SPDX-License-Identifier: MIT */
/* A fork of the program: what is in flight stays the parent's, and the child can use its tokens and take new ones. */
#include "nvrtl/status.h"
#include "tests/unit/verify/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct run_file *file, *other, *not_at_stake;
static struct nv_region token;
static _Atomic bool stop;

/* Run it in a child; the supervisor's thread stays in the parent. */
static void in_child(int (*work)(void))
{
    int status = -1;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        _exit(work());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int drain_only(void)
{
    return run_drain(&token) | run_seam->drain_default(NULL);
}

static void flight_stays_with_the_parent(void **state)
{
    (void)state;
    memcpy(file->view, "hello", 5);
    run_flush(&token, file->view, 5, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    in_child(drain_only);
    assert_memory_not_equal(file->durable, "hello", 5);
    run_drain(&token);
    assert_memory_equal(file->durable, "hello", 5);
}

static int persist_and_take_token(void)
{
    struct nv_region taken = {0};

    if (run_write(&token, file->view + 64, "child", 5, WRITE_NV_MEMORY_FLAG_PERSIST) != STATUS_SUCCESS ||
        run_token(other->view, 4096, &taken) != STATUS_SUCCESS)
        return 1;
    return run_write(&taken, other->view, "child", 5, WRITE_NV_MEMORY_FLAG_PERSIST) != STATUS_SUCCESS;
}

static void child_has_a_run_of_its_own(void **state)
{
    (void)state;
    in_child(persist_and_take_token);
    assert_memory_equal(file->durable + 64, "child", 5);
    assert_memory_equal(other->durable, "child", 5);
}

static void *ask_for_tokens(void *unused)
{
    struct nv_region taken = {0};

    while (!stop) {
        run_token(not_at_stake->view, 4096, &taken);
        run_write(&token, file->view + 1024, "busy", 4, WRITE_NV_MEMORY_FLAG_PERSIST);
    }
    return unused;
}

static void *take_tokens(void *unused)
{
    struct nv_region taken = {0};

    while (!stop)
        run_token(file->view, 64, &taken);
    return unused;
}

/* The flush finds the file too short, and asks the supervisor. */
static void *flush_what_was_cut(void *unused)
{
    while (!stop) {
        file->header->reach_bytes = 0;
        run_flush(&token, file->view, 1, 0);
    }
    return unused;
}

static void *find_places(void *unused)
{
    for (uintptr_t i = 1; !stop; i++)
        token.engine->flush(&token, file->view, 1, 0, (const void *)(i % 1500 + 1));
    return unused;
}

static void *misuse(void *unused)
{
    while (!stop)
        run_seam->refuse(NV_REFUSED_FLAGS, "RtlFlushNonVolatileMemory", NULL, NULL, 0, (const void *)0x5001);
    return unused;
}

static int use_everything(void)
{
    for (uintptr_t i = 0; i < 20; i++) {
        token.engine->flush(&token, file->view, 1, 0, (const void *)(2000 + i));
        run_write(&token, file->view + 64 * i, "child", 5, WRITE_NV_MEMORY_FLAG_PERSIST);
        run_write(&token, file->view + 1024, "CHILD", 5, WRITE_NV_MEMORY_FLAG_PERSIST);
    }
    run_seam->refuse(NV_REFUSED_FLAGS, "RtlFlushNonVolatileMemory", NULL, NULL, 0, (const void *)0x6001);
    run_seam->ignore(file->view, 8);
    return persist_and_take_token();
}

static void no_lock_is_held_in_the_child(void **state)
{
    static void *(*const works[])(void *) = {ask_for_tokens, take_tokens, flush_what_was_cut, find_places, misuse};

    (void)state;
    for (size_t work = 0; work < sizeof works / sizeof *works; work++) {
        pthread_t thread;

        stop = false;
        pthread_create(&thread, NULL, works[work], NULL);
        for (int i = 0; i < 100; i++)
            in_child(use_everything);
        stop = true;
        pthread_join(thread, NULL);
    }
}

static int set_up(void **state)
{
    (void)state;
    file = run_file(4096, true);
    other = run_file(4096, true);
    not_at_stake = run_file(4096, false);
    return run_token(file->view, 4096, &token);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flight_stays_with_the_parent),
        cmocka_unit_test(child_has_a_run_of_its_own),
        cmocka_unit_test(no_lock_is_held_in_the_child),
    };

    run_start(argc > 1 && strcmp(argv[1], "page-cache") == 0 ? NvrtlDomainPageCache : NvrtlDomainCpuCache);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
