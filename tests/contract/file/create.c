/* SPDX-License-Identifier: MIT */
/* NtCreateFile and NtOpenFile: dispositions, options, sharing, and the order in which arguments are checked. */
#include "tests/support/nt.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct row {
    const char *path;
    ACCESS_MASK access;
    ULONG disposition;
    ULONG options;
    NTSTATUS status;
    ULONG_PTR information;
};

static void check(const struct row *row)
{
    HANDLE handle = (HANDLE)1;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    NTSTATUS status =
        nt_create(&handle, row->access, row->path, &io, ALL_SHARED, row->disposition, row->options | SYNCHRONOUS);
    if (status != row->status || io.Status != row->status || io.Information != row->information)
        fail_msg("%s, disposition %u, options %x: status %x, block %x and %lu", row->path, row->disposition,
                 row->options, (ULONG)status, (ULONG)io.Status, (unsigned long)io.Information);
    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    else
        assert_ptr_equal(handle, (HANDLE)1);
}

static void dispositions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"new", RW, FILE_OPEN, 0, STATUS_OBJECT_NAME_NOT_FOUND, FILE_DOES_NOT_EXIST},
        {"new", RW, FILE_OVERWRITE, 0, STATUS_OBJECT_NAME_NOT_FOUND, FILE_DOES_NOT_EXIST},
        {"new", RW, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new", RW, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"new", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new", RW, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new2", RW, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new2", RW, FILE_OVERWRITE, 0, STATUS_SUCCESS, FILE_OVERWRITTEN},
        {"new2", RW, FILE_OVERWRITE_IF, 0, STATUS_SUCCESS, FILE_OVERWRITTEN},
        {"new3", RW, FILE_OVERWRITE_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new3", RW, FILE_SUPERSEDE, 0, STATUS_SUCCESS, FILE_SUPERSEDED},
        {"new4", RW, FILE_SUPERSEDE, 0, STATUS_SUCCESS, FILE_CREATED},
        {"dir", RW, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {"dir", RW, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"dir", RW, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {"dir2", RW, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {"dir", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"dir", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {"dir", RW, FILE_OVERWRITE_IF, 0, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"new", RW, FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY, 0},
        {"new", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {"no/file", RW, FILE_CREATE, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"no/file", RW, FILE_OPEN, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"new/file", RW, FILE_OPEN, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"new/file", RW, FILE_CREATE, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"new/", RW, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {"dir/", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new5/", RW, FILE_CREATE, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {"dir3/", RW, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {"new", FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new6", FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new", 0, FILE_OPEN, 0, STATUS_ACCESS_DENIED, 0},
    };
    for (size_t i = 0; i + 1 < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void volumes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/proc", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {"/proc/", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

/* How many descriptors a program would get that this one starts. */
static size_t inherited(void)
{
    size_t count = 0;
    for (int i = 0; i < 100; i++) {
        int flags = fcntl(i, F_GETFD);
        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

static void descriptors_are_close_on_exec(void **state)
{
    (void)state;
    HANDLE handle;
    int pipe_ends[2];
    size_t before = descriptors(), inherited_before = inherited();
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    assert_status(NvrtlHandleFromFd(pipe_ends[1], FILE_WRITE_DATA, &handle), STATUS_SUCCESS);
    assert_int_equal(inherited(), inherited_before);
    assert_int_equal(descriptors(), before + 3);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_INVALID_HANDLE);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    assert_status(NvrtlHandleFromFd(pipe_ends[0], RW, &handle), STATUS_INVALID_HANDLE);
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispositions),
        cmocka_unit_test(volumes),
        cmocka_unit_test(descriptors_are_close_on_exec),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
