/* SPDX-License-Identifier: MIT */
/*
 * A real ext4 on a loop device: what a drain has promised is found in a copy of the device, for every way in which a
 * file gets its blocks, at the cost of one device flush; and on a file system that has been shut down, drains fail and
 * keep failing.
 */
#include "tests/support/disk.h"
#include "tests/support/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (64 * PAGE)

static struct disk new_disk(const char *name)
{
    struct disk disk;
    if (disk_make(&disk, name, "ext4"))
        return disk;
    disks_end();
    skip_all("needs root, mkfs.ext4 and a free loop device");
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
    long before = disk_flushes(disk);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
    long cost = disk_flushes(disk) - before;
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    return cost;
}

/* The copy of the device, as a power failure would leave it: mounted, and the files read. */
static void expect_in_copy(const struct disk *disk, enum way way, char mark)
{
    struct disk copy;
    char path[300], text[32], wanted[32];
    memset(wanted, mark, sizeof(wanted));
    assert_true(disk_copy(disk, &copy, "copy"));
    assert_true(disk_mount(&copy, 0));
    snprintf(path, sizeof(path), "%.200s/file%d", copy.folder, way);
    int descriptor = open(path, O_RDONLY);
    bool same = descriptor >= 0;
    for (off_t page = 0; page < 64; page += 7)
        same = same && pread(descriptor, text, 32, page * (off_t)PAGE + 100) == 32 && memcmp(text, wanted, 32) == 0;
    if (descriptor >= 0)
        close(descriptor);
    disk_unmount(&copy, true);
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
    disk_unmount(&disk, true);
}

static void failing_disk(void **state)
{
    (void)state;
    struct disk disk = new_disk("failing");
    char path[300];
    PVOID token, later;
    int descriptor = new_file(&disk, PREALLOCATED, path);
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    assert_status(RtlGetNonVolatileToken(base, SIZE, &token), STATUS_SUCCESS);
    assert_status(RtlWriteNonVolatileMemory(token, base, "good", 4, WRITE_NV_MEMORY_FLAG_PERSIST), STATUS_SUCCESS);
    assert_status(RtlWriteNonVolatileMemory(token, base, "lost", 4, 0x101), STATUS_SUCCESS);
    assert_true(disk_shut_down(&disk));
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
    disk_unmount(&disk, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(durable_in_every_way), cmocka_unit_test(failing_disk)};
    disks_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disks_end();
    return failed;
}
