/* SPDX-License-Identifier: MIT */
/*
 * Making the view of each folder at stake, and taking its files into the image. A copy is the better view: it has no
 * gaps. An overlay serves for folders that are too large to copy. nv_run calls it before the program starts.
 */
#include "supervise/view.h"
#include "supervise/copy.h"
#include "supervise/live.h"
#include "supervise/room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What a copy may cost: files, and a part of the memory (or of the scratch disk) that is free. */
#define COPY_FILES_MAX ((uint64_t)200000)
enum { COPY_PART_OF_FREE = 2 };

/* Files that have several names, by their inode in the files themselves. */
enum { LINK_BUCKETS = 16384 };
struct nv_link {
    struct nv_link *next;
    uint64_t device, inode;
    struct nv_object *object;
};

static int fail(struct nv_view_context *context, const char *what, const char *path, int number)
{
    snprintf(context->error, context->error_bytes, "cannot %s %s: %s%s", what, path, strerror(number),
             number == ENOSPC && !context->options->scratch
                 ? "; the view does not fit in memory: name a folder on a disk with --scratch"
             : number == EFBIG ? "; the limit of file sizes (ulimit -f) is too low for it"
             : number == EXDEV
                 ? "; an overlay does not serve here: use --view=copy, with --scratch if the folder is large"
                 : "");
    return -1;
}

bool nv_view_interrupted(struct nv_view_context *context)
{
    if (!context->interrupted)
        context->interrupted = nv_signals_interrupted(context->signals);
    if (context->interrupted)
        snprintf(context->error, context->error_bytes, "ended by signal %d (%s): the program was not started",
                 context->interrupted, strsignal(context->interrupted));
    return context->interrupted;
}

/* ---- taking a folder in ---- */

static int take_folder(struct nv_view_context *context, struct nv_object *folder, int real, int view, const char *path);

static bool is_held(const struct nv_view_context *context, const struct stat *status)
{
    for (size_t i = 0; i < context->held_count; i++)
        if (context->held[i].st_dev == status->st_dev && context->held[i].st_ino == status->st_ino)
            return true;
    return false;
}

static struct nv_link **link_bucket(const struct nv_view_context *context, const struct stat *status)
{
    return &context->links[status->st_ino % LINK_BUCKETS];
}

/*
 * The file, when it is in this folder's view under another name. Views of two folders cannot have the same file: what
 * is one file behind them are two.
 */
static struct nv_object *linked_before(const struct nv_view_context *context, const struct nv_folder *folder,
                                       const struct stat *status)
{
    if (status->st_nlink < 2 || S_ISDIR(status->st_mode))
        return NULL;
    for (const struct nv_link *link = *link_bucket(context, status); link; link = link->next) {
        if (link->inode != status->st_ino || link->device != status->st_dev)
            continue;
        if (link->object->folder == folder)
            return link->object;
        (void)nv_report_not_seen(context->report,
                                 "what is written to a file with names in two folders, under its other name");
    }
    return NULL;
}

static int remember_link(struct nv_view_context *context, const struct stat *status, struct nv_object *object)
{
    struct nv_link **bucket = link_bucket(context, status), *link;

    if (status->st_nlink < 2 || S_ISDIR(status->st_mode) || object->excluded)
        return 0;
    link = malloc(sizeof *link);
    if (!link)
        return -ENOMEM;
    *link = (struct nv_link){*bucket, status->st_dev, status->st_ino, object};
    *bucket = link;
    return 0;
}

static void forget_links(struct nv_view_context *context)
{
    for (size_t i = 0; context->links && i < LINK_BUCKETS; i++)
        for (struct nv_link *link = context->links[i], *next; link; link = next) {
            next = link->next;
            free(link);
        }
    free(context->links);
    context->links = NULL;
}

