/* SPDX-License-Identifier: MIT */
/*
 * Owns the question what survives a power failure, asked of the kernel: statx and statfs of the mapping's path where
 * that still leads to the file, mountinfo by the device number where not, and sysfs for what the platform promises.
 * Called by resolve.c for each mapping, and by seam.c for the forced domain.
 */
#include "src/nvm/domain.h"

#include "src/cpu/cpu.h"
#include "src/os/lines.h"

#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

static const char *const names[] = {
    [NvrtlDomainVolatile] = "volatile",
    [NvrtlDomainPageCache] = "page-cache",
    [NvrtlDomainCpuCache] = "cpu-cache",
    [NvrtlDomainMemory] = "memory",
};
#define DOMAINS ((int)(sizeof(names) / sizeof(names[0])))

const char *NvrtlDomainName(NVRTL_DOMAIN Domain)
{
    int index = (int)Domain;
    return index >= 0 && index < DOMAINS ? names[index] : "unknown";
}

bool nv_domain_forced(NVRTL_DOMAIN *domain)
{
    const char *text = nv_option(NV_OPTION_DOMAIN);
    for (int i = 0; text && i < DOMAINS; i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        *domain = (NVRTL_DOMAIN)i;
        return true;
    }
    return false;
}

__attribute__((format(printf, 3, 4))) static void decide(struct nv_segment *segment, NVRTL_DOMAIN domain,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    segment->domain = domain;
    (void)vsnprintf(segment->reason, sizeof(segment->reason), format, arguments);
    va_end(arguments);
}

/* File systems that live in memory. */
struct volatile_kind {
    unsigned long magic;
    const char *name;
};

static const struct volatile_kind volatile_kinds[] = {
    {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},
    {HUGETLBFS_MAGIC, "hugetlbfs"},
};

static const char *volatile_by_magic(unsigned long magic)
{
    for (size_t i = 0; i < sizeof(volatile_kinds) / sizeof(volatile_kinds[0]); i++)
        if (volatile_kinds[i].magic == magic)
            return volatile_kinds[i].name;
    return NULL;
}

static const char *volatile_by_name(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(volatile_kinds) / sizeof(volatile_kinds[0]); i++)
        if (strlen(volatile_kinds[i].name) == length && memcmp(volatile_kinds[i].name, name, length) == 0)
            return volatile_kinds[i].name;
    return NULL;
}

/* A line of mountinfo: "36 35 98:0 /root /mount options [optional fields] - TYPE SOURCE options". */
static const char *volatile_by_mount_line(const char *line, uint64_t device)
{
    unsigned mount_major, mount_minor;
    if (sscanf(line, "%*d %*d %u:%u", &mount_major, &mount_minor) != 2 || makedev(mount_major, mount_minor) != device)
        return NULL;
    const char *type = strstr(line, " - ");
    if (!type)
        return NULL;
    type += 3;
    return volatile_by_name(type, strcspn(type, " "));
}

static const char *volatile_by_mount(uint64_t device)
{
    struct nv_lines mounts;
    const char *name = NULL;
    const char *line;
    if (nv_lines_open(&mounts, "/proc/self/mountinfo") < 0)
        return NULL;
    while (!name && (line = nv_lines_next(&mounts)) != NULL)
        name = volatile_by_mount_line(line, device);
    nv_lines_close(&mounts);
    return name;
}

/* Every mapping under the segment has been made with MAP_SYNC: "sf" among the VmFlags of each. */
static bool is_map_sync(const struct nv_segment *segment)
{
    struct nv_lines smaps;
    const char *line;
    uintptr_t covered = (uintptr_t)segment->start;
    unsigned long start = 0, end = 0;
    if (nv_lines_open(&smaps, "/proc/self/smaps") < 0)
        return false;
    while (covered < (uintptr_t)segment->end && (line = nv_lines_next(&smaps)) != NULL) {
        if (strncmp(line, "VmFlags:", 8) != 0) {
            unsigned long header_start, header_end;
            if (sscanf(line, "%lx-%lx ", &header_start, &header_end) == 2) {
                start = header_start;
                end = header_end;
            }
        } else if (start <= covered && covered < end) {
            if (!strstr(line, " sf"))
                break;
            covered = end;
        }
    }
    nv_lines_close(&smaps);
    return covered >= (uintptr_t)segment->end;
}

/* Reads the first bytes of a small file. False if it cannot be read. */
static bool read_text(const char *path, char *text, size_t size_bytes)
{
    int descriptor = nv_os->open(path);
    if (descriptor < 0)
        return false;
    ssize_t got = nv_os->read(descriptor, text, size_bytes - 1);
    nv_os->close(descriptor);
    if (got < 0)
        return false;
    text[got] = 0;
    return true;
}

