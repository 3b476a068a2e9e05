/* SPDX-License-Identifier: MIT */
/*
 * The ways in which programs for Windows call this interface, written anew: PostgreSQL's and MariaDB's fdatasync, git's
 * writing back, and DiskSpd's flushes of mapped memory. Each runs on a file of its own, and finds what it relies on.
 */
#include "tests/support/nt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK ((size_t)4096)
#define BLOCKS 16

static HANDLE file;

static int begin(void **state)
{
    IO_STATUS_BLOCK io;
    (void)state;
    return nt_create(&file, RW, "file", &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS) != STATUS_SUCCESS;
}

static int end(void **state)
{
    (void)state;
    NtClose(file);
    return unlink("file");
}

static void write_block(HANDLE handle, size_t block, char mark)
{
    char bytes[BLOCK];
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = (LONGLONG)(block * BLOCK)};
    memset(bytes, mark, BLOCK);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, bytes, (ULONG)BLOCK, &at, NULL), STATUS_SUCCESS);
    assert_int_equal(io.Information, BLOCK);
}

/* -- fdatasync by way of the status's Win32 error -- */

static int errno_of(ULONG win32)
{
    static const struct {
        ULONG win32;
        int error;
    } pairs[] = {{5, EACCES}, {6, EBADF}, {19, EROFS}, {21, EIO}, {87, EINVAL}, {112, ENOSPC}, {1117, EIO}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].win32 == win32)
            return pairs[i].error;
    return EINVAL;
}

/* 0, or -1 and errno: what a database's own fdatasync is. */
static int data_sync(HANDLE handle)
{
    IO_STATUS_BLOCK io;
    memset(&io, 0, sizeof(io));
    NTSTATUS status = NtFlushBuffersFileEx(handle, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, &io);
    if (NT_SUCCESS(status))
        return 0;
    errno = errno_of(RtlNtStatusToDosError(status));
    return -1;
}

static void fdatasync_by_status(void **state)
{
    (void)state;
    HANDLE reading = nt_open("file", GENERIC_READ), folder = nt_open("", FILE_ADD_FILE);
    for (size_t block = 0; block < BLOCKS; block++) {
        write_block(file, block, (char)('a' + block));
        assert_int_equal(data_sync(file), 0);
    }
    assert_int_equal(data_sync(reading), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(data_sync(folder), -1); /* so a database syncs folders in another way */
    assert_int_equal(errno, EINVAL);
    assert_int_equal(data_sync(NULL), -1);
    assert_int_equal(errno, EBADF);
    NtClose(reading);
    NtClose(folder);
}

/* -- fdatasync, and fsync for good where the first says no -- */

static bool has_data_sync = true;

static bool sync_or_fall_back(HANDLE handle)
{
    IO_STATUS_BLOCK io;
    if (has_data_sync && NtFlushBuffersFileEx(handle, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, &io) == STATUS_SUCCESS)
        return true;
    has_data_sync = false;
    return NtFlushBuffersFile(handle, &io) == STATUS_SUCCESS;
}

static void falls_back_and_remembers(void **state)
{
    (void)state;
    HANDLE folder = nt_open("", FILE_ADD_FILE), reading = nt_open("file", GENERIC_READ);
    write_block(file, 0, 'm');
    assert_true(sync_or_fall_back(file));
    assert_true(has_data_sync);
    assert_true(sync_or_fall_back(folder)); /* refuses the first, and takes the second */
    assert_false(has_data_sync);
    assert_true(sync_or_fall_back(file));
    assert_false(sync_or_fall_back(reading));
    NtClose(folder);
    NtClose(reading);
}

/* -- many files written back, and one flush for all -- */

/* Any status but 0 is a failure. */
static int write_out_only(HANDLE handle)
{
    IO_STATUS_BLOCK io;
    memset(&io, 0, sizeof(io));
    if (NtFlushBuffersFileEx(handle, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io) == 0)
        return 0;
    errno = EINVAL;
    return -1;
}

static void batch_of_new_files(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    HANDLE handles[8], last;
    char name[16];
    for (size_t i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "object%zu", i);
        assert_status(nt_create(&handles[i], RW, name, &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS), STATUS_SUCCESS);
        write_block(handles[i], 0, 'g');
        assert_int_equal(write_out_only(handles[i]), 0);
    }
    assert_status(nt_create(&last, RW, "bulk", &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS), STATUS_SUCCESS);
    assert_status(NtFlushBuffersFile(last, &io), STATUS_SUCCESS);
    NtClose(last);
    unlink("bulk");
    for (size_t i = 0; i < 8; i++) {
        NtClose(handles[i]);
        snprintf(name, sizeof(name), "object%zu", i);
        unlink(name);
    }
    HANDLE reading = nt_open("file", GENERIC_READ);
    assert_int_equal(write_out_only(reading), -1);
    NtClose(reading);
}

