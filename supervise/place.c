/* SPDX-License-Identifier: MIT */
/*
 * Finding where a path of the program leads. The supervisor cannot leave that to the kernel: /proc/self would be its
 * own, and the root may be another. So it walks, one name at a time, and follows links as the program would. The
 * handlers of opens use it.
 */
#include "supervise/place.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { LINKS_MAX = 40, PROC_ROOT_INODE = 1 };

struct walk {
    pid_t thread;
    uint64_t resolve;
    bool follow;
    int root, at;
    unsigned links;
    char rest[2 * PATH_MAX];
};

static void close_any(int fd)
{
    if (fd >= 0)
        close(fd);
}

static int step_to(struct walk *walk, int fd)
{
    if (fd < 0)
        return -errno;
    close_any(walk->at);
    walk->at = fd;
    return 0;
}

static int to_root(struct walk *walk)
{
    if (walk->resolve & RESOLVE_BENEATH)
        return -EXDEV;
    return step_to(walk, fcntl(walk->root, F_DUPFD_CLOEXEC, 0));
}

static int open_link(pid_t thread, const char *name)
{
    char link[64];
    int fd;

    snprintf(link, sizeof link, "/proc/%d/%s", (int)thread, name);
    fd = open(link, O_PATH | O_CLOEXEC);
    return fd < 0 ? NV_HIDDEN : fd;
}

static int open_folder(pid_t thread, int folder)
{
    char name[32];
    int fd;

    if (folder == AT_FDCWD)
        return open_link(thread, "cwd");
    snprintf(name, sizeof name, "fd/%d", folder);
    fd = open_link(thread, name);
    return fd < 0 && errno == ENOENT ? -EBADF : fd;
}

static int begin(struct walk *walk, int folder, const char *path)
{
    bool absolute = path[0] == '/';

    if (!path[0] || strlen(path) >= PATH_MAX)
        return path[0] ? -ENAMETOOLONG : -ENOENT;
    strcpy(walk->rest, path);
    walk->root = open_link(walk->thread, "root");
    if (walk->root < 0)
        return walk->root;
    if (!absolute || (walk->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
        walk->at = open_folder(walk->thread, folder);
    else
        walk->at = fcntl(walk->root, F_DUPFD_CLOEXEC, 0);
    if (walk->at < 0)
        return walk->at;
    if (walk->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
        close(walk->root);
        walk->root = fcntl(walk->at, F_DUPFD_CLOEXEC, 0);
    }
    return absolute && (walk->resolve & RESOLVE_BENEATH) ? -EXDEV : 0;
}

static bool same_folder(int left, int right)
{
    struct statx a, b;
    unsigned mask = STATX_INO | STATX_MNT_ID;

    return !statx(left, "", AT_EMPTY_PATH, mask, &a) && !statx(right, "", AT_EMPTY_PATH, mask, &b) &&
           a.stx_ino == b.stx_ino && nv_statx_device(&a) == nv_statx_device(&b) && a.stx_mnt_id == b.stx_mnt_id;
}

static int step_up(struct walk *walk)
{
    if (!same_folder(walk->at, walk->root))
        return step_to(walk, openat(walk->at, "..", O_PATH | O_CLOEXEC));
    return walk->resolve & RESOLVE_BENEATH ? -EXDEV : 0;
}

/* The text of the link goes before what is left of the path. */
static int follow_text(struct walk *walk, const char *text)
{
    size_t length = strlen(text), left = strlen(walk->rest);

    if (length + 1 + left >= sizeof walk->rest)
        return -ENAMETOOLONG;
    memmove(walk->rest + length + 1, walk->rest, left + 1);
    memcpy(walk->rest, text, length);
    walk->rest[length] = '/';
    if (!left)
        walk->rest[length] = 0;
    return text[0] == '/' ? to_root(walk) : 0;
}

static bool in_proc(int fd)
{
    struct statfs status;

    return !fstatfs(fd, &status) && status.f_type == PROC_SUPER_MAGIC;
}

/*
 * What the thread reads in /proc/self or /proc/thread-self. A /proc that does not know the supervisor is one of the
 * program's own process namespace.
 */
static bool self_text(const struct walk *walk, const char *name, char *text, size_t text_bytes)
{
    bool thread_self = !strcmp(name, "thread-self"), theirs;
    struct stat status;
    char own[32];
    long group;

    if ((!thread_self && strcmp(name, "self")) || fstat(walk->at, &status) || status.st_ino != PROC_ROOT_INODE)
        return false;
    theirs = readlinkat(walk->at, "self", own, sizeof own) < 0;
    group = nv_target_status_last(walk->thread, theirs ? "NStgid:" : "Tgid:");
    if (thread_self)
        snprintf(text, text_bytes, "%ld/task/%ld", group,
                 nv_target_status_last(walk->thread, theirs ? "NSpid:" : "Pid:"));
    else
        snprintf(text, text_bytes, "%ld", group);
    return true;
}

static bool is_magic(int folder, const char *name)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);

    if (fd < 0)
        return errno == ELOOP;
    close(fd);
    return false;
}

