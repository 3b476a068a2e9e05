/* SPDX-License-Identifier: MIT */
/*
 * Stands between the supervisor and the C library (the linker's --wrap): the Nth call fails, once, or that function
 * from then on. NVRTL_TEST_FAIL=N or N+ (for good); the function that failed is written to the file
 * NVRTL_TEST_FAIL_LOG.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_ulong calls; /* by any thread */
static unsigned long wanted;
static bool for_good;
static _Atomic(const char *) failing;

int __real_open64(const char *path, int flags, mode_t mode);

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("NVRTL_TEST_FAIL");

    wanted = text ? strtoul(text, NULL, 10) : 0;
    for_good = text && strchr(text, '+');
}

static void tell(const char *name)
{
    const char *path = getenv("NVRTL_TEST_FAIL_LOG");
    int number = errno, log = path ? __real_open64(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

    if (log >= 0) {
        dprintf(log, "%s\n", name);
        close(log);
    }
    errno = number;
}

static bool fails(const char *name)
{
    if (!wanted)
        return false;
    if (atomic_fetch_add(&calls, 1) + 1 == wanted) {
        failing = name;
        tell(name);
        return true;
    }
    return for_good && atomic_load(&failing) && !strcmp(atomic_load(&failing), name);
}

#define WRAP(type, name, parameters, arguments, value, number)                                                         \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        if (fails(#name)) {                                                                                            \
            errno = (number);                                                                                          \
            return value;                                                                                              \
        }                                                                                                              \
        return __real_##name arguments;                                                                                \
    }

WRAP(void *, malloc, (size_t bytes), (bytes), NULL, ENOMEM)
WRAP(void *, calloc, (size_t count, size_t bytes), (count, bytes), NULL, ENOMEM)
WRAP(void *, realloc, (void *old, size_t bytes), (old, bytes), NULL, ENOMEM)
WRAP(void *, reallocarray, (void *old, size_t count, size_t bytes), (old, count, bytes), NULL, ENOMEM)
WRAP(void *, aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes), NULL, ENOMEM)
WRAP(char *, strdup, (const char *text), (text), NULL, ENOMEM)
WRAP(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), -1, EMFILE)
WRAP(int, openat64, (int folder, const char *path, int flags, mode_t mode), (folder, path, flags, mode), -1, EMFILE)
WRAP(FILE *, fopen64, (const char *path, const char *mode), (path, mode), NULL, EMFILE)
WRAP(DIR *, opendir, (const char *path), (path), NULL, EMFILE)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL, ENOMEM)
WRAP(struct dirent64 *, readdir64, (DIR * stream), (stream), NULL, EIO)
WRAP(ssize_t, pread64, (int fd, void *to, size_t bytes, off64_t at), (fd, to, bytes, at), -1, EIO)
WRAP(ssize_t, pwrite64, (int fd, const void *from, size_t bytes, off64_t at), (fd, from, bytes, at), -1, ENOSPC)
WRAP(ssize_t, read, (int fd, void *to, size_t bytes), (fd, to, bytes), -1, EIO)
WRAP(ssize_t, write, (int fd, const void *from, size_t bytes), (fd, from, bytes), -1, ENOSPC)
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), -1, ENOSPC)
WRAP(off64_t, lseek64, (int fd, off64_t at, int from), (fd, at, from), -1, EIO)
WRAP(int, fstat64, (int fd, struct stat64 *status), (fd, status), -1, EIO)
WRAP(int, stat64, (const char *path, struct stat64 *status), (path, status), -1, EIO)
WRAP(int, lstat64, (const char *path, struct stat64 *status), (path, status), -1, EIO)
WRAP(int, fstatat64, (int folder, const char *path, struct stat64 *status, int flags), (folder, path, status, flags),
     -1, EIO)
WRAP(int, statx, (int folder, const char *path, int flags, unsigned mask, struct statx *status),
     (folder, path, flags, mask, status), -1, EIO)
WRAP(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new), -1, ENOSPC)
WRAP(int, linkat, (int from, const char *old, int to, const char *new, int flags), (from, old, to, new, flags), -1,
     ENOSPC)
WRAP(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags), -1, EIO)
WRAP(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode), -1, ENOSPC)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
WRAP(char *, mkdtemp, (char *template), (template), NULL, ENOSPC)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EIO)
WRAP(int, fchmodat, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags), -1, EIO)
WRAP(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group), -1, EIO)
WRAP(int, fchownat, (int folder, const char *path, uid_t user, gid_t group, int flags),
     (folder, path, user, group, flags), -1, EIO)
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times), -1, EIO)
WRAP(ssize_t, copy_file_range, (int from, off64_t *at, int to, off64_t *there, size_t bytes, unsigned flags),
     (from, at, to, there, bytes, flags), -1, ENOSPC)
WRAP(ssize_t, readlink, (const char *path, char *to, size_t bytes), (path, to, bytes), -1, EIO)
WRAP(char *, realpath, (const char *path, char *to), (path, to), NULL, EIO)
WRAP(char *, getcwd, (char *to, size_t bytes), (to, bytes), NULL, ENOENT)
WRAP(int, chdir, (const char *path), (path), -1, EIO)
WRAP(int, mount, (const char *from, const char *to, const char *type, unsigned long flags, const void *data),
     (from, to, type, flags, data), -1, ENOMEM)
WRAP(int, unshare, (int flags), (flags), -1, ENOSPC)
WRAP(pid_t, fork, (void), (), -1, EAGAIN)
WRAP(int, pipe2, (int ends[2], int flags), (ends, flags), -1, EMFILE)
WRAP(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends), -1, EMFILE)
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1, EMFILE)
WRAP(int, bind, (int fd, const struct sockaddr *address, socklen_t bytes), (fd, address, bytes), -1, EADDRINUSE)
WRAP(int, listen, (int fd, int count), (fd, count), -1, EADDRINUSE)
WRAP(int, accept4, (int fd, struct sockaddr *address, socklen_t *bytes, int flags), (fd, address, bytes, flags), -1,
     EMFILE)
WRAP(ssize_t, recv, (int fd, void *to, size_t bytes, int flags), (fd, to, bytes, flags), -1, ENOMEM)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1, ENOMEM)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1, ENOBUFS)
WRAP(int, poll, (struct pollfd * items, nfds_t count, int timeout), (items, count, timeout), -1, ENOMEM)
WRAP(int, ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument), -1, EIO)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, EMFILE)
WRAP(void *, mmap64, (void *at, size_t bytes, int protection, int flags, int fd, off64_t offset),
     (at, bytes, protection, flags, fd, offset), (void *)-1, ENOMEM)
WRAP(int, inotify_init1, (int flags), (flags), -1, EMFILE)
WRAP(int, inotify_add_watch, (int fd, const char *path, unsigned mask), (fd, path, mask), -1, ENOSPC)
WRAP(int, signalfd, (int fd, const void *mask, int flags), (fd, mask, flags), -1, EMFILE)
WRAP(ssize_t, process_vm_readv,
     (pid_t process, const struct iovec *own, unsigned long count, const struct iovec *theirs,
      unsigned long their_count, unsigned long flags),
     (process, own, count, theirs, their_count, flags), -1, EPERM)
WRAP(ssize_t, getrandom, (void *to, size_t bytes, unsigned flags), (to, bytes, flags), -1, EINTR)
