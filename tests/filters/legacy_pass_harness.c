/* SPDX-License-Identifier: MIT */
/* Runs the sample legacy filter on real files. */
#include "tests/filters/harness.h"

#include <pthread.h>

extern volatile LONG LegacyFlushesSeen, LegacyOpensSeen, LegacyMountsSeen;

static void passes_and_counts(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver;
    HANDLE other;
    use_files("before"); /* its volume is mounted already, as it were */
    assert_status(NvrtlLoadDriver(DriverEntry, NULL, &driver), STATUS_SUCCESS);
    use_files("one");
    use_files("two");
    other = nt_open("/proc/version", FILE_READ_DATA);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_int_equal(LegacyFlushesSeen, 4);
    assert_int_equal(LegacyOpensSeen, 3);
    assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS);
    use_files("three");
    assert_int_equal(LegacyFlushesSeen, 4);
}

static void hears_of_new_volumes(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver;
    HANDLE other;
    LONG before = LegacyMountsSeen;
    assert_status(NvrtlLoadDriver(DriverEntry, NULL, &driver), STATUS_SUCCESS);
    other = nt_open("/sys/kernel/notes", FILE_READ_DATA);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_int_equal(LegacyMountsSeen, before + 1);
    assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS);
}

enum { THREADS = 8, ROUNDS = 60 };

static void *flush_often(void *file)
{
    IO_STATUS_BLOCK io;
    for (int i = 0; i < ROUNDS; i++)
        if (NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io) != STATUS_SUCCESS)
            return file;
    return NULL;
}

static void comes_and_goes(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    PDRIVER_OBJECT driver;
    HANDLE file = nt_open("one", RW);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, flush_often, file), 0);
    for (int i = 0; i < 20; i++) {
        assert_status(NvrtlLoadDriver(DriverEntry, NULL, &driver), STATUS_SUCCESS);
        assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static int begin(void **state)
{
    (void)state;
    own_folder_begin(".");
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
        cmocka_unit_test(hears_of_new_volumes),
        cmocka_unit_test(comes_and_goes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
