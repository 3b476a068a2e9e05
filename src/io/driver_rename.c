/* SPDX-License-Identifier: MIT */
/* Owns the renaming of files. Called by driver_information.c for FileRenameInformation. */
#include "src/io/driver.h"
#include "src/io/file.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif

/* The name is a full one, one relative to RootDirectory, or one in the folder where the file is. */
static NTSTATUS parse(const struct nv_request *request, const char *now, struct nv_path *path)
{
    const char *buffer = request->of.information.buffer;
    const size_t before = offsetof(FILE_RENAME_INFORMATION, FileName);
    FILE_RENAME_INFORMATION wish;
    struct nv_path leaf;
    memcpy(&wish, buffer, before);
    if (wish.FileNameLength > request->of.information.length - before)
        return STATUS_INVALID_PARAMETER;
    const WCHAR *name = (const WCHAR *)(const void *)(buffer + before);
    if (wish.RootDirectory || (wish.FileNameLength >= sizeof(WCHAR) && name[0] == '\\'))
        return nv_path_of_name(name, wish.FileNameLength, wish.RootDirectory, path);
    NTSTATUS status = nv_path_of_leaf(name, wish.FileNameLength, &leaf);
    if (status != STATUS_SUCCESS)
        return status;
    int before_leaf = (int)(strrchr(now, '/') - now);
    *path = (struct nv_path){.root = NULL};
    int length = snprintf(path->text, sizeof(path->text), "%.*s/%s", before_leaf, now, leaf.text);
    return length < (int)sizeof(path->text) ? STATUS_SUCCESS : STATUS_NAME_TOO_LONG;
}

/* A file that would be replaced must not be open by a handle, a folder, or one that nobody may write to. */
static NTSTATUS check_replaced(const struct nv_path *path, const struct statx *source)
{
    struct statx facts;
    if (nv_os->statx_at(nv_path_root(path), path->text, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &facts) < 0)
        return STATUS_SUCCESS; /* the renaming itself says what is wrong */
    uint64_t device = makedev(facts.stx_dev_major, facts.stx_dev_minor);
    if (facts.stx_ino == source->stx_ino && device == makedev(source->stx_dev_major, source->stx_dev_minor))
        return STATUS_SUCCESS;
    bool is_kept = S_ISDIR(facts.stx_mode) || (!S_ISLNK(facts.stx_mode) && !(facts.stx_mode & 0222)) ||
                   nv_fcb_is_open(device, facts.stx_ino);
    return is_kept ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

static NTSTATUS move(struct nv_file *file, const char *now, const struct nv_path *path, bool replaces)
{
    int error = nv_os->rename_at(AT_FDCWD, now, nv_path_root(path), path->text, replaces ? 0 : RENAME_NOREPLACE);
    if (error < 0)
        return error == -ENOENT ? STATUS_OBJECT_PATH_NOT_FOUND : nv_os_path_status(error);
    atomic_fetch_add(&file->fcb->names_given, 1);
    return STATUS_SUCCESS;
}

NTSTATUS nv_driver_rename(struct nv_request *request)
{
    struct nv_file *file = request->file;
    struct nv_path path;
    struct statx facts;
    char now[NV_PATH_BYTES];
    bool replaces = *(const BOOLEAN *)request->of.information.buffer;
    if (file->kind == NV_FILE_VOLUME)
        return STATUS_INVALID_PARAMETER;
    int error = nv_os->statx_at(file->descriptor, "", AT_EMPTY_PATH, STATX_INO, &facts);
    if (error == 0)
        error = nv_driver_path(file, now);
    if (error < 0 || now[0] != '/')
        return error < 0 ? nv_os_path_status(error) : STATUS_OBJECT_NAME_NOT_FOUND;
    NTSTATUS status = parse(request, now, &path);
    if (status != STATUS_SUCCESS)
        return status;
    if (path.ends_in_separator || path.is_volume)
        status = STATUS_OBJECT_NAME_INVALID;
    else if (replaces)
        status = check_replaced(&path, &facts);
    if (status == STATUS_SUCCESS)
        status = move(file, now, &path, replaces);
    nv_path_end(&path);
    return status;
}
