/* SPDX-License-Identifier: MIT */
/*
 * Owns the commands write and verify of rig-client: records that are acknowledged group by group, and the question
 * which groups are there. What is written tells where and when it was, so that nothing old passes for it.
 *
 *     write WAY KIND FILE GROUPS PAGES [RECORDER]
 *         KIND is how the file gets its blocks, and PAGES how far a group reaches (at least 4): the more, the more
 *         pages are between its records. After each group that WAY has made durable, the device-mapper device RECORDER
 *         (of the kind log-writes) is told of the mark FILE.N, without FILE's folder.
 *     verify FILE GROUPS PAGES
 *         exits 0 when groups 1 to GROUPS are there, whole.
 */
#include "client.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Group 0 is the head: it says how many follow, and is written once more with each of them. */
struct record {
    uint64_t group;
    uint64_t index;
    unsigned char text[600];
};

#define RECORDS 3

/* In a group: inside a page, across two, at the beginning of the last; pages between them stay as they were. */
static size_t offset_of(uint64_t group, size_t index, size_t group_bytes)
{
    const size_t offsets[RECORDS] = {100, PAGE - 300, group_bytes - PAGE};
    return group * group_bytes + offsets[index];
}

static struct record record_make(uint64_t group, uint64_t index)
{
    struct record record = {.group = group, .index = index};
    for (size_t i = 0; i < sizeof record.text; i++)
        record.text[i] = (unsigned char)(group * 167 + index * 31 + i * 7 + 1);
    return record;
}

/* How a file gets its blocks: before its first group, and before each. */
struct kind {
    const char *name;
    bool (*prepare)(int file, size_t size_bytes);
    bool (*grow)(int file, size_t size_bytes); /* to that size */
};

static bool fallocated(int file, size_t size_bytes)
{
    return posix_fallocate(file, 0, (off_t)size_bytes) == 0;
}

static bool sparse(int file, size_t size_bytes)
{
    return ftruncate(file, (off_t)size_bytes) == 0;
}

static bool appended(int file, size_t size_bytes)
{
    static const char zeros[PAGE];
    struct stat status;
    if (fstat(file, &status) != 0)
        return false;
    for (off_t at = status.st_size; at < (off_t)size_bytes; at += (off_t)sizeof zeros)
        if (pwrite(file, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            return false;
    return true;
}

static bool as_it_is(int file, size_t size_bytes)
{
    (void)file;
    (void)size_bytes;
    return true;
}

static const struct kind kinds[] = {
    {"written", appended, as_it_is},      /* all blocks are there, and have been written */
    {"fallocated", fallocated, as_it_is}, /* all blocks are there, and count as unwritten */
    {"sparse", sparse, as_it_is},         /* blocks come with the first write to them */
    {"extended", as_it_is, sparse},       /* the size, too, changes before each group: by ftruncate */
    {"appended", as_it_is, appended},     /* or by write */
};

static const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(name, kinds[i].name))
            return &kinds[i];
    fprintf(stderr, "rig-client: there is no kind %s\n", name);
    exit(2);
}

/* What a careful program does with a new file before it relies on it. */
static void make_name_durable(struct region *region)
{
    char path[512];
    snprintf(path, sizeof path, "%s", region->path);
    int folder = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(folder >= 0 && fsync(region->descriptor) == 0 && fsync(folder) == 0 && close(folder) == 0, "fsync");
}

/* As `dmsetup message RECORDER 0 mark TEXT`: the log holds everything that the device has flushed before it. */
static void mark(const char *recorder, const char *path, uint64_t group)
{
    enum { MESSAGE = sizeof(struct dm_ioctl), TEXT = MESSAGE + sizeof(struct dm_target_msg), TEXT_BYTES = 200 };
    union {
        struct dm_ioctl head;
        char bytes[TEXT + TEXT_BYTES];
    } request = {{.version = {DM_VERSION_MAJOR, 0, 0}, .data_size = sizeof request, .data_start = MESSAGE}};
    snprintf(request.head.name, sizeof request.head.name, "%s", recorder);
    snprintf(request.bytes + TEXT, TEXT_BYTES, "mark %s.%lu", strrchr(path, '/') + 1, (unsigned long)group);
    int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    must(control >= 0 && ioctl(control, DM_TARGET_MSG, &request) == 0 && close(control) == 0, "mark");
}

static NTSTATUS write_group(struct region *region, const struct way *way, uint64_t group, size_t group_bytes)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t index = 0; index < RECORDS && status == STATUS_SUCCESS; index++) {
        struct record record = record_make(group, index);
        status = way->write(region, offset_of(group, index, group_bytes), &record, sizeof record);
    }
    if (status == STATUS_SUCCESS)
        status = way->write(region, 0, &group, sizeof group);
    return status == STATUS_SUCCESS ? way->finish(region) : status;
}

int command_write(int count, char **arguments)
{
    const struct way *way = way_find(arguments[0]);
    const struct kind *kind = kind_find(arguments[1]);
    const char *path = arguments[2], *recorder = count > 5 ? arguments[5] : NULL;
    const uint64_t groups = strtoul(arguments[3], NULL, 10);
    const size_t group_bytes = strtoul(arguments[4], NULL, 10) * PAGE, size_bytes = (groups + 1) * group_bytes;
    struct region region;
    region_open(&region, path);
    must(kind->prepare(region.descriptor, size_bytes), "prepare");
    make_name_durable(&region);
    region_map(&region, size_bytes, true);
    for (uint64_t group = 1; group <= groups; group++) {
        must(kind->grow(region.descriptor, (group + 1) * group_bytes), "grow");
        NTSTATUS status = write_group(&region, way, group, group_bytes);
        if (status != STATUS_SUCCESS) {
            printf("%s: group %lu: status 0x%08X\n", path, (unsigned long)group, (unsigned)status);
            return 1;
        }
        if (recorder)
            mark(recorder, path, group);
    }
    region_close(&region);
    return 0;
}

static bool group_is_there(int file, uint64_t group, size_t group_bytes)
{
    for (size_t index = 0; index < RECORDS; index++) {
        struct record wanted = record_make(group, index), found;
        off_t at = (off_t)offset_of(group, index, group_bytes);
        if (pread(file, &found, sizeof found, at) != (ssize_t)sizeof found ||
            memcmp(&found, &wanted, sizeof found) != 0)
            return false;
    }
    return true;
}

int command_verify(int count, char **arguments)
{
    const uint64_t groups = strtoul(arguments[1], NULL, 10);
    const size_t group_bytes = strtoul(arguments[2], NULL, 10) * PAGE;
    uint64_t there = 0, head = 0;
    int file = open(arguments[0], O_RDONLY | O_CLOEXEC);
    (void)count;
    for (uint64_t group = 1; file >= 0 && group <= groups; group++)
        there += group_is_there(file, group, group_bytes);
    if (file >= 0 && pread(file, &head, sizeof head, 0) != (ssize_t)sizeof head)
        head = 0;
    if (there == groups && head >= groups)
        return 0;
    printf("%s: %lu of %lu groups, and the head says %lu\n", arguments[0], (unsigned long)there, (unsigned long)groups,
           (unsigned long)head);
    return 1;
}
