/* SPDX-License-Identifier: MIT */
/* Looking into the program through /proc, process_vm_readv and pidfd_getfd. The handlers of notifications use it. */
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

enum { STATUS_BYTES = 8192 };

static void fd_link(pid_t thread, int fd, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "/proc/%d/fd/%d", (int)thread, fd);
}

/* What the kernel refuses to the supervisor is told apart from what is not there. */
static int looked(int number)
{
    if (number == EACCES || number == EPERM)
        return NV_HIDDEN;
    return number == ENOENT ? -EBADF : -number;
}

/*
 * pidfd_open took processes only before Linux 6.9. The descriptors of a process are the thread's, unless the program
 * has unshared them.
 */
static int open_thread(pid_t thread)
{
    int opened = (int)syscall(SYS_pidfd_open, thread, O_EXCL /* PIDFD_THREAD */);
    long group;

    if (opened >= 0 || errno != EINVAL)
        return opened < 0 ? -errno : opened;
    group = nv_target_status(thread, "Tgid:", 10);
    if (group <= 0)
        return -ESRCH;
    if (group != thread && syscall(SYS_kcmp, thread, (pid_t)group, KCMP_FILES, 0, 0))
        return NV_HIDDEN;
    opened = (int)syscall(SYS_pidfd_open, (pid_t)group, 0);
    return opened < 0 ? -errno : opened;
}

int nv_target_duplicate(pid_t thread, int fd)
{
    int opened = open_thread(thread), own;

    if (opened < 0)
        return opened;
    own = (int)syscall(SYS_pidfd_getfd, opened, fd, 0);
    if (own < 0)
        own = looked(errno);
    close(opened);
    return own;
}

/*
 * A process that may not be dumped hides its descriptors from an ordinary user's supervisor, which may have them all
 * the same.
 */
static int statx_duplicate(pid_t thread, int fd, struct statx *status)
{
    int own = nv_target_duplicate(thread, fd), result = 0;

    if (own < 0)
        return own;
    if ((fcntl(own, F_GETFL) & O_PATH) || statx(own, "", AT_EMPTY_PATH, NV_STATX_MASK, status))
        result = -EBADF;
    close(own);
    return result;
}

int nv_target_statx(pid_t thread, int fd, struct statx *status)
{
    struct stat link;
    char path[64];

    fd_link(thread, fd, path, sizeof path);
    if (lstat(path, &link)) {
        int result = looked(errno);

        return result == NV_HIDDEN ? statx_duplicate(thread, fd, status) : result;
    }
    if (!(link.st_mode & (S_IRUSR | S_IWUSR))) /* open neither for reading nor for writing */
        return -EBADF;
    return statx(AT_FDCWD, path, 0, NV_STATX_MASK, status) ? looked(errno) : 0;
}

/* The link that leads to the file: the program's, or that of a descriptor of ours, to be closed. */
static int reachable_link(pid_t thread, int fd, char *path, size_t path_bytes)
{
    struct stat link;
    int own;

    fd_link(thread, fd, path, path_bytes);
    if (!lstat(path, &link) || looked(errno) != NV_HIDDEN)
        return -1;
    own = nv_target_duplicate(thread, fd);
    if (own >= 0)
        fd_link(getpid(), own, path, path_bytes);
    return own;
}

int nv_target_fd_path(pid_t thread, int fd, char *path, size_t path_bytes)
{
    char link[64];
    int own = reachable_link(thread, fd, link, sizeof link), status = 0;
    ssize_t length = readlink(link, path, path_bytes - 1);

    if (length < 0)
        status = looked(errno);
    else
        path[length] = 0;
    if (own >= 0)
        close(own);
    return status;
}

int nv_target_position(pid_t thread, int fd, uint64_t *position, uint64_t *flags)
{
    char path[64], text[256];
    ssize_t got;
    int opened;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)thread, fd);
    opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0)
        return looked(errno);
    got = read(opened, text, sizeof text - 1);
    close(opened);
    text[got > 0 ? got : 0] = 0;
    return sscanf(text, "pos: %lu flags: %lo", position, flags) == 2 ? 0 : -EIO;
}

int nv_target_reopen(pid_t thread, int fd)
{
    char path[64];
    int own = reachable_link(thread, fd, path, sizeof path);
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (opened < 0)
        opened = looked(errno);
    if (own >= 0)
        close(own);
    return opened;
}

