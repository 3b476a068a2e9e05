/* SPDX-License-Identifier: MIT */
/*
 * Making names durable: the changes that names.c gathered, in the order in which they happened as far as it is known,
 * and so that no file loses its last name on the way. What fails does not keep the rest from being done.
 */
#include "supervise/hints.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ASIDE_PREFIX ".nvrtl-aside-"

/* What became of a change. Negative: an errno. */
enum outcome { DONE, DEFERRED };

/* ---- what may go ---- */

/* A name that the listing no longer has, so that its file can be moved from it. */
static struct nv_entry *stale_name(const struct nv_image *image, const struct nv_object *object)
{
    for (struct nv_entry *entry = object->names; entry; entry = entry->next_name)
        if (entry->parent->listed == image->listing && entry->seen != image->listing)
            return entry;
    return NULL;
}

/* It has a name in the view that is still to be made durable, and only this one until then. */
static bool needs_its_name(const struct nv_image *image, const struct nv_object *object)
{
    return object->wanted == image->listing && object->names && !object->names->next_name;
}

static bool subtree_needs_names(const struct nv_image *image, const struct nv_object *folder)
{
    for (const struct nv_entry *entry = folder->children; entry; entry = entry->next_sibling)
        if (needs_its_name(image, entry->object) || subtree_needs_names(image, entry->object))
            return true;
    return false;
}

/*
 * Whether the view certainly has it no more, under any name. A folder is looked for: the kernel tells late of its end.
 */
static bool is_dead(struct nv_image *image, struct nv_object *object)
{
    struct stat status;

    if (object->view < 0 && S_ISDIR(object->type) && nv_object_view(image, object) == -ENOENT)
        return true;
    return object->view >= 0 && !fstat(object->view, &status) && !status.st_nlink;
}

/*
 * In the posix model a file may lose its last name, and get another when that folder is synced: its bytes are kept
 * open. Called before the name goes; take_name after.
 */
static void keep_bytes(struct nv_image *image, struct nv_object *object)
{
    if (image->model == NV_FS_POSIX && S_ISREG(object->type) && object->names && !object->names->next_name &&
        nv_object_durable(image, object) >= 0)
        return;
    if (!object->names || !object->names->next_name)
        nv_object_forget_descriptors(image, object);
}

static void take_name(struct nv_image *image, struct nv_entry *entry)
{
    struct nv_object *object = entry->object;

    nv_image_unlink(image, entry);
    object->nameless = image->model == NV_FS_POSIX && S_ISREG(object->type) && !object->names && object->durable >= 0;
}

static int remove_entry(struct nv_image *image, struct nv_entry *entry)
{
    struct nv_object *object = entry->object;
    bool folder = S_ISDIR(object->type);
    int parent = nv_object_durable(image, entry->parent), status = 0;

    if (parent < 0)
        return parent;
    while (folder && object->children && !status)
        status = remove_entry(image, object->children);
    if (status)
        return status;
    if (folder && object->watch >= 0 && image->watched[object->watch] == object)
        image->watched[object->watch] = NULL;
    if (folder)
        object->watch = -1;
    keep_bytes(image, object);
    if (unlinkat(parent, entry->name, folder ? AT_REMOVEDIR : 0) && errno != ENOENT)
        return -errno;
    take_name(image, entry);
    return 0;
}

/* ---- moving ---- */

static int move(struct nv_image *image, struct nv_entry *entry, struct nv_object *folder, const char *name)
{
    struct nv_object *object = entry->object;
    int from = nv_object_durable(image, entry->parent), to = nv_object_durable(image, folder);
    struct nv_entry *occupant;
    int status;

    if (from < 0 || to < 0)
        return from < 0 ? from : to;
    occupant = nv_image_entry(image, folder, name);
    if (occupant)
        keep_bytes(image, occupant->object);
    status = nv_image_link(image, folder, name, object);
    if (status)
        return status;
    if (renameat(from, entry->name, to, name)) {
        status = -errno;
        nv_image_unlink(image, nv_image_entry(image, folder, name));
        return status;
    }
    if (occupant)
        take_name(image, occupant);
    nv_image_unlink(image, entry);
    object->written = true;
    return 0;
}

