/* SPDX-License-Identifier: MIT */
/*
 * Owns the question what is mapped where, put to /proc/self/maps: by its ioctl for single mappings, or by its text on
 * kernels before 6.11. Called for a new token, for each call with the default token, and by the verifier.
 */
#include "src/nvm/resolve.h"

#include "src/nvm/domain.h"
#include "src/os/lines.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* One line of maps: "START-END rwxp OFFSET MAJOR:MINOR INODE      PATH". */
struct mapping {
    uintptr_t start;
    uintptr_t end;
    bool writable;
    bool shared;
    uint64_t offset;
    unsigned major;
    unsigned minor;
    uint64_t inode;
    const char *path;
};

static bool number(const char **at, int base, char stop, uint64_t *value)
{
    char *end;
    *value = strtoull(*at, &end, base);
    if (end == *at || *end != stop)
        return false;
    *at = end + 1;
    return true;
}

static bool parse(const char *line, struct mapping *mapping)
{
    uint64_t start, end, major_number, minor_number;
    if (!number(&line, 16, '-', &start) || !number(&line, 16, ' ', &end) || strlen(line) < 5)
        return false;
    mapping->writable = line[1] == 'w';
    mapping->shared = line[3] == 's';
    line += 5;
    if (!number(&line, 16, ' ', &mapping->offset) || !number(&line, 16, ':', &major_number) ||
        !number(&line, 16, ' ', &minor_number) || !number(&line, 10, ' ', &mapping->inode))
        return false;
    mapping->start = start;
    mapping->end = end;
    mapping->major = (unsigned)major_number;
    mapping->minor = (unsigned)minor_number;
    mapping->path = line + strspn(line, " ");
    return true;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/*
 * Shared memory without a file has an inode all the same, of the kernel's own tmpfs (major 0). memfd has a descriptor:
 * it is a file to whoever holds it.
 */
static bool is_anonymous(const struct mapping *mapping)
{
    if (mapping->inode == 0 && mapping->path[0] != '/')
        return true;
    return mapping->major == 0 && (begins(mapping->path, "/dev/zero (deleted)") || begins(mapping->path, "/SYSV") ||
                                   begins(mapping->path, "/anon_hugepage"));
}

static NTSTATUS judge(const struct mapping *mapping)
{
    if (is_anonymous(mapping) || (!mapping->shared && !nv_seam->is_view((const void *)mapping->start)))
        return STATUS_INVALID_PARAMETER;
    if (!mapping->writable)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

struct segment_list {
    struct nv_segment *items;
    size_t count;
    size_t room;
};

static struct nv_segment *append(struct segment_list *list)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 1;
        struct nv_segment *items = nv_os->resize(list->items, room * sizeof(*items));
        if (!items)
            return NULL;
        list->items = items;
        list->room = room;
    }
    return &list->items[list->count++];
}

/* The part of a mapping from `from` to `to`. */
static void describe(struct nv_segment *segment, const struct mapping *mapping, uintptr_t from, uintptr_t to)
{
    segment->start = (char *)from;
    segment->end = (char *)to;
    segment->offset = mapping->offset + (from - mapping->start);
    segment->device = makedev(mapping->major, mapping->minor);
    segment->inode = mapping->inode;
    segment->mapping_start = (char *)mapping->start;
    segment->mapping_end = (char *)mapping->end;
    segment->domain = NvrtlDomainVolatile;
    segment->reason[0] = 0;
    size_t length = strlen(mapping->path);
    if (length >= sizeof(segment->path))
        length = 0; /* no path can be that long; it is only a help */
    memcpy(segment->path, mapping->path, length);
    segment->path[length] = 0;
}

/* Takes the part of the mapping that begins at `from`; returns where it ends, or 0 without memory. */
static uintptr_t take(struct segment_list *list, const struct mapping *mapping, uintptr_t from, uintptr_t end)
{
    struct nv_segment *segment = append(list);
    if (!segment)
        return 0;
    uintptr_t to = mapping->end < end ? mapping->end : end;
    describe(segment, mapping, from, to);
    return to;
}

