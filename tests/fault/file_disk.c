/* SPDX-License-Identifier: MIT */
/*
 * Handles on real file systems: what a flush has promised is found in a copy of the device, content and name, on file
 * systems with a journal and without; and disks that are full, shut down or mounted for reading only say so, for good.
 */
#include "tests/support/disk.h"
#include "tests/support/nt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const types[] = {"ext4", "ext2", "xfs", "btrfs"};
#define TYPES (sizeof(types) / sizeof(types[0]))

static char path[512];

/* The path of a file on the disk. */
static const char *on(const struct disk *disk, const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", disk->folder, name);
    return path;
}

static bool make(struct disk *disk, const char *name, const char *type)
{
    if (disk_make(disk, name, type))
        return true;
    print_message("skipped: no %s here\n", type);
    return false;
}

static HANDLE created(const char *file, ULONG options)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(nt_create(&handle, RW | DELETE, file, &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS | options),
                  STATUS_SUCCESS);
    return handle;
}

static HANDLE volume_of(const struct disk *disk)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(
        nt_create(&handle, RW, disk->folder, &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS | FILE_NON_DIRECTORY_FILE),
        STATUS_SUCCESS);
    return handle;
}

static void put(HANDLE handle, const char *text)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER start = {.QuadPart = 0};
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, (PVOID)(uintptr_t)text, (ULONG)strlen(text), &start, NULL),
                  STATUS_SUCCESS);
}

static NTSTATUS flush_with(HANDLE handle, ULONG flags)
{
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    NTSTATUS status = NtFlushBuffersFileEx(handle, flags, NULL, 0, &io);
    assert_status(io.Status, status);
    assert_int_equal(io.Information, 0);
    return status;
}

static NTSTATUS flush(HANDLE handle)
{
    return flush_with(handle, 0);
}

/* -- what survives -- */

/* What is to be found in the copies, when everything is unmounted: btrfs does not mount two of one device. */
struct check {
    struct disk copy;
    const char *file;
    const char *content;
};

static struct check checks[32];
static size_t check_count;

static void note(const struct disk *disk, const char *file, const char *content)
{
    char name[32];
    struct check *check = &checks[check_count++];
    snprintf(name, sizeof(name), "%s-copy%zu", disk->type, check_count);
    assert_true(disk_copy(disk, &check->copy, name));
    check->file = file;
    check->content = content;
}

static bool holds(struct check *check)
{
    char text[64] = "";
    int descriptor = open(on(&check->copy, check->file), O_RDONLY | O_CLOEXEC);
    bool same = descriptor >= 0 && read(descriptor, text, sizeof(text) - 1) >= 0 && strcmp(text, check->content) == 0;
    if (descriptor >= 0)
        close(descriptor);
    if (!same)
        print_message("%s, %s: \"%s\" instead of \"%s\"\n", check->copy.type, check->file, text, check->content);
    return same;
}

static void check_all(void)
{
    bool all = true;
    for (size_t i = 0; i < check_count; i++) {
        assert_true(disk_mount(&checks[i].copy, 0));
        all = holds(&checks[i]) && all;
        disk_unmount(&checks[i].copy, true);
    }
    check_count = 0;
    assert_true(all);
}

/* A new file, with its name; then its next content by every kind of flush that promises it. */
static void new_file(const struct disk *disk)
{
    static const struct {
        ULONG flags;
        const char *content;
    } ways[] = {{0, "first"},
                {FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, "2 only data"},
                {FLUSH_FLAGS_NO_SYNC, "3 no synchronization"},
                {FLUSH_FLAGS_FLUSH_AND_PURGE, "4 purged, and much longer than all of the above"}};
    HANDLE handle = created(on(disk, "new"), 0);
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        put(handle, ways[i].content);
        assert_status(flush_with(handle, ways[i].flags), STATUS_SUCCESS);
        note(disk, "new", ways[i].content);
    }
    NtClose(handle);
}

/* By another handle than the one that created it. */
static void reopened_file(const struct disk *disk)
{
    NtClose(created(on(disk, "reopened"), 0));
    HANDLE handle = nt_open(on(disk, "reopened"), RW);
    put(handle, "reopened");
    assert_status(flush(handle), STATUS_SUCCESS);
    note(disk, "reopened", "reopened");
    NtClose(handle);
}

/* A folder's flush makes its entries durable, and its own name. */
static void new_folder(const struct disk *disk)
{
    HANDLE folder = created(on(disk, "folder"), FILE_DIRECTORY_FILE), file = created(on(disk, "folder/file"), 0);
    put(file, "in a folder");
    assert_status(flush_with(file, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY), STATUS_SUCCESS);
    assert_status(flush(folder), STATUS_SUCCESS);
    note(disk, "folder/file", "in a folder");
    NtClose(file);
    NtClose(folder);
}

