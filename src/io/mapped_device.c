/* SPDX-License-Identifier: MIT */
/*
 * Owns the device number by which mappings of a volume's files are known. Called when a file is opened, so that handles
 * and tokens of one file find the same backing.
 */
#include "src/io/volume.h"

#include "src/os/lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* A line of mountinfo: "36 35 98:0 /root /mount ..."; the first number is the mount's. */
static uint64_t device_in_line(const char *line, uint64_t mount)
{
    unsigned long number;
    unsigned major, minor;
    if (sscanf(line, "%lu %*u %u:%u", &number, &major, &minor) != 3 || number != mount)
        return 0;
    return makedev(major, minor);
}

/* 0: the kernel could not be asked, or does not tell. */
static uint64_t ask(int descriptor)
{
    struct nv_lines mounts;
    struct statx facts;
    uint64_t device = 0;
    const char *line;
    if (nv_os->statx_at(descriptor, "", AT_EMPTY_PATH, STATX_MNT_ID, &facts) != 0 || !(facts.stx_mask & STATX_MNT_ID) ||
        nv_lines_open(&mounts, "/proc/self/mountinfo") < 0)
        return 0;
    while (device == 0 && (line = nv_lines_next(&mounts)) != NULL)
        device = device_in_line(line, facts.stx_mnt_id);
    nv_lines_close(&mounts);
    return device;
}

/* Each subvolume of btrfs has a number of its own in stat(), which no device has; mappings tell that of the whole. */
uint64_t nv_volume_mapped(struct nv_volume *volume, int descriptor)
{
    uint64_t mapped = atomic_load_explicit(&volume->mapped, memory_order_relaxed);
    if (mapped != 0)
        return mapped;
    mapped = major(volume->device) != 0 ? volume->device : ask(descriptor);
    atomic_store_explicit(&volume->mapped, mapped, memory_order_relaxed);
    return mapped != 0 ? mapped : volume->device;
}
