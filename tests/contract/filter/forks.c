/* SPDX-License-Identifier: MIT */
/* A process forks while another thread has a request at a filter: the child's requests pass, and its filters unload. */
#include "tests/contract/filter/mini_filter.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static HANDLE file;
static KEVENT entered, leave;
static __thread bool stays;

static void stay_once(void)
{
    if (!stays)
        return;
    KeSetEvent(&entered, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&leave, Executive, KernelMode, FALSE, NULL);
}

static NTSTATUS NTAPI stay_in_driver(PDEVICE_OBJECT device, PIRP irp)
{
    stay_once();
    journal_write('L');
    return legacy_filter_skip(device, irp);
}

static FLT_PREOP_CALLBACK_STATUS NTAPI stay_in_minifilter(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                          PVOID *context)
{
    stay_once();
    return note_before(data, objects, context);
}

static void *flush_and_stay(void *status)
{
    IO_STATUS_BLOCK io;
    stays = true;
    *(NTSTATUS *)status = NtFlushBuffersFile(file, &io);
    return NULL;
}

/* In the child, where no assertion may leave by a jump. */
static int flush_and_unload(PDRIVER_OBJECT driver, const char *expected)
{
    IO_STATUS_BLOCK io;
    const char *wrong = expected;
    if (NtFlushBuffersFile(file, &io) != STATUS_SUCCESS)
        return 1;
    for (const char *got = journal_read(); *got || *wrong; got++, wrong++)
        if (*got != *wrong)
            return 2;
    if (NvrtlUnloadDriver(driver) != STATUS_SUCCESS)
        return 3;
    return NtFlushBuffersFile(file, &io) == STATUS_SUCCESS && *journal_read() == '\0' ? 0 : 4;
}

static void fork_meanwhile(PDRIVER_OBJECT driver, const char *expected)
{
    NTSTATUS status = STATUS_PENDING;
    pthread_t thread;
    int ended;
    KeInitializeEvent(&entered, SynchronizationEvent, FALSE);
    KeInitializeEvent(&leave, SynchronizationEvent, FALSE);
    assert_int_equal(pthread_create(&thread, NULL, flush_and_stay, &status), 0);
    KeWaitForSingleObject(&entered, Executive, KernelMode, FALSE, NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(flush_and_unload(driver, expected));
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    KeSetEvent(&leave, IO_NO_INCREMENT, FALSE);
    pthread_join(thread, NULL);
    assert_status(status, STATUS_SUCCESS);
    assert_string_equal(journal_read(), expected);
}

static void in_a_legacy_filter(void **state)
{
    (void)state;
    struct legacy_filter filter = {'L', .dispatch = stay_in_driver};
    legacy_filter_load(&filter);
    fork_meanwhile(filter.driver, "L");
    legacy_filter_unload(&filter);
}

static void in_a_minifilter(void **state)
{
    (void)state;
    struct mini_filter filter = {'A', "1", NULL, stay_in_minifilter, note_after};
    mini_filter_load(&filter);
    fork_meanwhile(filter.driver, "Aa");
    mini_filter_unload(&filter);
}

static int begin(void **state)
{
    (void)state;
    own_folder_begin(".");
    make_file("file", "content");
    file = nt_open("file", FILE_READ_DATA | FILE_WRITE_DATA);
    return 0;
}

static int end(void **state)
{
    (void)state;
    NTSTATUS status = NtClose(file);
    own_folder_end();
    return NT_SUCCESS(status) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_legacy_filter),
        cmocka_unit_test(in_a_minifilter),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
