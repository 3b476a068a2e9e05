/* SPDX-License-Identifier: MIT */
/* Owns the loop devices of a test and what is mounted from them. Linked into tests of what survives a power failure. */
#include "tests/support/disk.h"

#include "tests/support/memory.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SHUTDOWN_NO_LOG 2u
#define SHUTDOWN 0x8004587Du

static char work[200];

static const struct type {
    const char *name;
    const char *system; /* as mount calls it */
    const char *make;   /* the command, without the image */
    const char *size;
    const char *options; /* to mount it, or a copy beside the original */
} types[] = {
    {"ext4", "ext4", "mkfs.ext4 -q -F", "64M", ""},
    {"ext4-data-journal", "ext4", "mkfs.ext4 -q -F", "64M", "data=journal"},
    {"ext4-writeback", "ext4", "mkfs.ext4 -q -F", "64M", "data=writeback,nodelalloc"},
    {"ext4-fast-commit", "ext4", "mkfs.ext4 -q -F -O fast_commit", "64M", ""},
    {"ext4-no-journal", "ext4", "mkfs.ext4 -q -F -O ^has_journal", "64M", ""},
    {"ext2", "ext2", "mkfs.ext2 -q -F", "64M", ""},
    {"xfs", "xfs", "mkfs.xfs -q -f", "320M", "nouuid"},
    {"btrfs", "btrfs", "mkfs.btrfs -q -f", "128M", ""},
};

static const struct type *type_of(const struct disk *disk)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].name, disk->type) == 0)
            return &types[i];
    return &types[0];
}

static bool run(const char *command)
{
    return system(command) == 0;
}

void disks_begin(const char *parent)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip_all("needs root");
    char *absolute = realpath(parent, NULL);
    snprintf(work, sizeof(work), "%.150s/nvrtl-disk-XXXXXX", absolute ? absolute : parent);
    free(absolute);
    if (!mkdtemp(work))
        skip_all("no folder can be made here");
}

/* Mounts first: what was left mounted by a test that failed is in the way of removing. */
void disks_end(void)
{
    char command[512];
    snprintf(command, sizeof(command),
             "for folder in %s/*/; do umount -l \"$folder\" 2>/dev/null; done; rm -rf --one-file-system %s", work,
             work);
    (void)run(command);
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

bool disk_mount(struct disk *disk, unsigned long flags)
{
    mkdir(disk->folder, 0700);
    return attach(disk) && mount(disk->device, disk->folder, type_of(disk)->system, flags, type_of(disk)->options) == 0;
}

void disk_unmount(struct disk *disk, bool removes)
{
    umount2(disk->folder, MNT_DETACH);
    if (disk->descriptor >= 0)
        close(disk->descriptor); /* the last one: the device detaches itself */
    disk->descriptor = -1;
    if (!removes)
        return;
    unlink(disk->image);
    rmdir(disk->folder);
}

static void name_disk(struct disk *disk, const char *folder, const char *name, const char *type)
{
    *disk = (struct disk){.type = type, .descriptor = -1};
    snprintf(disk->image, sizeof(disk->image), "%s/%s.img", folder, name);
    snprintf(disk->folder, sizeof(disk->folder), "%s/%s", work, name);
}

bool disk_make_in(struct disk *disk, const char *folder, const char *name, const char *type)
{
    char command[800];
    name_disk(disk, folder, name, type);
    snprintf(command, sizeof(command), "PATH=$PATH:/sbin:/usr/sbin; truncate -s %s %s && %s %s >/dev/null 2>&1",
             type_of(disk)->size, disk->image, type_of(disk)->make, disk->image);
    if (run(command) && disk_mount(disk, 0))
        return true;
    disk_unmount(disk, true);
    return false;
}

bool disk_make(struct disk *disk, const char *name, const char *type)
{
    return disk_make_in(disk, work, name, type);
}

bool disk_copy(const struct disk *disk, struct disk *copy, const char *name)
{
    char command[600];
    name_disk(copy, work, name, disk->type);
    snprintf(command, sizeof(command), "cp --sparse=always %s %s", disk->image, copy->image);
    return run(command);
}

/* The 16th number of the device's statistics. */
long disk_flushes(const struct disk *disk)
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

bool disk_shut_down(const struct disk *disk)
{
    unsigned how = SHUTDOWN_NO_LOG;
    int folder = open(disk->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = folder >= 0 && ioctl(folder, SHUTDOWN, &how) == 0;
    if (folder >= 0)
        close(folder);
    return done;
}