/* Two files take each other's names at once. */
static int exchange(struct nv_image *image, struct nv_entry *entry, struct nv_entry *occupant)
{
    struct nv_object *object = entry->object, *other = occupant->object;
    struct nv_object *folder = entry->parent, *other_folder = occupant->parent;
    int from = nv_object_durable(image, folder), to = nv_object_durable(image, other_folder), status;
    char *name = strdup(entry->name), *other_name = strdup(occupant->name);

    status = from < 0 ? from : to < 0 ? to : name && other_name ? 0 : -ENOMEM;
    if (!status && renameat2(from, name, to, other_name, RENAME_EXCHANGE))
        status = -errno;
    if (!status) {
        nv_image_unlink(image, entry);
        nv_image_unlink(image, occupant);
        status = nv_image_link(image, folder, name, other);
        if (!status)
            status = nv_image_link(image, other_folder, other_name, object);
        if (!status)
            nv_image_entry(image, other_folder, other_name)->seen = image->listing;
    }
    free(name);
    free(other_name);
    return status;
}

/* Out of the way, for what takes its name; at the end it is moved on, or removed. */
static int move_aside(struct nv_image *image, struct nv_entry *occupant)
{
    struct nv_object *root = occupant->parent->folder->root;
    char name[64];

    snprintf(name, sizeof name, ASIDE_PREFIX "%d-%u", (int)getpid(), image->aside++);
    nv_names_mark(image, root);
    root->listed = image->listing;
    return move(image, occupant, root, name);
}

/* What was moved aside and found no place. */
static int remove_aside(struct nv_image *image)
{
    int status = 0;

    for (size_t i = 0; i < image->folder_count; i++)
        for (struct nv_entry *entry = image->folders[i].root->children, *next; entry && !status; entry = next) {
            next = entry->next_sibling;
            if (!strncmp(entry->name, ASIDE_PREFIX, sizeof ASIDE_PREFIX - 1) && entry->seen != image->listing &&
                !needs_its_name(image, entry->object))
                status = remove_entry(image, entry);
        }
    return status;
}

/* ---- new names ---- */

static int create_node(struct nv_change *change, int to, const char *name)
{
    struct nv_object *object = change->object;
    mode_t mode = change->mode & 07777;

    if (S_ISDIR(object->type))
        return mkdirat(to, name, 0700) ? -errno : 0;
    if (S_ISLNK(object->type))
        return symlinkat(change->target, to, name) ? -errno : 0;
    if (!S_ISREG(object->type))
        return mknodat(to, name, change->mode, makedev(change->device_major, change->device_minor)) ||
                       fchmodat(to, name, mode, 0)
                   ? -errno
                   : 0;
    nv_hint_all(object);
    object->durable = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return object->durable < 0 ? -errno : 0;
}

/*
 * Owner and mode as in the view. An ordinary user's files are its own anyway; a change of owner takes bits of the mode.
 */
static int give_attributes(const struct nv_change *change, int to, const char *name)
{
    mode_t type = change->object->type;

    if (!geteuid() && fchownat(to, name, change->owner, change->group, AT_SYMLINK_NOFOLLOW) && errno != EINVAL &&
        errno != EPERM)
        return -errno;
    if ((S_ISREG(type) || S_ISDIR(type)) && fchmodat(to, name, change->mode & 07777, 0))
        return -errno;
    return 0;
}

static int create(struct nv_image *image, struct nv_change *change, int to, const char *name)
{
    struct nv_object *object = change->object;
    int status = create_node(change, to, name);

    if (object->durable >= 0)
        image->descriptors++;
    if (status)
        return status;
    object->written = true;
    status = give_attributes(change, to, name);
    if (status) {
        (void)unlinkat(to, name, S_ISDIR(object->type) ? AT_REMOVEDIR : 0);
        nv_object_forget_descriptors(image, object);
    }
    return status;
}

static int copy_whole(int from, int to)
{
    struct stat status;
    off_t at = 0;

    if (fstat(from, &status) || fchmod(to, status.st_mode & 07777) || ftruncate(to, status.st_size))
        return -errno;
    while (at < status.st_size) {
        ssize_t put = copy_file_range(from, &at, to, &(off_t){at}, (size_t)(status.st_size - at), 0);

        if (put <= 0)
            return put ? -errno : -EIO;
    }
    return 0;
}

/* A file that has lost its last name cannot be linked again: another takes its place. */
static int name_copy(struct nv_object *object, int to, const char *name)
{
    int status, fd = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    status = copy_whole(object->durable, fd);
    if (status) {
        close(fd);
        (void)unlinkat(to, name, 0);
        return status;
    }
    close(object->durable);
    object->durable = fd;
    object->nameless = false;
    nv_object_agree(object, false);
    return 0;
}

/* Give a file that is durable without a name its first one. */
static int name_nameless(struct nv_object *object, int to, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", object->durable);
    if (linkat(AT_FDCWD, path, to, name, AT_SYMLINK_FOLLOW))
        return errno == ENOENT ? name_copy(object, to, name) : -errno;
    object->nameless = false;
    return 0;
}

