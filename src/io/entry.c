/* SPDX-License-Identifier: MIT */
/*
 * Owns how a file's name is made durable: by fsync of its folder, after the file's own. Called by driver_flush.c.
 *
 * POSIX promises a name by nothing else. ext4, XFS and btrfs take a new name along with the file's own fsync; flushing
 * the folder next costs nothing on the first two, whose journal has been written by then.
 */
#include "src/io/entry.h"

#include "src/io/volume.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <stdio.h>
#include <string.h>

#define ATTEMPTS 3         /* the file may be renamed while it is looked for */
#define NAMELESS INT32_MIN /* instead of a descriptor: there is no name that could be lost */

/* The entry of this name is the file. */
static int check_name(int folder, const char *name, int descriptor)
{
    struct statx found, own;
    int error = nv_os->statx_at(descriptor, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &own);
    if (error == 0)
        error = nv_os->statx_at(folder, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO, &found);
    return error != 0 || nv_os_is_same_file(&found, &own) ? error : -ENOENT;
}

static int open_if_entry_of(const char *path, const char *name, int descriptor)
{
    int folder = nv_os->open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    int error = folder < 0 ? folder : check_name(folder, name, descriptor);
    if (error == 0)
        return folder;
    if (folder >= 0)
        nv_os->close(folder);
    return error;
}

/* The folder in which the file has its name, open; or a negative errno; or NAMELESS. */
static int open_folder_of_file(int descriptor)
{
    static const char deleted[] = " (deleted)";
    char link[32], path[4096];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    ssize_t length = nv_os->readlink(link, path, sizeof(path));
    if (length < 0 || length >= (ssize_t)sizeof(path))
        return length < 0 ? (int)length : -ENAMETOOLONG;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (path[0] != '/')
        return -ENOENT;
    char name[256];
    int name_bytes = snprintf(name, sizeof(name), "%s", slash + 1);
    bool nameless = name_bytes >= (int)sizeof(deleted) && strcmp(name + name_bytes - sizeof(deleted) + 1, deleted) == 0;
    slash[slash == path] = '\0';
    int folder = open_if_entry_of(path, name, descriptor);
    return folder == -ENOENT && nameless ? NAMELESS : folder;
}

/* The root of a file system has no name in it. */
static int open_folder_of_folder(int descriptor)
{
    struct statx above, own;
    int folder = nv_os->open_at(descriptor, "..", O_RDONLY | O_DIRECTORY, 0);
    if (folder < 0)
        return folder;
    int error = nv_os->statx_at(descriptor, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &own);
    if (error == 0)
        error = nv_os->statx_at(folder, "", AT_EMPTY_PATH, STATX_TYPE | STATX_INO, &above);
    bool is_root = above.stx_dev_major != own.stx_dev_major || above.stx_dev_minor != own.stx_dev_minor ||
                   above.stx_ino == own.stx_ino;
    if (error == 0 && !is_root)
        return folder;
    nv_os->close(folder);
    return error == 0 ? NAMELESS : error;
}

static int open_folder(const struct nv_file *file)
{
    int folder = -ENOENT;
    if (file->kind == NV_FILE_DIRECTORY)
        return open_folder_of_folder(file->descriptor);
    for (int i = 0; i < ATTEMPTS && folder == -ENOENT; i++)
        folder = open_folder_of_file(file->descriptor);
    return folder;
}

/* The backing whose failure is that of the file's name: its folder's; or the volume's, where there is no folder. */
static struct nv_backing *backing_of(const struct nv_file *file, int folder)
{
    struct statx own = {.stx_ino = NV_BACKING_VOLUME};
    if (folder >= 0 && nv_os->statx_at(folder, "", AT_EMPTY_PATH, STATX_INO, &own) != 0)
        return NULL;
    return nv_backing_get(nv_volume_mapped(file->volume, file->descriptor), own.stx_ino);
}

static NTSTATUS flush_as(const struct nv_file *file, int folder, int descriptor, enum nv_file_sync how)
{
    struct nv_backing *backing = backing_of(file, folder);
    if (!backing)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = nv_backing_sync_file(backing, descriptor, how);
    nv_backing_put(backing);
    return status;
}

static NTSTATUS flush_name(const struct nv_file *file, bool is_ours)
{
    int folder = open_folder(file);
    if (folder == NAMELESS)
        return STATUS_SUCCESS;
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST; /* a folder that cannot be flushed */
    if (folder >= 0) {
        status = flush_as(file, folder, folder, NV_SYNC_ALL);
        nv_os->close(folder);
    }
    if (status != STATUS_INVALID_DEVICE_REQUEST)
        return status;
    return is_ours ? flush_as(file, -1, file->descriptor, NV_SYNC_VOLUME) : STATUS_SUCCESS;
}

static bool is_durable(const struct nv_file *file, uint32_t given)
{
    return atomic_load_explicit(&file->fcb->name_durable, memory_order_acquire) == given + 1;
}

NTSTATUS nv_entry_flush(struct nv_file *file)
{
    uint32_t given = atomic_load_explicit(&file->fcb->names_given, memory_order_acquire);
    if (is_durable(file, given))
        return STATUS_SUCCESS;
    NTSTATUS status = flush_name(file, given > 0);
    if (NT_SUCCESS(status))
        atomic_store_explicit(&file->fcb->name_durable, given + 1, memory_order_release);
    return status;
}

void nv_entry_forget(struct nv_file *file)
{
    bool has_name = file->kind == NV_FILE_DATA || file->kind == NV_FILE_DIRECTORY;
    if (!has_name || is_durable(file, atomic_load_explicit(&file->fcb->names_given, memory_order_acquire)))
        return;
    int folder = open_folder(file);
    struct nv_backing *backing = folder == NAMELESS ? NULL : backing_of(file, folder);
    if (backing) {
        nv_backing_forget(backing);
        nv_backing_put(backing);
    }
    if (folder >= 0)
        nv_os->close(folder);
}
