/* SPDX-License-Identifier: MIT */
/* Looking into the program through /proc, process_vm_readv and pidfd_getfd. The handlers of notifications use it. */
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

static void fd_link(pid_t thread, int fd, char *path, size_t path_bytes)
{
    snprintf(path, path_bytes, "/proc/%d/fd/%d", (int)thread, fd);
}

int nv_target_statx(pid_t thread, int fd, struct statx *status)
{
    char path[64];

    fd_link(thread, fd, path, sizeof path);
    return statx(AT_FDCWD, path, 0, NV_STATX_MASK, status) ? -errno : 0;
}

int nv_target_fd_path(pid_t thread, int fd, char *path, size_t path_bytes)
{
    char link[64];
    ssize_t length;

    fd_link(thread, fd, link, sizeof link);
    length = readlink(link, path, path_bytes - 1);
    if (length < 0)
        return -errno;
    path[length] = 0;
    return 0;
}

int nv_target_reopen(pid_t thread, int fd)
{
    char path[64];
    int own;

    fd_link(thread, fd, path, sizeof path);
    own = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return own < 0 ? -errno : own;
}

bool nv_target_has_fd(pid_t thread, int fd)
{
    char path[64];
    struct stat status;

    fd_link(thread, fd, path, sizeof path);
    return !lstat(path, &status);
}

/* pidfd_open takes a process, not a thread; its descriptor table is the thread's unless the program unshared it. */
int nv_target_duplicate(pid_t thread, int fd)
{
    long group = nv_target_status(thread, "Tgid:", 10);
    int process = (int)syscall(SYS_pidfd_open, group > 0 ? (pid_t)group : thread, 0), own;

    if (process < 0)
        return -errno;
    own = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    if (own < 0)
        own = -errno;
    close(process);
    return own;
}

int nv_target_read(pid_t thread, uint64_t address, void *buffer, size_t length)
{
    size_t done = 0;

    while (done < length) {
        struct iovec own = {(char *)buffer + done, length - done},
                     theirs = {(void *)(uintptr_t)(address + done), length - done};
        ssize_t got = process_vm_readv(thread, &own, 1, &theirs, 1, 0);

        if (got <= 0)
            return got ? -errno : -EFAULT;
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

long nv_target_status(pid_t thread, const char *field, int base)
{
    char path[64], text[4096];
    const char *found;
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return -1;
    text[got] = 0;
    found = strstr(text, field);
    return found ? strtol(found + strlen(field), NULL, base) : -1;
}

static bool parse_mapping(const char *line, struct nv_target_mapping *mapping)
{
    char permissions[5];
    unsigned major, minor;

    if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &mapping->start, &mapping->end, permissions, &mapping->offset, &major,
               &minor, &mapping->inode) != 7)
        return false;
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
        return -errno;
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