/* Why a node is mounted through instead of being copied; NULL when it is not. */
static const char *not_at_stake(struct nv_view_context *context, int real, const char *name, const struct stat *status,
                                dev_t device)
{
    if (status->st_dev != device)
        return "another file system is mounted there";
    if (S_ISREG(status->st_mode) && is_held(context, status))
        return "open in the program that started nvrtl; it cannot be renamed or removed";
    if (S_ISDIR(status->st_mode))
        return faccessat(real, name, R_OK | X_OK, AT_EACCESS) ? "it may not be read" : NULL;
    if (S_ISREG(status->st_mode) || S_ISLNK(status->st_mode))
        return NULL;
    if (S_ISSOCK(status->st_mode))
        return nv_live_socket(&context->live, status) ? "a socket that is bound; it cannot be renamed or removed"
                                                      : NULL;
    if (S_ISFIFO(status->st_mode))
        return nv_live_fifo(&context->live, status) ? "a fifo that is open; it cannot be renamed or removed" : NULL;
    return "not a regular file; it cannot be renamed or removed";
}

/* Put the node into the view. In an overlay it is there already. */
static int put_node(struct nv_view_context *context, const struct nv_folder *folder, int real, int view,
                    const char *name, const struct stat *status)
{
    const struct nv_object *before = linked_before(context, folder, status);
    char path[PATH_MAX];

    if (context->overlay)
        return 0;
    if (!before)
        return nv_copy_node(context, real, view, name, status);
    if (nv_object_path(before, path, sizeof path) < 0)
        return -ENAMETOOLONG;
    return linkat(folder->view, path, view, name, 0) ? -errno : 0;
}

static void remember(struct nv_object *object, const struct stat *real, const struct statx *view)
{
    object->initial = true;
    object->view_mode = view->stx_mode;
    object->real_change_ns = nv_nanoseconds(real->st_mtim);
    object->real_bytes = (uint64_t)real->st_size;
    object->view_change_ns = (uint64_t)view->stx_mtime.tv_sec * 1000000000u + view->stx_mtime.tv_nsec;
}

/* Of a folder, when all is in it. */
static int remember_again(struct nv_object *folder, const struct stat *real, int view)
{
    struct statx in_view;

    if (statx(view, "", AT_EMPTY_PATH, NV_STATX_MASK, &in_view))
        return -errno;
    remember(folder, real, &in_view);
    return 0;
}

static int take_node(struct nv_view_context *context, struct nv_object *folder, int view, const char *name,
                     const struct stat *status, bool excluded)
{
    struct nv_object *object;
    struct statx in_view;
    int result;

    if (statx(view, name, AT_SYMLINK_NOFOLLOW, NV_STATX_MASK, &in_view))
        return -errno;
    if (context->overlay && S_ISREG(status->st_mode) && !excluded &&
        nv_statx_device(&in_view) != folder->folder->device)
        return -EXDEV; /* the overlay cannot give inode numbers that last */
    object = nv_image_object(context->image, folder->folder, &in_view);
    if (!object)
        return -ENOMEM;
    object->new_metadata = false;
    object->excluded = excluded;
    object->durable_bytes = (uint64_t)status->st_size;
    remember(object, status, &in_view);
    result = nv_image_link(context->image, folder, name, object);
    if (!result)
        result = remember_link(context, status, object);
    if (!excluded && S_ISREG(status->st_mode)) {
        context->report->files_watched++;
        context->report->bytes_watched += (uint64_t)status->st_size;
    }
    return result;
}

