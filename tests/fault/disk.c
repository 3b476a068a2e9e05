/* SPDX-License-Identifier: MIT */
/*
 * Real file systems on loop devices: what a drain has promised is found in a copy of the device, for every way in which
 * a file gets its blocks, whether its pages are close or scattered, and what others do to the file meanwhile; pages
 * that nobody asked for are not written; nothing is held when the tokens are freed; and on a file system that has been
 * shut down, drains fail and keep failing.
 */
#include "tests/support/disk.h"
#include "tests/support/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PAGES 512
#define SIZE (PAGES * PAGE)
#define TEXT 32

static const struct system {
    const char *name;
    bool keeps;      /* scattered pages are written by themselves, with a descriptor that is held */
    bool only_those; /* and so no other pages become durable */
    long flushes;    /* of the device, by a drain; 0: more than one */
} systems[] = {
    {"ext4", true, true, 1},
    {"ext4-data-journal", true, false, 0}, /* a commit has all that the file's pages held when it began */
    {"ext4-writeback", true, true, 1},
    {"ext4-fast-commit", true, true, 0},
    {"ext4-no-journal", true, true, 1},
    {"ext2", true, true, 1},
    {"xfs", true, true, 1},
    {"btrfs", false, false, 0},
};

static const struct system *type = &systems[0];

static struct disk new_disk(const char *name)
{
    struct disk disk;
    if (disk_make(&disk, name, type->name))
        return disk;
    disks_end();
    skip_all("needs root, mkfs of that file system and a free loop device");
}

/* -- files -- */

enum way { WRITTEN, FALLOCATED, SPARSE, EXTENDED, APPENDED, WAYS };

/* Page by page: so the page cache has no larger folios, which are written as a whole. */
static void write_zeros(int descriptor, size_t from, size_t to)
{
    static const char zeros[PAGE];
    for (size_t at = from; at < to; at += PAGE)
        assert_int_equal(pwrite(descriptor, zeros, PAGE, (off_t)at), PAGE);
}

static int new_file(const struct disk *disk, enum way way, char *path)
{
    sprintf(path, "%.200s/file%d", disk->folder, way);
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    if (way == WRITTEN)
        write_zeros(descriptor, 0, SIZE);
    else if (way == FALLOCATED)
        assert_int_equal(posix_fallocate(descriptor, 0, SIZE), 0);
    else
        assert_int_equal(ftruncate(descriptor, way == SPARSE ? SIZE : 100), 0);
    assert_int_equal(fsync(descriptor), 0);
    if (way == EXTENDED) /* and the size is not synced */
        assert_int_equal(ftruncate(descriptor, SIZE), 0);
    if (way == APPENDED)
        write_zeros(descriptor, PAGE, SIZE);
    return descriptor;
}

static char *map_file(int descriptor)
{
    char *base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    assert_true(base != MAP_FAILED);
    assert_int_equal(madvise(base, SIZE, MADV_RANDOM), 0); /* no larger folios here, either */
    return base;
}

/* -- which pages -- */

/* Those that are flushed; halfway between them is one that is dirty, and that nobody asks for. */
static const struct spread {
    const char *name;
    size_t step;
    size_t count;
} spreads[] = {{"close", 2, 9}, {"scattered", 60, 9}, {"a pair", 500, 2}};
#define SPREADS (sizeof(spreads) / sizeof(spreads[0]))

static size_t asked(const struct spread *spread, size_t index)
{
    return index * spread->step + 1;
}

static size_t unasked(const struct spread *spread, size_t index)
{
    return asked(spread, index) + spread->step / 2;
}

static void store(char *base, size_t page, char mark)
{
    memset(base + page * PAGE + 100, mark, TEXT);
}

/* -- the copy of the device, as a power failure would leave it -- */

struct found {
    bool asked;   /* every page that was asked for is there */
    bool unasked; /* some page that nobody asked for is there, too */
};

static bool has_mark(int descriptor, size_t page, char mark)
{
    char text[TEXT], wanted[TEXT];
    memset(wanted, mark, TEXT);
    return pread(descriptor, text, TEXT, (off_t)(page * PAGE + 100)) == TEXT && memcmp(text, wanted, TEXT) == 0;
}

