/* SPDX-License-Identifier: MIT */
/*
 * Owns the closing of files. Called by the driver for IRP_MJ_CLEANUP, at the last handle, and IRP_MJ_CLOSE, at the end.
 */
#include "src/io/driver.h"
#include "src/io/file.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <stdio.h>

int nv_driver_path(const struct nv_file *file, char path[NV_PATH_BYTES])
{
    char link[32];
    struct statx ours, found;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file->descriptor);
    ssize_t length = nv_os->readlink(link, path, NV_PATH_BYTES - 1);
    if (length <= 0)
        return length < 0 ? (int)length : -ENOENT;
    path[length] = '\0';
    int error = nv_os->statx_at(file->descriptor, "", AT_EMPTY_PATH, STATX_INO, &ours);
    if (error == 0)
        error = nv_os->statx_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO, &found);
    if (error < 0)
        return error;
    return nv_os_is_same_file(&ours, &found) ? 0 : -ENOENT;
}

int nv_driver_unlink(struct nv_file *file)
{
    char path[NV_PATH_BYTES];
    int error = nv_driver_path(file, path);
    if (error < 0)
        return error;
    return nv_os->unlink_at(AT_FDCWD, path, file->kind == NV_FILE_DIRECTORY ? AT_REMOVEDIR : 0);
}

/* The last handle is closed. What is to be deleted goes with the last one of the file; that it did not is not told. */
NTSTATUS nv_driver_cleanup(struct nv_request *request)
{
    struct nv_file *file = request->file;
    if (!file->is_counted)
        return STATUS_SUCCESS;
    file->is_counted = false;
    if (file->options & FILE_DELETE_ON_CLOSE)
        file->fcb->delete_pending = true;
    if (nv_fcb_close(file->fcb, file->object.granted, file->share))
        (void)nv_driver_unlink(file);
    return STATUS_SUCCESS;
}

NTSTATUS nv_driver_close(struct nv_request *request)
{
    struct nv_file *file = request->file;
    nv_os->close(file->descriptor);
    file->descriptor = -1;
    if (file->backing)
        nv_backing_put(file->backing);
    if (file->fcb)
        nv_fcb_put(file->fcb);
    return STATUS_SUCCESS;
}
