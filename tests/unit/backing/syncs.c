/* SPDX-License-Identifier: MIT */
/*
 * Syncs at the same time: side by side where flushes are quick, together where they are slow, and what each of them is
 * told. What they make is a flush that waits until the test lets it go; and at last, syncs of real files.
 */
#include "src/backing/syncs.h"

#include "src/backing/backing.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUICK_NS 50000u
#define SLOW_NS (1000 * (uint64_t)1000000000) /* so that whoever waits for a quarter of it, waits for others */
#define THREADS 6

static struct nv_syncs syncs;

/* What a flush does. */
static struct {
    atomic_int entered;
    atomic_int let_go;   /* as many may end */
    atomic_long made;    /* flushes */
    atomic_long clock;   /* ticks with each call, and with each flush */
    _Atomic size_t most; /* syncs in one flush */
    uint64_t flush_ns;
    _Atomic NTSTATUS status; /* of the next flush; then success */
    atomic_bool lost;
} flush;

struct one {
    struct nv_sync sync;
    pthread_t thread;
    long called;
    long flushed; /* by a flush that began then */
    NTSTATUS status;
    int number;
};

static void make(struct nv_sync *first)
{
    size_t count = 0;
    long now = atomic_fetch_add(&flush.clock, 1);
    for (struct nv_sync *each = first; each; each = each->next) {
        ((struct one *)(void *)each)->flushed = now;
        count++;
    }
    if (count > flush.most)
        flush.most = count;
    int turn = atomic_fetch_add(&flush.entered, 1);
    while (atomic_load(&flush.let_go) <= turn)
        usleep(100);
    atomic_fetch_add(&flush.made, 1);
    first->status = atomic_exchange(&flush.status, STATUS_SUCCESS);
    first->lost = atomic_exchange(&flush.lost, false);
    first->flush_ns = flush.flush_ns;
}

static bool joins(const struct nv_sync *first, const struct nv_sync *sync)
{
    return ((const struct one *)(const void *)first)->number >= 0 &&
           ((const struct one *)(const void *)sync)->number >= 0;
}

/* The third one has been told of a lost page by its own descriptor. */
static void confirm(struct nv_sync *sync)
{
    sync->lost = ((struct one *)(void *)sync)->number == 3;
    sync->status = sync->lost ? STATUS_DISK_FULL : STATUS_SUCCESS;
}

static void run(struct one *one)
{
    one->sync = (struct nv_sync){.kind = NV_SYNC_FILE, .joins = joins, .make = make, .confirm = one->sync.confirm};
    one->called = atomic_fetch_add(&flush.clock, 1);
    one->status = nv_syncs_run(&syncs, &one->sync);
}

static void *run_it(void *one)
{
    run(one);
    return NULL;
}

static void start(struct one *one)
{
    assert_int_equal(pthread_create(&one->thread, NULL, run_it, one), 0);
}

static void expect_status(struct one *one, NTSTATUS status)
{
    pthread_join(one->thread, NULL);
    assert_status(one->status, status);
    if (status == STATUS_SUCCESS)
        assert_true(one->flushed > one->called);
}

static void wait_for_entered(int count)
{
    while (atomic_load(&flush.entered) < count)
        usleep(100);
}

static void wait_for_gathered(size_t count)
{
    for (bool there = false; !there; usleep(100)) {
        pthread_mutex_lock(&nv_syncs_lock);
        there = syncs.gathering[NV_SYNC_FILE] && syncs.gathering[NV_SYNC_FILE]->count == count;
        pthread_mutex_unlock(&nv_syncs_lock);
    }
}

/* A file whose flushes have taken so long. */
static int begin(void **state, uint64_t flush_ns)
{
    (void)state;
    nv_syncs_open(&syncs);
    syncs.failure = STATUS_SUCCESS;
    memset(&flush, 0, sizeof(flush));
    flush.flush_ns = flush_ns;
    atomic_store(&flush.let_go, 1);
    struct one one = {0};
    run(&one);
    assert_status(one.status, STATUS_SUCCESS);
    return 0;
}