/*
 * What the platform promises for the memory behind a device: a file in the sysfs folder of one of its parents, the
 * region.
 */
static bool persistence_domain(const char *kind, uint64_t device, char *text, size_t size_bytes)
{
    char path[256];
    for (int depth = 0; depth < 12; depth++) {
        int length = snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u", kind, major(device), minor(device));
        for (int i = 0; i < depth; i++)
            length += snprintf(path + length, sizeof(path) - (size_t)length, "/..");
        (void)snprintf(path + length, sizeof(path) - (size_t)length, "/persistence_domain");
        if (read_text(path, text, size_bytes))
            return true;
    }
    return false;
}

static void decide_direct(struct nv_segment *segment, const char *what, const char *kind, uint64_t device)
{
    char promise[64];
    if (!persistence_domain(kind, device, promise, sizeof(promise)))
        decide(segment, NvrtlDomainCpuCache, "%s; sysfs has no persistence_domain for %u:%u", what, major(device),
               minor(device));
    else if (strncmp(promise, "cpu_cache", 9) == 0)
        decide(segment, NvrtlDomainMemory, "%s; its persistence_domain is cpu_cache: the CPU's caches survive", what);
    else
        decide(segment, NvrtlDomainCpuCache, "%s; its persistence_domain is %.*s", what, (int)strcspn(promise, "\n"),
               promise);
}

static void decide_device(struct nv_segment *segment, uint64_t device)
{
    char path[64];
    char link[256];
    (void)snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/subsystem", major(device), minor(device));
    ssize_t length = nv_os->readlink(path, link, sizeof(link));
    if (length >= 4 && length <= (ssize_t)sizeof(link) && memcmp(link + length - 4, "/dax", 4) == 0)
        decide_direct(segment, "device DAX", "char", device);
    else
        decide(segment, NvrtlDomainPageCache, "a character device that is no device DAX");
}

static bool leads_to(const struct statx *found, const struct nv_segment *segment)
{
    return found->stx_ino == segment->inode && makedev(found->stx_dev_major, found->stx_dev_minor) == segment->device;
}

/* By the file itself: its path still leads to it. */
static void decide_by_file(struct nv_segment *segment, const struct statx *file)
{
    struct statfs system;
    const char *kind = NULL;
    if (nv_os->statfs(segment->path, &system) == 0)
        kind = volatile_by_magic((unsigned long)system.f_type);
    if (S_ISCHR(file->stx_mode))
        decide_device(segment, makedev(file->stx_rdev_major, file->stx_rdev_minor));
    else if (kind)
        decide(segment, NvrtlDomainVolatile, "%s: it lives in memory", kind);
    else if (!(file->stx_attributes & STATX_ATTR_DAX))
        decide(segment, NvrtlDomainPageCache, "the file is not on DAX: its pages are cached");
    else if (is_map_sync(segment))
        decide_direct(segment, "DAX, mapped with MAP_SYNC", "block", segment->device);
    else
        decide(segment, NvrtlDomainPageCache, "DAX, but not mapped with MAP_SYNC: the file needs msync");
}

static void decide_by_system(struct nv_segment *segment)
{
    struct statx file;
    const char *kind;
    NVRTL_DOMAIN forced;
    if (nv_domain_forced(&forced))
        decide(segment, forced, "forced by NVRTL_DOMAIN");
    else if (strncmp(segment->path, "/memfd:", 7) == 0 && major(segment->device) == 0)
        decide(segment, NvrtlDomainVolatile, "memfd: it lives in memory");
    else if (nv_os->statx(segment->path, &file) == 0 && leads_to(&file, segment))
        decide_by_file(segment, &file);
    else if ((kind = volatile_by_mount(segment->device)) != NULL)
        decide(segment, NvrtlDomainVolatile, "%s: it lives in memory", kind);
    else if (is_map_sync(segment))
        decide_direct(segment, "DAX, mapped with MAP_SYNC", "block", segment->device);
    else
        decide(segment, NvrtlDomainPageCache, "the path does not lead to the file (any more): msync is right for all");
}

void nv_domain_find(struct nv_segment *segment)
{
    decide_by_system(segment);
    if (segment->domain != NvrtlDomainCpuCache || nv_cpu->write_back)
        return;
    size_t length = strlen(segment->reason);
    segment->domain = NvrtlDomainPageCache;
    (void)snprintf(segment->reason + length, sizeof(segment->reason) - length,
                   "; but the CPU kernel in force writes no lines back: msync does");
}
