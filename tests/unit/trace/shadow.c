/* SPDX-License-Identifier: MIT */
/*
 * Shadows: each change is told once, whoever finds it, wherever it lies; and nobody waits for ever for who was killed.
 */
#include "trace/shadow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES ((uint64_t)9 << 20) /* more than two blocks */
#define BLOCK ((uint64_t)4 << 20)
#define THREADS 4

struct tested {
    int log_descriptor, descriptor;
    struct nv_log *log;
    struct nv_shadow shadow;
    char *view;
    uint64_t cursor;
};

static int set_up(void **state)
{
    struct tested *tested = calloc(1, sizeof *tested);

    assert_non_null(tested);
    tested->log_descriptor = nv_log_new();
    tested->log = nv_log_open(tested->log_descriptor);
    tested->descriptor = memfd_create("shadow", 0);
    assert_int_equal(ftruncate(tested->descriptor, (off_t)nv_shadow_memory_bytes(FILE_BYTES)), 0);
    assert_true(nv_shadow_open(&tested->shadow, tested->descriptor));
    tested->view = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(tested->view, MAP_FAILED);
    *state = tested;
    return 0;
}

static int tear_down(void **state)
{
    struct tested *tested = *state;

    munmap(tested->view, FILE_BYTES);
    nv_shadow_close(&tested->shadow);
    nv_log_close(tested->log);
    close(tested->descriptor);
    close(tested->log_descriptor);
    free(tested);
    return 0;
}

static void look(struct tested *tested, uint64_t offset, uint64_t length)
{
    struct nv_teller teller = {.log = tested->log, .object = 1, .thread = 2};

    nv_shadow_tell_changes(&tested->shadow, &teller, offset, tested->view + offset, length);
}

static bool store(struct tested *tested, uint64_t offset, uint64_t length, bool news)
{
    struct nv_teller teller = {.log = tested->log, .object = 1, .thread = 2, .place = 3};

    return nv_shadow_tell_store(&tested->shadow, &teller, offset, tested->view + offset, length, news);
}

static void expect_event(struct tested *tested, uint16_t kind, uint64_t offset, uint32_t length)
{
    const struct nv_trace_event *event = nv_log_next(tested->log, &tested->cursor, false);

    assert_non_null(event);
    assert_int_equal(event->kind, kind);
    assert_int_equal(event->object, 1);
    assert_int_equal(event->offset, offset);
    assert_int_equal(event->payload_bytes, length);
    assert_memory_equal(nv_trace_payload(event), tested->view + offset, length);
}

static void expect_no_more(struct tested *tested)
{
    assert_null(nv_log_next(tested->log, &tested->cursor, false));
}

static void as_far_as_the_file(void **state)
{
    struct tested *tested = *state;

    assert_true(tested->shadow.bytes >= FILE_BYTES);
    assert_int_equal(nv_shadow_memory_bytes(tested->shadow.bytes), nv_shadow_memory_bytes(FILE_BYTES));
    look(tested, tested->shadow.bytes + 4096, 4096); /* behind its end nothing is told, or touched */
    expect_no_more(tested);
}

static void changes_are_told_once(void **state)
{
    struct tested *tested = *state;

    memset(tested->view + 64, 1, 128);
    tested->view[8192 - 1] = 2;
    tested->view[8192] = 3;
    look(tested, 0, 16384);
    expect_event(tested, NV_TRACE_CHANGED, 64, 128);
    expect_event(tested, NV_TRACE_CHANGED, 8192 - 64, 64);
    expect_event(tested, NV_TRACE_CHANGED, 8192, 64);
    look(tested, 0, 16384);
    expect_no_more(tested);
}

/* Where a block ends, the next one's locks lie between. */
static void across_blocks(void **state)
{
    struct tested *tested = *state;

    memset(tested->view + BLOCK - 100, 7, 200);
    assert_true(store(tested, BLOCK - 100, 200, false));
    expect_event(tested, NV_TRACE_STORE, BLOCK - 100, 200);
    look(tested, BLOCK - 4096, 8192);
    expect_no_more(tested);
    tested->view[2 * BLOCK] = 1;
    tested->view[FILE_BYTES - 1] = 1;
    look(tested, BLOCK, FILE_BYTES - BLOCK);
    expect_event(tested, NV_TRACE_CHANGED, 2 * BLOCK, 64);
    expect_event(tested, NV_TRACE_CHANGED, FILE_BYTES - 64, 64);
    expect_no_more(tested);
}

static void a_store_is_told_when_it_is_news(void **state)
{
    struct tested *tested = *state;

    assert_false(store(tested, 3, 5, true));
    tested->view[7] = 1;
    assert_true(store(tested, 3, 5, true));
    expect_event(tested, NV_TRACE_STORE, 3, 5);
    assert_true(store(tested, 3, 5, false));
    expect_event(tested, NV_TRACE_STORE, 3, 5);
    expect_no_more(tested);
}

static void told_in_another_way(void **state)
{
    struct tested *tested = *state;

    memset(tested->view + 1000, 5, 10000);
    nv_shadow_hold(&tested->shadow, 1000, 11000);
    nv_shadow_set(&tested->shadow, 1000, tested->view + 1000, 10000);
    nv_shadow_let_go(&tested->shadow, 1000, 11000);
    look(tested, 0, 16384);
    expect_no_more(tested);
    memset(tested->view + 1500, 0, 9000);
    nv_shadow_zero(&tested->shadow, 1500, 9000);
    look(tested, 0, 16384);
    expect_no_more(tested);
}

/* -- many at once -- */

static void *change_and_look(void *context)
{
    struct tested *tested = context;

    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t at = i * 2654435761u % 65536 / 8 * 8;

        __atomic_fetch_add((uint64_t *)(void *)(tested->view + at), 1, __ATOMIC_RELAXED);
        look(tested, at / 64 * 64, 64);
    }
    return NULL;
}

/* The events, one after the other, give what is there, though each line was told by whoever came first. */
static void events_add_up(void **state)
{
    struct tested *tested = *state;
    char *told = calloc(1, 65536);
    const struct nv_trace_event *event;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, change_and_look, tested), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    while ((event = nv_log_next(tested->log, &tested->cursor, false)))
        memcpy(told + event->offset, nv_trace_payload(event), event->payload_bytes);
    assert_memory_equal(told, tested->view, 65536);
    free(told);
}

/* Whoever dies with a page held is not waited for for ever. */
static void killed_with_a_page(void **state)
{
    struct tested *tested = *state;
    pid_t child = fork();

    if (!child) {
        nv_shadow_hold(&tested->shadow, 0, 4096);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    tested->view[0] = 1;
    look(tested, 0, 64);
    expect_event(tested, NV_TRACE_CHANGED, 0, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_far_as_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(across_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_is_told_when_it_is_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(told_in_another_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_with_a_page, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
