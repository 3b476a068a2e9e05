/* SPDX-License-Identifier: MIT */
/*
 * Room for views. A control group may have less memory than the machine: a container's, above all. Making the view
 * asks, to choose between a copy and an overlay.
 */
#include "supervise/room.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct room {
    uint64_t all, free;
};

/* The files of one version of control groups. */
struct version {
    const char *mount, *limit, *use, *cached[2];
};

static const struct version versions[] = {
    {"/sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file", "active_file"}},
    {"/sys/fs/cgroup/memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"total_inactive_file", "total_active_file"}},
};

/* "max" and what cannot be read are no limit. */
static uint64_t read_number(const char *folder, const char *name, uint64_t otherwise)
{
    char path[PATH_MAX + 64];
    uint64_t number;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "re");
    if (!file)
        return otherwise;
    if (fscanf(file, "%lu", &number) != 1)
        number = otherwise;
    fclose(file);
    return number;
}

/* The number behind a word at the beginning of a line. */
static uint64_t read_field(const char *path, const char *word, uint64_t otherwise)
{
    char line[256];
    uint64_t number = otherwise;
    FILE *file = fopen(path, "re");

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, word, strlen(word)) && sscanf(line + strlen(word), " %lu", &number) == 1)
            break;
    if (file)
        fclose(file);
    return number;
}

/* Cached files count as used, and make room when it is needed. */
static void apply_group(struct room *room, const struct version *version, const char *folder)
{
    char statistics[PATH_MAX + 64];
    uint64_t limit = read_number(folder, version->limit, UINT64_MAX), use;

    if (limit == UINT64_MAX)
        return;
    snprintf(statistics, sizeof statistics, "%s/memory.stat", folder);
    use = read_number(folder, version->use, 0);
    for (size_t i = 0; i < 2; i++) {
        uint64_t cached = read_field(statistics, version->cached[i], 0);

        use -= cached < use ? cached : use;
    }
    if (limit < room->all)
        room->all = limit;
    if ((limit > use ? limit - use : 0) < room->free)
        room->free = limit > use ? limit - use : 0;
}

/* The group and all above it. In a container they may be mounted as if its own were the first. */
static void apply_groups(struct room *room, const struct version *version, const char *group)
{
    char folder[PATH_MAX];
    size_t first = strlen(version->mount);

    snprintf(folder, sizeof folder, "%s%s", version->mount, group);
    for (;;) {
        char *slash;

        apply_group(room, version, folder);
        slash = strrchr(folder + first, '/');
        if (!slash)
            return;
        *slash = 0;
    }
}

/* Lines of hierarchy:controllers:path; that of the second version is 0::path. */
static void apply_control_groups(struct room *room)
{
    char line[PATH_MAX + 64];
    FILE *file = fopen("/proc/self/cgroup", "re");

    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        line[strcspn(line, "\n")] = 0;
        *path++ = 0;
        if (!strcmp(line, "0:"))
            apply_groups(room, &versions[0], path);
        else if (strstr(controllers, "memory"))
            apply_groups(room, &versions[1], path);
    }
    if (file)
        fclose(file);
}

static struct room memory(void)
{
    struct room room = {.all = read_field("/proc/meminfo", "MemTotal:", 0) * 1024,
                        .free = read_field("/proc/meminfo", "MemAvailable:", 0) * 1024};

    apply_control_groups(&room);
    return room;
}

uint64_t nv_room_memory(void)
{
    return memory().all;
}

uint64_t nv_room_free(const char *scratch)
{
    struct statvfs status;

    if (scratch)
        return statvfs(scratch, &status) ? 0 : (uint64_t)status.f_bavail * status.f_frsize;
    return memory().free;
}

void nv_measure_folder(int parent, const char *name, struct nv_measure *measure)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *item;
    struct stat status;

    if (!stream)
        return;
    while (measure->bytes <= measure->bytes_max && measure->files <= measure->files_max && (item = readdir(stream))) {
        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, "..") ||
            fstatat(dirfd(stream), item->d_name, &status, AT_SYMLINK_NOFOLLOW))
            continue;
        measure->files++;
        if (S_ISREG(status.st_mode))
            measure->bytes += (uint64_t)status.st_blocks * 512;
        else if (S_ISDIR(status.st_mode))
            nv_measure_folder(dirfd(stream), item->d_name, measure);
    }
    closedir(stream);
}
