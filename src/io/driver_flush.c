/* SPDX-License-Identifier: MIT */
/* Owns how each kind of file is flushed, as IRP_MN_* asks. Called by the driver, for IRP_MJ_FLUSH_BUFFERS. */
#include "src/io/driver.h"
#include "src/io/entry.h"
#include "src/io/volume.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <sys/statvfs.h>

#define NORMAL 0
#define MINORS (IRP_MN_FLUSH_DATA_SYNC_ONLY + 1)
#define ONE(minor) (1u << (minor))
#define ALL (ONE(MINORS) - 1)

/* Linux has no call that writes metadata and spares the device: to flush without a sync is to flush. */
static const enum nv_file_sync ways[MINORS] = {
    [NORMAL] = NV_SYNC_ALL,
    [IRP_MN_FLUSH_AND_PURGE] = NV_SYNC_ALL,
    [IRP_MN_FLUSH_DATA_ONLY] = NV_SYNC_WRITE,
    [IRP_MN_FLUSH_NO_SYNC] = NV_SYNC_ALL,
    [IRP_MN_FLUSH_DATA_SYNC_ONLY] = NV_SYNC_DATA,
};

/* A mount for reading only has no descriptor that can write; but a folder's never can. */
static NTSTATUS check_media(const struct nv_file *file)
{
    struct statfs volume;
    if (file->writable)
        return STATUS_SUCCESS;
    int error = nv_os->statfs_of(file->descriptor, &volume);
    if (error != 0)
        return nv_os_status(error);
    return volume.f_flags & ST_RDONLY ? STATUS_MEDIA_WRITE_PROTECTED : STATUS_SUCCESS;
}

static NTSTATUS flush_data(struct nv_file *file, UCHAR minor)
{
    NTSTATUS status = check_media(file);
    if (NT_SUCCESS(status))
        status = nv_backing_sync_file(file->backing, file->descriptor, ways[minor]);
    if (NT_SUCCESS(status) && (minor == NORMAL || minor == IRP_MN_FLUSH_AND_PURGE))
        status = nv_entry_flush(file);
    if (!NT_SUCCESS(status) || minor != IRP_MN_FLUSH_AND_PURGE)
        return status;
    int error = nv_os->drop_pages(file->descriptor);
    return error == 0 ? STATUS_SUCCESS : nv_os_status(error);
}

/* XFS says that a folder has nothing left to flush, too, when it was shut down and the entries are lost. */
static NTSTATUS check_alive(const struct nv_file *file)
{
    int descriptor = nv_os->open_at(file->descriptor, ".", O_RDONLY | O_DIRECTORY, 0);
    if (descriptor == -EIO)
        return STATUS_VOLUME_DISMOUNTED;
    if (descriptor >= 0)
        nv_os->close(descriptor);
    return STATUS_SUCCESS;
}

/* A folder's data is its entries, which are metadata. */
static NTSTATUS flush_directory(struct nv_file *file, UCHAR minor)
{
    NTSTATUS status = check_media(file);
    if (NT_SUCCESS(status))
        status = nv_backing_sync_file(file->backing, file->descriptor, NV_SYNC_ALL);
    if (NT_SUCCESS(status))
        status = check_alive(file);
    return NT_SUCCESS(status) && minor == NORMAL ? nv_entry_flush(file) : status;
}

/* What Linux told of a file once is a failure of its volume, too. */
static NTSTATUS flush_volume(struct nv_file *file, UCHAR minor)
{
    (void)minor;
    NTSTATUS status = check_media(file);
    if (NT_SUCCESS(status))
        status = nv_backing_sync_file(file->backing, file->descriptor, NV_SYNC_VOLUME);
    return NT_SUCCESS(status) ? nv_backing_failure_on(nv_volume_mapped(file->volume, file->descriptor)) : status;
}

/*
 * Waits until the pipe's reader has read all. Linux has an event for a reader that goes, and none for a pipe that has
 * become empty: so it is looked at again and again, at intervals that grow to 8 ms.
 */
static NTSTATUS flush_pipe(struct nv_file *file, UCHAR minor)
{
    (void)minor;
    int timeout_ms = 0;
    for (;;) {
        int unread_bytes = nv_os->unread(file->descriptor);
        if (unread_bytes <= 0)
            return unread_bytes == 0 ? STATUS_SUCCESS : nv_os_status(unread_bytes);
        int has_gone = nv_os->await_hangup(file->descriptor, timeout_ms);
        if (has_gone != 0) /* before the first wait there is nobody to wait for */
            return has_gone < 0 ? nv_os_status(has_gone) : timeout_ms == 0 ? STATUS_SUCCESS : STATUS_PIPE_BROKEN;
        timeout_ms = timeout_ms == 0 ? 1 : timeout_ms < 8 ? timeout_ms * 2 : timeout_ms;
    }
}

static NTSTATUS flush_terminal(struct nv_file *file, UCHAR minor)
{
    (void)minor;
    int error = -EINTR;
    while (error == -EINTR)
        error = nv_os->drain_terminal(file->descriptor);
    return error == 0 ? STATUS_SUCCESS : nv_os_status(error);
}

/* Block devices; whatever else it is does not know fsync. */
static NTSTATUS flush_other(struct nv_file *file, UCHAR minor)
{
    if (!file->backing)
        return STATUS_INVALID_DEVICE_REQUEST;
    return nv_backing_sync_file(file->backing, file->descriptor, ways[minor]);
}

static const struct kind {
    NTSTATUS (*flush)(struct nv_file *file, UCHAR minor);
    unsigned minors; /* ONE() of each */
} kinds[] = {
    [NV_FILE_DATA] = {flush_data, ALL},
    [NV_FILE_DIRECTORY] = {flush_directory, ONE(NORMAL) | ONE(IRP_MN_FLUSH_DATA_ONLY) | ONE(IRP_MN_FLUSH_NO_SYNC)},
    [NV_FILE_VOLUME] = {flush_volume, ONE(NORMAL)},
    [NV_FILE_PIPE] = {flush_pipe, ALL},
    [NV_FILE_TERMINAL] = {flush_terminal, ALL},
    [NV_FILE_OTHER] = {flush_other, ALL},
};

bool nv_flush_is_for(enum nv_file_kind kind, UCHAR minor)
{
    return minor < MINORS && kinds[kind].minors & ONE(minor);
}

NTSTATUS nv_driver_flush(struct nv_request *request)
{
    struct nv_file *file = request->file;
    if (!nv_flush_is_for(file->kind, request->minor))
        return STATUS_INVALID_PARAMETER;
    return kinds[file->kind].flush(file, request->minor);
}