/* -- blocks of a mapped file, flushed one by one -- */

/* The functions are looked up by name, and the library may lack them. */
struct memory_functions {
    NTSTATUS (*get)(PVOID buffer, SIZE_T size_bytes, PVOID *token);
    NTSTATUS (*flush)(PVOID token, PVOID buffer, SIZE_T size_bytes, ULONG flags);
    NTSTATUS (*free)(PVOID token);
};

static void each_block_of_a_view(void **state)
{
    (void)state;
    const struct memory_functions functions = {RtlGetNonVolatileToken, RtlFlushNonVolatileMemory,
                                               RtlFreeNonVolatileToken};
    const ULONG modes[] = {0, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN};
    LARGE_INTEGER size = {.QuadPart = BLOCKS * (LONGLONG)BLOCK};
    HANDLE section;
    PVOID view = NULL, token;
    SIZE_T view_bytes = 0;
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, file),
                  STATUS_SUCCESS);
    assert_status(
        NtMapViewOfSection(section, NtCurrentProcess(), &view, 0, 0, NULL, &view_bytes, ViewShare, 0, PAGE_READWRITE),
        STATUS_SUCCESS);
    assert_status(functions.get(view, view_bytes, &token), STATUS_SUCCESS);
    for (size_t mode = 0; mode < 2; mode++)
        for (size_t block = 0; block < BLOCKS; block++) {
            char *at = (char *)view + (block * 7 % BLOCKS) * BLOCK;
            memset(at, (int)('A' + block), BLOCK);
            assert_status(functions.flush(token, at, BLOCK, modes[mode]), STATUS_SUCCESS);
        }
    assert_status(functions.free(token), STATUS_SUCCESS); /* without a drain */
    assert_status(NtUnmapViewOfSection(NtCurrentProcess(), view), STATUS_SUCCESS);
    NtClose(section);
}

/* The same, by what a view had before there were tokens: each block, and the file at the end. */
static void each_block_by_flushing_the_view(void **state)
{
    (void)state;
    LARGE_INTEGER size = {.QuadPart = BLOCKS * (LONGLONG)BLOCK};
    IO_STATUS_BLOCK io;
    HANDLE section;
    PVOID view = NULL;
    SIZE_T view_bytes = 0;
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, file),
                  STATUS_SUCCESS);
    assert_status(
        NtMapViewOfSection(section, NtCurrentProcess(), &view, 0, 0, NULL, &view_bytes, ViewShare, 0, PAGE_READWRITE),
        STATUS_SUCCESS);
    for (size_t block = 0; block < BLOCKS; block++) {
        PVOID start = (char *)view + block * BLOCK;
        SIZE_T size_bytes = BLOCK;
        memset(start, 'v', BLOCK);
        assert_status(NtFlushVirtualMemory(NtCurrentProcess(), &start, &size_bytes, &io), STATUS_SUCCESS);
    }
    assert_status(NtFlushBuffersFile(file, &io), STATUS_SUCCESS);
    assert_status(NtUnmapViewOfSection(NtCurrentProcess(), view), STATUS_SUCCESS);
    NtClose(section);
}

/* A binding that passes no status block expects to be refused, and flushes in another way. */
static void without_a_status_block(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    write_block(file, 0, 'n');
    assert_false(NT_SUCCESS(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, NULL)));
    assert_status(NtFlushBuffersFile(file, &io), STATUS_SUCCESS);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(fdatasync_by_status),  EACH(falls_back_and_remembers),        EACH(batch_of_new_files),
        EACH(each_block_of_a_view), EACH(each_block_by_flushing_the_view), EACH(without_a_status_block),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
