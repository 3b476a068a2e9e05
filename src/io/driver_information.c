/* SPDX-License-Identifier: MIT */
/* Owns what is known of a file, and what can be set. Called by the driver for the two requests about information. */
#include "src/io/driver.h"
#include "src/io/file.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FACTS (STATX_BASIC_STATS | STATX_BTIME)
#define UNITS_PER_SECOND 10000000 /* of 100 ns */
#define SECONDS_1601_TO_1970 11644473600
#define WRITE_BITS 0222

/* Answers one class, or sets it; the buffer is long enough. */
typedef NTSTATUS class_function(struct nv_request *request, const struct statx *facts);

static bool is_folder(const struct nv_file *file)
{
    return file->kind == NV_FILE_DIRECTORY || file->kind == NV_FILE_VOLUME;
}

static NTSTATUS answer(struct nv_request *request, const void *information, size_t size_bytes)
{
    memcpy(request->of.information.buffer, information, size_bytes);
    request->information = size_bytes;
    return STATUS_SUCCESS;
}

/* -- asking -- */

static LARGE_INTEGER time_of(const struct statx_timestamp *time)
{
    return (LARGE_INTEGER){.QuadPart = (time->tv_sec + SECONDS_1601_TO_1970) * UNITS_PER_SECOND + time->tv_nsec / 100};
}

static ULONG attributes_of(const struct nv_file *file, const struct statx *facts)
{
    ULONG attributes = 0;
    if (is_folder(file))
        attributes |= FILE_ATTRIBUTE_DIRECTORY;
    else if (!(facts->stx_mode & WRITE_BITS))
        attributes |= FILE_ATTRIBUTE_READONLY;
    return attributes ? attributes : FILE_ATTRIBUTE_NORMAL;
}

static NTSTATUS tell_basic(struct nv_request *request, const struct statx *facts)
{
    const struct statx_timestamp *birth = facts->stx_mask & STATX_BTIME ? &facts->stx_btime : &facts->stx_ctime;
    FILE_BASIC_INFORMATION basic;
    memset(&basic, 0, sizeof(basic));
    basic.CreationTime = time_of(birth);
    basic.LastAccessTime = time_of(&facts->stx_atime);
    basic.LastWriteTime = time_of(&facts->stx_mtime);
    basic.ChangeTime = time_of(&facts->stx_ctime);
    basic.FileAttributes = attributes_of(request->file, facts);
    return answer(request, &basic, sizeof(basic));
}

static NTSTATUS tell_standard(struct nv_request *request, const struct statx *facts)
{
    const struct nv_file *file = request->file;
    FILE_STANDARD_INFORMATION standard;
    memset(&standard, 0, sizeof(standard));
    standard.AllocationSize.QuadPart = is_folder(file) ? 0 : (LONGLONG)facts->stx_blocks * 512;
    standard.EndOfFile.QuadPart = is_folder(file) ? 0 : (LONGLONG)facts->stx_size;
    standard.NumberOfLinks = is_folder(file) ? 1 : facts->stx_nlink;
    standard.DeletePending = file->fcb->delete_pending;
    standard.Directory = is_folder(file);
    return answer(request, &standard, sizeof(standard));
}

static NTSTATUS tell_internal(struct nv_request *request, const struct statx *facts)
{
    FILE_INTERNAL_INFORMATION internal = {.IndexNumber.QuadPart = (LONGLONG)facts->stx_ino};
    return answer(request, &internal, sizeof(internal));
}

/* -- setting -- */

/* 0 and the negative numbers that Windows takes mean: as it is. */
static bool to_time(LONGLONG units, struct timespec *time)
{
    LONGLONG since_1970 = units - SECONDS_1601_TO_1970 * UNITS_PER_SECOND;
    LONGLONG seconds = since_1970 / UNITS_PER_SECOND, rest = since_1970 % UNITS_PER_SECOND;
    *time = (struct timespec){.tv_nsec = UTIME_OMIT};
    if (units == 0 || units == -1 || units == -2)
        return true;
    *time = (struct timespec){seconds - (rest < 0), (long)(rest + (rest < 0 ? UNITS_PER_SECOND : 0)) * 100};
    return units > 0;
}

/* By the descriptor's entry in /proc: calls that take a descriptor refuse one without access to the data. */
static int change(const struct nv_file *file, const struct timespec times[2], const mode_t *mode)
{
    char path[32];
    int error = 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file->descriptor);
    if (times[0].tv_nsec != UTIME_OMIT || times[1].tv_nsec != UTIME_OMIT)
        error = nv_os->set_times(path, times);
    if (error == 0 && mode)
        error = nv_os->set_mode(path, *mode);
    return error;
}

static NTSTATUS set_basic(struct nv_request *request, const struct statx *facts)
{
    struct nv_file *file = request->file;
    FILE_BASIC_INFORMATION basic;
    struct timespec times[2];
    memcpy(&basic, request->of.information.buffer, sizeof(basic));
    if ((basic.FileAttributes & ~(ULONG)FILE_ATTRIBUTE_VALID_FLAGS) ||
        ((basic.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) && !is_folder(file)) ||
        !to_time(basic.LastAccessTime.QuadPart, &times[0]) || !to_time(basic.LastWriteTime.QuadPart, &times[1]))
        return STATUS_INVALID_PARAMETER;
    bool is_read_only = !(facts->stx_mode & WRITE_BITS);
    bool shall_be = basic.FileAttributes & FILE_ATTRIBUTE_READONLY;
    bool changes = basic.FileAttributes && !is_folder(file) && is_read_only != shall_be;
    mode_t mode = (mode_t)(shall_be ? facts->stx_mode & ~WRITE_BITS : facts->stx_mode | S_IWUSR) & 07777;
    int error = change(file, times, changes ? &mode : NULL);
    return error < 0 ? nv_os_path_status(error) : STATUS_SUCCESS;
}

