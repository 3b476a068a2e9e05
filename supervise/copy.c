/* SPDX-License-Identifier: MIT */
/* One node of a folder at stake, copied into its view or mounted there. Making the view calls it for each. */
#include "supervise/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

static int copy_extent(struct nv_view_context *context, int from, int to, off_t start, off_t end)
{
    struct nv_image *image = context->image;

    while (start < end) {
        size_t want = (size_t)(end - start) < NV_CHUNK_BYTES ? (size_t)(end - start) : NV_CHUNK_BYTES;
        ssize_t got = pread(from, image->buffers, want, start);

        if (nv_view_interrupted(context))
            return -EINTR;
        if (got < 0)
            return -errno;
        if (!got)
            return 0;
        for (ssize_t at = 0; at < got;) {
            ssize_t put = pwrite(to, (char *)image->buffers + at, (size_t)(got - at), start + at);

            if (put < 0)
                return -errno;
            at += put;
        }
        start += got;
    }
    return 0;
}

static int copy_bytes(struct nv_view_context *context, int from, int to, off_t size)
{
    off_t start = 0;

    if (!ioctl(to, FICLONE, from))
        return 0;
    if (ftruncate(to, size))
        return -errno;
    while (start < size) {
        off_t data = lseek(from, start, SEEK_DATA), hole;
        int status;

        if (data < 0 && errno == ENXIO)
            return 0;
        if (data < 0)
            data = start;
        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            hole = size;
        status = copy_extent(context, from, to, data, hole);
        if (status)
            return status;
        start = hole;
    }
    return 0;
}

/* In a user namespace there is no owner but ourselves: what the view shows then is nobody's wish. */
int nv_copy_owner(struct nv_view_context *context, int to, const struct stat *status)
{
    if (!context->image->keeps_owners || !fchownat(to, "", status->st_uid, status->st_gid, AT_EMPTY_PATH))
        return 0;
    if (errno != EINVAL && errno != EPERM)
        return -errno;
    context->image->keeps_owners = false;
    return 0;
}

static int copy_file(struct nv_view_context *context, int real, int view, const char *name, const struct stat *status)
{
    int result, to, from = openat(real, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (from < 0)
        return -errno;
    to = openat(view, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    result = to < 0 ? -errno : copy_bytes(context, from, to, status->st_size);
    if (!result)
        result = nv_copy_owner(context, to, status);
    if (!result &&
        (fchmod(to, status->st_mode & 07777) || futimens(to, (struct timespec[]){status->st_atim, status->st_mtim})))
        result = -errno;
    if (!result)
        nv_content_copy_attributes(from, to);
    close(from);
    if (to >= 0)
        close(to);
    return result;
}

/* The mode goes with a new owner, and must come after it. */
static int copy_special(struct nv_view_context *context, int view, const char *name, const struct stat *status)
{
    int result = mknodat(view, name, (status->st_mode & S_IFMT) | 0600, 0) ? -errno : 0, node;

    if (result)
        return result;
    node = openat(view, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    result = node < 0 ? -errno : nv_copy_owner(context, node, status);
    if (!result && (fchmodat(view, name, status->st_mode & 07777, 0) ||
                    utimensat(view, name, (struct timespec[]){status->st_atim, status->st_mtim}, AT_SYMLINK_NOFOLLOW)))
        result = -errno;
    if (node >= 0)
        close(node);
    return result;
}

static int copy_link(int real, int view, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(real, name, target, sizeof target - 1);

    if (length < 0)
        return -errno;
    target[length] = 0;
    return symlinkat(target, view, name) ? -errno : 0;
}

int nv_copy_node(struct nv_view_context *context, int real, int view, const char *name, const struct stat *status)
{
    if (S_ISDIR(status->st_mode))
        return mkdirat(view, name, 0700) ? -errno : 0;
    if (S_ISLNK(status->st_mode))
        return copy_link(real, view, name);
    if (S_ISREG(status->st_mode))
        return copy_file(context, real, view, name, status);
    return copy_special(context, view, name, status);
}

int nv_copy_through(int real, int view, const char *name, const struct stat *status)
{
    char from_path[64], to_path[64];
    mode_t type = S_ISDIR(status->st_mode) ? S_IFDIR : S_IFREG;
    int result = 0, to = -1, from = openat(real, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (from < 0)
        return -errno;
    if ((type == S_IFDIR ? mkdirat(view, name, 0700) : mknodat(view, name, S_IFREG | 0600, 0)) && errno != EEXIST)
        result = -errno;
    if (!result && (to = openat(view, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)) < 0)
        result = -errno;
    snprintf(from_path, sizeof from_path, "/proc/self/fd/%d", from);
    snprintf(to_path, sizeof to_path, "/proc/self/fd/%d", to);
    if (!result && mount(from_path, to_path, NULL, MS_BIND | MS_REC, NULL))
        result = -errno;
    close(from);
    if (to >= 0)
        close(to);
    return result;
}
