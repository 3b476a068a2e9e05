/* SPDX-License-Identifier: MIT */
/*
 * Which system calls a flush of each kind of file is, and what becomes of their errors: files, folders, volumes, block
 * devices, pipes, terminals; names; and a failure that both planes know of.
 */
#include "src/backing/backing.h"
#include "src/io/object.h"
#include "src/os/os.h"
#include "tests/support/nt.h"
#include "tests/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA_ONLY FLUSH_FLAGS_FILE_DATA_ONLY
#define NO_SYNC FLUSH_FLAGS_NO_SYNC
#define DATA_SYNC FLUSH_FLAGS_FILE_DATA_SYNC_ONLY
#define PURGE FLUSH_FLAGS_FLUSH_AND_PURGE

static NTSTATUS flush_with(HANDLE handle, ULONG flags)
{
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    NTSTATUS status = NtFlushBuffersFileEx(handle, flags, NULL, 0, &io);
    assert_true(io.Status == status || (status == STATUS_INVALID_PARAMETER && io.Status == UNTOUCHED));
    return status;
}

static NTSTATUS flush(HANDLE handle)
{
    return flush_with(handle, 0);
}

static void expect_calls(HANDLE handle, ULONG flags, const char *calls)
{
    memset(system_now.sync_log, 0, sizeof(system_now.sync_log));
    assert_status(flush_with(handle, flags), STATUS_SUCCESS);
    assert_string_equal(system_now.sync_log, calls);
}

static HANDLE wrapped(int descriptor, ACCESS_MASK access)
{
    HANDLE handle;
    assert_status(NvrtlHandleFromFd(descriptor, access | SYNCHRONIZE, &handle), STATUS_SUCCESS);
    return handle;
}

static HANDLE created(const char *path)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(nt_create(&handle, RW, path, &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS), STATUS_SUCCESS);
    return handle;
}

static int begin(void **state)
{
    (void)state;
    make_file("file", "content");
    system_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    system_end();
    return unlink("file");
}

/* -- which calls -- */

static void data(void **state)
{
    (void)state;
    HANDLE handle = nt_open("file", RW);
    expect_calls(handle, DATA_SYNC, "D");
    expect_calls(handle, DATA_ONLY, "W");
    expect_calls(handle, NO_SYNC, "F");
    expect_calls(handle, 0, "FF"); /* the folder, too */
    long before = system_now.calls;
    expect_calls(handle, 0, "F");
    assert_int_equal(system_now.calls, before + 1); /* and nothing is asked */
    expect_calls(handle, PURGE, "FP");
    for (ULONG flags = 3; flags <= 0x20; flags += flags == 7 ? 9 : 1)
        if (flags != DATA_SYNC && flags != PURGE)
            assert_status(flush_with(handle, flags), STATUS_INVALID_PARAMETER);
    NtClose(handle);
    handle = nt_open("file", RW);
    expect_calls(handle, PURGE, "FFP");
    NtClose(handle);
}

static void folders(void **state)
{
    (void)state;
    HANDLE handle = nt_open("", FILE_ADD_FILE);
    expect_calls(handle, NO_SYNC, "F");
    expect_calls(handle, DATA_ONLY, "F");
    expect_calls(handle, 0, "FF");
    expect_calls(handle, 0, "F");
    assert_status(flush_with(handle, DATA_SYNC), STATUS_INVALID_PARAMETER);
    assert_status(flush_with(handle, PURGE), STATUS_INVALID_PARAMETER);
    NtClose(handle);
    handle = nt_open("/", FILE_ADD_FILE); /* has no name */
    expect_calls(handle, 0, "F");
    NtClose(handle);
}

static void volumes(void **state)
{
    (void)state;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    struct nt_name name;
    system_now.no_disk = true; /* it is everybody's */
    assert_status(NtOpenFile(&handle, GENERIC_WRITE | SYNCHRONIZE, nt_name(&name, "\\??\\Z:", NULL), &io, ALL_SHARED,
                             SYNCHRONOUS),
                  STATUS_SUCCESS);
    expect_calls(handle, 0, "V");
    for (ULONG flags = 1; flags <= PURGE; flags *= 2)
        assert_status(flush_with(handle, flags), STATUS_INVALID_PARAMETER);
    NtClose(handle);
}