static int link_again(struct nv_image *image, struct nv_object *object, int to, const char *name)
{
    const struct nv_entry *entry = object->names;
    int from = nv_object_durable(image, entry->parent);

    if (from < 0)
        return from;
    object->written = true;
    if (object->folder->upper >= 0)
        object->unjudged = true; /* an overlay forgets which file it is when the file below gets a second name */
    return linkat(from, entry->name, to, name, 0) ? -errno : 0;
}

static int put_name(struct nv_image *image, struct nv_change *change, int to, const char *name)
{
    if (change->object->names)
        return link_again(image, change->object, to, name);
    if (change->object->nameless)
        return name_nameless(change->object, to, name);
    return create(image, change, to, name);
}

/* At the end of a run: another program has made a file of that name, and both are kept. */
static int step_beside(struct nv_image *image, struct nv_change *change, int to)
{
    char *beside;

    if (asprintf(&beside, "%s.nvrtl", change->name) < 0)
        return -ENOMEM;
    free(change->name);
    change->name = beside;
    return put_name(image, change, to, beside);
}

/* A new name, under a temporary one first when it takes another's place: no moment shows neither. */
static int add_name(struct nv_image *image, struct nv_change *change, bool occupied)
{
    char aside[64];
    const char *name = change->name;
    int status, to = nv_object_durable(image, change->folder);

    if (to < 0)
        return to;
    if (occupied) {
        snprintf(aside, sizeof aside, ASIDE_PREFIX "%d-%u", (int)getpid(), image->aside++);
        name = aside;
    }
    status = put_name(image, change, to, name);
    if (status == -EEXIST && image->adopt_views && !occupied)
        status = step_beside(image, change, to);
    if (!status && occupied && renameat(to, aside, to, change->name))
        status = -errno;
    return status;
}

/* The file that had the name is gone from the view, and nothing else holds on to its durable one. */
static bool can_take_over(const struct nv_image *image, const struct nv_change *change, const struct nv_entry *occupant)
{
    const struct nv_object *old = occupant->object, *new = change->object;
    struct stat status;

    if (image->model != NV_FS_JOURNALED || !S_ISREG(old->type) || !S_ISREG(new->type) || new->names || new->nameless ||
        new->durable >= 0 || old->durable < 0 || old->names->next_name || old->verifier_file || old->excluded ||
        old->wanted == image->listing || !nv_names_made_in_place(image, change->folder, change->name))
        return false;
    return !fstat(old->durable, &status) && status.st_nlink == 1 && flistxattr(old->durable, NULL, 0) <= 0;
}

/*
 * The new file takes over the old one's durable file, emptied: what a removal and a creation leave. It is many times
 * faster than creating a file and renaming it, which makes the file system write.
 */
static int take_over(struct nv_image *image, struct nv_change *change, struct nv_entry *occupant)
{
    struct nv_object *old = occupant->object, *new = change->object;
    struct stat status;

    if (ftruncate(old->durable, 0) || fstat(old->durable, &status))
        return -errno;
    if ((status.st_uid != change->owner || status.st_gid != change->group) && image->keeps_owners &&
        fchown(old->durable, change->owner, change->group))
        return -errno;
    if (((status.st_mode ^ change->mode) & 07777) && fchmod(old->durable, change->mode & 07777))
        return -errno;
    nv_hint_all(new);
    new->durable = old->durable;
    new->written = true;
    old->durable = -1;
    nv_object_forget_descriptors(image, old);
    nv_image_unlink(image, occupant);
    return nv_image_link(image, change->folder, change->name, new);
}

/* A name that cannot be noted is taken back: the next sync tries again. */
static int note_name(struct nv_image *image, struct nv_change *change)
{
    struct nv_object *object = change->object;
    int status = nv_image_link(image, change->folder, change->name, object);
    int to = nv_object_durable(image, change->folder);

    if (!status || to < 0)
        return status;
    (void)unlinkat(to, change->name, S_ISDIR(object->type) ? AT_REMOVEDIR : 0);
    object->nameless = image->model == NV_FS_POSIX && S_ISREG(object->type) && !object->names && object->durable >= 0;
    if (!object->names)
        nv_object_forget_descriptors(image, object);
    return status;
}

static int place(struct nv_image *image, struct nv_change *change, struct nv_entry *occupant)
{
    struct nv_entry *stale = stale_name(image, change->object);
    int status;

    if (!stale && S_ISDIR(change->object->type))
        stale = change->object->names; /* a folder has one name: it was moved */
    if (stale)
        return move(image, stale, change->folder, change->name);
    if (occupant && can_take_over(image, change, occupant))
        return take_over(image, change, occupant);
    if (occupant)
        keep_bytes(image, occupant->object);
    status = add_name(image, change, occupant != NULL);
    if (!status && occupant)
        take_name(image, occupant);
    return status ? status : note_name(image, change);
}

