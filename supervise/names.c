/* SPDX-License-Identifier: MIT */
/*
 * Names: which files have which names in the view, and bringing that to the durable image. The kernel tells which
 * folders changed (inotify); those are listed and compared, and what differs is made durable: first what is new or
 * moved, so that no file loses its last name on the way, then what is gone.
 */
#include "supervise/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define ASIDE_PREFIX ".nvrtl-aside-"

static int list_folder(struct nv_image *image, struct nv_object *folder, int parent, const char *name, bool only,
                       struct nv_changes *changes);

/* ---- which folders changed ---- */

void nv_names_mark(struct nv_image *image, struct nv_object *folder)
{
    (void)image;
    folder->dirty = true;
    while (folder->names) {
        folder = folder->names->parent;
        if (folder->dirty_below)
            return;
        folder->dirty_below = true;
    }
}

void nv_names_mark_all(struct nv_image *image)
{
    for (struct nv_object *object = image->objects; object; object = object->next)
        if (S_ISDIR(object->type) && (object->names || object->folder->root == object))
            nv_names_mark(image, object);
}

/* A folder that cannot be watched is taken for changed at each sync. */
int nv_names_watch(struct nv_image *image, struct nv_object *folder, int view_fd)
{
    char path[64];
    int watch;

    snprintf(path, sizeof path, "/proc/self/fd/%d", view_fd);
    watch = inotify_add_watch(image->notify, path, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
    image->unwatched = image->unwatched || watch < 0;
    if (watch < 0)
        return -errno;
    if ((size_t)watch >= image->watched_count) {
        size_t count = (size_t)watch * 2 + 64;
        struct nv_object **grown = realloc(image->watched, count * sizeof *grown);

        image->unwatched = image->unwatched || !grown;
        if (!grown)
            return -ENOMEM;
        memset(grown + image->watched_count, 0, (count - image->watched_count) * sizeof *grown);
        image->watched = grown;
        image->watched_count = count;
    }
    image->watched[watch] = folder;
    folder->watch = watch;
    return 0;
}

void nv_names_forget_arrivals(struct nv_object *folder)
{
    for (size_t i = 0; i < folder->arrived_count; i++)
        free(folder->arrived[i]);
    free(folder->arrived);
    folder->arrived = NULL;
    folder->arrived_count = 0;
    folder->arrivals_unknown = false;
}

static size_t find_arrival(const struct nv_object *folder, const char *name)
{
    size_t i = 0;

    while (i < folder->arrived_count && strcmp(folder->arrived[i], name))
        i++;
    return i;
}

static void note_arrival(struct nv_object *folder, const char *name)
{
    char **grown, *copy;

    if (find_arrival(folder, name) < folder->arrived_count)
        return;
    copy = strdup(name);
    grown = realloc(folder->arrived, (folder->arrived_count + 1) * sizeof *grown);
    if (grown)
        folder->arrived = grown;
    if (grown && copy)
        folder->arrived[folder->arrived_count++] = copy;
    else {
        free(copy);
        folder->arrivals_unknown = true;
    }
}

/* A name that was made anew, and not by moving a file there: between the old file and the new one there was none. */
static bool made_in_place(const struct nv_object *folder, const char *name)
{
    return !folder->arrivals_unknown && find_arrival(folder, name) == folder->arrived_count;
}

static void note_creation(struct nv_object *folder, const char *name)
{
    size_t at = find_arrival(folder, name);

    if (at == folder->arrived_count)
        return;
    free(folder->arrived[at]);
    folder->arrived[at] = folder->arrived[--folder->arrived_count];
}

static void notice_event(struct nv_image *image, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        nv_names_mark_all(image);
        for (struct nv_object *object = image->objects; object; object = object->next)
            object->arrivals_unknown = true;
        return;
    }
    if (event->wd < 0 || (size_t)event->wd >= image->watched_count || !image->watched[event->wd])
        return;
    if (event->mask & IN_IGNORED)
        image->watched[event->wd] = NULL;
    else
        nv_names_mark(image, image->watched[event->wd]);
    if (event->mask & IN_MOVED_TO)
        note_arrival(image->watched[event->wd], event->name);
    if (event->mask & IN_CREATE)
        note_creation(image->watched[event->wd], event->name);
}