static struct found look_into_copy(const struct disk *disk, const char *path, const struct spread *spread, char mark)
{
    struct disk copy;
    char copied[600];
    struct found found = {.asked = true};
    assert_true(disk_copy(disk, &copy, "copy"));
    assert_true(disk_mount(&copy, 0));
    snprintf(copied, sizeof(copied), "%s%s", copy.folder, strrchr(path, '/'));
    int descriptor = open(copied, O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < spread->count; i++) {
        found.asked = found.asked && has_mark(descriptor, asked(spread, i), mark);
        found.unasked = found.unasked || (i + 1 < spread->count && has_mark(descriptor, unasked(spread, i), mark));
    }
    if (descriptor >= 0)
        close(descriptor);
    disk_unmount(&copy, true);
    return found;
}

/* -- a drain -- */

/* What others do to the file while it is drained. */
struct meanwhile {
    char *base;
    int descriptor;
    const struct spread *spread;
    pthread_t thread;
    atomic_bool stop;
};

/* Dirties pages, those that are asked for, too, and starts to write them. */
static void *disturb(void *argument)
{
    struct meanwhile *meanwhile = argument;
    for (size_t i = 0; !atomic_load(&meanwhile->stop); i++) {
        size_t page = asked(meanwhile->spread, i % meanwhile->spread->count);
        atomic_fetch_add((_Atomic char *)(meanwhile->base + page * PAGE + 2000), 1);
        (void)sync_file_range(meanwhile->descriptor, (off_t)(page * PAGE), PAGE, SYNC_FILE_RANGE_WRITE);
    }
    return NULL;
}

static void begin_to_disturb(struct meanwhile *meanwhile)
{
    atomic_store(&meanwhile->stop, false);
    assert_int_equal(pthread_create(&meanwhile->thread, NULL, disturb, meanwhile), 0);
}

/* A device cannot be copied while it is written to. */
static void end_to_disturb(struct meanwhile *meanwhile)
{
    atomic_store(&meanwhile->stop, true);
    pthread_join(meanwhile->thread, NULL);
    assert_int_equal(sync_file_range(meanwhile->descriptor, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE), 0);
}

/* Device flushes that the drain cost. */
static long drain(const struct disk *disk, char *base, const struct spread *spread, char mark)
{
    PVOID token;
    assert_status(RtlGetNonVolatileToken(base, SIZE, &token), STATUS_SUCCESS);
    for (size_t i = 0; i < spread->count; i++) {
        store(base, asked(spread, i), mark);
        if (i + 1 < spread->count)
            store(base, unasked(spread, i), mark);
        assert_status(RtlFlushNonVolatileMemory(token, base + asked(spread, i) * PAGE + 100, TEXT,
                                                FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN),
                      STATUS_SUCCESS);
    }
    long before = disk_flushes(disk);
    assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
    long cost = disk_flushes(disk) - before;
    assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
    return cost;
}

/*
 * The kernel writes pages by itself now and then, and others sync all file systems: so what is not written is looked
 * for more than once.
 */
static void expect_durable(const struct disk *disk, int descriptor, const char *path, const struct spread *spread)
{
    char *base = map_file(descriptor);
    bool clean = !type->only_those || spread->step < 16, cheap = type->flushes == 0;
    long cost = 0;
    for (char mark = 'a'; mark < 'c' || (mark < 'h' && !(clean && cheap)); mark++) {
        cost = drain(disk, base, spread, mark);
        struct found found = look_into_copy(disk, path, spread, mark);
        if (!found.asked)
            fail_msg("%s, %s: drain %c is not durable", path, spread->name, mark);
        clean = clean || !found.unasked;
        cheap = cheap || (mark > 'a' && cost == type->flushes);
        assert_int_equal(fsync(descriptor), 0);
    }
    print_message("%s, %s: %ld device flushes\n", strrchr(path, '/') + 1, spread->name, cost);
    assert_true(clean);
    assert_true(cheap);
    munmap(base, SIZE);
}

static void durable_in_every_way(void **state)
{
    (void)state;
    struct disk disk = new_disk("durable");
    for (int way = 0; way < WAYS; way++)
        for (size_t i = 0; i < SPREADS; i++) {
            char path[300];
            int descriptor = new_file(&disk, (enum way)way, path);
            expect_durable(&disk, descriptor, path, &spreads[i]);
            close(descriptor);
        }
    disk_unmount(&disk, true);
}

