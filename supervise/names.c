/* SPDX-License-Identifier: MIT */
/*
 * Names: what differs between the names in the view and those in the durable image. Folders that events.c marked are
 * listed and compared; apply.c makes the difference durable. Every sync comes here, and the end of a run.
 */
#include "supervise/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often a listing is made again because names went on changing, before only what is safe is done. */
enum { LISTINGS_MAX = 4 };

static int list_folder(struct nv_image *image, struct nv_object *folder, int parent, const char *name, bool only,
                       struct nv_changes *changes);

/* Room for one more, at the end. NULL: no memory. */
static struct nv_change *next_change(struct nv_changes *changes)
{
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity * 2 + 16;
        struct nv_change *grown = realloc(changes->items, capacity * sizeof *grown);

        if (!grown)
            return NULL;
        changes->items = grown;
        changes->capacity = capacity;
    }
    return &changes->items[changes->count];
}

static int add_change(struct nv_image *image, struct nv_changes *changes, struct nv_change change, const char *name)
{
    struct nv_change *room = next_change(changes);
    uint64_t least = change.folder->new_listing == image->listing ? change.folder->new_sequence : 0;

    change.name = strdup(name);
    if (!room || !change.name) {
        free(change.name);
        free(change.target);
        return -ENOMEM;
    }
    change.sequence = nv_names_sequence(image, change.folder, name);
    if (!change.sequence && change.kind == NV_NAME_GONE)
        change.sequence = UINT64_MAX; /* nobody saw when: after all that is new */
    if (change.sequence < least)
        change.sequence = least; /* not before its folder is there */
    change.index = changes->count++;
    *room = change;
    if (change.kind == NV_NAME_NEW && S_ISDIR(change.object->type)) {
        change.object->new_listing = image->listing;
        change.object->new_sequence = change.sequence;
    }
    return 0;
}

void nv_changes_free(struct nv_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->items[i].name);
        free(changes->items[i].target);
    }
    free(changes->items);
    *changes = (struct nv_changes){0};
}

static int read_target(int fd, const char *name, char **target)
{
    char text[PATH_MAX];
    ssize_t length = readlinkat(fd, name, text, sizeof text - 1);

    if (length < 0)
        return -errno;
    text[length] = 0;
    *target = strdup(text);
    return *target ? 0 : -ENOMEM;
}

/* A new name, with all that is needed to make it durable: the view may change again meanwhile. */
static int add_new(struct nv_image *image, struct nv_object *folder, int fd, const char *name,
                   const struct statx *status, struct nv_object *object, struct nv_changes *changes)
{
    struct nv_change change = {.kind = NV_NAME_NEW,
                               .folder = folder,
                               .object = object,
                               .mode = status->stx_mode,
                               .owner = status->stx_uid,
                               .group = status->stx_gid,
                               .device_major = status->stx_rdev_major,
                               .device_minor = status->stx_rdev_minor};
    int result = S_ISLNK(status->stx_mode) ? read_target(fd, name, &change.target) : 0;

    if (result)
        return result == -ENOENT ? 0 : result;
    object->wanted = image->listing;
    if (image->adopt_views && S_ISREG(status->stx_mode) && object->view < 0 &&
        image->descriptors < image->descriptors_max) {
        int own = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

        if (own >= 0)
            nv_object_adopt_view(image, object, own);
    }
    return add_change(image, changes, change, name);
}

/* One name of a listing: known, or new. */
static int list_name(struct nv_image *image, struct nv_object *folder, int fd, const char *name,
                     struct nv_changes *changes, struct nv_object **found)
{
    struct nv_entry *entry = nv_image_entry(image, folder, name);
    struct statx status;

    *found = NULL;
    if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, NV_STATX_MASK, &status))
        return errno == ENOENT ? 0 : -errno; /* gone again: the next listing tells */
    if (entry && entry->object->excluded) {
        entry->seen = image->listing;
        return 0;
    }
    *found = nv_image_object(image, folder->folder, &status);
    if (!*found)
        return -ENOMEM;
    if (entry && entry->object == *found) {
        entry->seen = image->listing;
        return 0;
    }
    return add_new(image, folder, fd, name, &status, *found, changes);
}

/* Whether a folder below must be listed: it is new, it changed, or one below it did. */
static bool must_visit(const struct nv_object *folder, bool only)
{
    return folder && S_ISDIR(folder->type) && (folder->watch < 0 || folder->dirty || folder->dirty_below) && !only;
}

static int list_gone(struct nv_image *image, struct nv_object *folder, struct nv_changes *changes)
{
    int status = 0;

    for (struct nv_entry *entry = folder->children; entry && !status; entry = entry->next_sibling)
        if (entry->seen != image->listing)
            status = add_change(image, changes,
                                (struct nv_change){.kind = NV_NAME_GONE, .folder = folder, .object = entry->object},
                                entry->name);
    return status;
}

static int list_changed(struct nv_image *image, struct nv_object *folder, DIR *stream, bool only,
                        struct nv_changes *changes)
{
    struct dirent *item;
    int status = 0;

    while (!status && (errno = 0, item = readdir(stream))) {
        struct nv_object *found;

        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
            continue;
        status = list_name(image, folder, dirfd(stream), item->d_name, changes, &found);
        if (!status && must_visit(found, only))
            status = list_folder(image, found, dirfd(stream), item->d_name, only, changes);
    }
    if (!status && errno)
        status = -errno;
    return status ? status : list_gone(image, folder, changes);
}

