/* SPDX-License-Identifier: MIT */
/*
 * Real file systems on loop devices, for tests as root: what a power failure would leave is a copy of the image. Mounts
 * are seen by the test alone, and end with it.
 */
#ifndef TEST_DISK_H
#define TEST_DISK_H

#include <stdbool.h>

struct disk {
    const char *type; /* of the file system */
    char image[256];
    char device[64];
    char folder[256]; /* where it is mounted */
    int descriptor;   /* the loop device's */
};

/* Makes the folder that disks are kept in, a new one below `parent`; the test is skipped where it may not mount. */
void disks_begin(const char *parent);

/* Unmounts and removes what is left. */
void disks_end(void);

/* Makes a file system of the type, which disk.c has a table of, and mounts it. False: this machine cannot. */
bool disk_make(struct disk *disk, const char *name, const char *type);

/* Likewise, with its image in a folder of the caller's. */
bool disk_make_in(struct disk *disk, const char *folder, const char *name, const char *type);

/* Mounts it again, with MS_* flags. */
bool disk_mount(struct disk *disk, unsigned long flags);

/* Takes it away, and the image too if that is to be removed. */
void disk_unmount(struct disk *disk, bool removes);

/* Copies the device as a power failure would leave it now, and lets the copy be mounted. */
bool disk_copy(const struct disk *disk, struct disk *copy, const char *name);

/* Device flushes so far. */
long disk_flushes(const struct disk *disk);

/* Shuts the file system down (ext4, XFS): every later read and write of it fails. */
bool disk_shut_down(const struct disk *disk);

#endif