static void rename_to(HANDLE handle, const char *to)
{
    struct nt_name name;
    IO_STATUS_BLOCK io;
    FILE_RENAME_INFORMATION *information;
    PUNICODE_STRING target = nt_unix_name(&name, to)->ObjectName;
    ULONG size_bytes = (ULONG)(sizeof(*information) + target->Length);
    information = calloc(1, size_bytes);
    assert_non_null(information);
    information->FileNameLength = target->Length;
    memcpy(information->FileName, target->Buffer, target->Length);
    assert_status(NtSetInformationFile(handle, &io, information, size_bytes, FileRenameInformation), STATUS_SUCCESS);
    free(information);
}

static void renamed_file(const struct disk *disk)
{
    char to[512];
    HANDLE handle = created(on(disk, "old"), 0);
    put(handle, "renamed");
    assert_status(flush(handle), STATUS_SUCCESS);
    snprintf(to, sizeof(to), "%s/folder/renamed", disk->folder);
    rename_to(handle, to);
    assert_status(flush(handle), STATUS_SUCCESS);
    note(disk, "folder/renamed", "renamed");
    NtClose(handle);
}

/* A volume's flush: everything, whoever wrote it. */
static void whole_volume(const struct disk *disk)
{
    HANDLE volume = volume_of(disk);
    make_file(on(disk, "folder/unflushed"), "by somebody");
    assert_status(flush(volume), STATUS_SUCCESS);
    note(disk, "folder/unflushed", "by somebody");
    NtClose(volume);
}

static void survives(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        struct disk disk;
        if (!make(&disk, types[i], types[i]))
            continue;
        new_file(&disk);
        reopened_file(&disk);
        new_folder(&disk);
        renamed_file(&disk);
        whole_volume(&disk);
        disk_unmount(&disk, true);
        check_all();
    }
}

/* That the above can fail: data that was only handed to the device is not there, and neither is its name. */
static void lost_without(void **state)
{
    (void)state;
    struct disk disk;
    if (!make(&disk, "lost", "ext2"))
        skip();
    HANDLE handle = created(on(&disk, "lost"), 0);
    put(handle, "lost");
    assert_status(flush_with(handle, FLUSH_FLAGS_FILE_DATA_ONLY), STATUS_SUCCESS);
    note(&disk, "lost", "lost");
    NtClose(handle);
    disk_unmount(&disk, true);
    assert_true(disk_mount(&checks[0].copy, 0));
    assert_false(holds(&checks[0]));
    disk_unmount(&checks[0].copy, true);
    check_count = 0;
}

/* -- what it costs -- */

/*
 * On a journal the name comes along: the first flush of a new file makes the device flush no oftener than fsync does.
 */
static void name_costs_nothing(void **state)
{
    (void)state;
    static const char *const journaled[] = {"ext4", "xfs"};
    for (size_t i = 0; i < 2; i++) {
        struct disk disk;
        long best[2] = {1000, 1000};
        if (!make(&disk, journaled[i], journaled[i]))
            continue;
        for (int round = 0; round < 12; round++) {
            char name[32];
            snprintf(name, sizeof(name), "file%d", round);
            HANDLE handle = created(on(&disk, name), 0);
            put(handle, "content");
            long before = disk_flushes(&disk);
            assert_status(flush_with(handle, round % 2 ? 0 : FLUSH_FLAGS_NO_SYNC), STATUS_SUCCESS);
            long cost = disk_flushes(&disk) - before;
            best[round % 2] = cost < best[round % 2] ? cost : best[round % 2];
            NtClose(handle);
        }
        print_message("%s: %ld device flushes, %ld with the name\n", journaled[i], best[0], best[1]);
        assert_int_equal(best[1], best[0]);
        disk_unmount(&disk, true);
    }
}

/* -- what fails -- */

/* The next file system on the same loop device has the same numbers. */
static void forget_and_close(HANDLE volume)
{
    assert_status(NvrtlForgetFileFailure(volume), STATUS_SUCCESS);
    NtClose(volume);
}

/* The status of a flush of each kind, of tokens, and of all of them again. */
static void shut_down(void **state)
{
    (void)state;
    static const char *const can[] = {"ext4", "xfs"};
    for (size_t i = 0; i < 2; i++) {
        struct disk disk;
        if (!make(&disk, can[i], can[i]))
            continue;
        HANDLE file = created(on(&disk, "file"), 0), other = created(on(&disk, "other"), 0), volume = volume_of(&disk),
               folder = nt_open(disk.folder, FILE_ADD_FILE);
        put(file, "before");
        assert_status(flush(file), STATUS_SUCCESS);
        put(file, "lost");
        put(other, "lost, too");
        make_file(on(&disk, "in the folder"), "");
        assert_true(disk_shut_down(&disk));
        assert_status(flush_with(file, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY), STATUS_VOLUME_DISMOUNTED);
        assert_status(flush(other), STATUS_VOLUME_DISMOUNTED);
        assert_status(flush(volume), STATUS_VOLUME_DISMOUNTED);
        assert_status(flush(folder), STATUS_VOLUME_DISMOUNTED);
        for (int again = 0; again < 3; again++)
            assert_status(flush(file), STATUS_VOLUME_DISMOUNTED);
        NtClose(file);
        file = NULL;
        IO_STATUS_BLOCK io;
        assert_false(NT_SUCCESS(nt_create(&file, RW, on(&disk, "file"), &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS)));
        assert_status(NvrtlForgetFileFailure(volume), STATUS_SUCCESS);
        assert_status(flush(volume), STATUS_VOLUME_DISMOUNTED);
        assert_status(flush(other), STATUS_VOLUME_DISMOUNTED);
        NtClose(other);
        NtClose(folder);
        forget_and_close(volume);
        disk_unmount(&disk, true);
    }
}

