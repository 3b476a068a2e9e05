/* SPDX-License-Identifier: MIT */
/*
 * Handles, tokens and views of one file know of each other's failures on every file system, whatever numbers it gives
 * to its files: btrfs has a device number for each subvolume, and another for their mappings.
 */
#include "src/backing/backing.h"
#include "src/io/object.h"
#include "tests/support/disk.h"
#include "tests/support/nt.h"
#include "tests/support/system.h"

#include <errno.h>
#include <stdio.h>

/* The failing call is one of these. */
enum plane { HANDLE_PLANE, TOKEN_PLANE, VIEW_PLANE, PLANES };

struct file {
    HANDLE handle;
    PVOID token;
    PVOID view;
};

static struct file open_file(const char *path)
{
    struct file file = {.view = NULL};
    HANDLE section;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER size = {.QuadPart = (LONGLONG)PAGE};
    SIZE_T view_bytes = 0;
    assert_status(nt_create(&file.handle, RW, path, &io, ALL_SHARED, FILE_OPEN_IF, SYNCHRONOUS), STATUS_SUCCESS);
    assert_status(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, file.handle),
                  STATUS_SUCCESS);
    assert_status(NtMapViewOfSection(section, NtCurrentProcess(), &file.view, 0, 0, NULL, &view_bytes, ViewShare, 0,
                                     PAGE_READWRITE),
                  STATUS_SUCCESS);
    assert_status(NtClose(section), STATUS_SUCCESS);
    assert_status(RtlGetNonVolatileToken(file.view, PAGE, &file.token), STATUS_SUCCESS);
    return file;
}

static void close_file(struct file *file)
{
    assert_status(RtlFreeNonVolatileToken(file->token), STATUS_SUCCESS);
    assert_status(NtUnmapViewOfSection(NtCurrentProcess(), file->view), STATUS_SUCCESS);
    assert_status(NtClose(file->handle), STATUS_SUCCESS);
    assert_int_equal(nv_backing_count() + nv_object_count(), 0);
}

static NTSTATUS flush(const struct file *file, enum plane plane)
{
    IO_STATUS_BLOCK io;
    PVOID base = file->view;
    SIZE_T size_bytes = PAGE;
    if (plane == HANDLE_PLANE)
        return NtFlushBuffersFile(file->handle, &io);
    if (plane == TOKEN_PLANE)
        return RtlFlushNonVolatileMemory(file->token, file->view, PAGE, 0);
    return NtFlushVirtualMemory(NtCurrentProcess(), &base, &size_bytes, &io);
}

static void expect_agreement(const char *path)
{
    for (int failing = 0; failing < PLANES; failing++) {
        system_begin();
        struct file file = open_file(path);
        system_now.sync_error = ENOSPC;
        system_now.sync_errors = 1;
        assert_status(flush(&file, (enum plane)failing), STATUS_DISK_FULL);
        for (int plane = 0; plane < PLANES; plane++)
            assert_status(flush(&file, (enum plane)plane), STATUS_DISK_FULL);
        if (failing == HANDLE_PLANE)
            assert_status(NvrtlForgetFailure(file.token), STATUS_SUCCESS);
        else
            assert_status(NvrtlForgetFileFailure(file.handle), STATUS_SUCCESS);
        for (int plane = 0; plane < PLANES; plane++)
            assert_status(flush(&file, (enum plane)plane), STATUS_SUCCESS);
        close_file(&file);
        system_end();
    }
}

static void on_disks(void **state)
{
    (void)state;
    static const char *const types[] = {"ext4", "ext2", "xfs", "btrfs"};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct disk disk;
        char path[300];
        if (!disk_make(&disk, types[i], types[i])) {
            print_message("skipped: no %s here\n", types[i]);
            continue;
        }
        snprintf(path, sizeof(path), "%s/file", disk.folder);
        expect_agreement(path);
        disk_unmount(&disk, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_disks)};
    disks_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disks_end();
    return failed;
}
