/* SPDX-License-Identifier: MIT */
/*
 * Ten thousand handles, opened, written, flushed and closed by sixteen threads: they leave no descriptor and no byte.
 */
#include "tests/support/nt.h"

#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 16
#define HANDLES 10000
#define FILES 50 /* so that several threads have the same one open */

static void one_life(unsigned number)
{
    char path[32];
    HANDLE handle;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = number};
    snprintf(path, sizeof(path), "file%u", number % FILES);
    if (nt_create(&handle, RW | DELETE, path, &io, ALL_SHARED, FILE_OPEN_IF, number % 2 ? SYNCHRONOUS : 0) !=
            STATUS_SUCCESS ||
        NtWriteFile(handle, NULL, NULL, NULL, &io, path, sizeof(path), &offset, NULL) != STATUS_SUCCESS ||
        NtFlushBuffersFile(handle, &io) != STATUS_SUCCESS || NtClose(handle) != STATUS_SUCCESS)
        abort();
}

static pthread_barrier_t all_there;

static void *live(void *argument)
{
    pthread_barrier_wait(&all_there);
    for (uintptr_t i = (uintptr_t)argument; i < HANDLES; i += THREADS)
        one_life((unsigned)i);
    pthread_barrier_wait(&all_there);
    return NULL;
}

/* All threads are there at once, with stacks that libc keeps: so it needs the same for them each time. */
static void ten_thousand(void)
{
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)1 << 20);
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], &attributes, live, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&all_there);
    pthread_attr_destroy(&attributes);
}

static void nothing_is_left(void **state)
{
    (void)state;
    size_t open_before = descriptors();
    ten_thousand();
    assert_int_equal(descriptors(), open_before);
    struct mallinfo2 before = mallinfo2();
    ten_thousand();
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(descriptors(), open_before);
    assert_int_equal(after.uordblks, before.uordblks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_left)};
    own_folder_begin(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : ".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
