/* SPDX-License-Identifier: MIT */
/* The table of files and of their durable names: hash tables, paths and descriptors. All of supervise/ uses it. */
#include "supervise/hints.h"
#include "supervise/shadow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { FIRST_BUCKETS = 1024 };

uint64_t nv_statx_device(const struct statx *status)
{
    return makedev(status->stx_dev_major, status->stx_dev_minor);
}

static uint64_t birth(const struct statx *status)
{
    if (!(status->stx_mask & STATX_BTIME))
        return 0;
    return (uint64_t)status->stx_btime.tv_sec * 1000000000u + status->stx_btime.tv_nsec;
}

bool nv_image_same(const struct nv_image *image, const struct nv_object *object, const struct statx *status)
{
    return object->type == (status->stx_mode & S_IFMT) && (!image->inodes_return || object->birth_ns == birth(status));
}

static size_t object_bucket(uint64_t device, uint64_t inode, size_t buckets)
{
    return (size_t)((inode * 0x9e3779b97f4a7c15u ^ device * 0xff51afd7ed558ccdu) >> 20) & (buckets - 1);
}

static size_t entry_bucket(const struct nv_object *parent, const char *name, size_t buckets)
{
    uint64_t hash = (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15u;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(hash >> 16) & (buckets - 1);
}

/* A few thousand files may be at stake, and each may be open in both images. */
static size_t raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 256;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 256;
    if (limit.rlim_cur > 65536)
        limit.rlim_cur = 65536;
    return limit.rlim_cur > 512 ? (size_t)limit.rlim_cur - 256 : (size_t)limit.rlim_cur / 2;
}

int nv_image_init(struct nv_image *image, enum nv_file_system_model model)
{
    *image = (struct nv_image){.model = model, .notify = -1};
    image->object_buckets = image->entry_buckets = FIRST_BUCKETS;
    image->object_hash = calloc(FIRST_BUCKETS, sizeof *image->object_hash);
    image->entry_hash = calloc(FIRST_BUCKETS, sizeof *image->entry_hash);
    image->buffers = aligned_alloc(NV_BLOCK_BYTES, 2 * NV_CHUNK_BYTES);
    if (!image->object_hash || !image->entry_hash || !image->buffers)
        return -ENOMEM;
    image->descriptors_max = raise_descriptor_limit();
    image->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return image->notify < 0 ? -errno : 0;
}

static void free_object(struct nv_object *object)
{
    if (object->durable >= 0)
        close(object->durable);
    if (object->view >= 0)
        close(object->view);
    nv_lines_forget(object);
    nv_shadow_forget(object);
    free(object->synced_blocks);
    nv_lost_forget(object);
    free(object);
}

void nv_image_free(struct nv_image *image)
{
    nv_hints_close(image);
    for (size_t i = 0; i < image->entry_buckets && image->entry_hash; i++)
        for (struct nv_entry *entry = image->entry_hash[i], *next; entry; entry = next) {
            next = entry->next_hash;
            free(entry->name);
            free(entry);
        }
    for (struct nv_object *object = image->objects, *next; object; object = next) {
        next = object->next;
        free_object(object);
    }
    for (size_t i = 0; i < image->folder_count; i++) {
        close(image->folders[i].real);
        close(image->folders[i].view);
        close(image->folders[i].upper);
        free(image->folders[i].path);
    }
    if (image->notify >= 0)
        close(image->notify);
    free(image->folders);
    free(image->object_hash);
    free(image->entry_hash);
    free(image->watched);
    free(image->verifier_files);
    nv_names_forget_notes(image, NULL);
    free(image->notes);
    free(image->buffers);
}

/* Twice the buckets when there are more things than buckets; staying as it was is only slower. */
static void grow_objects(struct nv_image *image)
{
    size_t buckets = image->object_buckets * 2;
    struct nv_object **hash;

    if (image->object_count < image->object_buckets || !(hash = calloc(buckets, sizeof *hash)))
        return;
    for (size_t i = 0; i < image->object_buckets; i++)
        for (struct nv_object *object = image->object_hash[i], *next; object; object = next) {
            size_t bucket = object_bucket(object->device, object->inode, buckets);

            next = object->next_hash;
            object->next_hash = hash[bucket];
            hash[bucket] = object;
        }
    free(image->object_hash);
    image->object_hash = hash;
    image->object_buckets = buckets;
}

