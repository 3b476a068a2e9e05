/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of a range of their own, by which a file's every change is told before it happens: the source of hints
 * (hints.h). synchronous.c gives them at open, and the handlers of notifications call this for what is done by them.
 */
#include "supervise/hints.h"
#include "supervise/supervisor.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CONTROL_BYTES_MAX = 65536, MESSAGES_MAX = 1024 };

struct nv_object *nv_watched_object(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd)
{
    struct nv_image *image = &supervisor->image;
    struct nv_object *object;
    struct statx status;
    int result;

    if (!image->hints || fd < supervisor->watched_first)
        return NULL;
    result = nv_target_statx((pid_t)call->pid, fd, &status);
    if (result == NV_HIDDEN)
        nv_hint_end(image, NULL);
    if (result || !S_ISREG(status.stx_mode))
        return NULL;
    object = nv_image_find(image, nv_statx_device(&status), status.stx_ino);
    return object && nv_hint_is_good(object) && nv_image_same(image, object, &status) ? object : NULL;
}

/* ---- writes ---- */

void nv_watched_write(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd, bool positioned,
                      uint64_t offset, uint64_t length)
{
    struct nv_image *image = &supervisor->image;
    struct nv_object *object = nv_watched_object(supervisor, call, fd);
    uint64_t position, flags;

    if (!object)
        return;
    if (positioned && fd < supervisor->reserved_first)
        nv_hint_write(image, object, (pid_t)call->pid, offset, offset + length < offset ? UINT64_MAX : offset + length);
    else if (nv_target_position((pid_t)call->pid, fd, &position, &flags) || (flags & O_APPEND) || positioned)
        nv_hint_write(image, object, (pid_t)call->pid, 0, UINT64_MAX);
    else
        nv_hint_write_on(image, object, (pid_t)call->pid, position, length);
}

void nv_watched_write_anywhere(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd)
{
    struct nv_object *object = nv_watched_object(supervisor, call, fd);

    if (object)
        nv_hint_write(&supervisor->image, object, (pid_t)call->pid, 0, UINT64_MAX);
}

bool nv_watched_take(const struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    const uint64_t *args = (const uint64_t *)call->data.args;
    struct statx status;
    int fd = (int)args[0];

    if (!supervisor->image.hints || call->data.arch == AUDIT_ARCH_I386 || call->data.nr != SYS_pwrite64 ||
        fd < supervisor->watched_first || fd >= supervisor->reserved_first || args[3] + args[2] < args[3])
        return false;
    return !nv_target_statx((pid_t)call->pid, fd, &status) &&
           nv_hints_tell(supervisor->image.hints, (pid_t)call->pid, nv_statx_device(&status), status.stx_ino, args[3],
                         args[3] + args[2]);
}

static void change_by_fallocate(struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    const uint64_t *args = (const uint64_t *)call->data.args;
    struct nv_object *object = nv_watched_object(supervisor, call, (int)args[0]);
    bool shifts = args[1] & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);

    if (object)
        nv_hint_write(&supervisor->image, object, (pid_t)call->pid, args[2],
                      shifts || args[2] + args[3] < args[2] ? UINT64_MAX : args[2] + args[3]);
}

static void change_by_ftruncate(struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    struct nv_object *object = nv_watched_object(supervisor, call, (int)call->data.args[0]);

    if (object)
        nv_hint_write(&supervisor->image, object, (pid_t)call->pid, call->data.args[1], UINT64_MAX);
}

/* ---- what cannot be followed ---- */

void nv_watched_lose(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd)
{
    struct nv_object *object = nv_watched_object(supervisor, call, fd);

    if (object)
        nv_hint_end(&supervisor->image, object);
}

/* Stores into a mapping are not told. */
static void change_by_mmap(struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    if (!(call->data.args[3] & MAP_ANONYMOUS))
        nv_watched_lose(supervisor, call, (int)call->data.args[4]);
}

/* The file may be any; the call is rare. */
static void change_any(struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    (void)call;
    nv_hint_end(&supervisor->image, NULL);
}

