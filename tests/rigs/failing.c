/* SPDX-License-Identifier: MIT */
/*
 * Owns the commands failing, told-once and shutdown of rig-client: what a program is told when its disk fails.
 *
 *     failing WAY FILE IMAGE STATUS BREAK [MEND]
 *         FILE is on a disk whose blocks are the device IMAGE. The command BREAK makes it fail, and MEND work again;
 *         the variable BLOCK tells them the first block of FILE. Then WAY has to fail with STATUS (hexadecimal), again
 *         and again, by whatever way and token; until the disk is mended, the failure is forgotten, and the data are
 *         written once more. Nothing that was reported durable may be missing in IMAGE.
 *     told-once FILE IMAGE BREAK
 *         shows why that is needed: the kernel's second msync says that all is well, and the data are lost.
 *     shutdown FOLDER
 *         ends the file system of FOLDER as if the power had failed: nothing reaches its disk any more.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION_BYTES (40 * PAGE)
#define FAR (REGION_BYTES - PAGE) /* of two pages that are written: too far for one msync to write what is between */
#define TEXT_BYTES 8
#define SHUTDOWN 0x8004587Du /* of ext4 and XFS */
#define WITHOUT_LOG 2u

struct disk {
    int image;
    off_t at; /* where the file's first byte is in the image */
};

static struct disk disk_below(const struct region *region, const char *image)
{
    struct disk disk = {.image = open(image, O_RDONLY | O_DIRECT | O_CLOEXEC)};
    int block = 0, last = FAR / PAGE, block_bytes = 0;
    char number[32];
    must(disk.image >= 0, image);
    must(ioctl(region->descriptor, FIBMAP, &block) == 0 && block != 0, "FIBMAP");
    must(ioctl(region->descriptor, FIBMAP, &last) == 0 && last == block + (int)(FAR / PAGE), "blocks in a row");
    must(ioctl(region->descriptor, FIGETBSZ, &block_bytes) == 0 && block_bytes == (int)PAGE, "blocks of a page");
    disk.at = (off_t)block * block_bytes;
    snprintf(number, sizeof number, "%d", block);
    must(setenv("BLOCK", number, 1) == 0, "setenv");
    return disk;
}

static bool disk_holds(const struct disk *disk, const char *text)
{
    static _Alignas(PAGE) char found[REGION_BYTES];
    return pread(disk->image, found, sizeof found, disk->at) == (ssize_t)sizeof found &&
           strncmp(found, text, TEXT_BYTES) == 0 && strncmp(found + FAR, text, TEXT_BYTES) == 0;
}

/* Writes the text to the first and the last page. */
static NTSTATUS put_both(struct region *region, const struct way *way, const char *text)
{
    char whole[TEXT_BYTES] = {0};
    strncpy(whole, text, TEXT_BYTES - 1);
    NTSTATUS status = way->write(region, 0, whole, TEXT_BYTES);
    return status == STATUS_SUCCESS ? way->write(region, FAR, whole, TEXT_BYTES) : status;
}

/* What is reported durable is on the disk. */
static NTSTATUS finish(struct region *region, const struct way *way, const struct disk *disk, const char *text)
{
    NTSTATUS status = way->finish(region);
    if (status == STATUS_SUCCESS && !disk_holds(disk, text)) {
        printf("failed: %s reports '%s' as durable, and the disk does not hold it\n", way->name, text);
        exit(1);
    }
    return status;
}

static NTSTATUS put(struct region *region, const struct way *way, const struct disk *disk, const char *text)
{
    NTSTATUS status = put_both(region, way, text);
    return status == STATUS_SUCCESS ? finish(region, way, disk, text) : status;
}

static void expect(NTSTATUS status, NTSTATUS expected, const char *what)
{
    if (status == expected)
        return;
    printf("failed: %s: status 0x%08X, not 0x%08X\n", what, (unsigned)status, (unsigned)expected);
    exit(1);
}

static bool is_of_device(NTSTATUS status)
{
    return status == STATUS_IO_DEVICE_ERROR || status == STATUS_VOLUME_DISMOUNTED;
}

/* A handle tells a device that is gone from one that fails; a token, which has no descriptor to ask by, does not. */
static void expect_again(NTSTATUS status, NTSTATUS expected, const char *what)
{
    expect(is_of_device(status) && is_of_device(expected) ? expected : status, expected, what);
}

