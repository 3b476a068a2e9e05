/* SPDX-License-Identifier: MIT */
/* Both ways go through names in order, so that a folder is there before what is in it, and goes after that. */
#include "explore/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

/* -- lists of names -- */

static void clear(struct nv_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->names[i].path);
        free(tree->names[i].target);
    }
    tree->count = 0;
}

void nv_tree_free(struct nv_tree *tree)
{
    clear(tree);
    free(tree->names);
    *tree = (struct nv_tree){0};
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const struct nv_name *)left)->path, ((const struct nv_name *)right)->path);
}

static int add_name(struct nv_tree *tree, const char *prefix, const char *path, const struct nv_state_entry *entry)
{
    if (tree->count == tree->room) {
        size_t room = tree->room ? tree->room * 2 : 32;
        struct nv_name *grown = reallocarray(tree->names, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        tree->names = grown;
        tree->room = room;
    }
    struct nv_name *name = &tree->names[tree->count];
    *name = (struct nv_name){.entry = entry, .mode = entry ? entry->mode : S_IFDIR | 0755};
    name->object = entry ? entry->object : 0;
    if (asprintf(&name->path, "%s%s", prefix, path) < 0)
        return -ENOMEM;
    name->target = entry && entry->target ? strdup(entry->target) : NULL;
    tree->count++;
    return entry && entry->target && !name->target ? -ENOMEM : 0;
}

int nv_tree_of(struct nv_tree *tree, const struct nv_state *state, char *const *prefixes, size_t prefix_count)
{
    int error = 0;
    clear(tree);
    for (size_t i = 0; !error && i < prefix_count; i++) {
        size_t length = strlen(prefixes[i]);
        error = length ? add_name(tree, prefixes[i], "", NULL) : 0;
        if (length && !error)
            tree->names[tree->count - 1].path[length - 1] = '\0';
    }
    for (size_t i = 0; !error && i < state->entry_count; i++) {
        const struct nv_state_entry *entry = &state->entries[i];
        if (*entry->path && entry->folder < prefix_count)
            error = add_name(tree, prefixes[entry->folder], entry->path, entry);
    }
    for (size_t i = 1; !error && i < tree->count; i++)
        if (compare_names(&tree->names[i - 1], &tree->names[i]) > 0) {
            qsort(tree->names, tree->count, sizeof *tree->names, compare_names);
            break;
        }
    return error;
}

/* -- what is no regular file -- */

/* The mode is what it says, whatever the umask. */
static int make_special(int folder, const char *path, const struct nv_name *name)
{
    mode_t bits = name->mode & 07777;
    int failed;
    switch (name->mode & S_IFMT) {
    case S_IFDIR:
        failed = mkdirat(folder, path, 0700);
        break;
    case S_IFLNK:
        return symlinkat(name->target ? name->target : "", folder, path) ? -errno : 0;
    case S_IFIFO:
    case S_IFSOCK:
        failed = mknodat(folder, path, (name->mode & S_IFMT) | 0600, 0);
        break;
    default: /* a device: nothing that recovery could have lost */
        return 0;
    }
    return failed || (bits != 0700 && fchmodat(folder, path, bits, 0)) ? -errno : 0;
}

/* -- copies -- */

static int copy_bytes(int from, int to, uint64_t size_bytes)
{
    off_t at = 0;
    while ((uint64_t)at < size_bytes) {
        ssize_t done = sendfile(to, from, &at, (size_t)(size_bytes - (uint64_t)at));
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done ? -errno : -EIO;
    }
    return 0;
}

static int copy_file(const struct nv_tree *tree, size_t number, struct nv_store *store, int target)
{
    const struct nv_name *name = &tree->names[number];
    struct nv_stored *stored = nv_store_find(store, name->object);
    if (stored->copies) { /* under another name, already */
        for (size_t i = 0; i < number; i++)
            if (tree->names[i].object == name->object && S_ISREG(tree->names[i].mode))
                return linkat(target, tree->names[i].path, target, name->path, 0) ? -errno : 0;
    }
    int to = openat(target, name->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    int from = nv_store_open(store, stored);
    int error = from < 0 ? from : copy_bytes(from, to, stored->size_bytes);
    if (from >= 0)
        nv_store_close(stored, from);
    if (!error && (name->mode & 07777) != 0600 && fchmod(to, name->mode & 07777))
        error = -errno;
    close(to);
    stored->copies++;
    return error;
}

int nv_tree_copy(const struct nv_tree *tree, struct nv_store *store, int target)
{
    int error = 0;
    for (size_t i = 0; i < tree->count; i++)
        if (S_ISREG(tree->names[i].mode))
            nv_store_find(store, tree->names[i].object)->copies = 0;
    for (size_t i = 0; !error && i < tree->count; i++) {
        const struct nv_name *name = &tree->names[i];
        error = S_ISREG(name->mode) ? copy_file(tree, i, store, target) : make_special(target, name->path, name);
    }
    return error;
}

/* -- moves -- */

static int set_path(struct nv_stored *stored, const char *before, const char *path)
{
    char *made;
    if (asprintf(&made, "%s%s", before, path) < 0)
        return -ENOMEM;
    free(stored->path);
    stored->path = made;
    return 0;
}

/* The last name of a file goes back to the store; so does the first of several, until it is known whether one stays. */
static int take_away(const struct nv_name *name, struct nv_store *store, int folder)
{
    char path[PATH_MAX], parked[32];
    snprintf(path, sizeof path, NV_TREE "/%s", name->path);
    if (!S_ISREG(name->mode))
        return unlinkat(folder, path, S_ISDIR(name->mode) ? AT_REMOVEDIR : 0) && errno != ENOENT ? -errno : 0;
    struct nv_stored *stored = nv_store_find(store, name->object);
    stored->links--;
    if (stored->parked)
        return unlinkat(folder, path, 0) ? -errno : 0;
    snprintf(parked, sizeof parked, NV_STORE_PARK "/%" PRIu32, stored->object);
    if (renameat(folder, path, folder, parked))
        return -errno;
    stored->parked = true;
    return set_path(stored, parked, "");
}

static int put_file(const struct nv_name *name, const char *path, struct nv_store *store, int folder)
{
    struct nv_stored *stored = nv_store_find(store, name->object);
    int failed =
        stored->parked ? renameat(folder, stored->path, folder, path) : linkat(folder, stored->path, folder, path, 0);
    if (failed)
        return -errno;
    stored->parked = false;
    stored->links++;
    return set_path(stored, path, "");
}

static int put(const struct nv_name *name, struct nv_store *store, int folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, NV_TREE "/%s", name->path);
    return S_ISREG(name->mode) ? put_file(name, path, store, folder) : make_special(folder, path, name);
}

/* Whether what is there may stay; its mode can be changed. */
static bool same(const struct nv_name *a, const struct nv_name *b)
{
    if ((a->mode & S_IFMT) != (b->mode & S_IFMT))
        return false;
    if (S_ISLNK(a->mode))
        return strcmp(a->target ? a->target : "", b->target ? b->target : "") == 0;
    return !S_ISREG(a->mode) || a->object == b->object;
}

/* The one in the other list with this path; *at moves along, as both are in order. NULL: none. */
static const struct nv_name *beside(const struct nv_tree *tree, size_t *at, const char *path)
{
    while (*at < tree->count && strcmp(tree->names[*at].path, path) < 0)
        ++*at;
    return *at < tree->count && strcmp(tree->names[*at].path, path) == 0 ? &tree->names[*at] : NULL;
}

static int remove_old(const struct nv_tree *now, const struct nv_tree *next, struct nv_store *store, int folder)
{
    bool *stays = calloc(now->count + 1, sizeof *stays);
    int error = stays ? 0 : -ENOMEM;
    size_t at = 0;
    for (size_t i = 0; !error && i < now->count; i++) {
        const struct nv_name *other = beside(next, &at, now->names[i].path);
        stays[i] = other && same(&now->names[i], other);
    }
    for (size_t i = now->count; !error && i-- > 0;)
        error = stays[i] ? 0 : take_away(&now->names[i], store, folder);
    free(stays);
    return error;
}

/* A file that has a name and is parked, too: its former name is gone, another stayed. */
static int unpark(const struct nv_name *name, struct nv_stored *stored, int folder)
{
    if (unlinkat(folder, stored->path, 0))
        return -errno;
    stored->parked = false;
    return set_path(stored, NV_TREE "/", name->path);
}

static int set_mode(const struct nv_name *name, const struct nv_name *old, struct nv_stored *stored, int folder)
{
    char path[PATH_MAX];
    if (stored ? stored->mode == name->mode : !old || old->mode == name->mode)
        return 0;
    snprintf(path, sizeof path, NV_TREE "/%s", name->path);
    if (fchmodat(folder, path, name->mode & 07777, 0))
        return -errno;
    if (stored)
        stored->mode = name->mode;
    return 0;
}

static int add_new(const struct nv_tree *now, const struct nv_tree *next, struct nv_store *store, int folder)
{
    int error = 0;
    size_t at = 0;
    for (size_t i = 0; !error && i < next->count; i++) {
        const struct nv_name *name = &next->names[i], *old = beside(now, &at, name->path);
        if (!old || !same(old, name))
            error = put(name, store, folder);
    }
    at = 0;
    for (size_t i = 0; !error && i < next->count; i++) {
        const struct nv_name *name = &next->names[i], *old = beside(now, &at, name->path);
        struct nv_stored *stored = S_ISREG(name->mode) ? nv_store_find(store, name->object) : NULL;
        if (stored && stored->parked)
            error = unpark(name, stored, folder);
        if (!error && !S_ISLNK(name->mode))
            error = set_mode(name, old && same(old, name) ? old : NULL, stored, folder);
    }
    return error;
}

int nv_tree_move(struct nv_tree *now, struct nv_tree *next, struct nv_store *store, int folder)
{
    int error = remove_old(now, next, store, folder);
    error = error ? error : add_new(now, next, store, folder);
    struct nv_tree old = *now;
    *now = *next;
    *next = old;
    return error;
}

/* -- removal -- */

static bool is_dot(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int remove_entry(int folder, const char *name)
{
    if (unlinkat(folder, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    if (unlinkat(folder, name, AT_REMOVEDIR) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    (void)fchmodat(folder, name, 0700, 0);
    int inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (inner < 0)
        return -errno;
    int error = nv_tree_empty(inner);
    close(inner);
    return error ? error : unlinkat(folder, name, AT_REMOVEDIR) ? -errno : 0;
}

int nv_tree_empty(int folder)
{
    int error = 0, duplicate = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = duplicate < 0 ? NULL : fdopendir(duplicate);
    if (!stream) {
        error = -errno;
        if (duplicate >= 0)
            close(duplicate);
        return error;
    }
    for (struct dirent *entry; (entry = readdir(stream));) {
        int failed = is_dot(entry->d_name) ? 0 : remove_entry(folder, entry->d_name);
        error = error ? error : failed;
    }
    closedir(stream);
    return error;
}
