/* SPDX-License-Identifier: MIT */
/*
 * Synchronous files. An open with O_SYNC or O_DSYNC is made by the supervisor and answered with a descriptor in a
 * reserved range of numbers, so that only writes to those numbers are notified; such a write is made by the supervisor
 * through the same open file, and is durable before the program hears of it.
 */
#include "supervise/supervisor.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_DSYNC
#define RWF_DSYNC 2
#define RWF_SYNC 4
#endif
#define WRITE_BYTES_MAX 0x7ffff000u

struct open_request {
    int folder;
    uint64_t path, flags, mode;
};

/* ---- opening ---- */

static bool decode_open(const struct seccomp_notif *call, struct open_request *request)
{
    const uint64_t *args = (const uint64_t *)call->data.args;
    struct open_how how;

    switch (call->data.nr) {
#ifdef SYS_open
    case SYS_open:
        *request = (struct open_request){AT_FDCWD, args[0], (uint32_t)args[1], (uint32_t)args[2]};
        return true;
#endif
    case SYS_openat:
        *request = (struct open_request){(int)args[0], args[1], (uint32_t)args[2], (uint32_t)args[3]};
        return true;
    default: /* openat2 */
        if (args[3] < sizeof how || nv_target_read((pid_t)call->pid, args[2], &how, sizeof how))
            return false;
        *request = (struct open_request){(int)args[0], args[1], how.flags, how.mode};
        return !how.resolve;
    }
}

/* The program's path, as we must spell it. */
static int own_path(pid_t thread, const struct open_request *request, char *path, size_t path_bytes)
{
    char theirs[PATH_MAX];
    int length, status = nv_target_string(thread, request->path, theirs, sizeof theirs);

    if (status)
        return status;
    if (theirs[0] == '/')
        length = snprintf(path, path_bytes, "%s", theirs);
    else if (request->folder == AT_FDCWD)
        length = snprintf(path, path_bytes, "/proc/%d/cwd/%s", (int)thread, theirs);
    else
        length = snprintf(path, path_bytes, "/proc/%d/fd/%d/%s", (int)thread, request->folder, theirs);
    return (size_t)length < path_bytes ? 0 : -ENAMETOOLONG;
}

static bool lies_at_stake(struct nv_supervisor *supervisor, int fd, bool folder)
{
    struct statx status;

    return fd >= 0 && !statx(fd, "", AT_EMPTY_PATH, NV_STATX_MASK, &status) &&
           (folder ? S_ISDIR(status.stx_mode) : S_ISREG(status.stx_mode)) &&
           nv_folder_of(supervisor, getpid(), fd, &status);
}

/* Whether the open concerns a regular file at stake, or would make one. */
static bool concerns_us(struct nv_supervisor *supervisor, const char *path, uint64_t flags)
{
    char parent[PATH_MAX];
    int fd = open(path, O_PATH | O_CLOEXEC | (int)(flags & O_NOFOLLOW));
    bool ours = lies_at_stake(supervisor, fd, false);
    char *slash;

    if (fd >= 0) {
        close(fd);
        return ours;
    }
    if (errno != ENOENT || !(flags & O_CREAT))
        return false;
    snprintf(parent, sizeof parent, "%s", path);
    slash = strrchr(parent, '/');
    if (!slash)
        return false;
    slash[slash == parent] = 0;
    fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ours = lies_at_stake(supervisor, fd, true);
    if (fd >= 0)
        close(fd);
    return ours;
}

/* The supervisor must be able to open as the program would: same user, same root. */
static bool same_credentials(pid_t thread)
{
    char path[64], root[8];
    struct stat status;
    ssize_t length;

    snprintf(path, sizeof path, "/proc/%d", (int)thread);
    if (stat(path, &status) || status.st_uid != geteuid())
        return false;
    snprintf(path, sizeof path, "/proc/%d/root", (int)thread);
    length = readlink(path, root, sizeof root);
    return length == 1 && root[0] == '/';
}

static int free_reserved(const struct nv_supervisor *supervisor, pid_t thread, int first)
{
    for (int fd = first > supervisor->reserved_first ? first : supervisor->reserved_first;
         fd < supervisor->reserved_end; fd++)
        if (!nv_target_has_fd(thread, fd))
            return fd;
    return -EMFILE;
}