/* What knows no fsync says so, and has not failed. */
static void other_kinds(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int descriptors[] = {ends[0], null};
    for (size_t i = 0; i < 2; i++) {
        HANDLE handle = wrapped(descriptors[i], GENERIC_READ | GENERIC_WRITE);
        assert_status(flush(handle), STATUS_INVALID_DEVICE_REQUEST);
        assert_status(flush(handle), STATUS_INVALID_DEVICE_REQUEST);
        NtClose(handle);
    }
    close(ends[0]);
    close(ends[1]);
    close(null);
}

/* -- names -- */

static void names_of_new_files(void **state)
{
    (void)state;
    HANDLE handle = created("new");
    expect_calls(handle, DATA_SYNC, "D"); /* no name */
    expect_calls(handle, 0, "FF");
    NtClose(handle);
    unlink("new");
    handle = created("removed");
    unlink("removed");
    make_file("removed (deleted)", "another file, by the name that the kernel says");
    expect_calls(handle, 0, "F");
    NtClose(handle);
    unlink("removed (deleted)");
    handle = created("with a hat (deleted)");
    expect_calls(handle, 0, "FF");
    NtClose(handle);
    unlink("with a hat (deleted)");
}

static void moved_files(void **state)
{
    (void)state;
    HANDLE handle = created("before");
    mkdir("folder", 0700);
    assert_int_equal(rename("before", "folder/after"), 0); /* by somebody else: the name counts that it has */
    expect_calls(handle, 0, "FF");
    NtClose(handle);
    handle = created("hidden");
    assert_int_equal(rename("hidden", "folder/hidden"), 0);
    assert_int_equal(link("folder/after", "hidden"), 0); /* another file by the old name */
    expect_calls(handle, 0, "FF");
    NtClose(handle);
    unlink("hidden");
    unlink("folder/hidden");
    unlink("folder/after");
    rmdir("folder");
}

/* Whoever may not read the folder flushes the volume, if the name is new. As another user: root may read any. */
static int flush_unreadable(bool is_new)
{
    HANDLE handle;
    IO_STATUS_BLOCK io = {.Status = -1};
    ULONG disposition = is_new ? FILE_CREATE : FILE_OPEN;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 77;
    NTSTATUS status =
        nt_create(&handle, RW, is_new ? "dark/new" : "dark/old", &io, ALL_SHARED, disposition, SYNCHRONOUS);
    if (status == STATUS_SUCCESS)
        status = NtFlushBuffersFile(handle, &io);
    return status == STATUS_SUCCESS && strcmp(system_now.sync_log, is_new ? "FV" : "F") == 0 ? 0 : 1;
}

static void unreadable_folders(void **state)
{
    (void)state;
    int result = 77;
    if (getuid() != 0)
        skip();
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(mkdir("dark", 0700), 0);
    make_file("dark/old", "");
    assert_int_equal(chmod("dark/old", 0666), 0);
    assert_int_equal(chmod("dark", 0333), 0);
    system_now.no_disk = true;
    for (int is_new = 0; is_new < 2; is_new++) {
        pid_t child = fork();
        if (child == 0)
            _exit(flush_unreadable(is_new));
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    unlink("dark/new");
    unlink("dark/old");
    rmdir("dark");
}

/* -- failures -- */

static void fail_next(int error, int after)
{
    system_now.sync_error = error;
    system_now.sync_errors = 1;
    system_now.syncs_before = after;
}

static void every_handle_hears_of_it(void **state)
{
    (void)state;
    const struct {
        int error;
        NTSTATUS status;
    } rows[] = {{EIO, STATUS_IO_DEVICE_ERROR},      {ENOSPC, STATUS_DISK_FULL},
                {EDQUOT, STATUS_DISK_FULL},         {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
                {ENODEV, STATUS_VOLUME_DISMOUNTED}, {ENOMEM, STATUS_INSUFFICIENT_RESOURCES}};
    const ULONG flags[] = {0, DATA_ONLY, NO_SYNC, DATA_SYNC, PURGE};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HANDLE handle = nt_open("file", RW), other = nt_open("file", RW), folder = nt_open("", FILE_ADD_FILE);
        fail_next(rows[i].error, 0);
        assert_status(flush_with(handle, flags[i % 5]), rows[i].status);
        for (size_t way = 0; way < 5; way++)
            assert_status(flush_with(other, flags[way]), rows[i].status);
        assert_status(flush(folder), STATUS_SUCCESS);
        NtClose(handle);
        NtClose(other);
        handle = nt_open("file", RW);
        assert_status(flush(handle), rows[i].status); /* it outlives the handles */
        assert_status(NvrtlForgetFileFailure(handle), STATUS_SUCCESS);
        assert_status(flush(handle), STATUS_SUCCESS);
        NtClose(handle);
        NtClose(folder);
        assert_int_equal(nv_backing_count(), 0);
    }
    assert_status(NvrtlForgetFileFailure(NULL), STATUS_INVALID_HANDLE);
    assert_status(NvrtlForgetFileFailure(NtCurrentProcess()), STATUS_OBJECT_TYPE_MISMATCH);
}

/* A failure that a token met is the handle's, and the other way round; each can forget it for both. */
static void both_planes_agree(void **state)
{
    (void)state;
    struct file_map map = file_map_make(NULL, 4 * PAGE);
    HANDLE handle = wrapped(map.descriptor, RW);
    PVOID token;
    assert_status(RtlGetNonVolatileToken(map.base, PAGE, &token), STATUS_SUCCESS);
    fail_next(EIO, 0);
    assert_status(flush(handle), STATUS_IO_DEVICE_ERROR);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 0), STATUS_IO_DEVICE_ERROR);
    assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
    assert_status(flush(handle), STATUS_SUCCESS);
    fail_next(ENOSPC, 0);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 0), STATUS_DISK_FULL);
    assert_status(flush(handle), STATUS_DISK_FULL);
    assert_status(NvrtlForgetFileFailure(handle), STATUS_SUCCESS);
    assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 0), STATUS_SUCCESS);
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    NtClose(handle);
    file_map_end(&map);
}