static void grow_entries(struct nv_image *image)
{
    size_t buckets = image->entry_buckets * 2;
    struct nv_entry **hash;

    if (image->entry_count < image->entry_buckets || !(hash = calloc(buckets, sizeof *hash)))
        return;
    for (size_t i = 0; i < image->entry_buckets; i++)
        for (struct nv_entry *entry = image->entry_hash[i], *next; entry; entry = next) {
            size_t bucket = entry_bucket(entry->parent, entry->name, buckets);

            next = entry->next_hash;
            entry->next_hash = hash[bucket];
            hash[bucket] = entry;
        }
    free(image->entry_hash);
    image->entry_hash = hash;
    image->entry_buckets = buckets;
}

struct nv_object *nv_image_find(const struct nv_image *image, uint64_t device, uint64_t inode)
{
    struct nv_object *object = image->object_hash[object_bucket(device, inode, image->object_buckets)];

    while (object && (object->device != device || object->inode != inode))
        object = object->next_hash;
    return object;
}

static void unhash_object(struct nv_image *image, struct nv_object *object)
{
    struct nv_object **link = &image->object_hash[object_bucket(object->device, object->inode, image->object_buckets)];

    while (*link && *link != object)
        link = &(*link)->next_hash;
    if (*link)
        *link = object->next_hash;
}

static struct nv_object *new_object(struct nv_image *image, struct nv_folder *folder, const struct statx *view)
{
    struct nv_object *object = calloc(1, sizeof *object);
    size_t bucket;

    if (!object)
        return NULL;
    *object = (struct nv_object){.device = nv_statx_device(view),
                                 .inode = view->stx_ino,
                                 .birth_ns = birth(view),
                                 .type = view->stx_mode & S_IFMT,
                                 .folder = folder,
                                 .durable = -1,
                                 .view = -1,
                                 .lines_fd = -1,
                                 .shadow_fd = -1,
                                 .watch = -1,
                                 .new_metadata = true};
    object->next = image->objects;
    if (image->objects)
        image->objects->previous = object;
    image->objects = object;
    image->object_count++;
    grow_objects(image);
    bucket = object_bucket(object->device, object->inode, image->object_buckets);
    object->next_hash = image->object_hash[bucket];
    image->object_hash[bucket] = object;
    return object;
}

struct nv_object *nv_image_object(struct nv_image *image, struct nv_folder *folder, const struct statx *view)
{
    struct nv_object *object = nv_image_find(image, nv_statx_device(view), view->stx_ino);

    if (object && nv_image_same(image, object, view))
        return object;
    if (object)
        unhash_object(image, object); /* its inode is gone from the view; its durable names may still be there */
    return new_object(image, folder, view);
}

struct nv_entry *nv_image_entry(const struct nv_image *image, const struct nv_object *parent, const char *name)
{
    struct nv_entry *entry = image->entry_hash[entry_bucket(parent, name, image->entry_buckets)];

    while (entry && (entry->parent != parent || strcmp(entry->name, name)))
        entry = entry->next_hash;
    return entry;
}

int nv_image_link(struct nv_image *image, struct nv_object *parent, const char *name, struct nv_object *object)
{
    struct nv_entry *entry = calloc(1, sizeof *entry);
    size_t bucket;

    if (!entry || !(entry->name = strdup(name))) {
        free(entry);
        return -ENOMEM;
    }
    entry->parent = parent;
    entry->object = object;
    entry->next_name = object->names;
    object->names = entry;
    entry->next_sibling = parent->children;
    if (parent->children)
        parent->children->previous_sibling = entry;
    parent->children = entry;
    image->entry_count++;
    grow_entries(image);
    bucket = entry_bucket(parent, name, image->entry_buckets);
    entry->next_hash = image->entry_hash[bucket];
    image->entry_hash[bucket] = entry;
    return 0;
}