bool nv_target_has_fd(pid_t thread, int fd)
{
    char path[64];
    struct stat status;
    int own;

    fd_link(thread, fd, path, sizeof path);
    if (!lstat(path, &status))
        return true;
    if (looked(errno) != NV_HIDDEN)
        return false;
    own = nv_target_duplicate(thread, fd);
    if (own >= 0)
        close(own);
    return own != -EBADF;
}

int nv_target_fd_limit(pid_t thread, int otherwise)
{
    struct rlimit limit;

    if (prlimit(thread, RLIMIT_NOFILE, NULL, &limit))
        return otherwise;
    return limit.rlim_cur < (rlim_t)otherwise ? (int)limit.rlim_cur : otherwise;
}

ssize_t nv_target_read_some(pid_t thread, uint64_t address, void *buffer, size_t length)
{
    struct iovec own = {buffer, length}, theirs = {(void *)(uintptr_t)address, length};
    ssize_t got = process_vm_readv(thread, &own, 1, &theirs, 1, 0);

    if (got > 0)
        return got;
    return got ? looked(errno) : -EFAULT;
}

int nv_target_read(pid_t thread, uint64_t address, void *buffer, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t got = nv_target_read_some(thread, address + done, (char *)buffer + done, length - done);

        if (got < 0)
            return (int)got;
        done += (size_t)got;
    }
    return 0;
}

/* In pieces that end with a page, since the next one may not be there. */
int nv_target_string(pid_t thread, uint64_t address, char *text, size_t text_bytes)
{
    size_t done = 0;

    while (done < text_bytes) {
        size_t piece = 4096 - (address + done) % 4096;
        int status;

        if (piece > text_bytes - done)
            piece = text_bytes - done;
        status = nv_target_read(thread, address + done, text + done, piece);
        if (status)
            return status;
        if (memchr(text + done, 0, piece))
            return 0;
        done += piece;
    }
    return -ENAMETOOLONG;
}

/* The rest of the line that begins with the field; false when it cannot be read. */
static bool status_line(pid_t thread, const char *field, char *text, size_t text_bytes)
{
    char path[64], *found;
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    got = read(fd, text, text_bytes - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = 0;
    for (found = text; found && strncmp(found, field, strlen(field));)
        found = (found = strchr(found, '\n')) ? found + 1 : NULL;
    if (!found)
        return false;
    memmove(text, found + strlen(field), strlen(found + strlen(field)) + 1);
    if (!(found = strchr(text, '\n')))
        return false;
    *found = 0;
    return true;
}

int nv_target_status_list(pid_t thread, const char *field, int base, uint64_t *numbers, size_t numbers_max)
{
    char text[STATUS_BYTES], *end;
    size_t count = 0;

    if (!status_line(thread, field, text, sizeof text))
        return -ESRCH;
    for (const char *at = text;; at = end) {
        uint64_t number = strtoull(at, &end, base);

        if (end == at)
            return (int)count;
        if (count == numbers_max)
            return -E2BIG;
        numbers[count++] = number;
    }
}

long nv_target_status(pid_t thread, const char *field, int base)
{
    char text[STATUS_BYTES];

    return status_line(thread, field, text, sizeof text) ? strtol(text, NULL, base) : -1;
}

long nv_target_status_last(pid_t thread, const char *field)
{
    uint64_t numbers[64];
    int count = nv_target_status_list(thread, field, 10, numbers, 64);

    return count > 0 ? (long)numbers[count - 1] : -1;
}

static bool parse_mapping(const char *line, struct nv_target_mapping *mapping)
{
    char permissions[5];
    unsigned major, minor;
    int length = 0;

    if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &mapping->start, &mapping->end, permissions, &mapping->offset,
               &major, &minor, &mapping->inode, &length) != 7)
        return false;
    mapping->path = line + length;
    mapping->device = makedev(major, minor);
    mapping->shared = permissions[3] == 's';
    return true;
}

int nv_target_mappings(pid_t thread, uint64_t from, uint64_t to,
                       int (*visit)(void *context, const struct nv_target_mapping *mapping), void *context)
{
    char path[64], *line = NULL;
    size_t capacity = 0;
    int status = 0;
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)thread);
    maps = fopen(path, "re");
    if (!maps)
        return looked(errno);
    while (!status && getline(&line, &capacity, maps) > 0) {
        struct nv_target_mapping mapping;

        if (!parse_mapping(line, &mapping) || mapping.end <= from)
            continue;
        if (mapping.start >= to)
            break;
        status = visit(context, &mapping);
    }
    free(line);
    fclose(maps);
    return status;
}
