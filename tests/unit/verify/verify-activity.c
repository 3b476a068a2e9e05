/* SPDX-License-Identifier: MIT */
/* Tests verify/activity.h: spans of time that grow, and counts that stay exact when many count at once. */
#include "verify/activity.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct nv_activity activity;

static void every_time_lies_in_its_span(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < UINT64_C(1) << 49; at += 1 + at / 1000) {
        size_t span = nv_activity_span(at);

        assert_true(span < NV_ACTIVITY_SPANS);
        assert_true(nv_activity_span_start(span) <= at);
        assert_true(at < nv_activity_span_start(span + 1));
    }
    assert_int_equal(nv_activity_span(0), 0);
    assert_int_equal(nv_activity_span(UINT64_MAX), NV_ACTIVITY_SPANS - 1);
}

static void a_span_is_short_beside_the_time_that_has_passed(void **state)
{
    (void)state;
    assert_int_equal(nv_activity_span_start(1), 1024);
    for (size_t span = NV_ACTIVITY_STEPS; span < NV_ACTIVITY_SPANS - 1; span++) {
        uint64_t start = nv_activity_span_start(span), length = nv_activity_span_start(span + 1) - start;

        assert_true(length * NV_ACTIVITY_STEPS <= start);
    }
}

enum { THREADS = 8, CALLS = 50000, KINDS = 1 << NV_ACTIVITY_FLUSH | 1 << NV_ACTIVITY_DRAIN };

static void *call_often(void *seed)
{
    uint64_t at_ns = (uintptr_t)seed;

    for (int i = 0; i < CALLS; i++) {
        struct nv_activity_event *event = nv_activity_take(&activity);

        at_ns += 977;
        if (event == NULL)
            nv_activity_count(&activity, at_ns, KINDS, 64);
        else
            atomic_fetch_add(&event->ready, 1);
    }
    return NULL;
}

static void nothing_is_lost_or_counted_twice(void **state)
{
    pthread_t threads[THREADS];
    uint64_t calls = 0, others = 0, bytes = 0;

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, (void *)(i * 1000000)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < NV_ACTIVITY_EVENTS; i++)
        assert_int_equal(atomic_load(&activity.events[i].ready), 1);
    for (size_t i = 0; i < NV_ACTIVITY_SPANS; i++) {
        for (unsigned kinds = 0; kinds < 1 << NV_ACTIVITY_KINDS; kinds++)
            *(kinds == KINDS ? &calls : &others) += atomic_load(&activity.spans[i].calls[kinds]);
        bytes += atomic_load(&activity.spans[i].bytes);
    }
    assert_int_equal(calls, THREADS * CALLS - NV_ACTIVITY_EVENTS);
    assert_int_equal(others, 0);
    assert_int_equal(bytes, 64 * calls);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_time_lies_in_its_span),
        cmocka_unit_test(a_span_is_short_beside_the_time_that_has_passed),
        cmocka_unit_test(nothing_is_lost_or_counted_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
