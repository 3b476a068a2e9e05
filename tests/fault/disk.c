/* SPDX-License-Identifier: MIT */
/*
 * A real ext4 on a loop device: what a drain has promised is found in a copy of the device, for every way in which a
 * file gets its blocks, at the cost of one device flush; and on a file system that has been shut down, drains fail and
 * keep failing.
 */
#include "tests/support/memory.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SIZE (64 * PAGE)
#define SHUTDOWN_NO_LOG 2u
#define EXT4_SHUTDOWN 0x8004587Du

struct disk {
    char image[256];
    char device[64];
    char folder[256];
    int descriptor; /* the loop device's */
};

static char work[] = "./nvrtl-disk-XXXXXX";

static bool run(const char *command)
{
    return system(command) == 0;
}

/* Puts the image behind the loop device with this number. False if another process was faster. */
static bool configure(struct disk *disk, int number, int image)
{
    struct loop_config config = {.fd = (unsigned)image, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    snprintf(disk->device, sizeof(disk->device), "/dev/loop%d", number);
    disk->descriptor = open(disk->device, O_RDWR | O_CLOEXEC);
    if (disk->descriptor >= 0 && ioctl(disk->descriptor, LOOP_CONFIGURE, &config) == 0)
        return true;
    if (disk->descriptor >= 0)
        close(disk->descriptor);
    disk->descriptor = -1;
    return false;
}

static bool attach(struct disk *disk)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int image = open(disk->image, O_RDWR | O_CLOEXEC);
    bool done = false;
    for (int i = 0; i < 50 && control >= 0 && image >= 0 && !done; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        done = number >= 0 && configure(disk, number, image);
    }
    if (image >= 0)
        close(image);
    if (control >= 0)
        close(control);
    return done;
}

static bool mount_disk(struct disk *disk)
{
    mkdir(disk->folder, 0700);
    return attach(disk) && mount(disk->device, disk->folder, "ext4", 0, "") == 0;
}

static void unmount_disk(struct disk *disk)
{
    umount2(disk->folder, MNT_DETACH);
    if (disk->descriptor >= 0)
        close(disk->descriptor); /* the last one: the device detaches itself */
    unlink(disk->image);
    rmdir(disk->folder);
}

static struct disk new_disk(const char *name)
{
    struct disk disk = {.descriptor = -1};
    char command[600];
    snprintf(disk.image, sizeof(disk.image), "%s/%s.img", work, name);
    snprintf(disk.folder, sizeof(disk.folder), "%s/%s", work, name);
    snprintf(command, sizeof(command), "truncate -s 64M %s && /sbin/mkfs.ext4 -q -F %s >/dev/null 2>&1", disk.image,
             disk.image);
    if (!run(command) || !mount_disk(&disk)) {
        unmount_disk(&disk);
        rmdir(work);
        skip_all("needs root, mkfs.ext4 and a free loop device");
    }
    return disk;
}

/* Device flushes so far: the 16th number of the device's statistics. */
static long flushes(const struct disk *disk)
{
    struct stat device;
    char path[128];
    long numbers[17] = {0};
    fstat(disk->descriptor, &device);
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(device.st_rdev), minor(device.st_rdev));
    FILE *file = fopen(path, "r");
    for (int i = 0; file && i < 17; i++)
        if (fscanf(file, "%ld", &numbers[i]) != 1)
            break;
    if (file)
        fclose(file);
    return numbers[15];
}

enum way { PREALLOCATED, FALLOCATED, SPARSE, EXTENDED, WAYS };

static int new_file(const struct disk *disk, enum way way, char *path)
{
    sprintf(path, "%.200s/file%d", disk->folder, way);
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    static char zeros[SIZE];
    assert_true(descriptor >= 0);
    if (way == PREALLOCATED) {
        assert_int_equal(pwrite(descriptor, zeros, SIZE, 0), SIZE);
        fsync(descriptor);
    } else if (way == FALLOCATED) {
        assert_int_equal(posix_fallocate(descriptor, 0, SIZE), 0);
        fsync(descriptor);
    } else if (way == SPARSE) {
        assert_int_equal(ftruncate(descriptor, SIZE), 0);
        fsync(descriptor);
    } else {
        assert_int_equal(ftruncate(descriptor, 100), 0);
        fsync(descriptor);
        assert_int_equal(ftruncate(descriptor, SIZE), 0); /* extended, and not synced */
    }
    return descriptor;
}

