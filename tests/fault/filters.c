/* SPDX-License-Identifier: MIT */
/*
 * Drivers and filters while the Nth system call or allocation fails, for every N, once and for good: each step succeeds
 * or tells, and what was loaded can be unloaded. Each N is a process of its own, in which volumes are used for the
 * first time.
 */
#include "src/io/fcb.h"
#include "src/io/object.h"
#include "tests/contract/filter/mini_filter.h"
#include "tests/support/system.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d, call %ld: %s\n", __LINE__, system_now.fail_at, #condition);                      \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

enum { NO_MORE_CALLS = 42 };

static bool is_right(NTSTATUS status)
{
    return status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES ||
           status == STATUS_OBJECT_NAME_NOT_FOUND; /* of a path that could not be looked at */
}

/* -- a minifilter with contexts, names and requests of its own -- */

static VOID NTAPI cleanup(PFLT_CONTEXT context, FLT_CONTEXT_TYPE type)
{
    (void)type;
    *(int *)context = 0;
}

static const FLT_CONTEXT_REGISTRATION contexts[] = {
    {FLT_INSTANCE_CONTEXT, 0, cleanup, sizeof(int), 1, NULL, NULL, NULL},
    {FLT_STREAMHANDLE_CONTEXT, 0, cleanup, sizeof(int), 1, NULL, NULL, NULL},
    {.ContextType = FLT_CONTEXT_END},
};

static NTSTATUS NTAPI setup(PCFLT_RELATED_OBJECTS objects, FLT_INSTANCE_SETUP_FLAGS flags, DEVICE_TYPE device,
                            FLT_FILESYSTEM_TYPE type)
{
    PFLT_CONTEXT context;
    (void)flags;
    (void)device;
    (void)type;
    NTSTATUS status = FltAllocateContext(objects->Filter, FLT_INSTANCE_CONTEXT, sizeof(int), PagedPool, &context);
    CHECK(is_right(status));
    if (!NT_SUCCESS(status))
        return status;
    status = FltSetInstanceContext(objects->Instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, context, NULL);
    CHECK(NT_SUCCESS(status));
    FltReleaseContext(context);
    return status;
}

static FLT_PREOP_CALLBACK_STATUS NTAPI before(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *unused)
{
    PFLT_FILE_NAME_INFORMATION name;
    PFLT_CONTEXT context;
    (void)unused;
    NTSTATUS status = FltGetFileNameInformation(data, FLT_FILE_NAME_OPENED, &name);
    CHECK(is_right(status) || status == STATUS_FLT_INVALID_NAME_REQUEST); /* there was no memory for it */
    if (NT_SUCCESS(status)) {
        CHECK(FltParseFileNameInformation(name) == STATUS_SUCCESS);
        FltReleaseFileNameInformation(name);
    }
    status = FltAllocateContext(objects->Filter, FLT_STREAMHANDLE_CONTEXT, sizeof(int), PagedPool, &context);
    CHECK(is_right(status));
    if (NT_SUCCESS(status)) {
        CHECK(FltSetStreamHandleContext(objects->Instance, objects->FileObject, FLT_SET_CONTEXT_REPLACE_IF_EXISTS,
                                        context, NULL) == STATUS_SUCCESS);
        FltReleaseContext(context);
    }
    CHECK(is_right(FltFlushBuffers2(objects->Instance, objects->FileObject, FLT_FLUSH_TYPE_FILE_DATA_ONLY, data)));
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}

/* -- a legacy filter that flushes by a request of its own -- */

static NTSTATUS NTAPI flush_twice(PDEVICE_OBJECT device, PIRP irp)
{
    PDEVICE_OBJECT lower = legacy_filter_of(device)->lower;
    IO_STATUS_BLOCK io;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP own = IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, lower, NULL, 0, NULL, &event, &io);
    if (own) {
        IoGetNextIrpStackLocation(own)->FileObject = IoGetCurrentIrpStackLocation(irp)->FileObject;
        CHECK(is_right(IoCallDriver(lower, own)) && is_right(io.Status));
    }
    return legacy_filter_skip(device, irp);
}

static VOID NTAPI hear(PDEVICE_OBJECT device, BOOLEAN active)
{
    CHECK(device && active);
}

static VOID NTAPI stop(PDRIVER_OBJECT driver)
{
    IoUnregisterFsRegistrationChange(driver, hear);
}

