/* SPDX-License-Identifier: MIT */
/*
 * Owns the search of an overlay's upper layer for a file. Kernels before 6.7 tell of a mapping in an overlay by the
 * file below the mapping, which is there; names.c asks which file of the view that is.
 */
#include "supervise/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct search {
    uint64_t inode;
    char path[PATH_MAX]; /* of what is being looked at, relative to the layer */
};

static int search_folder(struct search *search, int parent, const char *name, size_t length);

/* 1: it is this one, or below it, and search->path leads to it. */
static int look_at(struct search *search, int folder, const struct dirent *item, size_t length)
{
    struct stat status;
    int added = snprintf(search->path + length, sizeof search->path - length, "%s%s", length ? "/" : "", item->d_name);

    if (added < 0 || (size_t)added >= sizeof search->path - length)
        return -ENAMETOOLONG;
    if (item->d_type == DT_DIR)
        return search_folder(search, folder, item->d_name, length + (size_t)added);
    if (item->d_type != DT_REG || fstatat(folder, item->d_name, &status, AT_SYMLINK_NOFOLLOW))
        return 0;
    return status.st_ino == search->inode;
}

static int search_folder(struct search *search, int parent, const char *name, size_t length)
{
    int found = 0, folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = folder < 0 ? NULL : fdopendir(folder);
    struct dirent *item;

    if (!stream) {
        found = folder < 0 && errno == ENOENT ? 0 : -errno;
        if (folder >= 0)
            close(folder);
        return found;
    }
    while (!found && (item = readdir(stream)))
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            found = look_at(search, folder, item, length);
    closedir(stream);
    return found;
}

int nv_upper_translate(const struct nv_image *image, uint64_t *device, uint64_t *inode)
{
    for (size_t i = 0; i < image->folder_count; i++) {
        const struct nv_folder *folder = &image->folders[i];
        struct search search = {.inode = *inode};
        struct statx view;
        struct stat upper;
        int found;

        if (folder->upper < 0 || fstat(folder->upper, &upper) || upper.st_dev != *device)
            continue;
        found = search_folder(&search, folder->upper, ".", 0);
        if (found < 0)
            return found;
        if (!found || statx(folder->view, search.path, AT_SYMLINK_NOFOLLOW, NV_STATX_MASK, &view))
            continue;
        *device = nv_statx_device(&view);
        *inode = view.stx_ino;
        return 0;
    }
    return 0;
}
