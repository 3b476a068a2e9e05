/* SPDX-License-Identifier: MIT */
/* Owns reading and writing. Called by the driver for IRP_MJ_READ and IRP_MJ_WRITE. */
#include "src/io/driver.h"
#include "src/io/file.h"
#include "src/os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <nvrtl/status.h>
#include <poll.h>
#include <sys/uio.h>

#ifndef RWF_DSYNC
#define RWF_DSYNC 0x2
#endif
#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif

#define SECTOR 512
#define AT_END (-1)
#define AT_POSITION (-2)

/* A transfer in progress. */
struct progress {
    struct nv_file *file;
    char *buffer;
    size_t left;
    size_t done;
    int64_t offset; /* where it began; AT_END */
    int flags;      /* of writing: RWF_* */
};

typedef ssize_t step_function(struct progress *progress);

static ssize_t read_step(struct progress *progress)
{
    return nv_os->read_at(progress->file->descriptor, progress->buffer + progress->done, progress->left,
                          progress->offset + (int64_t)progress->done);
}

static ssize_t write_step(struct progress *progress)
{
    int64_t offset = progress->offset == AT_END ? 0 : progress->offset + (int64_t)progress->done;
    return nv_os->write_at(progress->file->descriptor, progress->buffer + progress->done, progress->left, offset,
                           progress->flags);
}

static ssize_t stream_in(struct progress *progress)
{
    ssize_t got = -EAGAIN;
    while (got == -EAGAIN) {
        got = nv_os->read(progress->file->descriptor, progress->buffer, progress->left);
        if (got == -EAGAIN && nv_os->wait_ready(progress->file->descriptor, POLLIN) < 0)
            break;
    }
    return got;
}

static ssize_t stream_out(struct progress *progress)
{
    ssize_t put = -EAGAIN;
    while (put == -EAGAIN) {
        put = nv_os->write(progress->file->descriptor, progress->buffer + progress->done, progress->left);
        if (put == -EAGAIN && nv_os->wait_ready(progress->file->descriptor, POLLOUT) < 0)
            break;
    }
    return put;
}

/*
 * A stream gives what it has. A direct read that met the end of a file at an odd place is over: the next one would not
 * be aligned.
 */
static bool is_over(const struct progress *progress, step_function *step, ssize_t moved)
{
    return step == stream_in || (progress->file->is_direct && moved % SECTOR);
}

/* Goes on until all is moved, nothing more comes, or a call fails: its negative errno. */
static ssize_t move_all(struct progress *progress, step_function *step)
{
    while (progress->left > 0) {
        ssize_t moved = step(progress);
        if (moved <= 0)
            return moved;
        progress->done += (size_t)moved;
        progress->left -= (size_t)moved;
        if (is_over(progress, step, moved))
            break;
    }
    return 0;
}

static NTSTATUS status_of(const struct nv_file *file, ssize_t error)
{
    static const struct {
        int error;
        NTSTATUS status;
    } pairs[] = {
        {EINVAL, STATUS_INVALID_PARAMETER},      {EBADF, STATUS_ACCESS_DENIED},
        {EISDIR, STATUS_INVALID_DEVICE_REQUEST}, {EFBIG, STATUS_FILE_TOO_LARGE},
        {ESPIPE, STATUS_INVALID_DEVICE_REQUEST},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].error == -error)
            return pairs[i].status;
    return nv_os_file_status((int)error, file->descriptor);
}

/* The position of a synchronous handle is behind what was moved last; its lock is the public function's. */
static void move_position(struct progress *progress)
{
    struct nv_file *file = progress->file;
    struct statx facts;
    if (!nv_file_is_synchronous(file) || file->is_stream)
        return;
    if (progress->offset != AT_END)
        file->shown.CurrentByteOffset.QuadPart = progress->offset + (int64_t)progress->done;
    else if (nv_os->statx_at(file->descriptor, "", AT_EMPTY_PATH, STATX_SIZE, &facts) == 0)
        file->shown.CurrentByteOffset.QuadPart = (LONGLONG)facts.stx_size;
}

static bool begin(const struct nv_request *request, struct progress *progress)
{
    struct nv_file *file = request->file;
    int64_t offset = request->of.transfer.offset;
    *progress = (struct progress){
        .file = file,
        .buffer = request->of.transfer.buffer,
        .left = request->of.transfer.length,
        .offset = offset == AT_POSITION ? file->shown.CurrentByteOffset.QuadPart : offset,
    };
    return file->kind != NV_FILE_DIRECTORY && file->kind != NV_FILE_VOLUME;
}

NTSTATUS nv_driver_read(struct nv_request *request)
{
    struct progress progress;
    if (!begin(request, &progress))
        return STATUS_INVALID_DEVICE_REQUEST;
    if (progress.left == 0)
        return STATUS_SUCCESS;
    ssize_t error = move_all(&progress, request->file->is_stream ? stream_in : read_step);
    if (error < 0 && (progress.done == 0 || error == -EFAULT))
        return error == -EFAULT ? STATUS_ACCESS_VIOLATION : status_of(request->file, error);
    request->information = progress.done;
    move_position(&progress);
    if (progress.done > 0)
        return STATUS_SUCCESS;
    return request->file->kind == NV_FILE_PIPE ? STATUS_PIPE_BROKEN : STATUS_END_OF_FILE;
}

/*
 * A write that passes the page cache may be durable by itself, at the price of one command to the device. One that does
 * not is synced behind it: what the device refuses then is remembered as that of any flush.
 */
static NTSTATUS write_through(struct nv_file *file)
{
    if (!(file->options & FILE_WRITE_THROUGH) || file->is_direct || !file->backing)
        return STATUS_SUCCESS;
    return nv_backing_sync_file(file->backing, file->descriptor, NV_SYNC_DATA);
}

NTSTATUS nv_driver_write(struct nv_request *request)
{
    struct progress progress;
    if (!begin(request, &progress))
        return STATUS_INVALID_DEVICE_REQUEST;
    if (progress.left == 0)
        return STATUS_SUCCESS;
    progress.flags = (progress.offset == AT_END ? RWF_APPEND : 0) |
                     ((request->file->options & FILE_WRITE_THROUGH) && progress.file->is_direct ? RWF_DSYNC : 0);
    ssize_t error = move_all(&progress, request->file->is_stream ? stream_out : write_step);
    if (error == -EFAULT)
        return STATUS_INVALID_USER_BUFFER;
    request->information = progress.done;
    move_position(&progress);
    NTSTATUS status = write_through(request->file);
    return error < 0 ? status_of(request->file, error) : status;
}
