/* SPDX-License-Identifier: MIT */
/* NT names of files, and the Linux paths that they stand for. */
#ifndef NV_IO_PATH_H
#define NV_IO_PATH_H

#include <nvrtl/file.h>
#include <stdbool.h>

struct nv_file;

#define NV_PATH_BYTES ((size_t)4096) /* of the longest path that Linux takes, with its terminator */

struct nv_path {
    struct nv_file *root;     /* where a relative path begins, referenced; NULL: the path is absolute */
    bool is_volume;           /* \??\Z: without anything behind it */
    bool ends_in_separator;   /* so it can only be a folder's */
    char text[NV_PATH_BYTES]; /* without a separator at its end; "." for the root itself */
};

/*
 * The path of the object that the attributes name. The attributes themselves are the callee's to read; what they point
 * to is probed, unless the caller is trusted. After success, nv_path_end is due.
 */
NTSTATUS nv_path_parse(const OBJECT_ATTRIBUTES *attributes, bool is_trusted, struct nv_path *path);

/* Likewise from a counted name that may be read, and the handle of the folder that it is relative to, or NULL. */
NTSTATUS nv_path_of_name(const WCHAR *name, size_t size_bytes, HANDLE root, struct nv_path *path);

/* Likewise from a name alone, without a folder. */
NTSTATUS nv_path_of_leaf(const WCHAR *name, size_t size_bytes, struct nv_path *path);

void nv_path_end(struct nv_path *path);

/* The descriptor to give to the calls that take one with a path. */
int nv_path_root(const struct nv_path *path);

/* The path of the folder that the last part of the path is in; and that last part. */
void nv_path_parent(const struct nv_path *path, char parent[NV_PATH_BYTES]);
const char *nv_path_leaf(const struct nv_path *path);

/*
 * The text of a path as the name of a FILE_OBJECT, behind that of the root, if there is one. `*buffer` is to be freed;
 * the name is empty where there is no memory, or too much to be said.
 */
UNICODE_STRING nv_path_name(const struct nv_file *root, const char *text, WCHAR **buffer);

#endif
