/* SPDX-License-Identifier: MIT */
/* The log: one order for the events of many threads and processes, and no end of it in a process that is killed. */
#include "trace/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define EVENTS 20000u

static struct nv_log *log_of_test;

static void append(uint32_t thread, uint32_t number, uint32_t payload_bytes)
{
    struct nv_trace_event *event = nv_log_begin(log_of_test, payload_bytes);

    assert_non_null(event);
    event->kind = NV_TRACE_STORE;
    event->thread = thread;
    event->object = number;
    memset(nv_trace_payload(event), (int)(number & 0xff), payload_bytes);
    nv_log_commit(event);
}

static void *append_many(void *number)
{
    for (uint32_t i = 1; i <= EVENTS; i++)
        append((uint32_t)(uintptr_t)number, i, i % 100);
    return NULL;
}

static void expect_payload(const struct nv_trace_event *event)
{
    const uint8_t *bytes = nv_trace_payload(event);

    assert_int_equal(event->payload_bytes, event->object % 100);
    for (uint32_t i = 0; i < event->payload_bytes; i++)
        assert_int_equal(bytes[i], event->object & 0xff);
}

/* Each thread's events are there, in its own order; the process beside appends, too. */
static void one_order(void **state)
{
    int descriptor = *(int *)*state;
    pthread_t threads[THREADS];
    uint32_t last[THREADS + 1] = {0};
    uint64_t cursor = 0;
    const struct nv_trace_event *event;
    pid_t child = fork();

    if (!child) {
        append_many((void *)(uintptr_t)THREADS);
        _exit(0);
    }
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_many, (void *)i), 0);
    for (uint32_t seen = 0; seen < (THREADS + 1) * EVENTS;) {
        event = nv_log_next(log_of_test, &cursor, false);
        if (!event)
            continue;
        seen++;
        assert_int_equal(event->object, ++last[event->thread]);
        expect_payload(event);
        nv_log_give_back(log_of_test, descriptor, cursor);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_null(nv_log_next(log_of_test, &cursor, true));
    assert_false(nv_log_full(log_of_test));
}

/* What was begun and never committed stops the reader, until nobody appends any more. */
static void killed_between(void **state)
{
    uint64_t cursor = 0;
    pid_t child;

    (void)state;
    append(1, 1, 1);
    child = fork();
    if (!child) {
        (void)nv_log_begin(log_of_test, 1000);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    append(1, 2, 2);
    assert_int_equal(nv_log_next(log_of_test, &cursor, false)->object, 1);
    assert_null(nv_log_next(log_of_test, &cursor, false));
    assert_int_equal(nv_log_next(log_of_test, &cursor, true)->object, 2);
    assert_null(nv_log_next(log_of_test, &cursor, true));
}

static int begin(void **state)
{
    static int descriptor;

    descriptor = nv_log_new();
    log_of_test = descriptor < 0 ? NULL : nv_log_open(descriptor);
    *state = &descriptor;
    return log_of_test ? 0 : -1;
}

static int end(void **state)
{
    nv_log_close(log_of_test);
    return close(*(int *)*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_order, begin, end),
        cmocka_unit_test_setup_teardown(killed_between, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