/* Give the program a descriptor with that number, and its call that number as the result. */
static void install(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int own, int number,
                    bool close_on_exec, struct nv_answer *answer)
{
    struct seccomp_notif_addfd add = {.id = call->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)own,
                                      .newfd = (uint32_t)number,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};

    answer->answered = true;
    if (number < 0)
        answer->error = -number;
    else if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
        answer->sent = true;
    else
        answer->error = errno;
}

static void cannot_follow(struct nv_supervisor *supervisor, struct nv_object *object, const char *why)
{
    if (object)
        object->unjudged = true;
    (void)nv_report_not_seen(supervisor->report, why);
}

/* In an overlay a descriptor that was opened for reading before the first write would go on reading the file below. */
static void copy_up(struct nv_supervisor *supervisor, const char *path, uint64_t flags)
{
    int fd = concerns_us(supervisor, path, flags) ? open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK) : -1;

    if (fd >= 0)
        close(fd);
}

static int open_for(pid_t thread, const char *path, const struct open_request *request)
{
    long mask = nv_target_status(thread, "Umask:", 8);
    mode_t before = umask(mask < 0 ? 022 : (mode_t)mask);
    int fd = open(path, (int)request->flags | O_CLOEXEC, (mode_t)request->mode);

    if (fd < 0)
        fd = -errno;
    umask(before);
    return fd;
}

void nv_handle_open(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct open_request request;
    char path[PATH_MAX + 64];
    int fd;

    if (!decode_open(call, &request) || own_path(thread, &request, path, sizeof path))
        return;
    if ((request.flags & O_ACCMODE) == O_RDONLY) {
        if (supervisor->overlay)
            copy_up(supervisor, path, request.flags);
        return;
    }
    if (!(request.flags & O_DSYNC) || (request.flags & O_PATH) || !concerns_us(supervisor, path, request.flags))
        return;
    if (!same_credentials(thread)) {
        cannot_follow(supervisor, NULL,
                      "a file was opened for synchronous writing by another user or under another root");
        return;
    }
    fd = open_for(thread, path, &request);
    if (fd < 0) {
        *answer = (struct nv_answer){.answered = true, .error = -fd};
        return;
    }
    install(supervisor, call, fd, free_reserved(supervisor, thread, 0), request.flags & O_CLOEXEC, answer);
    close(fd);
}

/* ---- duplicating ---- */

/* A descriptor of ours for the program's, if that is a synchronous one of a file at stake; else negative. */
static int synchronous(struct nv_supervisor *supervisor, pid_t thread, int fd, struct statx *status, int *flags)
{
    int own = nv_target_duplicate(thread, fd);

    if (own < 0)
        return own;
    *flags = fcntl(own, F_GETFL);
    if (statx(own, "", AT_EMPTY_PATH, NV_STATX_MASK, status) || !nv_folder_of(supervisor, thread, fd, status)) {
        close(own);
        return -ENOENT;
    }
    return own;
}

void nv_handle_duplicate(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct statx status;
    int flags = 0, own = synchronous(supervisor, thread, (int)call->data.args[0], &status, &flags);

    if (own < 0)
        return;
    if (flags & O_DSYNC)
        install(supervisor, call, own, free_reserved(supervisor, thread, 0), false, answer);
    close(own);
}

void nv_handle_fcntl(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct statx status;
    int flags = 0, own = synchronous(supervisor, thread, (int)call->data.args[0], &status, &flags);

    if (own < 0)
        return;
    if (flags & O_DSYNC)
        install(supervisor, call, own, free_reserved(supervisor, thread, (int)call->data.args[2]),
                call->data.args[1] == F_DUPFD_CLOEXEC, answer);
    close(own);
}