static int quick(void **state)
{
    return begin(state, QUICK_NS);
}

static int slow(void **state)
{
    return begin(state, SLOW_NS);
}

static int end(void **state)
{
    (void)state;
    assert_null(syncs.first);
    nv_syncs_close(&syncs);
    return 0;
}

static void quick_ones_run_side_by_side(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        start(&ones[i]);
    wait_for_entered(1 + THREADS); /* all at once */
    atomic_store(&flush.let_go, 100);
    for (int i = 0; i < THREADS; i++)
        expect_status(&ones[i], STATUS_SUCCESS);
    assert_int_equal(flush.made, 1 + THREADS);
}

/* One in its flush, those that come meanwhile wait for it and are then made as one. */
static void start_round(struct one *ones)
{
    start(&ones[0]);
    wait_for_entered(2);
    for (int i = 1; i < THREADS; i++) {
        ones[i].number = i;
        start(&ones[i]);
        wait_for_gathered((size_t)i);
    }
    atomic_store(&flush.let_go, 2);
    wait_for_entered(3);
}

static void slow_ones_are_made_together(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0};
    start_round(ones);
    atomic_store(&flush.let_go, 100);
    for (int i = 0; i < THREADS; i++)
        expect_status(&ones[i], STATUS_SUCCESS);
    assert_int_equal(flush.made, 3);
    assert_int_equal(flush.most, THREADS - 1);

    for (int i = 0; i < THREADS - 1; i++) /* the first waits for as many as there were */
        start(&ones[i]);
    for (int i = 0; i < THREADS - 1; i++)
        expect_status(&ones[i], STATUS_SUCCESS);
    assert_int_equal(flush.made, 4);
}

/* Those who were there in the last round do not come again. */
static void not_waited_for_long(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0};
    flush.flush_ns = NV_SLOW_FLUSH_NS + 1;
    start_round(ones);
    atomic_store(&flush.let_go, 100);
    for (int i = 0; i < THREADS; i++)
        expect_status(&ones[i], STATUS_SUCCESS);
    for (int i = 0; i < 3; i++) {
        start(&ones[0]);
        expect_status(&ones[0], STATUS_SUCCESS);
    }
    assert_int_equal(flush.made, 6);
}

static void a_failure_is_everyones(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0}, later = {0};
    start_round(ones);
    flush.status = STATUS_IO_DEVICE_ERROR; /* of the round */
    flush.lost = true;
    atomic_store(&flush.let_go, 100);
    for (int i = 1; i < THREADS; i++)
        expect_status(&ones[i], STATUS_IO_DEVICE_ERROR);
    pthread_join(ones[0].thread, NULL); /* was made before, or beside it */
    run(&later);
    assert_status(later.status, STATUS_IO_DEVICE_ERROR);
    assert_int_equal(flush.made, 3);
}

/* The first one's descriptor was closed: the others do without it. */
static void the_first_ones_own_trouble(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0};
    start_round(ones);
    flush.status = STATUS_INVALID_HANDLE;
    atomic_store(&flush.let_go, 100);
    int failed = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ones[i].thread, NULL);
        failed += ones[i].status != STATUS_SUCCESS;
    }
    assert_int_equal(failed, 1);
    assert_int_equal(flush.made, 2 + 1 + THREADS - 2);
}

static void what_one_alone_is_told(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        ones[i].sync.confirm = confirm;
    start_round(ones);
    atomic_store(&flush.let_go, 100);
    for (int i = 0; i < THREADS; i++)
        pthread_join(ones[i].thread, NULL);
    assert_status(ones[3].status, STATUS_DISK_FULL);
    assert_status(syncs.failure, STATUS_DISK_FULL);
}

