/* SPDX-License-Identifier: MIT */
/*
 * Opens that the supervisor makes for the program. One with O_SYNC or O_DSYNC is answered with a descriptor in a
 * reserved range of numbers, so that only writes to those numbers are notified (writes.c). Where that cannot be done,
 * the file is not judged. One for reading and writing may be answered with a descriptor whose changes are told of
 * (watched.c).
 */
#include "supervise/credentials.h"
#include "supervise/hints.h"
#include "supervise/observer.h"
#include "supervise/place.h"
#include "supervise/supervisor.h"
#include "supervise/target.h"
#include "supervise/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_32 = 5, OPENAT_32 = 295 }; /* of a 32-bit program */

struct open_request {
    int folder;
    uint64_t path, flags, mode, resolve;
};

/* ---- opening ---- */

static bool is_narrow(const struct seccomp_notif *call)
{
    return call->data.arch == AUDIT_ARCH_I386;
}

static bool is_open(const struct seccomp_notif *call)
{
#ifdef SYS_open
    if (!is_narrow(call))
        return call->data.nr == SYS_open;
#endif
    return is_narrow(call) && call->data.nr == OPEN_32;
}

static int decode_open(const struct seccomp_notif *call, struct open_request *request)
{
    const uint64_t *args = (const uint64_t *)call->data.args;
    struct open_how how;
    int status;

    if (is_open(call)) {
        *request =
            (struct open_request){.folder = AT_FDCWD, .path = args[0], .flags = (uint32_t)args[1], (uint32_t)args[2]};
        return 0;
    }
    *request = (struct open_request){.folder = (int)args[0], .path = args[1], .flags = (uint32_t)args[2]};
    if (call->data.nr == (is_narrow(call) ? OPENAT_32 : SYS_openat)) {
        request->mode = (uint32_t)args[3];
        return 0;
    }
    if (args[3] < sizeof how) /* openat2 */
        return -EINVAL;
    status = nv_target_read((pid_t)call->pid, args[2], &how, sizeof how);
    request->flags = how.flags;
    request->mode = how.mode;
    request->resolve = how.resolve;
    return status;
}

static bool makes_nameless(uint64_t flags)
{
    return (flags & O_TMPFILE) == O_TMPFILE;
}

/* Whether the path may end in a symbolic link. */
static bool follows(uint64_t flags)
{
    return !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
}

static struct nv_folder *folder_at_stake(struct nv_supervisor *supervisor, int fd, bool folder, struct statx *status)
{
    if (statx(fd, "", AT_EMPTY_PATH, NV_STATX_MASK, status) ||
        !(folder ? S_ISDIR(status->stx_mode) : S_ISREG(status->stx_mode)))
        return NULL;
    return nv_folder_of(supervisor, getpid(), fd, status);
}

/* What nvrtl failed to do, and not the program. */
static bool ours_ran_out(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EINTR;
}

static void be_blind_if_out(struct nv_supervisor *supervisor, int error)
{
    if (ours_ran_out(error))
        nv_be_blind(supervisor, "nvrtl ran out of descriptors or memory while a file was used for synchronous writing");
}

/* Whether the open concerns a regular file at stake, or would make one. */
static bool concerns_us(struct nv_supervisor *supervisor, const struct nv_place *place, uint64_t flags)
{
    struct statx status;
    int fd = nv_place_look(place);
    bool ours;

    be_blind_if_out(supervisor, fd);
    if (fd < 0)
        return fd == -ENOENT && (flags & O_CREAT) && folder_at_stake(supervisor, place->fd, true, &status);
    ours = folder_at_stake(supervisor, fd, makes_nameless(flags), &status);
    close(fd);
    return ours;
}

/* In an overlay a descriptor that was opened for reading before the first write would go on reading the file below. */
static void copy_up(struct nv_supervisor *supervisor, pid_t thread, const struct open_request *request,
                    const char *path)
{
    const struct nv_image *image = &supervisor->image;
    uint64_t devices[16];
    struct nv_place place;
    int fd = -1;

    for (size_t i = 0; i < image->folder_count && i < 16; i++)
        devices[i] = image->folders[i].device;
    if (image->folder_count <= 16 && nv_place_is_elsewhere(thread, path, devices, image->folder_count))
        return;
    if (nv_place_find(&place, thread, request->folder, path, request->resolve, follows(request->flags)))
        return;
    if (concerns_us(supervisor, &place, 0))
        fd = nv_place_open(&place, O_WRONLY | O_NONBLOCK, 0);
    if (fd >= 0)
        close(fd);
    nv_place_free(&place);
}

