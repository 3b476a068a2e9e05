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
#include <sys/wait.h>
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

/* To hand the data to the device promises nothing; but the error that it met is told to nobody else. */
static void handed_to_the_device(void **state)
{
    (void)state;
    struct nv_backing *backing = backing_of(map.descriptor);
    system_begin();
    assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_WRITE), STATUS_SUCCESS);
    system_now.sync_error = ENOSPC;
    system_now.sync_errors = 1;
    assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_WRITE), STATUS_DISK_FULL);
    assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_ALL), STATUS_DISK_FULL);
    system_end();
    nv_backing_forget(backing);
    nv_backing_put(backing);
}

/* A volume that has failed, a file of it that has, and to forget both. */
static void whole_volume(void **state)
{
    (void)state;
    struct stat file;
    assert_int_equal(fstat(map.descriptor, &file), 0);
    struct nv_backing *backing = backing_of(map.descriptor);
    struct nv_backing *volume = nv_backing_get(file.st_dev, NV_BACKING_VOLUME);
    system_begin();
    assert_status(nv_backing_sync_file(volume, map.descriptor, NV_SYNC_VOLUME), STATUS_SUCCESS);
    assert_status(nv_backing_failure_on(file.st_dev), STATUS_SUCCESS);
    system_now.sync_error = EIO;
    system_now.sync_errors = 2;
    assert_status(nv_backing_sync_file(volume, map.descriptor, NV_SYNC_VOLUME), STATUS_IO_DEVICE_ERROR);
    assert_status(nv_backing_failure(backing), STATUS_SUCCESS); /* nobody knows whose data it was */
    nv_backing_forget(volume);
    assert_status(nv_backing_failure_on(file.st_dev), STATUS_SUCCESS);
    assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_ALL), STATUS_IO_DEVICE_ERROR);
    nv_backing_put(backing);
    assert_int_equal(nv_backing_count(), 2);
    assert_status(nv_backing_failure_on(file.st_dev), STATUS_IO_DEVICE_ERROR);
    assert_status(nv_backing_failure_on(file.st_dev + 1), STATUS_SUCCESS);
    nv_backing_forget_on(file.st_dev + 1);
    assert_status(nv_backing_failure_on(file.st_dev), STATUS_IO_DEVICE_ERROR);
    nv_backing_forget_on(file.st_dev);
    assert_status(nv_backing_failure_on(file.st_dev), STATUS_SUCCESS);
    assert_int_equal(nv_backing_count(), 1);
    nv_backing_put(volume);
    system_end();
}

static void device_gone(void **state)
{
    (void)state;
    const struct {
        int error; /* of whatever is tried after EIO */
        NTSTATUS status;
    } rows[] = {{0, STATUS_IO_DEVICE_ERROR},       {EIO, STATUS_VOLUME_DISMOUNTED},
                {ENXIO, STATUS_VOLUME_DISMOUNTED}, {ESHUTDOWN, STATUS_VOLUME_DISMOUNTED},
                {ENOMEM, STATUS_IO_DEVICE_ERROR},  {EMFILE, STATUS_IO_DEVICE_ERROR}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nv_backing *backing = backing_of(map.descriptor);
        system_begin();
        system_now.sync_error = EIO;
        system_now.sync_errors = 1;
        system_now.gone = rows[i].error;
        assert_status(nv_backing_sync_file(backing, map.descriptor, NV_SYNC_DATA), rows[i].status);
        assert_status(nv_backing_failure(backing), rows[i].status);
        nv_backing_forget(backing);
        nv_backing_put(backing);
        system_end();
    }
}

/* Whether a device is alive is asked without touching what is on it, and without dropping the program's locks. */
static void alive(void **state)
{
    (void)state;
    const char *const paths[] = {map.path, "."};
    const int modes[] = {O_RDONLY, O_RDWR, O_WRONLY};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        for (size_t mode = 0; mode < sizeof(modes) / sizeof(modes[0]); mode++) {
            int descriptor = open(paths[i], modes[mode] | O_CLOEXEC);
            if (descriptor < 0)
                continue; /* a folder, for writing */
            assert_int_equal(nv_os->alive(descriptor), 0);
            close(descriptor);
        }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 100}, seen = lock;
    assert_int_equal(fcntl(map.descriptor, F_SETLK, &lock), 0);
    assert_int_equal(nv_os->alive(map.descriptor), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(fcntl(map.descriptor, F_GETLK, &seen) == 0 && seen.l_type == F_WRLCK ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
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
        cmocka_unit_test(handed_to_the_device),
        cmocka_unit_test(whole_volume),
        cmocka_unit_test(device_gone),
        cmocka_unit_test(alive),
        cmocka_unit_test(interrupted),
    };
    map = file_map_make(NULL, 4 * PAGE);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    file_map_end(&map);
    return failed;
}