void nv_image_unlink(struct nv_image *image, struct nv_entry *entry)
{
    struct nv_entry **link = &image->entry_hash[entry_bucket(entry->parent, entry->name, image->entry_buckets)];

    while (*link != entry)
        link = &(*link)->next_hash;
    *link = entry->next_hash;
    entry->object->written = true; /* its other names, and who holds it open, see that it lost one */
    for (link = &entry->object->names; *link != entry;)
        link = &(*link)->next_name;
    *link = entry->next_name;
    if (entry->previous_sibling)
        entry->previous_sibling->next_sibling = entry->next_sibling;
    else
        entry->parent->children = entry->next_sibling;
    if (entry->next_sibling)
        entry->next_sibling->previous_sibling = entry->previous_sibling;
    image->entry_count--;
    free(entry->name);
    free(entry);
}

bool nv_path_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

bool nv_image_holds(const struct nv_image *image, const char *path)
{
    for (size_t i = 0; i < image->folder_count; i++)
        if (nv_path_below(path, image->folders[i].path))
            return true;
    return false;
}

int nv_entry_path(const struct nv_entry *entry, char *path, size_t path_bytes)
{
    int length = nv_object_path(entry->parent, path, path_bytes);
    int more;

    if (length < 0)
        return length;
    more = snprintf(path + length, path_bytes - (size_t)length, "%s%s", length ? "/" : "", entry->name);
    if ((size_t)length + (size_t)more >= path_bytes)
        return -ENAMETOOLONG;
    return length + more;
}

int nv_object_path(const struct nv_object *object, char *path, size_t path_bytes)
{
    if (object->folder->root == object) {
        path[0] = 0;
        return 0;
    }
    if (!object->names)
        return -ENOENT;
    return nv_entry_path(object->names, path, path_bytes);
}

void nv_object_forget_descriptors(struct nv_image *image, struct nv_object *object)
{
    if (object->durable >= 0 && !object->nameless) {
        close(object->durable);
        object->durable = -1;
        image->descriptors--;
    }
    if (object->view >= 0 && !nv_hint_is_good(object) &&
        !object->verifier_file) { /* verifiers know the file by its inode, which must stay its own */
        close(object->view);
        object->view = -1;
        image->descriptors--;
    }
}

void nv_image_make_room(struct nv_image *image)
{
    if (image->descriptors < image->descriptors_max)
        return;
    for (struct nv_object *object = image->objects; object; object = object->next)
        nv_object_forget_descriptors(image, object);
}