/* Whether a message passes watched descriptors, which get other numbers where they arrive. */
static bool passes_watched(const struct nv_supervisor *supervisor, pid_t thread, uint64_t address)
{
    struct msghdr message;
    bool passes = false;

    if (nv_target_read(thread, address, &message, sizeof message) || message.msg_controllen < sizeof(struct cmsghdr))
        return false;
    if (message.msg_controllen > CONTROL_BYTES_MAX)
        return true;
    address = (uint64_t)(uintptr_t)message.msg_control;
    message.msg_control = malloc(message.msg_controllen);
    if (!message.msg_control || nv_target_read(thread, address, message.msg_control, message.msg_controllen))
        passes = true;
    for (struct cmsghdr *item = passes ? NULL : CMSG_FIRSTHDR(&message); item && !passes;
         item = CMSG_NXTHDR(&message, item)) {
        const int *passed = (const int *)(void *)CMSG_DATA(item);
        size_t count = item->cmsg_len > CMSG_LEN(0) ? (item->cmsg_len - CMSG_LEN(0)) / sizeof *passed : 0;

        for (size_t i = 0; i < count && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS; i++)
            passes = passes || passed[i] >= supervisor->watched_first;
    }
    free(message.msg_control);
    return passes;
}

static void change_by_messages(struct nv_supervisor *supervisor, const struct seccomp_notif *call)
{
    bool one = call->data.nr == SYS_sendmsg;
    uint64_t count = one ? 1 : call->data.args[2];

    for (uint64_t i = 0; i < count && i < MESSAGES_MAX; i++)
        if (passes_watched(supervisor, (pid_t)call->pid, call->data.args[1] + i * sizeof(struct mmsghdr)))
            nv_hint_end(&supervisor->image, NULL);
}

static const struct {
    int number;
    void (*change)(struct nv_supervisor *supervisor, const struct seccomp_notif *call);
} changes[] = {
    {SYS_fallocate, change_by_fallocate}, {SYS_ftruncate, change_by_ftruncate}, {SYS_mmap, change_by_mmap},
    {SYS_sendmsg, change_by_messages},    {SYS_sendmmsg, change_by_messages},
};

/* The call goes on in the kernel. A 32-bit program's arguments are not looked into. */
void nv_handle_change(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    (void)answer;
    for (size_t i = 0; i < sizeof changes / sizeof *changes && call->data.arch != AUDIT_ARCH_I386; i++)
        if (changes[i].number == call->data.nr) {
            changes[i].change(supervisor, call);
            return;
        }
    change_any(supervisor, call);
}

/* ---- which files are worth it ---- */

/* As the kernel would find it from the program's folder; it is asked only whether to look closer. */
static bool name_path(pid_t thread, int folder, const char *path, char *name, size_t name_bytes)
{
    int length = path[0] == '/'       ? snprintf(name, name_bytes, "/proc/%d/root%s", (int)thread, path)
                 : folder == AT_FDCWD ? snprintf(name, name_bytes, "/proc/%d/cwd/%s", (int)thread, path)
                                      : snprintf(name, name_bytes, "/proc/%d/fd/%d/%s", (int)thread, folder, path);

    return length > 0 && (size_t)length < name_bytes;
}

static bool is_in_view(const struct nv_image *image, const struct statx *status)
{
    for (size_t i = 0; i < image->folder_count; i++)
        if (image->folders[i].device == nv_statx_device(status))
            return true;
    return false;
}

/* A new file, in a folder of the view. */
static bool is_new(const struct nv_image *image, char *name)
{
    char *slash = strrchr(name, '/');
    struct statx status;

    if (errno != ENOENT || !slash)
        return false;
    slash[1] = 0;
    return !statx(AT_FDCWD, name, 0, STATX_TYPE, &status) && is_in_view(image, &status);
}

/*
 * An open that is made for the program costs as much as a sync. It pays for a file that is large, or becomes so: how
 * many small ones are tried depends on how many became large.
 */
bool nv_watched_is_worth(struct nv_supervisor *supervisor, pid_t thread, int folder, const char *path, uint64_t flags)
{
    struct nv_image *image = &supervisor->image;
    char name[PATH_MAX + 64];
    struct statx status;

    if (!image->hints || !name_path(thread, folder, path, name, sizeof name))
        return false;
    if (statx(AT_FDCWD, name, 0, STATX_TYPE | STATX_SIZE | STATX_INO, &status)) {
        if (!(flags & O_CREAT) || !supervisor->watch_trials || !is_new(image, name))
            return false;
    } else {
        const struct nv_object *object = nv_image_find(image, nv_statx_device(&status), status.stx_ino);

        if (!S_ISREG(status.stx_mode) || !is_in_view(image, &status))
            return false;
        if (status.stx_size >= NV_HINT_LARGE_BYTES || (object && nv_hint_is_good(object)))
            return true;
        if (!supervisor->watch_trials)
            return false;
    }
    supervisor->watch_trials -= supervisor->options->dirty == NV_DIRTY_HINT ? 0 : 1;
    return true;
}