/* The first free number of [from, to) that is not below `first`. */
static int free_number(pid_t thread, int first, int from, int to)
{
    int end = nv_target_fd_limit(thread, to);

    for (int fd = first > from ? first : from; fd < end; fd++)
        if (!nv_target_has_fd(thread, fd))
            return fd;
    return -EMFILE;
}

static int free_reserved(const struct nv_supervisor *supervisor, pid_t thread, int first)
{
    return free_number(thread, first, supervisor->reserved_first, supervisor->reserved_end);
}

static int free_watched(const struct nv_supervisor *supervisor, pid_t thread, int first)
{
    return free_number(thread, first, supervisor->watched_first, supervisor->reserved_first);
}

/*
 * Give the program a descriptor with that number, or with the lowest one when it is negative, and its call that number
 * as the result.
 */
static void install(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int own, int number,
                    bool close_on_exec, struct nv_answer *answer)
{
    struct seccomp_notif_addfd add = {.id = call->id,
                                      .flags = SECCOMP_ADDFD_FLAG_SEND,
                                      .srcfd = (uint32_t)own,
                                      .newfd_flags = close_on_exec ? O_CLOEXEC : 0};

    if (number >= 0) {
        add.flags |= SECCOMP_ADDFD_FLAG_SETFD;
        add.newfd = (uint32_t)number;
    }
    answer->answered = true;
    nv_turns_answering(supervisor->turns, call, false);
    if (ioctl(supervisor->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0)
        answer->sent = true;
    else
        answer->error = errno;
}

static void not_followed(struct nv_supervisor *supervisor, int own, const char *why)
{
    struct statx status;
    struct nv_folder *folder = folder_at_stake(supervisor, own, false, &status);

    if (folder)
        nv_not_followed(supervisor, folder, &status, why);
}

/* The call goes on in the kernel: a file that is there is known, one that it makes is not. */
static void lose_place(struct nv_supervisor *supervisor, const struct nv_place *place)
{
    static const char why[] = "a file was opened for synchronous writing, and the supervisor could not do it instead";
    int fd = nv_place_look(place);

    if (fd < 0)
        nv_be_blind(supervisor, why);
    else
        not_followed(supervisor, fd, why);
    if (fd >= 0)
        close(fd);
}

static int open_for(pid_t thread, const struct nv_place *place, const struct open_request *request)
{
    long mask = nv_target_status(thread, "Umask:", 8);
    mode_t before = umask(mask < 0 ? 022 : (mode_t)mask);
    int fd = nv_place_open(place, (int)request->flags, (mode_t)request->mode);

    umask(before);
    return fd;
}

/* The file at stake that a descriptor of ours has open, when there is a hint for it, or may be one. */
static struct nv_object *hinted_object(struct nv_supervisor *supervisor, int fd, bool may_be)
{
    struct statx status;
    struct nv_folder *folder = supervisor->image.hints ? folder_at_stake(supervisor, fd, false, &status) : NULL;
    struct nv_object *object =
        folder && folder->upper < 0 && may_be
            ? nv_image_object(&supervisor->image, folder, &status)
            : nv_image_find(&supervisor->image, folder ? nv_statx_device(&status) : 0, folder ? status.stx_ino : 0);

    return object && (may_be || nv_hint_is_good(object)) ? object : NULL;
}

static void lose_hint(struct nv_supervisor *supervisor, int fd)
{
    struct nv_object *object = hinted_object(supervisor, fd, false);

    if (object)
        nv_hint_end(&supervisor->image, object);
}

/* Opens of others are told apart from ours, which empties the file at most. */
static int open_hinted(struct nv_supervisor *supervisor, pid_t thread, const struct nv_place *place,
                       const struct open_request *request)
{
    struct nv_object *object;
    int fd;

    nv_hints_notice(&supervisor->image);
    fd = open_for(thread, place, request);
    object = fd < 0 ? NULL : hinted_object(supervisor, fd, false);
    nv_hints_skip_own(&supervisor->image, object);
    if (object && (request->flags & O_TRUNC))
        nv_hint_all(object);
    return fd;
}

/* The program has the file that was opened for it, and its writes are told of if there is a number for that. */
static void give(struct nv_supervisor *supervisor, const struct seccomp_notif *call, const struct open_request *request,
                 int fd, struct nv_answer *answer)
{
    int number = is_narrow(call) ? -1 : free_reserved(supervisor, (pid_t)call->pid, 0);

    if (number < 0)
        not_followed(supervisor, fd,
                     is_narrow(call) ? "synchronous writes of a 32-bit program"
                                     : "a file was opened for synchronous writing beyond the limit of descriptors");
    else if (makes_nameless(request->flags))
        not_followed(supervisor, fd, "a file without a name was opened for synchronous writing");
    if (number < 0)
        lose_hint(supervisor, fd);
    install(supervisor, call, fd, number, request->flags & O_CLOEXEC, answer);
}

static void open_synchronously(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                               const struct open_request *request, const char *path, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct nv_credentials own;
    struct nv_place place;
    bool taken = !nv_credentials_take(&own, thread), ours;
    int fd = -EMFILE,
        status = nv_place_find(&place, thread, request->folder, path, request->resolve, follows(request->flags));

    be_blind_if_out(supervisor, status);
    ours = !status && concerns_us(supervisor, &place, request->flags) && nv_notify_valid(supervisor, call);
    if (ours && taken)
        fd = open_hinted(supervisor, thread, &place, request);
    if (taken)
        nv_credentials_restore(&own);
    if (status == NV_HIDDEN && nv_notify_valid(supervisor, call))
        nv_be_blind(supervisor, "a process that may not be looked into opened a file for synchronous writing");
    else if (ours && fd >= 0) {
        nv_observe_opened(supervisor->observer, &place, fd, request->flags);
        give(supervisor, call, request, fd, answer);
    } else if (ours && ours_ran_out(fd))
        lose_place(supervisor, &place);
    else if (ours)
        *answer = (struct nv_answer){.answered = true, .error = -fd};
    if (fd >= 0)
        close(fd);
    nv_place_free(&place);
}

/* The same file by a descriptor whose writes are told of, if nobody else can write it untold. */
static void give_watched(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                         const struct open_request *request, int fd, struct nv_answer *answer)
{
    struct nv_object *object = hinted_object(supervisor, fd, true);
    int number = object ? free_watched(supervisor, (pid_t)call->pid, 0) : -1;

    if (number >= 0 && !nv_hint_is_good(object) && !nv_hint_begin(&supervisor->image, object, fd))
        number = -1;
    if (number >= 0)
        install(supervisor, call, fd, number, request->flags & O_CLOEXEC, answer);
    if (answer->sent)
        return;
    lose_hint(supervisor, fd);
    install(supervisor, call, fd, -1, request->flags & O_CLOEXEC, answer);
}

/* Whatever stands in the way: the kernel makes the open, and the file is compared. */
static void open_watched(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                         const struct open_request *request, const char *path, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct nv_credentials own;
    struct nv_place place;
    bool taken = !nv_credentials_take(&own, thread);
    int fd = -EMFILE,
        status = nv_place_find(&place, thread, request->folder, path, request->resolve, follows(request->flags));

    if (!status && taken && concerns_us(supervisor, &place, request->flags) && nv_notify_valid(supervisor, call))
        fd = open_hinted(supervisor, thread, &place, request);
    if (taken)
        nv_credentials_restore(&own);
    if (fd >= 0) {
        give_watched(supervisor, call, request, fd, answer);
        close(fd);
    }
    nv_place_free(&place);
}

void nv_handle_openat(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;
    struct open_request request;
    char path[PATH_MAX];
    int status = decode_open(call, &request);
    bool synchronous = (request.flags & (O_DSYNC | O_PATH)) == O_DSYNC && (request.flags & O_ACCMODE) != O_RDONLY;
    bool watchable = (request.flags & (O_ACCMODE | O_PATH | O_DIRECTORY | O_APPEND)) == O_RDWR && !is_narrow(call);

    if (!status)
        status = nv_target_string(thread, request.path, path, sizeof path);
    if (status == NV_HIDDEN && nv_notify_valid(supervisor, call))
        nv_be_blind(supervisor, "a process that may not be looked into opened files");
    if (status)
        return;
    if (synchronous)
        open_synchronously(supervisor, call, &request, path, answer);
    else if (watchable && nv_watched_is_worth(supervisor, thread, request.folder, path, request.flags))
        open_watched(supervisor, call, &request, path, answer);
    else if (supervisor->overlay && (request.flags & (O_ACCMODE | O_PATH)) == O_RDONLY)
        copy_up(supervisor, thread, &request, path);
}

/* ---- duplicating ---- */

int nv_synchronous_own(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd, struct statx *status,
                       int *flags)
{
    pid_t thread = (pid_t)call->pid;
    int own = nv_target_duplicate(thread, fd);
    struct nv_folder *folder;

    if (own == NV_HIDDEN && nv_notify_valid(supervisor, call)) {
        static const char why[] = "a process that may not be looked into has a file open for synchronous writing";

        if (nv_target_statx(thread, fd, status))
            nv_be_blind(supervisor, why);
        else if ((folder = nv_folder_of(supervisor, thread, fd, status)) && S_ISREG(status->stx_mode))
            nv_not_followed(supervisor, folder, status, why);
    }
    be_blind_if_out(supervisor, own);
    if (own < 0)
        return own;
    *flags = fcntl(own, F_GETFL);
    if (!folder_at_stake(supervisor, own, false, status)) {
        close(own);
        return -ENOENT;
    }
    return own;
}

/* A copy of a synchronous descriptor, with a reserved number from `first` on if there is one. */
static void duplicate(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int first, bool close_on_exec,
                      struct nv_answer *answer)
{
    struct statx status;
    int flags = 0, number, own = nv_synchronous_own(supervisor, call, (int)call->data.args[0], &status, &flags);

    if (own < 0)
        return;
    if (flags & O_DSYNC)
        number = free_reserved(supervisor, (pid_t)call->pid, first);
    else
        number = hinted_object(supervisor, own, false) ? free_watched(supervisor, (pid_t)call->pid, first) : -1;
    if (number < 0)
        lose_hint(supervisor, own);
    if (number >= 0)
        install(supervisor, call, own, number, close_on_exec, answer);
    else if (flags & O_DSYNC)
        not_followed(supervisor, own, "a descriptor opened with O_SYNC or O_DSYNC was copied beyond the limit");
    close(own);
}

void nv_handle_duplicate(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    duplicate(supervisor, call, 0, false, answer);
}

void nv_handle_fcntl(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    if ((int)call->data.args[1] == F_SETFL) {
        if (call->data.args[2] & O_APPEND)
            nv_watched_lose(supervisor, call, (int)call->data.args[0]);
        return;
    }
    duplicate(supervisor, call, (int)call->data.args[2], call->data.args[1] == F_DUPFD_CLOEXEC, answer);
}

/* dup2 and dup3 name the number. One outside the reserved range cannot be followed. */
void nv_handle_duplicate_to(struct nv_supervisor *supervisor, const struct seccomp_notif *call,
                            struct nv_answer *answer)
{
    struct statx status;
    int flags = 0, own;

    (void)answer;
    if ((int)call->data.args[1] >= supervisor->reserved_first)
        return;
    if ((int)call->data.args[1] < supervisor->watched_first)
        nv_watched_lose(supervisor, call, (int)call->data.args[0]);
    own = nv_synchronous_own(supervisor, call, (int)call->data.args[0], &status, &flags);
    if (own < 0)
        return;
    if (flags & O_DSYNC)
        not_followed(
            supervisor, own,
            "a descriptor opened with O_SYNC or O_DSYNC was copied to a low number by dup2: its file was not judged");
    close(own);
}