static void run(const char *command)
{
    must(system(command) == 0, command);
}

/*
 * By every way that promises something, and by a token taken after the failure. Where nothing is to fail, one that
 * promises more than data may.
 */
static void expect_all_to_fail(struct region *region, const struct disk *disk, NTSTATUS expected)
{
    struct region later = *region;
    for (size_t i = 0; way_at(i); i++)
        if (way_at(i)->promises && !(way_at(i)->metadata && expected == STATUS_SUCCESS))
            expect_again(put(region, way_at(i), disk, "again"), expected, way_at(i)->name);
    must(RtlGetNonVolatileToken(region->base, REGION_BYTES, &later.token) == STATUS_SUCCESS, "token");
    expect_again(put(&later, way_at(0), disk, "later"), expected, "a later token");
    must(RtlFreeNonVolatileToken(later.token) == STATUS_SUCCESS, "free");
}

/* A file that is on the disk. */
static struct disk new_file(struct region *region, const char *path, const char *image)
{
    static const char zeros[REGION_BYTES];
    region_open(region, path);
    must(posix_fallocate(region->descriptor, 0, sizeof zeros) == 0, "fallocate");
    must(pwrite(region->descriptor, zeros, sizeof zeros, 0) == (ssize_t)sizeof zeros, "write");
    must(fsync(region->descriptor) == 0, "fsync");
    region_map(region, REGION_BYTES, true);
    return disk_below(region, image);
}

/*
 * The disk fails while another syncs what was written here, and then works again: the data are lost, and who was to
 * make them durable is told so.
 */
static void expect_loss_to_be_told(struct region *region, const struct way *way, const struct disk *disk,
                                   char *const *commands)
{
    expect(put_both(region, way, "between"), STATUS_SUCCESS, "before another's failure");
    const bool durable = disk_holds(disk, "between"); /* by a way that had nothing to wait for */
    run(commands[0]);
    int other = open(region->path, O_RDONLY | O_CLOEXEC);
    must(other >= 0 && (fsync(other) != 0 || durable) && close(other) == 0, "a sync of another's that fails");
    run(commands[1]);
    (void)finish(region, way, disk, "between");
    expect(NvrtlForgetFailure(region->token), STATUS_SUCCESS, "forget another's failure");
    expect(put(region, way, disk, "old"), STATUS_SUCCESS, "after another's failure");
}

int command_failing(int count, char **arguments)
{
    const struct way *way = way_find(arguments[0]);
    const NTSTATUS expected = (NTSTATUS)strtoul(arguments[3], NULL, 16);
    char *const *commands = arguments + 4;
    struct region region;
    const struct disk disk = new_file(&region, arguments[1], arguments[2]);
    for (size_t i = 0; way_at(i); i++)
        if (way_at(i)->promises)
            expect(put(&region, way_at(i), &disk, "old"), STATUS_SUCCESS, "before the failure");
    if (count > 5)
        expect_loss_to_be_told(&region, way, &disk, commands);

    run(commands[0]);
    expect(put(&region, way, &disk, "new"), expected, "the first failure");
    expect_all_to_fail(&region, &disk, expected);
    if (count < 6)
        return 0;

    run(commands[1]);
    expect_all_to_fail(&region, &disk, expected);
    expect(NvrtlForgetFailure(region.token), STATUS_SUCCESS, "forget");
    expect(put(&region, way, &disk, "mended"), STATUS_SUCCESS, "after the failure");
    region_close(&region);
    return 0;
}

int command_told_once(int count, char **arguments)
{
    struct region region;
    const struct disk disk = new_file(&region, arguments[0], arguments[1]);
    (void)count;
    run(arguments[2]);
    memcpy(region.base, "lost", 5);
    must(msync(region.base, REGION_BYTES, MS_SYNC) != 0 && errno == EIO, "the first msync is to fail");
    must(msync(region.base, REGION_BYTES, MS_SYNC) == 0, "the second msync is to succeed");
    must(disk_holds(&disk, ""), "the disk is to hold what it held");
    return 0;
}

int command_shutdown(int count, char **arguments)
{
    uint32_t how = WITHOUT_LOG;
    int folder = open(arguments[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)count;
    must(folder >= 0 && ioctl(folder, SHUTDOWN, &how) == 0, "shutdown");
    return 0;
}