/* Scattered writes and one drain; returns how many device flushes that cost. */
static long write_durably(const struct disk *disk, char *base, char mark)
{
    PVOID token;
    char text[32];
    memset(text, mark, sizeof(text));
    assert_status(RtlGetNonVolatileToken(base, SIZE, &token), STATUS_SUCCESS);
    for (size_t page = 0; page < 64; page += 7)
        assert_status(RtlWriteNonVolatileMemory(token, base + page * PAGE + 100, text, sizeof(text),
                                                WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN),
                      STATUS_SUCCESS);
    long before = flushes(disk);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
    long cost = flushes(disk) - before;
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    return cost;
}

/* The copy of the device, as a power failure would leave it: mounted, and the files read. */
static void expect_in_copy(const struct disk *disk, enum way way, char mark)
{
    struct disk copy = {.descriptor = -1};
    char command[600], path[300], text[32], wanted[32];
    memset(wanted, mark, sizeof(wanted));
    snprintf(copy.image, sizeof(copy.image), "%s/copy.img", work);
    snprintf(copy.folder, sizeof(copy.folder), "%s/copy", work);
    snprintf(command, sizeof(command), "cp --sparse=always %s %s", disk->image, copy.image);
    assert_true(run(command));
    assert_true(mount_disk(&copy));
    snprintf(path, sizeof(path), "%.200s/file%d", copy.folder, way);
    int descriptor = open(path, O_RDONLY);
    bool same = descriptor >= 0;
    for (off_t page = 0; page < 64; page += 7)
        same = same && pread(descriptor, text, 32, page * (off_t)PAGE + 100) == 32 && memcmp(text, wanted, 32) == 0;
    if (descriptor >= 0)
        close(descriptor);
    unmount_disk(&copy);
    assert_true(same);
}

static void durable_in_every_way(void **state)
{
    (void)state;
    struct disk disk = new_disk("durable");
    for (int way = 0; way < WAYS; way++) {
        char path[300];
        int descriptor = new_file(&disk, (enum way)way, path);
        char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        assert_true(base != MAP_FAILED);
        long first = write_durably(&disk, base, 'a');
        expect_in_copy(&disk, (enum way)way, 'a');
        long second = write_durably(&disk, base, 'b');
        expect_in_copy(&disk, (enum way)way, 'b');
        /* The file system flushes now and then by itself, too: no drain can cost less than it must. */
        for (int again = 0; again < 5 && second != 1; again++)
            second = write_durably(&disk, base, (char)('c' + again));
        print_message("way %d: %ld device flushes at first, then %ld\n", way, first, second);
        assert_int_equal(second, 1);
        munmap(base, SIZE);
        close(descriptor);
    }
    unmount_disk(&disk);
}

static void failing_disk(void **state)
{
    (void)state;
    struct disk disk = new_disk("failing");
    char path[300];
    unsigned how = SHUTDOWN_NO_LOG;
    PVOID token, later;
    int descriptor = new_file(&disk, PREALLOCATED, path);
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    assert_status(RtlGetNonVolatileToken(base, SIZE, &token), STATUS_SUCCESS);
    assert_status(RtlWriteNonVolatileMemory(token, base, "good", 4, WRITE_NV_MEMORY_FLAG_PERSIST), STATUS_SUCCESS);
    assert_status(RtlWriteNonVolatileMemory(token, base, "lost", 4, 0x101), STATUS_SUCCESS);
    assert_int_equal(ioctl(descriptor, EXT4_SHUTDOWN, &how), 0);
    NTSTATUS status = RtlDrainNonVolatileFlush(token);
    print_message("status 0x%X\n", (unsigned)status);
    assert_false(NT_SUCCESS(status));
    for (int i = 0; i < 3; i++) {
        assert_status(RtlDrainNonVolatileFlush(token), status);
        assert_status(RtlFlushNonVolatileMemory(token, base + PAGE, 8, 0), status);
        assert_status(RtlFlushNonVolatileMemory(DEFAULT_TOKEN, base + PAGE, 8, 0), status);
    }
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    assert_status(RtlGetNonVolatileToken(base, SIZE, &later), STATUS_SUCCESS);
    assert_status(RtlDrainNonVolatileFlush(later), status);
    assert_status(RtlFreeNonVolatileToken(later), STATUS_SUCCESS);
    munmap(base, SIZE);
    close(descriptor);
    unmount_disk(&disk);
}

/* Mounts that no other process sees, and that end with this one, however it ends. */
static void leave_nothing_mounted(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip_all("needs root");
}

/* The files of a test that has failed. */
static void remove_files(void)
{
    static const char *const names[] = {"durable", "failing", "copy"};
    char path[256];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s.img", work, names[i]);
        unlink(path);
        path[strlen(path) - 4] = 0;
        umount2(path, MNT_DETACH);
        rmdir(path);
    }
    rmdir(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(durable_in_every_way), cmocka_unit_test(failing_disk)};
    leave_nothing_mounted();
    if (!mkdtemp(work))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_files();
    return failed;
}