/* A size in the first eight bytes, for a file that it can be set of. */
static NTSTATUS get_size(const struct nv_request *request, int64_t *size_bytes)
{
    LARGE_INTEGER wish;
    memcpy(&wish, request->of.information.buffer, sizeof(wish));
    *size_bytes = wish.QuadPart;
    if (wish.QuadPart < 0 || request->file->kind != NV_FILE_DATA)
        return STATUS_INVALID_PARAMETER;
    return request->file->writable ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

static NTSTATUS set_end_of_file(struct nv_request *request, const struct statx *facts)
{
    int64_t size_bytes;
    NTSTATUS status = get_size(request, &size_bytes);
    (void)facts;
    if (status != STATUS_SUCCESS)
        return status;
    int error = nv_os->truncate(request->file->descriptor, size_bytes);
    return error < 0 ? nv_os_path_status(error) : STATUS_SUCCESS;
}

/* Less than the file has cuts it off; more is room that is made, where the file system can. */
static NTSTATUS set_allocation(struct nv_request *request, const struct statx *facts)
{
    int64_t size_bytes;
    NTSTATUS status = get_size(request, &size_bytes);
    if (status != STATUS_SUCCESS || (uint64_t)size_bytes == facts->stx_size)
        return status;
    int error = (uint64_t)size_bytes < facts->stx_size ? nv_os->truncate(request->file->descriptor, size_bytes)
                                                       : nv_os->allocate(request->file->descriptor, size_bytes);
    return error < 0 && error != -EOPNOTSUPP ? nv_os_path_status(error) : STATUS_SUCCESS;
}

/* -- deleting -- */

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size_bytes;
    uint8_t type;
    char name[];
};

/* More than "." and ".."? */
static bool lists_something(int folder)
{
    _Alignas(struct entry) char entries[1024];
    for (;;) {
        ssize_t size_bytes = nv_os->list(folder, entries, sizeof(entries));
        if (size_bytes <= 0)
            return false;
        for (const char *at = entries; at < entries + size_bytes;) {
            const struct entry *entry = (const struct entry *)(const void *)at;
            if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
                return true;
            at += entry->size_bytes;
        }
    }
}

static NTSTATUS check_empty(const char *path)
{
    int folder = nv_os->open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (folder < 0)
        return nv_os_path_status(folder);
    bool is_empty = !lists_something(folder);
    nv_os->close(folder);
    return is_empty ? STATUS_SUCCESS : STATUS_DIRECTORY_NOT_EMPTY;
}

/* Whether the name can be taken away: of the folder that it is in. */
static NTSTATUS check_parent(char *path)
{
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    int parent = nv_os->open_at(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
    if (parent < 0)
        return nv_os_path_status(parent);
    int error = nv_os->check_access(parent, W_OK);
    nv_os->close(parent);
    return error < 0 ? nv_os_path_status(error) : STATUS_SUCCESS;
}

static NTSTATUS check_deletable(struct nv_file *file, const struct statx *facts)
{
    char path[NV_PATH_BYTES];
    if (file->kind == NV_FILE_VOLUME || (!is_folder(file) && !(facts->stx_mode & WRITE_BITS)))
        return STATUS_CANNOT_DELETE;
    if (nv_driver_path(file, path) < 0 || path[0] != '/')
        return STATUS_CANNOT_DELETE; /* it has no name, or none that can be told */
    NTSTATUS status = is_folder(file) ? check_empty(path) : STATUS_SUCCESS;
    return status == STATUS_SUCCESS ? check_parent(path) : status;
}

static NTSTATUS set_disposition(struct nv_request *request, const struct statx *facts)
{
    FILE_DISPOSITION_INFORMATION wish;
    memcpy(&wish, request->of.information.buffer, sizeof(wish));
    NTSTATUS status = wish.DeleteFile ? check_deletable(request->file, facts) : STATUS_SUCCESS;
    if (status == STATUS_SUCCESS)
        request->file->fcb->delete_pending = wish.DeleteFile != 0;
    return status;
}

static NTSTATUS rename_file(struct nv_request *request, const struct statx *facts)
{
    (void)facts;
    return nv_driver_rename(request);
}

/* -- the requests -- */

static const struct class
{
    ULONG number;
    class_function *ask;
    class_function *set;
} classes[] = {
    {FileBasicInformation, tell_basic, set_basic},       {FileStandardInformation, tell_standard, NULL},
    {FileInternalInformation, tell_internal, NULL},      {FileRenameInformation, NULL, rename_file},
    {FileDispositionInformation, NULL, set_disposition}, {FileAllocationInformation, NULL, set_allocation},
    {FileEndOfFileInformation, NULL, set_end_of_file},
};

static NTSTATUS serve(struct nv_request *request, class_function *function)
{
    struct statx facts;
    if (!function)
        return STATUS_INVALID_INFO_CLASS;
    int error = nv_os->statx_at(request->file->descriptor, "", AT_EMPTY_PATH, FACTS, &facts);
    return error < 0 ? nv_os_path_status(error) : function(request, &facts);
}

static const struct class *find(const struct nv_request *request)
{
    static const struct class unknown = {0};
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (classes[i].number == request->of.information.class)
            return &classes[i];
    return &unknown;
}

NTSTATUS nv_driver_query_information(struct nv_request *request)
{
    return serve(request, find(request)->ask);
}

NTSTATUS nv_driver_set_information(struct nv_request *request)
{
    return serve(request, find(request)->set);
}
