/* SPDX-License-Identifier: MIT */
/*
 * Below the scratch folder: park and tree, the base's files with and without a name in the state (store.h, tree.h), and
 * space, in which are the state itself and what an overlay needs. All that a recovery can fill up is in space.
 */
#include "explore/folder.h"
#include "explore/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* What plain files cost, measured: above that an overlay is taken, which costs 130 us and has gaps (docs/CRASH.md). */
#define COPY_FILE_NS UINT64_C(15000)
#define COPY_KIB_NS UINT64_C(400)
#define COPY_NS_MAX UINT64_C(500000)

/* Of memory, for what one recovery writes. */
#define SPACE_BYTES_MIN (UINT64_C(256) << 20)
#define SPACE_TIMES 4

struct nv_folder {
    struct nv_folder_options options;
    char *scratch;   /* without symbolic links */
    int root, space; /* descriptors of it, and of space */
    char *path;      /* of the state */
    char **prefixes;
    struct nv_store *store;
    struct nv_tree tree, next;
    uint64_t space_bytes; /* that memory may take; 0: not mounted */
    bool mounted;         /* the overlay */
    bool overlay;         /* the last state was one */
};

const char *nv_folder_path(const struct nv_folder *folder)
{
    return folder->path;
}

const char *nv_folder_scratch(const struct nv_folder *folder)
{
    return folder->scratch;
}

const char *nv_folder_prefix(const struct nv_folder *folder, uint32_t number)
{
    return number < folder->options.folder_count ? folder->prefixes[number] : "";
}

bool nv_folder_is_overlay(const struct nv_folder *folder)
{
    return folder->overlay;
}

/* -- the space for one state -- */

static int make_folders(int space)
{
    static const char *const names[] = {"room", "room/state", "upper", "work"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mkdirat(space, names[i], 0755))
            return -errno;
    return 0;
}

static int open_space(struct nv_folder *folder)
{
    if (folder->space >= 0)
        close(folder->space);
    folder->space = openat(folder->root, "space", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->space < 0 ? -errno : make_folders(folder->space);
}

/* Anew, and larger where there is more to hold: whatever is there goes. */
static int mount_space(struct nv_folder *folder, uint64_t bytes)
{
    char path[PATH_MAX], options[64];
    snprintf(path, sizeof path, "%s/space", folder->scratch);
    snprintf(options, sizeof options, "mode=755,size=%llu", (unsigned long long)bytes);
    if (folder->space_bytes && umount2(path, MNT_DETACH))
        return -errno;
    folder->space_bytes = 0;
    if (mount("nvrtl-state", path, "tmpfs", MS_NODEV, options))
        return -errno;
    folder->space_bytes = bytes;
    return open_space(folder);
}

static int empty_space(struct nv_folder *folder)
{
    int error = nv_tree_empty(folder->space);
    if (error && !folder->options.on_disk)
        return mount_space(folder, folder->space_bytes);
    return error ? error : make_folders(folder->space);
}

/* -- opening -- */

/* Of two folders with one name, the second has its number, too. */
static int make_prefixes(struct nv_folder *folder)
{
    const struct nv_folder_options *options = &folder->options;
    folder->prefixes = calloc(options->folder_count + 1, sizeof *folder->prefixes);
    if (!folder->prefixes)
        return -ENOMEM;
    for (size_t i = 0; i < options->folder_count; i++) {
        const char *slash = strrchr(options->names[i], '/'), *name = slash ? slash + 1 : options->names[i];
        size_t twins = 0;
        for (size_t k = 0; k < i; k++) {
            const char *other = strrchr(options->names[k], '/');
            twins += strcmp(other ? other + 1 : options->names[k], name) == 0;
        }
        int length = options->folder_count == 1 ? asprintf(&folder->prefixes[i], "%s", "")
                     : twins || !*name          ? asprintf(&folder->prefixes[i], "%s.%zu/", name, i + 1)
                                                : asprintf(&folder->prefixes[i], "%s/", name);
        if (length < 0) {
            folder->prefixes[i] = NULL;
            return -ENOMEM;
        }
    }
    return 0;
}

static int prepare(struct nv_folder *folder)
{
    int error = make_prefixes(folder);
    if (error)
        return error;
    folder->scratch = realpath(folder->options.scratch, NULL);
    if (!folder->scratch)
        return -errno;
    if (!folder->options.on_disk && mount("nvrtl-crash", folder->scratch, "tmpfs", MS_NODEV, "mode=755,size=90%"))
        return -errno;
    if (asprintf(&folder->path, "%s/space/room/state", folder->scratch) < 0) {
        folder->path = NULL;
        return -ENOMEM;
    }
    folder->root = open(folder->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->root < 0 || mkdirat(folder->root, "space", 0755) || mkdirat(folder->root, NV_TREE, 0755))
        return -errno;
    error = nv_store_new(folder->root, &folder->store);
    if (error)
        return error;
    return folder->options.on_disk ? open_space(folder) : mount_space(folder, SPACE_BYTES_MIN);
}

int nv_folder_open(const struct nv_folder_options *options, struct nv_folder **folder)
{
    struct nv_folder *made = calloc(1, sizeof *made);
    *folder = NULL;
    if (!made)
        return -ENOMEM;
    made->options = *options;
    made->root = made->space = -1;
    int error = prepare(made);
    if (error)
        nv_folder_close(made);
    else
        *folder = made;
    return error;
}

void nv_folder_close(struct nv_folder *folder)
{
    if (!folder)
        return;
    for (size_t i = 0; folder->prefixes && i < folder->options.folder_count; i++)
        free(folder->prefixes[i]);
    free(folder->prefixes);
    nv_store_free(folder->store);
    nv_tree_free(&folder->tree);
    nv_tree_free(&folder->next);
    if (folder->space >= 0)
        close(folder->space);
    if (folder->root >= 0) {
        (void)nv_tree_empty(folder->root);
        close(folder->root);
    }
    if (folder->scratch && !folder->options.on_disk) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/space", folder->scratch);
        (void)umount2(path, MNT_DETACH);
        (void)umount2(folder->scratch, MNT_DETACH);
    }
    free(folder->scratch);
    free(folder->path);
    free(folder);
}