/* Judges the mapping at *start, takes it, and moves *start behind it. */
static NTSTATUS step(struct segment_list *list, const struct mapping *mapping, uintptr_t *start, uintptr_t end)
{
    if (mapping->start > *start)
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS status = judge(mapping);
    if (!NT_SUCCESS(status))
        return status;
    *start = take(list, mapping, *start, end);
    return *start ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS read_maps(struct nv_lines *maps, uintptr_t start, uintptr_t end, struct segment_list *list)
{
    struct mapping mapping;
    const char *line;
    while (start < end && (line = nv_lines_next(maps)) != NULL) {
        if (!parse(line, &mapping) || mapping.end <= start)
            continue;
        NTSTATUS status = step(list, &mapping, &start, end);
        if (!NT_SUCCESS(status))
            return status;
    }
    if (maps->error)
        return STATUS_INSUFFICIENT_RESOURCES;
    return start < end ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

static NTSTATUS resolve_by_text(uintptr_t start, uintptr_t end, struct segment_list *list)
{
    struct nv_lines maps;
    if (nv_lines_open(&maps, "/proc/self/maps") < 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = read_maps(&maps, start, end, list);
    nv_lines_close(&maps);
    return status;
}

/* The mapping at the address; a negative errno, of which -ENOENT says that there is none. */
static int query(int maps, uintptr_t address, struct mapping *mapping, char *path, uint32_t path_bytes)
{
    struct nv_os_mapping answer = {
        .size_bytes = sizeof(answer),
        .query_address = address,
        .name_address = (uintptr_t)path,
        .name_bytes = path_bytes,
    };
    int error = nv_os->query_mapping(maps, &answer);
    if (error < 0)
        return error;
    if (answer.name_bytes == 0)
        path[0] = 0;
    *mapping = (struct mapping){
        .start = answer.start,
        .end = answer.end,
        .writable = (answer.flags & NV_OS_MAPPING_WRITABLE) != 0,
        .shared = (answer.flags & NV_OS_MAPPING_SHARED) != 0,
        .offset = answer.offset,
        .major = answer.major,
        .minor = answer.minor,
        .inode = answer.inode,
        .path = path,
    };
    return 0;
}

/* STATUS_NOT_SUPPORTED: the kernel has no such query, or did not answer it; the text will tell. */
static NTSTATUS query_all(int maps, uintptr_t start, uintptr_t end, struct segment_list *list)
{
    struct mapping mapping;
    char path[4096];
    while (start < end) {
        int error = query(maps, start, &mapping, path, sizeof(path));
        if (error < 0)
            return error == -ENOENT ? STATUS_INFO_LENGTH_MISMATCH : STATUS_NOT_SUPPORTED;
        NTSTATUS status = step(list, &mapping, &start, end);
        if (!NT_SUCCESS(status))
            return status;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS resolve_by_query(uintptr_t start, uintptr_t end, struct segment_list *list)
{
    int maps = nv_os->open("/proc/self/maps");
    if (maps < 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = query_all(maps, start, end, list);
    nv_os->close(maps);
    return status;
}

NTSTATUS nv_resolve(const void *address, size_t size_bytes, struct nv_segment **segments, size_t *count)
{
    uintptr_t start = (uintptr_t)address;
    struct segment_list list = {0};
    if (!start || !size_bytes || start + size_bytes < start)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = resolve_by_query(start, start + size_bytes, &list);
    if (status == STATUS_NOT_SUPPORTED) {
        list.count = 0;
        status = resolve_by_text(start, start + size_bytes, &list);
    }
    if (!NT_SUCCESS(status)) {
        free(list.items);
        return status;
    }
    for (size_t i = 0; i < list.count; i++)
        nv_domain_find(&list.items[i]);
    *segments = list.items;
    *count = list.count;
    return STATUS_SUCCESS;
}

/* -- one mapping -- */

/* Judges the mapping, and describes it either way. */
static NTSTATUS take_whole(const struct mapping *mapping, struct nv_segment *segment)
{
    describe(segment, mapping, mapping->start, mapping->end);
    return judge(mapping);
}

static NTSTATUS find_by_text(uintptr_t address, struct nv_segment *segment)
{
    struct nv_lines maps;
    struct mapping mapping;
    const char *line;
    NTSTATUS status = STATUS_INFO_LENGTH_MISMATCH;
    if (nv_lines_open(&maps, "/proc/self/maps") < 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    while ((line = nv_lines_next(&maps)) != NULL) {
        if (!parse(line, &mapping) || mapping.end <= address)
            continue;
        if (mapping.start <= address)
            status = take_whole(&mapping, segment);
        break;
    }
    if (maps.error)
        status = STATUS_INSUFFICIENT_RESOURCES;
    nv_lines_close(&maps);
    return status;
}

/* As query_all for its statuses. */
static NTSTATUS find_by_query(uintptr_t address, struct nv_segment *segment)
{
    struct mapping mapping;
    char path[4096];
    int maps = nv_os->open("/proc/self/maps");
    if (maps < 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    int error = query(maps, address, &mapping, path, sizeof(path));
    nv_os->close(maps);
    if (error < 0)
        return error == -ENOENT ? STATUS_INFO_LENGTH_MISMATCH : STATUS_NOT_SUPPORTED;
    return take_whole(&mapping, segment);
}

NTSTATUS nv_resolve_mapping(const void *address, struct nv_segment *segment)
{
    NTSTATUS status = find_by_query((uintptr_t)address, segment);
    if (status == STATUS_NOT_SUPPORTED)
        status = find_by_text((uintptr_t)address, segment);
    if (NT_SUCCESS(status))
        nv_domain_find(segment);
    return status;
}