static void mark_unwatched(struct nv_image *image)
{
    for (struct nv_object *object = image->objects; object; object = object->next)
        if (S_ISDIR(object->type) && object->watch < 0 && (object->names || object->folder->root == object))
            nv_names_mark(image, object);
}

int nv_names_notice(struct nv_image *image)
{
    _Alignas(struct inotify_event) char events[16384];

    if (image->unwatched)
        mark_unwatched(image);
    for (;;) {
        ssize_t got = read(image->notify, events, sizeof events);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return got ? -errno : 0;
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);

            notice_event(image, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

/* ---- what differs ---- */

static int add_change(struct nv_changes *changes, enum nv_change_kind kind, struct nv_object *folder, const char *name,
                      struct nv_object *object)
{
    char *copy = strdup(name);

    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity * 2 + 16;
        struct nv_change *grown = realloc(changes->items, capacity * sizeof *grown);

        if (grown) {
            changes->items = grown;
            changes->capacity = capacity;
        }
    }
    if (!copy || changes->count == changes->capacity) {
        free(copy);
        return -ENOMEM;
    }
    changes->items[changes->count++] = (struct nv_change){kind, folder, copy, object};
    return 0;
}

void nv_changes_free(struct nv_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->items[i].name);
    free(changes->items);
    *changes = (struct nv_changes){0};
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
    (*found)->wanted = image->listing;
    if (image->adopt_views && S_ISREG(status.stx_mode) && (*found)->view < 0 &&
        image->descriptors < image->descriptors_max) {
        int own = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

        if (own >= 0)
            nv_object_adopt_view(image, *found, own);
    }
    return add_change(changes, NV_NAME_NEW, folder, name, *found);
}