/* -- states -- */

int nv_folder_base(struct nv_folder *folder, const struct nv_model *model, const struct nv_state *base)
{
    return nv_store_base(folder->store, model, base);
}

/* Their contents; how many bytes and files there are. */
static int apply_files(struct nv_folder *folder, const struct nv_state *state, uint64_t *bytes, uint64_t *files)
{
    for (size_t i = 0; i < state->entry_count; i++) {
        struct nv_stored *stored;
        if (!S_ISREG(state->entries[i].mode))
            continue;
        int error = nv_store_apply(folder->store, &state->entries[i], &stored);
        if (error)
            return error;
        *bytes += stored->size_bytes;
        ++*files;
    }
    return 0;
}

/* A path in the options of a mount: commas and colons mean something there. */
static char *append_path(char *to, const char *scratch, const char *below)
{
    for (; *scratch; scratch++) {
        if (strchr(",:\\", *scratch))
            *to++ = '\\';
        *to++ = *scratch;
    }
    return stpcpy(to, below);
}

/* With the kernel's own attributes, where they may be written; else with a user's, and without renaming of folders. */
static int mount_overlay(struct nv_folder *folder)
{
    static const char *const ways[] = {",redirect_dir=on,index=off,xino=off,volatile",
                                       ",userxattr,index=off,xino=off,volatile", ",userxattr", ""};
    char options[8 * PATH_MAX], *to = options;
    if (strlen(folder->scratch) >= PATH_MAX)
        return -ENAMETOOLONG;
    to = append_path(stpcpy(to, "lowerdir="), folder->scratch, "/" NV_TREE);
    to = append_path(stpcpy(to, ",upperdir="), folder->scratch, "/space/upper");
    to = append_path(stpcpy(to, ",workdir="), folder->scratch, "/space/work");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        strcpy(to, ways[i]);
        if (mount("nvrtl-state", folder->path, "overlay", MS_NODEV, options) == 0) {
            folder->mounted = true;
            return 0;
        }
    }
    return -errno;
}

static int make_overlay(struct nv_folder *folder)
{
    int error = nv_tree_move(&folder->tree, &folder->next, folder->store, folder->root);
    return error ? error : mount_overlay(folder);
}

static int copy_to(struct nv_folder *folder, int target)
{
    int error = target < 0 ? -errno : nv_tree_copy(&folder->next, folder->store, target);
    if (target >= 0)
        close(target);
    return error;
}

static bool copy_is_cheap(const struct nv_folder *folder, uint64_t bytes, uint64_t files)
{
    if (folder->options.way != NV_FOLDER_AUTO)
        return folder->options.way == NV_FOLDER_COPY;
    return files * COPY_FILE_NS + bytes / 1024 * COPY_KIB_NS <= COPY_NS_MAX;
}

int nv_folder_make(struct nv_folder *folder, const struct nv_state *state)
{
    uint64_t bytes = 0, files = 0;
    int error = nv_tree_of(&folder->next, state, folder->prefixes, folder->options.folder_count);
    error = error ? error : apply_files(folder, state, &bytes, &files);
    if (error)
        return error;
    if (folder->space_bytes && folder->space_bytes < bytes * SPACE_TIMES) {
        error = mount_space(folder, bytes * SPACE_TIMES * 2);
        if (error)
            return error;
    }
    folder->overlay = !copy_is_cheap(folder, bytes, files);
    if (folder->overlay)
        return make_overlay(folder);
    return copy_to(folder, openat(folder->space, "room/state", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int nv_folder_clear(struct nv_folder *folder)
{
    /* What a recovery mounted over it, and what is still in use, too. */
    while (folder->mounted && umount2(folder->path, 0) == 0)
        folder->mounted = false;
    while (umount2(folder->path, MNT_DETACH) == 0)
        folder->mounted = false;
    int error = empty_space(folder), failed = nv_store_restore(folder->store);
    return error ? error : failed;
}

int nv_folder_write(struct nv_folder *folder, const struct nv_state *state, int target)
{
    uint64_t bytes = 0, files = 0;
    int error = nv_tree_of(&folder->next, state, folder->prefixes, folder->options.folder_count);
    error = error ? error : apply_files(folder, state, &bytes, &files);
    error = error ? error : nv_tree_copy(&folder->next, folder->store, target);
    int failed = nv_store_restore(folder->store);
    return error ? error : failed;
}