static void others_do_not_join(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0}, other = {.number = -1};
    start(&ones[0]);
    wait_for_entered(2);
    start(&ones[1]);
    wait_for_gathered(1);
    start(&other);
    wait_for_entered(3); /* at once, while a round is being made and another gathers */
    atomic_store(&flush.let_go, 100);
    expect_status(&ones[0], STATUS_SUCCESS);
    expect_status(&ones[1], STATUS_SUCCESS);
    expect_status(&other, STATUS_SUCCESS);
    assert_int_equal(flush.made, 4);
}

/* A stall says nothing of the device; eight flushes in a row do. */
static void the_quickest_of_eight(void **state)
{
    (void)state;
    struct one one = {0}, other = {0};
    atomic_store(&flush.let_go, 100);
    flush.flush_ns = SLOW_NS;
    for (int i = 0; i < NV_FLUSH_TIMES - 1; i++)
        run(&one);
    atomic_store(&flush.entered, 0);
    atomic_store(&flush.let_go, 0);
    start(&one);
    start(&other);
    wait_for_entered(2); /* side by side */
    atomic_store(&flush.let_go, 100);
    expect_status(&one, STATUS_SUCCESS);
    expect_status(&other, STATUS_SUCCESS);
    atomic_store(&flush.entered, 0);
    atomic_store(&flush.let_go, 0);
    start(&one);
    wait_for_entered(1);
    start(&other);
    wait_for_gathered(1);
    atomic_store(&flush.let_go, 100);
    expect_status(&one, STATUS_SUCCESS);
    expect_status(&other, STATUS_SUCCESS);
}

static void *run_many(void *argument)
{
    struct one *one = argument;
    for (int i = 0; i < 300; i++) {
        run(one);
        if (one->status != STATUS_SUCCESS || one->flushed <= one->called)
            return one;
    }
    return NULL;
}

/* Quick ones and slow ones, whatever comes: each is covered by a flush that began after it. */
static void whatever_comes(void **state)
{
    (void)state;
    struct one ones[THREADS] = {0};
    void *failed;
    atomic_store(&flush.let_go, 1000000);
    flush.flush_ns = 2 * NV_SLOW_FLUSH_NS;
    for (int i = 0; i < THREADS; i++) {
        ones[i].number = i == 4 ? -1 : i;
        assert_int_equal(pthread_create(&ones[i].thread, NULL, run_many, &ones[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(ones[i].thread, &failed);
        assert_null(failed);
    }
    print_message("%ld flushes for %d syncs, %zu at most in one\n", flush.made, THREADS * 300, flush.most);
    assert_in_range(flush.made, 1, 1 + THREADS * 300);
}

/* -- real files, on a device that is said to be slow -- */

static struct file_map map;
static atomic_int in_call;
static atomic_bool go_on;
static atomic_long all_calls, data_calls, msyncs;

static uint64_t slow_clock(void)
{
    static atomic_ulong ticks;
    return atomic_fetch_add(&ticks, 1) * SLOW_NS;
}

static int held_sync_file(int descriptor, bool data_only)
{
    atomic_fetch_add(data_only ? &data_calls : &all_calls, 1);
    atomic_fetch_add(&in_call, 1);
    while (!atomic_load(&go_on))
        usleep(100);
    return nv_os_linux.sync_file(descriptor, data_only);
}

static int held_sync(void *start, size_t size_bytes)
{
    atomic_fetch_add(&msyncs, 1);
    atomic_fetch_add(&in_call, 1);
    while (!atomic_load(&go_on))
        usleep(100);
    return nv_os_linux.sync(start, size_bytes);
}

static struct nv_os slow_system;

static int slow_device(void **state)
{
    (void)state;
    slow_system = nv_os_linux;
    slow_system.clock_ns = slow_clock;
    slow_system.sync_file = held_sync_file;
    slow_system.sync = held_sync;
    nv_os = &slow_system;
    atomic_store(&go_on, true);
    return 0;
}

static int usual_device(void **state)
{
    (void)state;
    nv_os = &nv_os_linux;
    assert_int_equal(nv_backing_count(), 0);
    return 0;
}

struct call {
    pthread_t thread;
    struct nv_backing *backing;
    enum nv_file_sync how;
    int descriptor;
    PVOID token;
    char *at;
    NTSTATUS status;
};

static void *call_it(void *argument)
{
    struct call *call = argument;
    call->status = call->token ? RtlFlushNonVolatileMemory(call->token, call->at, 8, 0)
                               : nv_backing_sync_file(call->backing, call->descriptor, call->how);
    return NULL;
}

/*
 * The first is in its system call; whoever comes then waits in a round. It is for the test to see that all of them do.
 */
static void run_calls(struct call *calls, int count)
{
    atomic_store(&in_call, 0);
    atomic_store(&go_on, false);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&calls[i].thread, NULL, call_it, &calls[i]), 0);
        while (i == 0 && atomic_load(&in_call) == 0)
            usleep(100);
    }
    usleep(100000); /* else there are more calls, and nothing is wrong */
    atomic_store(&go_on, true);
    for (int i = 0; i < count; i++)
        pthread_join(calls[i].thread, NULL);
}

