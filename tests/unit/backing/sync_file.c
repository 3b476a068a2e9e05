/* SPDX-License-Identifier: MIT */
/*
 * An open file's fsync and fdatasync by its backing: refused once the file has failed, remembered when they fail,
 * interrupted now and then. Files, folders and devices are real.
 */
#include "src/backing/backing.h"
#include "tests/support/memory.h"
#include "tests/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_map map;

static struct nv_backing *backing_of(int descriptor)
{
    struct stat file;
    assert_int_equal(fstat(descriptor, &file), 0);
    struct nv_backing *backing = nv_backing_get(file.st_dev, file.st_ino);
    assert_non_null(backing);
    return backing;
}

static void files_and_folders(void **state)
{
    (void)state;
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int descriptors[] = {map.descriptor, folder};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
        struct nv_backing *backing = backing_of(descriptors[i]);
        assert_status(nv_backing_sync_file(backing, descriptors[i], NV_SYNC_ALL), STATUS_SUCCESS);
        assert_status(nv_backing_sync_file(backing, descriptors[i], NV_SYNC_DATA), STATUS_SUCCESS);
        nv_backing_put(backing);
    }
    close(folder);
    assert_int_equal(nv_backing_count(), 0);
}

/* Each way, and who hears of it later. */
static void failures_are_remembered(void **state)
{
    (void)state;
    const struct {
        int error;
        NTSTATUS status;
    } rows[] = {{EIO, STATUS_IO_DEVICE_ERROR},
                {ENOSPC, STATUS_DISK_FULL},
                {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
                {ENOMEM, STATUS_INSUFFICIENT_RESOURCES}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nv_backing *backing = backing_of(map.descriptor);
        PVOID token;
        system_begin();
        assert_status(RtlGetNonVolatileToken(map.base, PAGE, &token), STATUS_SUCCESS);
        system_now.sync_error = rows[i].error;
        system_now.sync_errors = 1;
        assert_status(nv_backing_sync_file(backing, map.descriptor, (enum nv_file_sync)(i % 2)), rows[i].status);
        long syncs = system_now.syncs;
        assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_ALL), rows[i].status);
        assert_int_equal(system_now.syncs, syncs); /* the file is not asked again */
        assert_status(RtlFlushNonVolatileMemory(token, map.base, 8, 0), rows[i].status);
        nv_backing_put(backing);
        backing = backing_of(map.descriptor);
        assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_DATA), rows[i].status);
        assert_status(NvrtlForgetFailure(token), STATUS_SUCCESS);
        assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_DATA), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        nv_backing_put(backing);
        system_end();
    }
    assert_int_equal(nv_backing_count(), 0);
}

static void what_cannot_be_synced(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct nv_backing *backing = backing_of(pipes[0]);
    assert_status(nv_backing_sync_file(backing, pipes[0], NV_SYNC_ALL), STATUS_INVALID_DEVICE_REQUEST);
    assert_status(nv_backing_sync_file(backing, -1, NV_SYNC_ALL), STATUS_INVALID_HANDLE);
    assert_status(nv_backing_failure(backing), STATUS_SUCCESS);
    nv_backing_put(backing);
    close(pipes[0]);
    close(pipes[1]);
}

static void interrupted(void **state)
{
    (void)state;
    struct nv_backing *backing = backing_of(map.descriptor);
    system_begin();
    system_now.sync_error = EINTR;
    system_now.sync_errors = 5;
    assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_DATA), STATUS_SUCCESS);
    assert_int_equal(system_now.syncs, 6);
    system_now.sync_errors = -1;
    assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_ALL), STATUS_UNSUCCESSFUL);
    system_end();
    nv_backing_forget(backing);
    nv_backing_put(backing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_folders),
        cmocka_unit_test(failures_are_remembered),
        cmocka_unit_test(what_cannot_be_synced),
        cmocka_unit_test(interrupted),
    };
    map = file_map_make(NULL, 4 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