/* The file is durable, its name is not: the flush fails, and so does the next. */
static void folder_fails(void **state)
{
    (void)state;
    HANDLE handle = created("nameless"), other = nt_open("nameless", RW);
    fail_next(EIO, 1);
    assert_status(flush(handle), STATUS_IO_DEVICE_ERROR);
    assert_status(flush(handle), STATUS_IO_DEVICE_ERROR);
    assert_status(flush(other), STATUS_IO_DEVICE_ERROR);
    assert_status(flush_with(handle, DATA_SYNC), STATUS_SUCCESS);
    assert_status(NvrtlForgetFileFailure(handle), STATUS_SUCCESS);
    expect_calls(handle, 0, "FF");
    NtClose(handle);
    NtClose(other);
    unlink("nameless");
    assert_int_equal(nv_backing_count(), 0);
}

/* A volume has failed when one of its files has; and to forget it is to forget them. */
static void volume_fails(void **state)
{
    (void)state;
    HANDLE volume, file = nt_open("file", RW);
    IO_STATUS_BLOCK io;
    struct nt_name name;
    struct stat own, root;
    assert_int_equal(stat("file", &own) | stat("/", &root), 0);
    system_now.no_disk = true;
    assert_status(NtOpenFile(&volume, GENERIC_WRITE | SYNCHRONIZE, nt_name(&name, "\\??\\Z:", NULL), &io, ALL_SHARED,
                             SYNCHRONOUS),
                  STATUS_SUCCESS);
    fail_next(ENOSPC, 0);
    assert_status(flush(volume), STATUS_DISK_FULL);
    assert_status(flush(volume), STATUS_DISK_FULL);
    assert_status(flush(file), STATUS_SUCCESS); /* nobody knows whose data it was */
    assert_status(NvrtlForgetFileFailure(volume), STATUS_SUCCESS);
    assert_status(flush(volume), STATUS_SUCCESS);
    fail_next(EIO, 0);
    assert_status(flush(file), STATUS_IO_DEVICE_ERROR);
    assert_status(flush(volume), own.st_dev == root.st_dev ? STATUS_IO_DEVICE_ERROR : STATUS_SUCCESS);
    assert_status(NvrtlForgetFileFailure(volume), STATUS_SUCCESS);
    assert_status(flush(file), own.st_dev == root.st_dev ? STATUS_SUCCESS : STATUS_IO_DEVICE_ERROR);
    assert_status(NvrtlForgetFileFailure(file), STATUS_SUCCESS);
    NtClose(file);
    NtClose(volume);
    assert_int_equal(nv_backing_count(), 0);
}

/* -- pipes and terminals -- */

static void *read_slowly(void *pipe)
{
    char byte;
    int count = 0;
    while (read(*(int *)pipe, &byte, 1) == 1)
        count++;
    return (void *)(intptr_t)count;
}

