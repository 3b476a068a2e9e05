/* SPDX-License-Identifier: MIT */
/* Owns the tables from errno to NTSTATUS. Called by whoever makes a failed system call the caller's status. */
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

/* Where a path is concerned, some errors say another thing. */
static const struct pair path_pairs[] = {
    {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},
    {ENOTDIR, STATUS_OBJECT_PATH_NOT_FOUND},
    {EEXIST, STATUS_OBJECT_NAME_COLLISION},
    {EISDIR, STATUS_FILE_IS_A_DIRECTORY},
    {ENOTEMPTY, STATUS_DIRECTORY_NOT_EMPTY},
    {EXDEV, STATUS_NOT_SAME_DEVICE},
    {ENAMETOOLONG, STATUS_NAME_TOO_LONG},
    {ELOOP, STATUS_OBJECT_NAME_INVALID}, /* links that lead round in a circle */
    {EILSEQ, STATUS_OBJECT_NAME_INVALID},
    {EMFILE, STATUS_TOO_MANY_OPENED_FILES},
    {ENFILE, STATUS_TOO_MANY_OPENED_FILES},
    {ETXTBSY, STATUS_SHARING_VIOLATION},
    {EAGAIN, STATUS_SHARING_VIOLATION},
    {EBUSY, STATUS_SHARING_VIOLATION},
    {EINVAL, STATUS_INVALID_PARAMETER},
    {EFBIG, STATUS_FILE_TOO_LARGE},
    {ENODEV, STATUS_NO_SUCH_DEVICE},
    {ENXIO, STATUS_NO_SUCH_DEVICE},
    {ESPIPE, STATUS_ILLEGAL_FUNCTION},
};

static NTSTATUS find(const struct pair *table, size_t count, int error, NTSTATUS otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].error == -error)
            return table[i].status;
    return otherwise;
}

#define FIND(table, error, otherwise) find(table, sizeof(table) / sizeof((table)[0]), error, otherwise)

NTSTATUS nv_os_status(int error)
{
    return FIND(pairs, error, STATUS_UNSUCCESSFUL);
}

NTSTATUS nv_os_path_status(int error)
{
    return FIND(path_pairs, error, nv_os_status(error));
}

NTSTATUS nv_os_file_status(int error, int descriptor)
{
    static const int gone[] = {EIO, ENXIO, ENODEV, ESTALE, ESHUTDOWN, ENOTCONN};
    int alive = error == -EIO ? nv_os->alive(descriptor) : 0;
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        if (alive == -gone[i])
            return STATUS_VOLUME_DISMOUNTED;
    return nv_os_status(error);
}
