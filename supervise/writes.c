/* SPDX-License-Identifier: MIT */
/*
 * Writes to synchronous files: by a descriptor in the reserved range, or with RWF_SYNC or RWF_DSYNC. The supervisor
 * makes them through the same open file, and they are durable before the program hears of them.
 */
#include "supervise/hints.h"
#include "supervise/observer.h"
#include "supervise/supervisor.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_DSYNC
#define RWF_DSYNC 2
#define RWF_SYNC 4
#endif
#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif
#define RWF_IN_PLACE 0xfu /* RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT */
#define WRITE_BYTES_MAX 0x7ffff000u
#define GATHER_BYTES_MAX ((size_t)64 << 20)

struct write_request {
    bool positioned;
    off_t offset;
    bool vector;
    uint64_t buffer, count;
    unsigned flags; /* of pwritev2 */
};

static struct write_request decode_write(const struct seccomp_notif *call)
{
    const uint64_t *args = (const uint64_t *)call->data.args;
    struct write_request request = {.buffer = args[1], .count = args[2], .offset = (off_t)args[3]};

    switch (call->data.nr) {
    case SYS_pwrite64:
        request.positioned = true;
        break;
    case SYS_pwritev2:
        request.flags = (unsigned)args[5];
        request.positioned = request.offset != -1;
        request.vector = true;
        break;
    case SYS_pwritev:
        request.positioned = true;
        request.vector = true;
        break;
    case SYS_writev:
        request.vector = true;
        break;
    default:
        break;
    }
    return request;
}

/* What the program wants written. */
struct source {
    pid_t thread;
    struct iovec parts[IOV_MAX];
    size_t count;
    uint64_t bytes;
};

static int read_source(struct source *source, const struct write_request *request)
{
    int status = 0;

    source->count = request->vector ? request->count : 1;
    source->bytes = 0;
    if (request->count > IOV_MAX && request->vector)
        return -EINVAL;
    if (request->vector)
        status =
            nv_target_read(source->thread, request->buffer, source->parts, source->count * sizeof source->parts[0]);
    else
        source->parts[0] = (struct iovec){(void *)(uintptr_t)request->buffer, request->count};
    for (size_t i = 0; i < source->count && !status; i++) {
        uint64_t room = WRITE_BYTES_MAX - source->bytes;

        if (source->parts[i].iov_len > SSIZE_MAX)
            return request->vector ? -EINVAL : -EFAULT;
        if (source->parts[i].iov_len > room)
            source->parts[i].iov_len = room;
        source->bytes += source->parts[i].iov_len;
    }
    return status;
}

/* [from, from + length) of the source; how much of it there was: memory may end within. */
static size_t gather(const struct source *source, uint64_t from, uint8_t *buffer, size_t length)
{
    size_t done = 0;

    for (size_t i = 0; i < source->count && done < length; i++) {
        const struct iovec *part = &source->parts[i];
        size_t piece = part->iov_len;

        if (from >= piece) {
            from -= piece;
            continue;
        }
        piece -= from;
        if (piece > length - done)
            piece = length - done;
        for (size_t at = 0; at < piece;) {
            ssize_t got = nv_target_read_some(source->thread, (uint64_t)(uintptr_t)part->iov_base + from + at,
                                              buffer + done, piece - at);

            if (got <= 0)
                return done;
            at += (size_t)got;
            done += (size_t)got;
        }
        from = 0;
    }
    return done;
}

/* One system call for one of the program, so that others see all of it or nothing, as they would without us. */
static ssize_t put(int own, const struct write_request *request, uint64_t done, void *buffer, size_t length)
{
    struct iovec part = {buffer, length};
    off_t offset = request->positioned ? request->offset + (off_t)done : -1;

    return pwritev2(own, &part, 1, offset, (int)(request->flags & ~(unsigned)(RWF_SYNC | RWF_DSYNC)));
}

/* Bytes written, or a negative errno when none was. -ESRCH: the program is gone, and what was read is not its own. */
static int64_t write_pieces(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int own,
                            const struct write_request *request, const struct source *source, uint8_t *buffer,
                            size_t buffer_bytes)
{
    uint64_t done = 0;

    do {
        size_t piece = source->bytes - done < buffer_bytes ? (size_t)(source->bytes - done) : buffer_bytes;
        size_t got = gather(source, done, buffer, piece);
        ssize_t written;

        if (!nv_notify_valid(supervisor, call))
            return done ? (int64_t)done : -ESRCH;
        if (piece && !got)
            return done ? (int64_t)done : -EFAULT;
        written = put(own, request, done, buffer, got);
        if (written < 0)
            return done ? (int64_t)done : -errno;
        done += (uint64_t)written;
        if ((size_t)written < piece)
            break;
    } while (done < source->bytes);
    return (int64_t)done;
}