/* Whether a folder below must be listed: it is new, it changed, or one below it did. */
static bool must_visit(const struct nv_object *folder, bool only)
{
    return folder && S_ISDIR(folder->type) && (folder->watch < 0 || folder->dirty || folder->dirty_below) && !only;
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
    for (struct nv_entry *entry = folder->children; entry && !status; entry = entry->next_sibling)
        if (entry->seen != image->listing)
            status = add_change(changes, NV_NAME_GONE, folder, entry->name, entry->object);
    return status;
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

int nv_names_gather(struct nv_image *image, struct nv_object *only, struct nv_changes *changes)
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

int nv_names_meet(struct nv_image *image, uint64_t device, uint64_t inode, struct nv_object **found)
{
    struct nv_changes changes = {0};
    int status;

    *found = nv_image_find(image, device, inode);
    if (*found && !image->inodes_return)
        return 0;
    status = nv_names_notice(image);
    if (!status)
        status = nv_names_gather(image, NULL, &changes);
    nv_changes_free(&changes);
    *found = nv_image_find(image, device, inode);
    return status;
}

/* ---- making it durable ---- */

/* A name that the listing no longer has, so that its file can be moved from it. */
static struct nv_entry *stale_name(const struct nv_image *image, const struct nv_object *object)
{
    for (struct nv_entry *entry = object->names; entry; entry = entry->next_name)
        if (entry->parent->listed == image->listing && entry->seen != image->listing)
            return entry;
    return NULL;
}

/*
 * In the posix model a file may lose its last name, and get another when that folder is synced: its bytes are kept open.
 * Called before the name goes; take_name after.
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

static int move(struct nv_image *image, struct nv_entry *entry, struct nv_object *folder, const char *name)
{
    struct nv_object *object = entry->object;
    int from = nv_object_durable(image, entry->parent), to = nv_object_durable(image, folder);
    struct nv_entry *occupant;

    if (from < 0 || to < 0)
        return from < 0 ? from : to;
    occupant = nv_image_entry(image, folder, name);
    if (occupant)
        keep_bytes(image, occupant->object);
    if (renameat(from, entry->name, to, name))
        return -errno;
    if (occupant)
        take_name(image, occupant);
    nv_image_unlink(image, entry);
    object->written = true;
    return nv_image_link(image, folder, name, object);
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

/* A folder cannot be replaced, nor a file that still needs its only name. */
static bool must_step_aside(const struct nv_image *image, const struct nv_entry *occupant)
{
    const struct nv_object *object = occupant->object;

    return S_ISDIR(object->type) || (object->wanted == image->listing && !object->names->next_name);
}

static int create_node(struct nv_object *object, int to, const char *name, int view, const char *view_name)
{
    char target[PATH_MAX];
    struct stat status;
    ssize_t length;

    if (fstatat(view, view_name, &status, AT_SYMLINK_NOFOLLOW))
        return -errno;
    if (S_ISDIR(object->type))
        return mkdirat(to, name, 0700) || fchmodat(to, name, status.st_mode & 07777, 0) ? -errno : 0;
    if (S_ISLNK(object->type)) {
        length = readlinkat(view, view_name, target, sizeof target - 1);
        if (length < 0)
            return -errno;
        target[length] = 0;
        return symlinkat(target, to, name) ? -errno : 0;
    }
    if (!S_ISREG(object->type))
        return mknodat(to, name, status.st_mode, status.st_rdev) ? -errno : 0;
    object->durable = openat(to, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (object->durable < 0)
        return -errno;
    return fchmod(object->durable, status.st_mode & 07777) ? -errno : 0;
}

/* Owner as in the view; an ordinary user's files are its own anyway. */
static int create(struct nv_image *image, struct nv_change *change, int to, const char *name)
{
    int status, view = open_view(change->folder);
    struct stat owner;

    if (view < 0)
        return view;
    status = create_node(change->object, to, name, view, change->name);
    if (change->object->durable >= 0)
        image->descriptors++;
    if (!status && !geteuid() && !fstatat(view, change->name, &owner, AT_SYMLINK_NOFOLLOW) &&
        fchownat(to, name, owner.st_uid, owner.st_gid, AT_SYMLINK_NOFOLLOW))
        status = -errno;
    close(view);
    change->object->written = true;
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

/* A new name, under a temporary one first when it takes another's place: no moment shows neither. */
static int add_name(struct nv_image *image, struct nv_change *change, bool occupied)
{
    char aside[64];
    struct nv_object *object = change->object;
    const char *name = change->name;
    int status, to = nv_object_durable(image, change->folder);

    if (to < 0)
        return to;
    if (occupied) {
        snprintf(aside, sizeof aside, ASIDE_PREFIX "%d-%u", (int)getpid(), image->aside++);
        name = aside;
    }
    if (object->names)
        status = link_again(image, object, to, name);
    else if (object->nameless)
        status = name_nameless(object, to, name);
    else
        status = create(image, change, to, name);
    if (!status && occupied && renameat(to, aside, to, change->name))
        status = -errno;
    return status;
}

/* A name that has gone again, or stands for something else by now, is the next listing's. */
static bool still_there(const struct nv_change *change)
{
    struct stat status;
    int view = open_view(change->folder);
    bool there = view >= 0 && !fstatat(view, change->name, &status, AT_SYMLINK_NOFOLLOW) &&
                 status.st_ino == change->object->inode;

    if (view >= 0)
        close(view);
    return there;
}

/* The file that had the name is gone from the view, and nothing else holds on to its durable one. */
static bool can_take_over(const struct nv_image *image, const struct nv_change *change, const struct nv_entry *occupant)
{
    const struct nv_object *old = occupant->object, *new = change->object;

    return image->model == NV_FS_JOURNALED && S_ISREG(old->type) && S_ISREG(new->type) && !new->names &&
           !new->nameless &&new->durable < 0 && old->durable >= 0 && !old->names->next_name && !old->verifier_file &&
           !old->excluded && old->wanted != image->listing &&made_in_place(change->folder, change->name);
}

/*
 * The new file takes over the old one's durable file, emptied: what a removal and a creation leave. It is many times
 * faster than creating a file and renaming it, which makes the file system write.
 */
static int take_over(struct nv_image *image, struct nv_change *change, struct nv_entry *occupant)
{
    struct nv_object *old = occupant->object, *new = change->object;

    if (ftruncate(old->durable, 0))
        return -errno;
    new->durable = old->durable;
    new->written = true;
    old->durable = -1;
    nv_object_forget_descriptors(image, old);
    nv_image_unlink(image, occupant);
    return nv_image_link(image, change->folder, change->name, new);
}

static int apply_new(struct nv_image *image, struct nv_change *change)
{
    struct nv_entry *occupant = nv_image_entry(image, change->folder, change->name);
    struct nv_entry *stale;
    int status = 0;

    if (!change->object->names && !still_there(change))
        return 0;
    if (occupant && can_take_over(image, change, occupant)) {
        status = take_over(image, change, occupant);
        if (!status)
            status = nv_content_attributes(image, change->object, false);
        if (!status)
            nv_image_entry(image, change->folder, change->name)->seen = image->listing;
        return status;
    }
    if (occupant && (must_step_aside(image, occupant) || S_ISDIR(change->object->type))) {
        status = move_aside(image, occupant);
        occupant = NULL;
    }
    stale = status ? NULL : stale_name(image, change->object);
    if (!status && !stale && S_ISDIR(change->object->type))
        stale = change->object->names; /* a folder has one name: it was moved */
    if (stale)
        status = move(image, stale, change->folder, change->name);
    else if (!status) {
        if (occupant)
            keep_bytes(image, occupant->object);
        status = add_name(image, change, occupant != NULL);
        if (!status && occupant)
            take_name(image, occupant);
        if (!status)
            status = nv_image_link(image, change->folder, change->name, change->object);
    }
    if (!status)
        nv_image_entry(image, change->folder, change->name)->seen = image->listing;
    if (!status && S_ISDIR(change->object->type) && change->object->watch < 0)
        nv_names_mark(image, change->object); /* named by the sync of its parent alone: nobody has listed it yet */
    return status;
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
    keep_bytes(image, object);
    if (unlinkat(parent, entry->name, folder ? AT_REMOVEDIR : 0) && errno != ENOENT)
        return -errno;
    take_name(image, entry);
    return 0;
}

/* What was moved aside and found no place. */
static int remove_aside(struct nv_image *image)
{
    int status = 0;

    for (size_t i = 0; i < image->folder_count; i++)
        for (struct nv_entry *entry = image->folders[i].root->children, *next; entry && !status; entry = next) {
            next = entry->next_sibling;
            if (!strncmp(entry->name, ASIDE_PREFIX, sizeof ASIDE_PREFIX - 1) && entry->seen != image->listing)
                status = remove_entry(image, entry);
        }
    return status;
}

static void clear_marks(struct nv_object *folder)
{
    nv_names_forget_arrivals(folder);
    folder->dirty = folder->dirty_below = false;
}

int nv_names_apply(struct nv_image *image, struct nv_changes *changes)
{
    unsigned aside = image->aside;
    int status = 0;

    for (size_t i = 0; i < changes->count && !status; i++)
        if (changes->items[i].kind == NV_NAME_NEW)
            status = apply_new(image, &changes->items[i]);
    for (size_t i = 0; i < changes->count && !status; i++) {
        struct nv_change *change = &changes->items[i];
        struct nv_entry *entry =
            change->kind == NV_NAME_GONE ? nv_image_entry(image, change->folder, change->name) : NULL;

        if (entry && entry->object == change->object && entry->seen != image->listing)
            status = remove_entry(image, entry);
    }
    if (!status && aside != image->aside)
        status = remove_aside(image);
    return status;
}

/* Marks are taken off what has been listed and applied; a folder that cannot be watched has none to take off. */
void nv_names_settle(struct nv_image *image, struct nv_object *only)
{
    if (only) {
        only->dirty = false;
        nv_names_forget_arrivals(only);
        return;
    }
    for (struct nv_object *object = image->objects; object; object = object->next)
        if (object->dirty || object->dirty_below)
            clear_marks(object);
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
    if (!status)
        nv_names_settle(image, only);
    if (!status && only)
        status = sync_named(image, &changes);
    nv_changes_free(&changes);
    return status;
}