static int visit_below(struct nv_image *image, struct nv_object *folder, int fd, struct nv_changes *changes)
{
    int status = 0;

    for (struct nv_entry *entry = folder->children; entry && !status; entry = entry->next_sibling)
        if (must_visit(entry->object, false))
            status = list_folder(image, entry->object, fd, entry->name, false, changes);
    return status;
}

/* The folder is `name` in `parent`, in the view. One that went away meanwhile is told by its parent's next listing. */
static int list_folder(struct nv_image *image, struct nv_object *folder, int parent, const char *name, bool only,
                       struct nv_changes *changes)
{
    bool dirty = folder->dirty || folder->watch < 0 || only;
    DIR *stream;
    int status, fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (folder->watch < 0)
        (void)nv_names_watch(image, folder, fd);
    if (!dirty) {
        status = visit_below(image, folder, fd, changes);
        close(fd);
        return status;
    }
    stream = fdopendir(fd);
    if (!stream) {
        close(fd);
        return -ENOMEM;
    }
    folder->dirty = true; /* until it is applied */
    folder->listed = image->listing;
    status = list_changed(image, folder, stream, only, changes);
    closedir(stream);
    return status;
}

/*
 * The folder in the view: by the descriptor that a program synced, or else under the name it has by now in both images.
 */
static int open_view(const struct nv_object *folder)
{
    char path[PATH_MAX];
    int fd, status;

    if (folder->view >= 0)
        fd = openat(folder->view, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    else {
        status = nv_object_path(folder, path, sizeof path);
        if (status < 0)
            return status;
        fd = openat(folder->folder->view, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd < 0 ? -errno : fd;
}

static int list_all(struct nv_image *image, struct nv_object *only, struct nv_changes *changes)
{
    int status = 0;

    image->listing++;
    if (only) {
        int fd = open_view(only);

        if (fd < 0)
            return fd == -ENOENT ? 0 : fd;
        status = list_folder(image, only, fd, ".", true, changes);
        close(fd);
        return status;
    }
    for (size_t i = 0; i < image->folder_count && !status; i++)
        if (must_visit(image->folders[i].root, false))
            status = list_folder(image, image->folders[i].root, image->folders[i].view, ".", false, changes);
    return status;
}

/*
 * Folders are listed one after another, so a file that is moved meanwhile may be seen in neither or in both. Events
 * tell of it: the kernel queues them before a listing can see the change. So it is listed again until nothing happened.
 */
int nv_names_gather(struct nv_image *image, struct nv_object *only, struct nv_changes *changes)
{
    int status = nv_names_notice(image);

    for (int i = 0; i < LISTINGS_MAX && !status; i++) {
        uint64_t before = image->sequence;

        nv_changes_free(changes);
        status = list_all(image, only, changes);
        if (!status)
            status = nv_names_notice(image);
        changes->settled = image->sequence == before;
        if (changes->settled)
            break;
    }
    return status;
}

int nv_names_meet(struct nv_image *image, uint64_t device, uint64_t inode, struct nv_object **found)
{
    struct nv_changes changes = {0};
    int status = nv_upper_translate(image, &device, &inode);

    *found = status ? NULL : nv_image_find(image, device, inode);
    if (status || (*found && !image->inodes_return))
        return status;
    status = nv_names_gather(image, NULL, &changes);
    nv_changes_free(&changes);
    *found = nv_image_find(image, device, inode);
    return status;
}

/* Marks are taken off what has been listed and applied; a folder that cannot be watched has none to take off. */
void nv_names_settle(struct nv_image *image, struct nv_object *only)
{
    nv_names_forget_notes(image, only);
    if (only) {
        only->dirty = false;
        return;
    }
    for (struct nv_object *object = image->objects; object; object = object->next)
        object->dirty = object->dirty_below = false;
}

static bool anything_marked(const struct nv_image *image)
{
    for (size_t i = 0; i < image->folder_count; i++)
        if (must_visit(image->folders[i].root, false))
            return true;
    return false;
}

/* Folders that were synced before they had a name: now they have one, and what was in them is durable too. */
static int sync_named(struct nv_image *image, const struct nv_changes *changes)
{
    int status = 0;

    for (size_t i = 0; i < changes->count && !status; i++) {
        struct nv_object *object = changes->items[i].object;

        if (changes->items[i].kind == NV_NAME_NEW && object->sync_when_named && object->names) {
            object->sync_when_named = false;
            status = nv_names_sync(image, object);
        }
    }
    return status;
}

int nv_names_sync(struct nv_image *image, struct nv_object *only)
{
    struct nv_changes changes = {0};
    int status = nv_names_notice(image);

    if (only && !only->names && only->folder->root != only) {
        only->sync_when_named = true;
        return status;
    }
    if (status || (!only && !anything_marked(image)))
        return status;
    status = nv_names_gather(image, only, &changes);
    if (!status)
        status = nv_names_apply(image, &changes);
    if (!status && changes.settled)
        nv_names_settle(image, only);
    if (!status && only)
        status = sync_named(image, &changes);
    nv_changes_free(&changes);
    return status;
}