/* One plane's failure is the other's. */
static void token_hears_of_the_handle(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        struct disk disk;
        PVOID token;
        if (!make(&disk, types[i], types[i]))
            continue;
        HANDLE handle = created(on(&disk, "file"), 0);
        int descriptor = open(on(&disk, "file"), O_RDWR | O_CLOEXEC);
        assert_int_equal(ftruncate(descriptor, (off_t)PAGE), 0);
        char *base = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        assert_status(RtlGetNonVolatileToken(base, PAGE, &token), STATUS_SUCCESS);
        assert_status(RtlWriteNonVolatileMemory(token, base, "good", 4, WRITE_NV_MEMORY_FLAG_PERSIST), STATUS_SUCCESS);
        assert_status(flush(handle), STATUS_SUCCESS);
        memcpy(base, "lost", 4);
        if (disk_shut_down(&disk)) {
            assert_status(flush(handle), STATUS_VOLUME_DISMOUNTED);
            assert_status(RtlFlushNonVolatileMemory(token, base, 4, 0), STATUS_VOLUME_DISMOUNTED);
        }
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        forget_and_close(handle);
        munmap(base, PAGE);
        close(descriptor);
        disk_unmount(&disk, true);
    }
}

static void read_only_mount(void **state)
{
    (void)state;
    struct disk disk;
    HANDLE file, folder, volume;
    IO_STATUS_BLOCK io;
    if (!make(&disk, "readonly", "ext4"))
        skip();
    make_file(on(&disk, "file"), "content");
    disk_unmount(&disk, false);
    assert_true(disk_mount(&disk, MS_RDONLY));
    assert_status(nt_create(&file, RW, on(&disk, "file"), &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS),
                  STATUS_MEDIA_WRITE_PROTECTED);
    int descriptor = open(on(&disk, "file"), O_RDONLY | O_CLOEXEC);
    assert_status(NvrtlHandleFromFd(descriptor, FILE_WRITE_DATA | SYNCHRONIZE, &file), STATUS_SUCCESS);
    folder = nt_open(disk.folder, FILE_ADD_FILE);
    volume = volume_of(&disk);
    assert_status(flush(file), STATUS_MEDIA_WRITE_PROTECTED);
    assert_status(flush(folder), STATUS_MEDIA_WRITE_PROTECTED);
    assert_status(flush(volume), STATUS_MEDIA_WRITE_PROTECTED);
    NtClose(file);
    NtClose(folder);
    NtClose(volume);
    close(descriptor);
    disk_unmount(&disk, true);
}

/* A device that has no room for what its file system has: the loop's image lies on a tmpfs that is too small. */
static void full_device(void **state)
{
    (void)state;
    struct disk small;
    IO_STATUS_BLOCK io;
    static char bytes[1 << 20];
    bool has_failed = false;
    mkdir("small", 0700);
    assert_int_equal(mount("small", "small", "tmpfs", 0, "size=12M"), 0);
    if (!disk_make_in(&small, "small", "full", "ext4"))
        skip();
    HANDLE handle = created(on(&small, "file"), 0);
    NTSTATUS status = STATUS_SUCCESS;
    for (int i = 0; i < 40 && !has_failed; i++) {
        assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, bytes, sizeof(bytes), NULL, NULL), STATUS_SUCCESS);
        status = flush(handle);
        has_failed = !NT_SUCCESS(status);
    }
    print_message("status %08X\n", (unsigned)status);
    assert_true(status == STATUS_DISK_FULL || status == STATUS_IO_DEVICE_ERROR);
    for (int again = 0; again < 3; again++)
        assert_status(flush_with(handle, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY), status);
    NtClose(handle);
    handle = nt_open(on(&small, "file"), RW);
    assert_status(flush(handle), status); /* Linux tells it once; that would be success */
    forget_and_close(handle);
    disk_unmount(&small, true);
    umount2("small", MNT_DETACH);
    rmdir("small");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(survives),
        cmocka_unit_test(lost_without),
        cmocka_unit_test(name_costs_nothing),
        cmocka_unit_test(shut_down),
        cmocka_unit_test(token_hears_of_the_handle),
        cmocka_unit_test(read_only_mount),
        cmocka_unit_test(full_device),
    };
    disks_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disks_end();
    return failed;
}
