/* SPDX-License-Identifier: MIT */
/* Runs the sample minifilter on real files. */
#include "tests/filters/harness.h"

#include <pthread.h>
#include <stdio.h>

extern volatile LONG PassFlushesSeen, PassHandlesSeen, PassWritesSeen;

static void passes_and_counts(void **state)
{
    (void)state;
    NVRTL_DRIVER_OPTIONS options = {.Volume = ".", .Name = "PassThrough", .Altitude = "370030"};
    PDRIVER_OBJECT driver;
    IO_STATUS_BLOCK io;
    HANDLE before = nt_open("before", RW);
    assert_status(NvrtlLoadDriverEx(DriverEntry, &options, &driver), STATUS_SUCCESS);
    use_files("one");
    use_files("two");
    assert_status(NtFlushBuffersFile(before, &io), STATUS_SUCCESS); /* an open file has no context */
    assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS);
    assert_int_equal(PassFlushesSeen, 5);
    assert_int_equal(PassHandlesSeen, 2);
    assert_int_equal(PassWritesSeen, 4);
    use_files("three");
    assert_int_equal(PassFlushesSeen, 5);
    assert_status(NtClose(before), STATUS_SUCCESS);
}

enum { THREADS = 8, ROUNDS = 40 };

static void *use_many(void *number)
{
    IO_STATUS_BLOCK io;
    HANDLE file;
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof(name), "many-%d-%d", *(int *)number, i);
        if (nt_create(&file, RW, name, &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS) != STATUS_SUCCESS ||
            NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io) != STATUS_SUCCESS ||
            NtClose(file) != STATUS_SUCCESS)
            return number;
    }
    return NULL;
}

/* It is loaded and unloaded while files are used by many threads: every request is served, with it or without. */
static void comes_and_goes(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    PDRIVER_OBJECT driver;
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, use_many, &numbers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_status(NvrtlLoadDriver(DriverEntry, ".", &driver), STATUS_SUCCESS);
        assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

static int begin(void **state)
{
    (void)state;
    own_folder_begin(".");
    make_file("before", "");
    return 0;
}

static int end(void **state)
{
    (void)state;
    own_folder_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_and_counts),
        cmocka_unit_test(comes_and_goes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