static void files_of_one_file(void **state)
{
    (void)state;
    struct call calls[4];
    for (int round = 0; round < 20 && !(all_calls == 1 && data_calls == 1); round++) {
        struct nv_backing *backing = nv_backing_get(77, 77);
        assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_DATA), STATUS_SUCCESS);
        for (int i = 0; i < 4; i++)
            calls[i] = (struct call){
                .backing = backing, .descriptor = map.descriptor, .how = i == 3 ? NV_SYNC_ALL : NV_SYNC_DATA};
        all_calls = data_calls = 0;
        run_calls(calls, 4);
        for (int i = 0; i < 4; i++)
            assert_status(calls[i].status, STATUS_SUCCESS);
        assert_true(all_calls >= 1); /* whoever leads, what one wants is done for all */
        nv_backing_put(backing);
    }
    assert_int_equal(all_calls + data_calls, 2);
}

static void tokens_of_one_mapping(void **state)
{
    (void)state;
    char *again = mmap(NULL, map.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.descriptor, 0);
    for (int round = 0; round < 20 && msyncs != 3; round++) {
        struct call calls[4] = {0};
        for (int i = 0; i < 4; i++) {
            calls[i].at = (i == 3 ? again : map.base) + (size_t)i * 4 * PAGE;
            assert_status(RtlGetNonVolatileToken(calls[i].at, 4 * PAGE, &calls[i].token), STATUS_SUCCESS);
        }
        assert_status(RtlFlushNonVolatileMemory(calls[0].token, map.base, 8, 0), STATUS_SUCCESS);
        msyncs = 0;
        run_calls(calls, 4);
        assert_true(msyncs >= 3); /* the other mapping for itself */
        for (int i = 0; i < 4; i++) {
            assert_status(calls[i].status, STATUS_SUCCESS);
            assert_status(RtlFreeNonVolatileToken(calls[i].token), STATUS_SUCCESS);
        }
    }
    assert_int_equal(msyncs, 3);
    munmap(again, map.size_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(quick_ones_run_side_by_side, quick, end),
        cmocka_unit_test_setup_teardown(slow_ones_are_made_together, slow, end),
        cmocka_unit_test_setup_teardown(not_waited_for_long, slow, end),
        cmocka_unit_test_setup_teardown(a_failure_is_everyones, slow, end),
        cmocka_unit_test_setup_teardown(the_first_ones_own_trouble, slow, end),
        cmocka_unit_test_setup_teardown(what_one_alone_is_told, slow, end),
        cmocka_unit_test_setup_teardown(others_do_not_join, slow, end),
        cmocka_unit_test_setup_teardown(the_quickest_of_eight, quick, end),
        cmocka_unit_test_setup_teardown(whatever_comes, slow, end),
        cmocka_unit_test_setup_teardown(files_of_one_file, slow_device, usual_device),
        cmocka_unit_test_setup_teardown(tokens_of_one_mapping, slow_device, usual_device),
    };
    map = file_map_make(NULL, 64 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