static int follow_link(struct walk *walk, int link, const char *name)
{
    char text[PATH_MAX];
    ssize_t length;

    if (++walk->links > LINKS_MAX || (walk->resolve & RESOLVE_NO_SYMLINKS))
        return -ELOOP;
    if (in_proc(link)) {
        if (self_text(walk, name, text, sizeof text))
            return follow_text(walk, text);
        if (is_magic(walk->at, name)) {
            if (walk->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT))
                return -ELOOP;
            return step_to(walk, openat(walk->at, name, O_PATH | O_CLOEXEC));
        }
    }
    length = readlinkat(link, "", text, sizeof text);
    if (length < 0 || (size_t)length >= sizeof text)
        return length < 0 ? -errno : -ENAMETOOLONG;
    text[length] = 0;
    return follow_text(walk, text);
}

/* Take the next name off the path; `last` when nothing follows it, not even a slash. */
static bool next_name(struct walk *walk, char *name, size_t name_bytes, bool *last)
{
    size_t slashes = strspn(walk->rest, "/"), length = strcspn(walk->rest + slashes, "/");

    if (!length || length >= name_bytes)
        return false;
    memcpy(name, walk->rest + slashes, length);
    name[length] = 0;
    *last = !walk->rest[slashes + length];
    memmove(walk->rest, walk->rest + slashes + length, strlen(walk->rest + slashes + length) + 1);
    return true;
}

/* One name. The place is known when `name` of it is set, or the path is used up. */
static int step(struct walk *walk, const char *name, bool last, struct nv_place *place)
{
    struct stat status;
    int next, result;

    if (!strcmp(name, "."))
        return 0;
    if (!strcmp(name, ".."))
        return step_up(walk);
    next = openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && (errno != ENOENT || !last))
        return -errno;
    if (next >= 0 && fstat(next, &status))
        result = -errno;
    else if (next >= 0 && S_ISLNK(status.st_mode))
        result = last && !walk->follow ? -ELOOP : follow_link(walk, next, name);
    else if (!last && S_ISDIR(status.st_mode))
        return step_to(walk, next);
    else if (!last)
        result = -ENOTDIR;
    else {
        strcpy(place->name, name);
        result = 0;
    }
    close_any(next);
    return result;
}

static bool same_mount(int left, int right)
{
    struct statx a, b;

    return !statx(left, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) && !statx(right, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) &&
           a.stx_mnt_id == b.stx_mnt_id;
}

static int walk_path(struct walk *walk, int folder, const char *path, struct nv_place *place)
{
    char name[NAME_MAX + 1];
    int status = begin(walk, folder, path), start = -1;
    bool last;

    if (!status && (walk->resolve & RESOLVE_NO_XDEV))
        start = fcntl(walk->at, F_DUPFD_CLOEXEC, 0);
    while (!status && !place->name[0] && next_name(walk, name, sizeof name, &last))
        status = step(walk, name, last, place);
    if (!status && !place->name[0] && strspn(walk->rest, "/") != strlen(walk->rest))
        status = -ENAMETOOLONG;
    if (!status && start >= 0 && !same_mount(start, walk->at))
        status = -EXDEV;
    close_any(start);
    return status;
}

int nv_place_find(struct nv_place *place, pid_t thread, int folder, const char *path, uint64_t resolve, bool follow)
{
    struct walk walk = {.thread = thread, .resolve = resolve, .follow = follow, .root = -1, .at = -1};
    int status;

    *place = (struct nv_place){.fd = -1};
    status = walk_path(&walk, folder, path, place);
    close_any(walk.root);
    if (status)
        close_any(walk.at);
    else
        place->fd = walk.at;
    return status;
}

int nv_place_look(const struct nv_place *place)
{
    int fd = place->name[0] ? openat(place->fd, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
                            : fcntl(place->fd, F_DUPFD_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

int nv_place_open(const struct nv_place *place, int flags, mode_t mode)
{
    char link[64];
    int fd;

    if (place->name[0])
        fd = openat(place->fd, place->name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", place->fd);
        fd = open(link, (flags & ~O_NOFOLLOW) | O_CLOEXEC, mode);
    }
    return fd < 0 ? -errno : fd;
}

static bool has_our_root(pid_t thread)
{
    unsigned mask = STATX_INO | STATX_MNT_ID;
    struct statx own, theirs;
    char link[64];

    snprintf(link, sizeof link, "/proc/%d/root", (int)thread);
    return !statx(AT_FDCWD, "/", 0, mask, &own) && !statx(AT_FDCWD, link, 0, mask, &theirs) &&
           own.stx_ino == theirs.stx_ino && own.stx_mnt_id == theirs.stx_mnt_id;
}

/* Without magic links, the supervisor's /proc/self leads to files of /proc alone. */
bool nv_place_is_elsewhere(pid_t thread, const char *path, const uint64_t *devices, size_t count)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    int fd = path[0] == '/' ? (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how) : -1;
    struct statx status;
    bool elsewhere = fd >= 0 && !statx(fd, "", AT_EMPTY_PATH, STATX_INO, &status);

    close_any(fd);
    for (size_t i = 0; i < count && elsewhere; i++)
        elsewhere = nv_statx_device(&status) != devices[i];
    return elsewhere && has_our_root(thread);
}

void nv_place_free(struct nv_place *place)
{
    close_any(place->fd);
    place->fd = -1;
}
