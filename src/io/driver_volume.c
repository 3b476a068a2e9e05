/* SPDX-License-Identifier: MIT */
/* Owns what is known of the file system behind a file. Called by the driver for IRP_MJ_QUERY_VOLUME_INFORMATION. */
#include "src/io/driver.h"
#include "src/io/file.h"
#include "src/os/lines.h"
#include "src/os/os.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <nvrtl/status.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

#define TYPE_BYTES 64

/* What mountinfo says of a mount. */
struct mount {
    char type[TYPE_BYTES]; /* "" where it cannot be told */
    bool is_dax;           /* all files are */
};

/* A line is "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE OPTIONS". */
static bool is_line_of(const char *line, const struct statx *facts)
{
    unsigned long long id;
    unsigned device_major, device_minor;
    if (sscanf(line, "%llu %*u %u:%u", &id, &device_major, &device_minor) != 3)
        return false;
    if (facts->stx_mask & STATX_MNT_ID)
        return id == facts->stx_mnt_id;
    return device_major == facts->stx_dev_major && device_minor == facts->stx_dev_minor;
}

static bool has_option(const char *options, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = options; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

static void read_line(const char *line, struct mount *mount)
{
    const char *type = strstr(line, " - ");
    const char *options = strrchr(line, ' ');
    if (!type || options <= type + 3)
        return;
    (void)sscanf(type + 3, "%63s", mount->type);
    mount->is_dax = has_option(options + 1, "dax") || has_option(options + 1, "dax=always");
}

static struct mount find_mount(const struct statx *facts)
{
    struct mount mount = {.type = ""};
    struct nv_lines lines;
    const char *line;
    if (nv_lines_open(&lines, "/proc/self/mountinfo") < 0)
        return mount;
    while (!mount.type[0] && (line = nv_lines_next(&lines)) != NULL)
        if (is_line_of(line, facts))
            read_line(line, &mount);
    nv_lines_close(&lines);
    return mount;
}

static ULONG attributes_of(const struct mount *mount, const struct statx *facts, const struct statfs *system)
{
    ULONG attributes = FILE_CASE_SENSITIVE_SEARCH | FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK;
    if (system->f_type != MSDOS_SUPER_MAGIC)
        attributes |= FILE_SUPPORTS_SPARSE_FILES;
    if (system->f_flags & ST_RDONLY)
        attributes |= FILE_READ_ONLY_VOLUME;
    if (mount->is_dax || (facts->stx_attributes & STATX_ATTR_DAX))
        attributes |= FILE_DAX_VOLUME;
    return attributes;
}

/* The name of the file system's type comes last, as much of it as there is room for. */
static NTSTATUS answer(struct nv_request *request, FILE_FS_ATTRIBUTE_INFORMATION *information, const char *type)
{
    const size_t before = offsetof(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName);
    WCHAR name[TYPE_BYTES];
    size_t count = strlen(type), room = (request->of.information.length - before) / sizeof(WCHAR);
    size_t fits = count < room ? count : room;
    for (size_t i = 0; i < fits; i++)
        name[i] = (WCHAR)(unsigned char)type[i];
    information->FileSystemNameLength = (ULONG)(fits * sizeof(WCHAR));
    memcpy(request->of.information.buffer, information, before);
    memcpy((char *)request->of.information.buffer + before, name, fits * sizeof(WCHAR));
    request->information = before + fits * sizeof(WCHAR);
    return fits < count ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS nv_driver_query_volume_information(struct nv_request *request)
{
    struct statx facts;
    struct statfs system;
    int descriptor = request->file->descriptor;
    if (request->of.information.class != FileFsAttributeInformation)
        return STATUS_INVALID_INFO_CLASS;
    int error = nv_os->statx_at(descriptor, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &facts);
    if (error == 0)
        error = nv_os->statfs_of(descriptor, &system);
    if (error < 0)
        return nv_os_path_status(error);
    struct mount mount = find_mount(&facts);
    FILE_FS_ATTRIBUTE_INFORMATION information = {
        .FileSystemAttributes = attributes_of(&mount, &facts, &system),
        .MaximumComponentNameLength = (LONG)system.f_namelen,
    };
    return answer(request, &information, mount.type);
}
