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

static void *live(void *argument)
{
    for (uintptr_t i = (uintptr_t)argument; i < HANDLES; i += THREADS)
        one_life((unsigned)i);
    return NULL;
}

static void ten_thousand(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, live, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void nothing_is_left(void **state)
{
    (void)state;
    size_t open_before = descriptors();
    ten_thousand(); /* libc keeps what it needs for so many threads */
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