static int64_t write_all(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int own,
                         const struct write_request *request)
{
    struct source source = {.thread = (pid_t)call->pid};
    int status = read_source(&source, request);
    uint8_t *buffer = supervisor->image.buffers;
    size_t buffer_bytes = NV_CHUNK_BYTES;
    int64_t written;

    if (status)
        return status;
    if (source.bytes > buffer_bytes) {
        size_t wanted = source.bytes < GATHER_BYTES_MAX ? (size_t)source.bytes : GATHER_BYTES_MAX;
        uint8_t *large = aligned_alloc(NV_BLOCK_BYTES, (wanted + NV_BLOCK_BYTES - 1) / NV_BLOCK_BYTES * NV_BLOCK_BYTES);

        if (large) {
            buffer = large;
            buffer_bytes = wanted;
        }
    }
    written = write_pieces(supervisor, call, own, request, &source, buffer, buffer_bytes);
    if (buffer != supervisor->image.buffers)
        free(buffer);
    return written;
}

/* Where the bytes went. An append ends anywhere behind the end that the file had before. */
static void written_range(int own, const struct write_request *request, bool appends, uint64_t end_before,
                          int64_t written, uint64_t *from, uint64_t *to)
{
    struct stat status;

    if (appends) {
        *from = end_before;
        *to = fstat(own, &status) ? UINT64_MAX : (uint64_t)status.st_size;
        return;
    }
    *to = request->positioned ? (uint64_t)request->offset + (uint64_t)written : (uint64_t)lseek(own, 0, SEEK_CUR);
    *from = *to - (uint64_t)written;
}

/* What was written is told of in a recorded run, too. */
static void observe(struct nv_observer *observer, int own, struct statx *status, uint64_t from, uint64_t length)
{
    struct nv_object *object = nv_observe_object(observer, getpid(), own, status);

    if (object && object->trace_number)
        nv_observe_written(observer, object, getpid(), own, from, length);
}

/* What was written is durable before the program goes on: the bytes alone, or the file's metadata too. */
static int write_durably(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int own,
                         const struct write_request *request, int flags, const struct statx *before,
                         struct nv_answer *answer)
{
    bool whole = (flags & O_SYNC) == O_SYNC || (request->flags & RWF_SYNC);
    bool appends = (flags & O_APPEND) || (request->flags & RWF_APPEND);
    int64_t written = write_all(supervisor, call, own, request);
    struct nv_object *object;
    struct statx status;
    uint64_t from, to;
    int result;

    if (written <= 0)
        return (int)written;
    answer->value = written;
    written_range(own, request, appends, before->stx_size, written, &from, &to);
    if (statx(own, "", AT_EMPTY_PATH, NV_STATX_MASK, &status))
        return -errno;
    if (supervisor->observer)
        observe(supervisor->observer, own, &status, appends ? to - (uint64_t)written : from, (uint64_t)written);
    object = nv_image_find(&supervisor->image, nv_statx_device(&status), status.stx_ino);
    if (object)
        nv_hint_add(object, from, to);
    result = nv_sync_file(supervisor, getpid(), own, &status, !whole, from, to);
    return result == NV_HIDDEN ? 0 : result;
}

/* What the call may write, when the kernel makes it. */
static void note_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                       const struct write_request *request)
{
    struct source source = {.thread = (pid_t)call->pid};
    int fd = (int)call->data.args[0];

    if (!request->vector)
        nv_watched_write(supervisor, call, fd, request->positioned, (uint64_t)request->offset, request->count);
    else if (!nv_watched_object(supervisor, call, fd))
        return;
    else if ((request->flags & ~(unsigned)RWF_IN_PLACE) || read_source(&source, request))
        nv_watched_write_anywhere(supervisor, call, fd);
    else
        nv_watched_write(supervisor, call, fd, request->positioned, (uint64_t)request->offset, source.bytes);
}

void nv_handle_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    struct write_request request = decode_write(call);
    int fd = (int)call->data.args[0], flags = 0, own, result;
    bool refused = request.positioned && request.offset < 0; /* by the kernel */
    struct statx status;

    if (refused)
        return;
    if (fd >= supervisor->watched_first && fd < supervisor->reserved_first &&
        !(request.flags & (RWF_DSYNC | RWF_SYNC))) {
        note_write(supervisor, call, &request);
        return;
    }
    own = nv_synchronous_own(supervisor, call, fd, &status, &flags);
    if (own < 0)
        return;
    if (!(flags & O_DSYNC) && !(request.flags & (RWF_DSYNC | RWF_SYNC)))
        note_write(supervisor, call, &request);
    else {
        result = write_durably(supervisor, call, own, &request, flags, &status, answer);
        if (result == NV_HIDDEN)
            nv_not_followed(supervisor, nv_folder_of(supervisor, getpid(), own, &status), &status,
                            "a process that may not be looked into wrote synchronously");
        else {
            answer->answered = true;
            answer->error = -result;
        }
    }
    close(own);
}

/*
 * sendfile and its kin to a synchronous file: programs fall back to writing when they are told that it cannot be done.
 */
void nv_handle_refused_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                             struct nv_answer *answer)
{
    struct statx status;
    int flags = 0, argument = call->data.nr == SYS_sendfile ? 0 : 2;
    int own = nv_synchronous_own(supervisor, call, (int)call->data.args[argument], &status, &flags);

    if (own < 0)
        return;
    if (flags & O_DSYNC)
        *answer = (struct nv_answer){.answered = true, .error = EINVAL};
    else
        nv_watched_write_anywhere(supervisor, call, (int)call->data.args[argument]);
    close(own);
}