/* ---- one change, and all of them ---- */

static int apply_new(struct nv_image *image, struct nv_change *change)
{
    struct nv_entry *occupant = nv_image_entry(image, change->folder, change->name);
    int status = 0;

    if (!change->folder->names && change->folder->folder->root != change->folder)
        return DEFERRED; /* its folder is not there yet */
    if (occupant && occupant->object != change->object) {
        bool folders = S_ISDIR(occupant->object->type) || S_ISDIR(change->object->type);

        if (needs_its_name(image, occupant->object) || (folders && subtree_needs_names(image, occupant->object)))
            return DEFERRED;
        if (folders) {
            status = remove_entry(image, occupant);
            occupant = NULL;
        }
    }
    if (!status && (!occupant || occupant->object != change->object))
        status = place(image, change, occupant);
    if (status == -EINVAL && S_ISDIR(change->object->type))
        return DEFERRED; /* the new parent lies in it still: that moves first */
    if (status)
        return status;
    nv_image_entry(image, change->folder, change->name)->seen = image->listing;
    if (S_ISDIR(change->object->type) && (change->object->watch < 0 || change->object->dirty))
        nv_names_mark(image,
                      change->object); /* named by the sync of its parent alone: its own names are still to come */
    return DONE;
}

static int apply_gone(struct nv_image *image, struct nv_change *change, bool settled)
{
    struct nv_entry *entry = nv_image_entry(image, change->folder, change->name);
    struct nv_object *object = change->object;
    int status;

    if (!entry || entry->object != object || entry->seen == image->listing)
        return DONE;
    if (needs_its_name(image, object) || subtree_needs_names(image, object))
        return DEFERRED;
    if (!object->names->next_name && !is_dead(image, object) &&
        (!settled || (image->model == NV_FS_POSIX && S_ISDIR(object->type))))
        return DONE; /* it may live on elsewhere: the sync that finds it there moves it */
    status = remove_entry(image, entry);
    return status ? status : DONE;
}

static int by_sequence(const void *left, const void *right)
{
    const struct nv_change *a = left, *b = right;

    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static void fail(struct nv_image *image, struct nv_change *change, int status, int *first)
{
    change->done = true;
    if (*first)
        return;
    *first = status;
    snprintf(image->failed_name, sizeof image->failed_name, "%s", change->name);
}

/* One round over what is left; true when anything was done. */
static bool apply_round(struct nv_image *image, struct nv_changes *changes, int *first, bool *left)
{
    bool progress = false;

    *left = false;
    for (size_t i = 0; i < changes->count; i++) {
        struct nv_change *change = &changes->items[i];
        int status;

        if (change->done)
            continue;
        nv_image_make_room(image);
        status = change->kind == NV_NAME_NEW ? apply_new(image, change) : apply_gone(image, change, changes->settled);
        if (status == DEFERRED) {
            *left = true;
            continue;
        }
        progress = true;
        change->done = true;
        if (status < 0)
            fail(image, change, status, first);
    }
    return progress;
}

/* Names that go round in a circle: two of them are exchanged, or one is moved out of the way. False: nothing helps. */
static bool break_circle(struct nv_image *image, struct nv_changes *changes, int *first)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct nv_change *change = &changes->items[i];
        struct nv_entry *occupant, *stale;
        int status = -EINVAL;

        if (change->done || change->kind != NV_NAME_NEW)
            continue;
        occupant = nv_image_entry(image, change->folder, change->name);
        stale = stale_name(image, change->object);
        if (!occupant)
            continue;
        if (stale)
            status = exchange(image, stale, occupant);
        if (!status) {
            change->done = true;
            return true;
        }
        status = move_aside(image, occupant);
        if (status)
            fail(image, change, status, first);
        return true;
    }
    return false;
}

int nv_names_apply(struct nv_image *image, struct nv_changes *changes)
{
    unsigned aside = image->aside;
    int first = 0, status;
    bool left = true;

    if (changes->count)
        qsort(changes->items, changes->count, sizeof *changes->items, by_sequence);
    while (left)
        if (!apply_round(image, changes, &first, &left) && left && !break_circle(image, changes, &first))
            break;
    for (size_t i = 0; i < changes->count && !first; i++)
        if (!changes->items[i].done && changes->items[i].kind == NV_NAME_NEW)
            fail(image, &changes->items[i], -ENOENT, &first);
    status = aside != image->aside ? remove_aside(image) : 0;
    return first ? first : status;
}
