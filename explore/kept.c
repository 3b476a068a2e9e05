/* SPDX-License-Identifier: MIT */
/* Made under another name and moved, so that two processes that keep the same state do not meet. */
#include "explore/kept.h"
#include "explore/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_folder(int above, const char *path)
{
    int folder = openat(above, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -errno : folder;
}

int nv_kept_begin(struct nv_kept *kept, const char *folder, const char *id)
{
    *kept = (struct nv_kept){.files = -1};
    if (mkdir(folder, 0777) && errno != EEXIST)
        return -errno;
    if (asprintf(&kept->path, "%s/%s", folder, id) < 0) {
        kept->path = NULL;
        return -ENOMEM;
    }
    for (char *at = kept->path + strlen(folder) + 1; *at; at++)
        if (*at == '/')
            *at = '_';
    if (asprintf(&kept->temporary, "%s/.nvrtl-XXXXXX", folder) < 0) {
        kept->temporary = NULL;
        return -ENOMEM;
    }
    if (!mkdtemp(kept->temporary))
        return -errno;
    int above = open_folder(AT_FDCWD, kept->temporary), error = above < 0 ? above : 0;
    if (!error && (fchmod(above, 0755) || mkdirat(above, "files", 0755)))
        error = -errno;
    if (!error)
        kept->files = open_folder(above, "files");
    if (above >= 0)
        close(above);
    return error ? error : kept->files < 0 ? kept->files : 0;
}

static int write_text(const struct nv_kept *kept, const char *name, const char *text, size_t length)
{
    int file = openat(kept->files, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), error = 0;
    if (file < 0)
        return -errno;
    while (!error && length) {
        ssize_t done = write(file, text, length);
        if (done < 0) {
            error = errno == EINTR ? 0 : -errno;
            continue;
        }
        text += done;
        length -= (size_t)done;
    }
    return close(file) && !error ? -errno : error;
}

static void remove_folder(const char *path)
{
    int folder = open_folder(AT_FDCWD, path);
    if (folder < 0)
        return;
    (void)nv_tree_empty(folder);
    close(folder);
    (void)rmdir(path);
}

int nv_kept_finish(struct nv_kept *kept, const char *promises, size_t promises_bytes, const char *output)
{
    int error = write_text(kept, "../promises", promises, promises_bytes);
    error = error || !output ? error : write_text(kept, "../output", output, strlen(output));
    if (!error && rename(kept->temporary, kept->path) &&
        renameat2(AT_FDCWD, kept->temporary, AT_FDCWD, kept->path, RENAME_EXCHANGE))
        error = -errno;
    return error;
}

void nv_kept_drop(struct nv_kept *kept)
{
    if (kept->files >= 0)
        close(kept->files);
    if (kept->temporary)
        remove_folder(kept->temporary);
    free(kept->temporary);
    kept->temporary = NULL;
    kept->files = -1;
}