static void durable_while_others_write(void **state)
{
    (void)state;
    struct disk disk = new_disk("busy");
    for (int way = 0; way < WAYS; way++) {
        char path[300];
        int descriptor = new_file(&disk, (enum way)way, path);
        struct meanwhile meanwhile = {.base = map_file(descriptor), .descriptor = descriptor, .spread = &spreads[1]};
        for (char mark = 'a'; mark < 'd'; mark++) {
            begin_to_disturb(&meanwhile);
            for (int i = 0; i < 5; i++)
                (void)drain(&disk, meanwhile.base, &spreads[1], mark);
            end_to_disturb(&meanwhile);
            if (!look_into_copy(&disk, path, &spreads[1], mark).asked)
                fail_msg("%s: drain %c is not durable", path, mark);
        }
        munmap(meanwhile.base, SIZE);
        close(descriptor);
    }
    disk_unmount(&disk, true);
}

/* -- what is held -- */

static int threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* One that has ended is seen for a little longer. */
static void expect_threads(int wanted)
{
    for (int i = 0; threads() != wanted; i++) {
        assert_in_range(i, 0, 10000);
        usleep(1000);
    }
}

static unsigned long free_blocks(const struct disk *disk)
{
    struct statvfs system;
    int folder = open(disk->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(syncfs(folder), 0);
    assert_int_equal(fstatvfs(folder, &system), 0);
    close(folder);
    return system.f_bfree;
}

/* XFS gives blocks back some time after a file is gone. */
static void expect_free_blocks(const struct disk *disk, unsigned long wanted)
{
    for (int i = 0; free_blocks(disk) < wanted; i++) {
        assert_in_range(i, 0, 1000);
        usleep(10000);
    }
}

/*
 * A descriptor is held as long as there are tokens, and no longer: a file that is deleted gives its blocks back, and
 * the file system can be unmounted at once.
 */
static void nothing_is_held(void **state)
{
    (void)state;
    struct disk disk = new_disk("held");
    int alone = threads();
    for (int round = 0; round < 6; round++) {
        char path[300];
        PVOID token;
        int descriptor = new_file(&disk, FALLOCATED, path);
        char *base = map_file(descriptor);
        unsigned long with_file = free_blocks(&disk);
        assert_status(RtlGetNonVolatileToken(base, SIZE, &token), STATUS_SUCCESS);
        if (round % 2) /* so that it is found by what is mapped, where that is allowed */
            assert_int_equal(unlink(path), 0);
        NV_MEMORY_RANGE ranges[] = {{base, 8}, {base + SIZE - 8, 8}};
        assert_status(RtlFlushNonVolatileMemoryRanges(token, ranges, 2, 0), STATUS_SUCCESS);
        expect_threads(alone + type->keeps);
        if (round % 2 == 0)
            assert_int_equal(unlink(path), 0);
        munmap(base, SIZE);
        close(descriptor);
        assert_status(RtlFreeNonVolatileToken(token), STATUS_SUCCESS);
        expect_free_blocks(&disk, with_file + PAGES / 2);
        assert_int_equal(umount2(disk.folder, 0), 0);
        assert_int_equal(close(disk.descriptor), 0);
        assert_true(disk_mount(&disk, 0));
    }
    expect_threads(alone);
    disk_unmount(&disk, true);
}

static void failing_disk(void **state)
{
    (void)state;
    struct disk disk = new_disk("failing");
    for (int scattered = 0; scattered < 2; scattered++) {
        char path[300];
        PVOID token, later;
        int descriptor = new_file(&disk, WRITTEN, path);
        char *base = map_file(descriptor);
        assert_status(RtlGetNonVolatileToken(base, SIZE, &token), STATUS_SUCCESS);
        for (int drained = 0; drained < 2; drained++) {
            assert_status(RtlWriteNonVolatileMemory(token, base, "lost", 4, 0x101), STATUS_SUCCESS);
            assert_status(RtlWriteNonVolatileMemory(token, base + scattered * 300 * PAGE, "lost", 4, 0x101),
                          STATUS_SUCCESS);
            if (!drained)
                assert_status(RtlDrainNonVolatileFlush(token), STATUS_SUCCESS);
        }
        if (!disk_shut_down(&disk))
            skip(); /* btrfs */
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
        assert_status(NvrtlForgetFailure(later), STATUS_SUCCESS);
        assert_status(RtlFreeNonVolatileToken(later), STATUS_SUCCESS);
        munmap(base, SIZE);
        close(descriptor);
        disk_unmount(&disk, false);
        assert_true(disk_mount(&disk, 0));
    }
    disk_unmount(&disk, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durable_in_every_way),
        cmocka_unit_test(durable_while_others_write),
        cmocka_unit_test(nothing_is_held),
        cmocka_unit_test(failing_disk),
    };
    for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
        if (argc == 2 && strcmp(systems[i].name, argv[1]) == 0)
            type = &systems[i];
    disks_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disks_end();
    return failed;
}