static int take_below(struct nv_view_context *context, struct nv_object *folder, int real, int view, const char *name,
                      const struct stat *status, const char *path)
{
    struct nv_entry *entry = nv_image_entry(context->image, folder, name);
    int below = openat(real, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), result;
    int in_view = openat(view, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    result = below < 0 || in_view < 0 ? -errno : take_folder(context, entry->object, below, in_view, path);
    if (!result && !context->overlay && !(result = nv_copy_owner(context, in_view, status)) &&
        (fchmod(in_view, status->st_mode & 07777) ||
         futimens(in_view, (struct timespec[]){status->st_atim, status->st_mtim})))
        result = -errno;
    if (!result && !context->overlay)
        nv_content_copy_attributes(below, in_view);
    if (!result)
        result = remember_again(entry->object, status, in_view);
    if (below >= 0)
        close(below);
    if (in_view >= 0)
        close(in_view);
    return result;
}

static int take_name(struct nv_view_context *context, struct nv_object *folder, int real, int view, const char *name,
                     const char *folder_path)
{
    char path[PATH_MAX];
    struct stat status, root;
    const char *why;
    int result = 0;

    if (nv_view_interrupted(context))
        return -EINTR;
    if (snprintf(path, sizeof path, "%s/%s", folder_path, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    if (fstatat(real, name, &status, AT_SYMLINK_NOFOLLOW) || fstat(folder->folder->real, &root))
        return errno == ENOENT ? 0 : -errno;
    why = not_at_stake(context, real, name, &status, root.st_dev);
    if (!why) {
        result = put_node(context, folder->folder, real, view, name, &status);
        if (result == -ENOENT)
            return 0; /* gone meanwhile */
        if (result == -EACCES || result == -EPERM) {
            why = "it may not be read";
            result = 0;
        }
    }
    if (why) {
        result = nv_copy_through(real, view, name, &status);
        if (!result && !nv_report_leave_out(context->report, path, why))
            result = -ENOMEM;
    }
    if (!result)
        result = take_node(context, folder, view, name, &status, why != NULL);
    if (!result && !why && S_ISDIR(status.st_mode))
        result = take_below(context, folder, real, view, name, &status, path);
    if (result < 0 && !*context->error)
        fail(context, "copy", path, -result);
    return result;
}

static int take_folder(struct nv_view_context *context, struct nv_object *folder, int real, int view, const char *path)
{
    int result = 0, listing = openat(real, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = listing < 0 ? NULL : fdopendir(listing);
    struct dirent *item;

    if (!stream)
        return -errno;
    (void)nv_names_watch(context->image, folder, view);
    while (!result && (errno = 0, item = readdir(stream)))
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            result = take_name(context, folder, real, view, item->d_name, path);
    if (!result && errno)
        result = -errno;
    closedir(stream);
    return result;
}

/* ---- mounting ---- */

/* An overlay has gaps (it forgets which file is which), so nobody gets one without having asked for it. */
static int choose_view(struct nv_view_context *context)
{
    struct nv_measure measure = {.bytes_max = nv_room_free(context->options->scratch) / COPY_PART_OF_FREE,
                                 .files_max = COPY_FILES_MAX};

    context->overlay = context->options->view == NV_VIEW_OVERLAY;
    if (context->options->view != NV_VIEW_AUTO)
        return 0;
    for (size_t i = 0; i < context->image->folder_count; i++)
        nv_measure_folder(context->image->folders[i].real, ".", &measure);
    if (measure.bytes <= measure.bytes_max && measure.files <= measure.files_max)
        return 0;
    snprintf(context->error, context->error_bytes,
             "the files at stake are too many to copy: name less with --dir, a folder on a disk with free space with "
             "--scratch, or take --view=overlay");
    return -1;
}

static int mount_memory(struct nv_view_context *context, const struct nv_folder *folder, mode_t mode)
{
    char data[64];

    snprintf(data, sizeof data, "mode=%o,size=%lu,nr_inodes=0", mode & 07777u, nv_room_memory() / 4 * 3);
    if (!mount("nvrtl-view", folder->path, "tmpfs", 0, data))
        return 0;
    return fail(context, "mount the view over", folder->path, errno);
}

static int mount_scratch(struct nv_view_context *context, const struct nv_folder *folder, size_t number, mode_t mode)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%zu", context->scratch, number);
    if (mkdir(path, 0700) || chmod(path, mode & 07777))
        return fail(context, "make", path, errno);
    if (mount(path, folder->path, NULL, MS_BIND, NULL))
        return fail(context, "mount the view over", folder->path, errno);
    return 0;
}

/* The view's upper layer is what was mounted over the folder just before. */
static int mount_overlay(struct nv_view_context *context, struct nv_folder *folder, mode_t mode)
{
    char data[300];
    int under = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), upper, work, result = 0;

    if (under < 0)
        return fail(context, "open", folder->path, errno);
    if (mkdirat(under, "upper", 0700) || mkdirat(under, "work", 0700) || fchmodat(under, "upper", mode & 07777, 0))
        result = fail(context, "prepare the overlay of", folder->path, errno);
    upper = openat(under, "upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
    work = openat(under, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(data, sizeof data,
             "lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d,xino=on%s", folder->real,
             upper, work, geteuid() ? ",userxattr" : ",index=on,redirect_dir=on");
    if (!result && mount("nvrtl-view", folder->path, "overlay", 0, data))
        result = fail(context, "mount an overlay over", folder->path, errno);
    folder->upper = upper;
    close(under);
    close(work);
    return result;
}

static int mount_view(struct nv_view_context *context, struct nv_folder *folder, size_t number)
{
    struct stat status;
    int result;

    if (fstat(folder->real, &status))
        return fail(context, "read", folder->path, errno);
    result = context->scratch ? mount_scratch(context, folder, number, status.st_mode)
                              : mount_memory(context, folder, status.st_mode);
    if (!result && context->overlay)
        result = mount_overlay(context, folder, status.st_mode);
    if (result)
        return result;
    folder->view = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->view < 0)
        return fail(context, "open", folder->path, errno);
    if (!context->overlay && nv_copy_owner(context, folder->view, &status))
        return fail(context, "prepare", folder->path, EIO);
    if (!context->overlay)
        nv_content_copy_attributes(folder->real, folder->view);
    return 0;
}

static int take_root(struct nv_view_context *context, struct nv_folder *folder)
{
    struct statx view;
    struct stat real;
    int result;

    if (statx(folder->view, "", AT_EMPTY_PATH, NV_STATX_MASK, &view) || fstat(folder->real, &real))
        return fail(context, "read", folder->path, errno);
    folder->device = nv_statx_device(&view);
    folder->own_device = !context->scratch;
    folder->root = nv_image_object(context->image, folder, &view);
    if (!folder->root)
        return fail(context, "watch", folder->path, ENOMEM);
    folder->root->new_metadata = false;
    result = take_folder(context, folder->root, folder->real, folder->view, folder->path);
    if (result)
        return *context->error ? -1 : fail(context, "read", folder->path, -result);
    if ((!context->overlay && futimens(folder->view, (struct timespec[]){real.st_atim, real.st_mtim})) ||
        remember_again(folder->root, &real, folder->view))
        return fail(context, "prepare", folder->path, errno);
    return nv_names_notice(context->image) ? fail(context, "watch", folder->path, EIO) : 0;
}

int nv_view_name_scratch(struct nv_view_context *context)
{
    char *absolute;
    uint64_t random;
    int length;

    *context->error = 0;
    if (!context->options->scratch)
        return 0;
    absolute = realpath(context->options->scratch, NULL); /* the guardian is in another folder */
    if (!absolute || getrandom(&random, sizeof random, 0) != sizeof random) {
        free(absolute);
        return fail(context, "make a folder in", context->options->scratch, errno);
    }
    if (nv_image_holds(context->image, absolute)) {
        free(absolute);
        return fail(context, "keep a view of a folder in itself:", context->options->scratch, EINVAL);
    }
    length = asprintf(&context->scratch, "%s/nvrtl-view.%d-%08x", absolute, (int)getpid(), (unsigned)random);
    free(absolute);
    if (length >= 0)
        return 0;
    context->scratch = NULL;
    return fail(context, "use", context->options->scratch, ENOMEM);
}

static int make_scratch(struct nv_view_context *context)
{
    if (!context->scratch || !mkdir(context->scratch, 0700))
        return 0;
    free(context->scratch);
    context->scratch = NULL; /* it is another's, or there is none */
    return fail(context, "make a folder in", context->options->scratch, errno);
}

/* Regular files that this process was started with: writes to them pass the view by. */
static int find_held(struct nv_view_context *context)
{
    DIR *stream = opendir("/proc/self/fd");
    struct dirent *item;

    if (!stream)
        return fail(context, "read", "/proc/self/fd", errno);
    while ((item = readdir(stream))) {
        int fd = atoi(item->d_name);
        struct stat status, *grown;

        if (item->d_name[0] == '.' || fstat(fd, &status) || !S_ISREG(status.st_mode))
            continue;
        grown = realloc(context->held, (context->held_count + 1) * sizeof *grown);
        if (!grown) {
            closedir(stream);
            return fail(context, "read", "/proc/self/fd", ENOMEM);
        }
        context->held = grown;
        context->held[context->held_count++] = status;
    }
    closedir(stream);
    return 0;
}

/* A folder that may not be written is not in the view either. What the mount forbids besides must be said again. */
static int forbid_writing(struct nv_view_context *context, const struct nv_folder *folder)
{
    static const struct {
        unsigned long status, mount;
    } flags[] = {{ST_NOSUID, MS_NOSUID},   {ST_NODEV, MS_NODEV},           {ST_NOEXEC, MS_NOEXEC},
                 {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME}};
    unsigned long wanted = MS_REMOUNT | MS_BIND | MS_RDONLY;
    struct statvfs real, view;

    if (fstatvfs(folder->real, &real) || fstatvfs(folder->view, &view))
        return fail(context, "read", folder->path, errno);
    if (!(real.f_flag & ST_RDONLY))
        return 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (view.f_flag & flags[i].status)
            wanted |= flags[i].mount;
    if (mount(NULL, folder->path, NULL, wanted, NULL))
        return fail(context, "make read-only the view of", folder->path, errno);
    return 0;
}

int nv_view_make(struct nv_view_context *context)
{
    struct nv_image *image = context->image;

    context->links = calloc(LINK_BUCKETS, sizeof(struct nv_link *));
    if (!context->links)
        return fail(context, "make the view of", image->folders[0].path, ENOMEM);
    if (find_held(context) || make_scratch(context))
        return -1;
    for (size_t i = 0; i < image->folder_count; i++) {
        image->folders[i].real = open(image->folders[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (image->folders[i].real < 0)
            return fail(context, "open", image->folders[i].path, errno);
    }
    if (choose_view(context))
        return -1;
    image->inodes_return = context->scratch && !context->overlay;
    for (size_t i = 0; i < image->folder_count; i++)
        if (mount_view(context, &image->folders[i], i) || take_root(context, &image->folders[i]) ||
            forbid_writing(context, &image->folders[i]))
            return -1;
    return 0;
}

/* ---- removing it ---- */

static int remove_tree(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream;
    struct dirent *item;

    if (fd < 0)
        return unlinkat(parent, name, 0) ? -errno : 0;
    (void)fchmod(fd, 0700);
    stream = fdopendir(fd);
    if (!stream) {
        close(fd);
        return -ENOMEM;
    }
    while ((item = readdir(stream)))
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            (void)remove_tree(dirfd(stream), item->d_name);
    closedir(stream);
    return unlinkat(parent, name, AT_REMOVEDIR) ? -errno : 0;
}

void nv_view_remove_scratch(const struct nv_view_context *context)
{
    if (!context->scratch)
        return;
    for (size_t i = 0; i < context->image->folder_count; i++)
        (void)umount2(context->image->folders[i].path, MNT_DETACH);
    (void)remove_tree(AT_FDCWD, context->scratch);
}

void nv_view_context_free(struct nv_view_context *context)
{
    forget_links(context);
    nv_live_free(&context->live);
    free(context->scratch);
    free(context->held);
}
