/* SPDX-License-Identifier: MIT */
/* Where a path of the program leads. */
#ifndef NV_PLACE_H
#define NV_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A name in a folder, that may not exist yet; or, with an empty name, the file or folder itself. */
struct nv_place {
    int fd; /* of ours, with O_PATH */
    char name[NAME_MAX + 1];
};

/*
 * Resolve the path as the thread would: from its root and working folder, by its /proc/self. `resolve` as for openat2;
 * without `follow`, a symbolic link at the end is an error. 0, or NV_HIDDEN (target.h), or a negative errno
 * when the kernel is to judge the path.
 */
int nv_place_find(struct nv_place *place, pid_t thread, int folder, const char *path, uint64_t resolve, bool follow);
/* A descriptor of what is there (O_PATH); -ENOENT when nothing is. */
int nv_place_look(const struct nv_place *place);
/* Open it, or make it. */
int nv_place_open(const struct nv_place *place, int flags, mode_t mode);
/*
 * Whether the path is an absolute one that surely leads to none of these devices: it says so without walking, for most
 * of what programs open.
 */
bool nv_place_is_elsewhere(pid_t thread, const char *path, const uint64_t *devices, size_t count);
void nv_place_free(struct nv_place *place);

#endif