static void pipe_waits_for_its_reader(void **state)
{
    (void)state;
    int ends[2], unread_bytes = -1;
    pthread_t reader;
    void *count;
    assert_int_equal(pipe(ends), 0);
    HANDLE handle = wrapped(ends[1], GENERIC_WRITE);
    assert_status(flush(handle), STATUS_SUCCESS); /* empty */
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &ends[0]), 0);
    assert_status(flush(handle), STATUS_SUCCESS);
    unread_bytes = nv_os->unread(ends[1]);
    assert_int_equal(unread_bytes, 0);
    NtClose(handle);
    close(ends[1]);
    pthread_join(reader, &count);
    assert_int_equal((intptr_t)count, 10);
    close(ends[0]);
}

static void *close_soon(void *pipe)
{
    while (!system_now.hangup_awaited)
        sched_yield();
    close(*(int *)pipe);
    return NULL;
}

static void pipe_without_a_reader(void **state)
{
    (void)state;
    int ends[2];
    pthread_t reader;
    assert_int_equal(pipe(ends), 0);
    HANDLE handle = wrapped(ends[1], GENERIC_WRITE);
    assert_int_equal(write(ends[1], "0123456789", 10), 10);
    assert_int_equal(pthread_create(&reader, NULL, close_soon, &ends[0]), 0);
    assert_status(flush(handle), STATUS_PIPE_BROKEN); /* the reader goes while the flush waits */
    pthread_join(reader, NULL);
    assert_status(flush(handle), STATUS_SUCCESS); /* it had gone before */
    NtClose(handle);
    close(ends[1]);
}

static void pipe_rights(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    HANDLE reading = wrapped(ends[0], GENERIC_READ), appending = wrapped(ends[1], FILE_APPEND_DATA);
    assert_status(NtFlushBuffersFile(reading, &io), STATUS_ACCESS_DENIED);
    assert_status(NtFlushBuffersFile(appending, &io), STATUS_ACCESS_DENIED);
    assert_status(io.Status, UNTOUCHED);
    NtClose(reading);
    NtClose(appending);
    close(ends[0]);
    close(ends[1]);
}

/* What was written has left for the other end when the flush returns. */
static void terminal(void **state)
{
    (void)state;
    int master, slave, waiting = 0;
    if (openpty(&master, &slave, NULL, NULL, NULL) != 0)
        skip();
    HANDLE handle = wrapped(slave, GENERIC_READ | GENERIC_WRITE);
    assert_int_equal(write(slave, "hello", 5), 5);
    assert_status(flush(handle), STATUS_SUCCESS);
    char text[8];
    waiting = (int)read(master, text, sizeof(text));
    assert_int_equal(waiting, 5);
    NtClose(handle);
    close(slave);
    close(master);
}

/* -- any call of the system that fails -- */

/* A flush says so when it could not do all of it; and it leaves no descriptor and no memory. */
static void nth_call_fails(void **state)
{
    (void)state;
    bool completed = false;
    size_t before = descriptors();
    for (int for_good = 0; for_good < 2; for_good++) {
        completed = false;
        for (long nth = 1; !completed; nth++) {
            HANDLE handle = created("fails");
            memset(system_now.sync_log, 0, sizeof(system_now.sync_log));
            system_now.calls = system_now.failed = 0;
            system_now.for_good = for_good;
            system_now.error = EIO;
            system_now.fail_at = nth;
            NTSTATUS status = flush(handle);
            system_now.fail_at = 0;
            completed = system_now.failed == 0;
            if (status == STATUS_SUCCESS)
                assert_true(strcmp(system_now.sync_log, "FF") == 0 || strcmp(system_now.sync_log, "FV") == 0);
            assert_true(!completed || status == STATUS_SUCCESS);
            assert_status(NvrtlForgetFileFailure(handle), STATUS_SUCCESS);
            NtClose(handle);
            unlink("fails");
            assert_true(nth < 100);
        }
    }
    assert_int_equal(descriptors(), before);
    assert_int_equal(nv_backing_count(), 0);
    assert_int_equal(nv_object_count(), 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(data),
        EACH(folders),
        EACH(volumes),
        EACH(other_kinds),
        EACH(names_of_new_files),
        EACH(moved_files),
        EACH(unreadable_folders),
        EACH(every_handle_hears_of_it),
        EACH(both_planes_agree),
        EACH(folder_fails),
        EACH(volume_fails),
        EACH(pipe_waits_for_its_reader),
        EACH(pipe_without_a_reader),
        EACH(pipe_rights),
        EACH(terminal),
        EACH(nth_call_fails),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