/* dup2 and dup3 name the number. One outside the reserved range cannot be followed. */
void nv_handle_duplicate_to(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                            struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct statx status;
    int flags = 0, own;

    (void)answer;
    if ((int)call->data.args[1] >= supervisor->reserved_first)
        return;
    own = synchronous(supervisor, thread, (int)call->data.args[0], &status, &flags);
    if (own < 0)
        return;
    if (flags & O_DSYNC)
        cannot_follow(
            supervisor,
            nv_image_object(&supervisor->image, nv_folder_of(supervisor, thread, (int)call->data.args[0], &status),
                            &status),
            "a descriptor opened with O_SYNC or O_DSYNC was copied to a low number by dup2: its file was not judged");
    close(own);
}

/* ---- writing ---- */

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

/* Write one buffer of the program through `own`. Bytes written, or a negative errno when none was. */
static int64_t write_buffer(struct nv_supervisor *supervisor, pid_t thread, int own, uint64_t address, uint64_t length,
                            const struct write_request *request, uint64_t written)
{
    uint64_t done = 0;

    while (done < length) {
        size_t piece = length - done < NV_CHUNK_BYTES ? (size_t)(length - done) : NV_CHUNK_BYTES;
        int status = nv_target_read(thread, address + done, supervisor->image.buffers, piece);
        ssize_t put;

        if (status)
            return done ? (int64_t)done : status;
        put = request->positioned
                  ? pwrite(own, supervisor->image.buffers, piece, request->offset + (off_t)(written + done))
                  : write(own, supervisor->image.buffers, piece);
        if (put < 0)
            return done ? (int64_t)done : -errno;
        done += (uint64_t)put;
        if ((size_t)put < piece)
            break;
    }
    return (int64_t)done;
}

static int64_t write_all(struct nv_supervisor *supervisor, pid_t thread, int own, const struct write_request *request)
{
    uint64_t written = 0;

    if (!request->vector)
        return write_buffer(supervisor, thread, own, request->buffer,
                            request->count < WRITE_BYTES_MAX ? request->count : WRITE_BYTES_MAX, request, 0);
    if (request->count > IOV_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < request->count; i++) {
        struct iovec part;
        int64_t put;
        int status = nv_target_read(thread, request->buffer + i * sizeof part, &part, sizeof part);

        if (status)
            return written ? (int64_t)written : status;
        put = write_buffer(supervisor, thread, own, (uint64_t)(uintptr_t)part.iov_base, part.iov_len, request, written);
        if (put < 0)
            return written ? (int64_t)written : put;
        written += (uint64_t)put;
        if ((uint64_t)put < part.iov_len)
            break;
    }
    return (int64_t)written;
}

/* What was written is durable before the program goes on: the bytes alone, or the file's metadata too. */
static int make_durable(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int own,
                        const struct write_request *request, int flags, int64_t written)
{
    bool whole = (flags & O_SYNC) == O_SYNC || (request->flags & RWF_SYNC);
    off_t end = request->positioned ? request->offset + written : lseek(own, 0, SEEK_CUR);
    bool appended = request->positioned && (flags & O_APPEND);
    struct statx status;

    if (statx(own, "", AT_EMPTY_PATH, NV_STATX_MASK, &status))
        return -errno;
    return nv_sync_file(supervisor, (pid_t)call->pid, (int)call->data.args[0], &status, !whole,
                        appended ? 0 : (uint64_t)(end - written), appended ? UINT64_MAX : (uint64_t)end);
}

void nv_handle_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    struct write_request request = decode_write(call);
    pid_t thread = (pid_t)call->pid;
    struct statx status;
    int flags = 0, own = synchronous(supervisor, thread, (int)call->data.args[0], &status, &flags);
    int64_t written;

    if (own < 0)
        return;
    if (S_ISREG(status.stx_mode) && ((flags & O_DSYNC) || (request.flags & (RWF_DSYNC | RWF_SYNC)))) {
        *answer = (struct nv_answer){.answered = true};
        written = write_all(supervisor, thread, own, &request);
        if (written < 0)
            answer->error = (int)-written;
        else
            answer->value = written;
        if (written > 0)
            answer->error = -make_durable(supervisor, call, own, &request, flags, written);
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
    int own = synchronous(supervisor, (pid_t)call->pid, (int)call->data.args[argument], &status, &flags);

    if (own < 0)
        return;
    if (flags & O_DSYNC)
        *answer = (struct nv_answer){.answered = true, .error = EINVAL};
    close(own);
}