static int open_in(int folder, const char *path, int flags)
{
    int fd = openat(folder, *path ? path : ".", flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int nv_object_durable(struct nv_image *image, struct nv_object *object)
{
    char path[PATH_MAX];
    int status;

    if (object->durable >= 0)
        return object->durable;
    status = nv_object_path(object, path, sizeof path);
    if (status < 0)
        return status;
    status = open_in(object->folder->real, path, S_ISDIR(object->type) ? O_RDONLY | O_DIRECTORY : O_RDWR);
    if (status == -EACCES || status == -EPERM || status == -EROFS || status == -ETXTBSY)
        status = open_in(object->folder->real, path, O_RDONLY); /* enough to compare; a write will fail, and say so */
    if (status < 0)
        return status;
    object->durable = status;
    image->descriptors++;
    return status;
}

static bool is_object(const struct nv_image *image, const struct nv_object *object, int fd)
{
    struct statx status;

    return !statx(fd, "", AT_EMPTY_PATH, NV_STATX_MASK, &status) && status.stx_ino == object->inode &&
           nv_statx_device(&status) == object->device && nv_image_same(image, object, &status);
}

uint64_t nv_nanoseconds(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void nv_object_agree(struct nv_object *object, bool whole)
{
    struct stat real, view;

    if (object->durable < 0)
        return;
    if (fstat(object->durable, &real)) {
        object->real_change_ns = 0; /* not known: nothing to compare with */
        return;
    }
    object->real_change_ns = nv_nanoseconds(real.st_mtim);
    object->real_bytes = (uint64_t)real.st_size;
    if (whole && object->view >= 0 && !fstat(object->view, &view))
        object->view_change_ns = nv_nanoseconds(view.st_mtim);
}

bool nv_object_find_foreign(struct nv_image *image, struct nv_object *object)
{
    int durable, view;
    struct stat real, copy;

    if (!object->real_change_ns || object->pages || (!object->names && !object->nameless))
        return object->foreign;
    durable = nv_object_durable(image, object);
    view = nv_object_view(image, object);
    if (durable < 0 || view < 0 || fstat(durable, &real) || fstat(view, &copy))
        return object->foreign;
    object->foreign = object->foreign || nv_nanoseconds(real.st_mtim) != object->real_change_ns ||
                      (uint64_t)real.st_size != object->real_bytes;
    object->contested = object->foreign && nv_nanoseconds(copy.st_mtim) != object->view_change_ns;
    return object->foreign;
}

/* What an open says of a file that is not there, or is another one; anything else is a failure. */
static int absence(int status)
{
    return status == -ENOTDIR || status == -ELOOP || status == -EACCES || status == -ENXIO ? -ENOENT : status;
}

/* Look through a folder of the view and all below it for an inode: a descriptor; -ENOENT, or why it cannot be told. */
static int search_view(const struct nv_image *image, int parent, const char *name, const struct nv_object *object)
{
    int found = -ENOENT, fd = open_in(parent, name, O_RDONLY | O_DIRECTORY);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *item;

    if (!stream) {
        if (fd >= 0)
            close(fd);
        return fd < 0 ? absence(fd) : -ENOMEM;
    }
    while (found == -ENOENT && (errno = 0, item = readdir(stream))) {
        if (item->d_ino == object->inode) {
            found = absence(open_in(dirfd(stream), item->d_name, O_RDONLY));
            if (found >= 0 && !is_object(image, object, found)) {
                close(found);
                found = -ENOENT;
            }
        } else if (item->d_type == DT_DIR && strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            found = search_view(image, dirfd(stream), item->d_name, object);
    }
    if (found == -ENOENT && errno)
        found = absence(-errno);
    closedir(stream);
    return found;
}

/*
 * Without a descriptor of the program at hand, the view's file is looked for under the names it has in the durable
 * image.
 */
int nv_object_view(struct nv_image *image, struct nv_object *object)
{
    int found;

    if (object->view >= 0)
        return object->view;
    if (nv_image_find(image, object->device, object->inode) != object)
        return -ENOENT; /* another file has its inode number by now */
    for (const struct nv_entry *entry = object->names; entry; entry = entry->next_name) {
        char path[PATH_MAX];
        int fd;

        if (nv_entry_path(entry, path, sizeof path) < 0)
            continue;
        fd = open_in(object->folder->view, path, O_RDONLY);
        if (fd >= 0 && is_object(image, object, fd)) {
            nv_object_adopt_view(image, object, fd);
            return fd;
        }
        if (fd >= 0)
            close(fd);
        else if (absence(fd) != -ENOENT)
            return fd;
    }
    found = search_view(image, object->folder->view, ".", object); /* the images may differ in every name */
    if (found >= 0)
        nv_object_adopt_view(image, object, found);
    return found;
}

/* In the posix model a new file's bytes may be durable before its name is. */
int nv_image_make_nameless(struct nv_image *image, struct nv_object *object)
{
    object->durable = openat(object->folder->real, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (object->durable < 0)
        return -errno;
    image->descriptors++;
    object->nameless = true;
    nv_hint_all(object);
    return 0;
}

void nv_object_adopt_view(struct nv_image *image, struct nv_object *object, int fd)
{
    if (object->view >= 0) {
        close(fd);
        return;
    }
    object->view = fd;
    image->descriptors++;
}
