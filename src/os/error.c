/* SPDX-License-Identifier: MIT */
/*
 * Owns the table from errno to NTSTATUS for flushes. Called by whoever makes a failed system call the caller's status.
 */
#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/status.h>

struct pair {
    int error;
    NTSTATUS status;
};

static const struct pair pairs[] = {
    {EIO, STATUS_IO_DEVICE_ERROR},
    {ENOSPC, STATUS_DISK_FULL},
    {EDQUOT, STATUS_DISK_FULL},
    {EROFS, STATUS_MEDIA_WRITE_PROTECTED},
    {EPERM, STATUS_ACCESS_DENIED},
    {EACCES, STATUS_ACCESS_DENIED},
    {EBADF, STATUS_INVALID_HANDLE},
    {EINVAL, STATUS_INVALID_DEVICE_REQUEST}, /* the object cannot be synced */
    {ENODEV, STATUS_VOLUME_DISMOUNTED},
    {ENXIO, STATUS_VOLUME_DISMOUNTED},
    {ESTALE, STATUS_VOLUME_DISMOUNTED},
    {ESHUTDOWN, STATUS_VOLUME_DISMOUNTED},
    {ENOTCONN, STATUS_VOLUME_DISMOUNTED}, /* the process that serves a FUSE file system has ended */
    {ECONNABORTED, STATUS_VOLUME_DISMOUNTED},
    {ENOMEDIUM, STATUS_VOLUME_DISMOUNTED},
    /* What the block layer makes of a device's own answers. */
    {ENODATA, STATUS_DEVICE_DATA_ERROR},
    {EILSEQ, STATUS_DEVICE_DATA_ERROR},
    {EREMOTEIO, STATUS_IO_DEVICE_ERROR},
    {ENOLINK, STATUS_IO_DEVICE_ERROR},
    {ETIMEDOUT, STATUS_IO_DEVICE_ERROR},
    {EUCLEAN, STATUS_IO_DEVICE_ERROR},
    {EFAULT, STATUS_ACCESS_VIOLATION},
    {ENOMEM, STATUS_INSUFFICIENT_RESOURCES},
    {EMFILE, STATUS_INSUFFICIENT_RESOURCES},
    {ENFILE, STATUS_INSUFFICIENT_RESOURCES},
    {EOPNOTSUPP, STATUS_NOT_SUPPORTED},
    {EPIPE, STATUS_PIPE_BROKEN},
};

NTSTATUS nv_os_status(int error)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].error == -error)
            return pairs[i].status;
    return STATUS_UNSUCCESSFUL;
}