static NTSTATUS NTAPI listen_only(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    driver->DriverUnload = stop;
    return IoRegisterFsRegistrationChange(driver, hear);
}

/* -- all of it -- */

static void use_the_file(void)
{
    HANDLE file;
    IO_STATUS_BLOCK io;
    NTSTATUS status = nt_create(&file, RW, "file", &io, ALL_SHARED, FILE_OPEN_IF, SYNCHRONOUS);
    CHECK(is_right(status));
    if (!NT_SUCCESS(status))
        return;
    CHECK(is_right(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io)));
    CHECK(NtClose(file) == STATUS_SUCCESS);
}

static void scenario(void)
{
    struct mini_filter mini = {.altitude = "10", .before = before, .contexts = contexts, .setup = setup};
    struct legacy_filter legacy = {.dispatch = flush_twice};
    PDRIVER_OBJECT listener = NULL;
    NTSTATUS listening = NvrtlLoadDriver(listen_only, NULL, &listener);
    CHECK(is_right(listening));
    NTSTATUS minis = mini_filter_try(&mini);
    CHECK(is_right(minis));
    NTSTATUS legacies = legacy_filter_try(&legacy);
    CHECK(is_right(legacies));
    use_the_file();
    if (NT_SUCCESS(minis))
        CHECK(NvrtlUnloadDriver(mini.driver) == STATUS_SUCCESS);
    if (NT_SUCCESS(legacies))
        CHECK(NvrtlUnloadDriver(legacy.driver) == STATUS_SUCCESS);
    if (NT_SUCCESS(listening))
        CHECK(NvrtlUnloadDriver(listener) == STATUS_SUCCESS);
}

static void child(long fail_at, bool for_good)
{
    size_t open_before = descriptors();
    system_begin();
    system_now.fail_at = fail_at;
    system_now.for_good = for_good;
    system_now.error = ENOMEM;
    scenario();
    long failed = system_now.failed;
    system_end();
    CHECK(nv_object_count() == 0 && nv_fcb_count() == 0);
    CHECK(descriptors() == open_before);
    use_the_file(); /* nothing stands in its way any more */
    CHECK(access("file", F_OK) == 0);
    _exit(failed ? 0 : NO_MORE_CALLS);
}

static void every_call(bool for_good)
{
    int ended = 0;
    for (long fail_at = 1; ended == 0; fail_at++) {
        pid_t pid = fork();
        if (pid == 0)
            child(fail_at, for_good);
        assert_int_equal(waitpid(pid, &ended, 0), pid);
        assert_true(WIFEXITED(ended));
        assert_true(WEXITSTATUS(ended) == 0 || WEXITSTATUS(ended) == NO_MORE_CALLS);
        assert_true(fail_at < 1000);
    }
}

static void once(void **state)
{
    (void)state;
    every_call(false);
}

static void for_good(void **state)
{
    (void)state;
    every_call(true);
}

/* -- what it costs -- */

static NTSTATUS NTAPI wait_and_complete(PDEVICE_OBJECT device, PIRP irp)
{
    NTSTATUS status = legacy_filter_forward(device, irp);
    return legacy_filter_complete(irp, status, irp->IoStatus.Information);
}

/* A request is made in memory that its caller has, with filters and without. */
static void requests_allocate_nothing(void **state)
{
    (void)state;
    struct mini_filter mini = {'A', "10", NULL, note_before, note_after};
    struct legacy_filter legacy = {.dispatch = wait_and_complete};
    IO_STATUS_BLOCK io;
    HANDLE file = nt_open("file", RW);
    for (int i = 0; i < 3; i++) {
        system_begin();
        assert_status(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io), STATUS_SUCCESS);
        long allocations = system_now.allocations;
        system_end();
        assert_int_equal(allocations, 0);
        assert_string_equal(journal_read(), i == 0 ? "" : "Aa");
        if (i == 0)
            mini_filter_load(&mini);
        if (i == 1)
            legacy_filter_load(&legacy);
    }
    legacy_filter_unload(&legacy);
    mini_filter_unload(&mini);
    assert_status(NtClose(file), STATUS_SUCCESS);
}

static int begin_all(void **state)
{
    (void)state;
    own_folder_begin(".");
    make_file("file", "content");
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    own_folder_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(for_good),
        cmocka_unit_test(requests_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
