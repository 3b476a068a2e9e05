/* SPDX-License-Identifier: MIT */
/*
 * Which calls of the traced program make and remove names of files that findings tell of. tracer_calls.c asks where a
 * call begins, and notes where it ends.
 */
#include "supervise/target.h"
#include "supervise/tracer_parts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HERE = -1, NO_FLAGS = -1, HOW = 16 };

/*
 * Where a call has a path, and the folder that it begins in (HERE: the current one); and flags, without which it makes
 * no name (behind a pointer, with HOW).
 */
static const struct naming {
    int number, folder, path, flags;
} namings[] = {
    {SYS_open, HERE, 0, 1},          {SYS_openat, 0, 1, 2},           {SYS_openat2, 0, 1, HOW + 2},
    {SYS_creat, HERE, 0, NO_FLAGS},  {SYS_mkdir, HERE, 0, NO_FLAGS},  {SYS_mkdirat, 0, 1, NO_FLAGS},
    {SYS_mknod, HERE, 0, NO_FLAGS},  {SYS_mknodat, 0, 1, NO_FLAGS},   {SYS_symlink, HERE, 1, NO_FLAGS},
    {SYS_symlinkat, 1, 2, NO_FLAGS}, {SYS_link, HERE, 1, NO_FLAGS},   {SYS_linkat, 2, 3, NO_FLAGS},
    {SYS_rename, HERE, 0, NO_FLAGS}, {SYS_rename, HERE, 1, NO_FLAGS}, {SYS_renameat, 0, 1, NO_FLAGS},
    {SYS_renameat, 2, 3, NO_FLAGS},  {SYS_renameat2, 0, 1, NO_FLAGS}, {SYS_renameat2, 2, 3, NO_FLAGS},
    {SYS_unlink, HERE, 0, NO_FLAGS}, {SYS_unlinkat, 0, 1, NO_FLAGS},  {SYS_rmdir, HERE, 0, NO_FLAGS},
};

/* The folder that a relative path begins in. False: it cannot be told. */
static bool find_folder(pid_t thread, const struct naming *of, const uint64_t *arguments, char *path)
{
    int fd = of->folder == HERE ? AT_FDCWD : (int)arguments[of->folder];
    char link[64];
    ssize_t length;

    if (fd != AT_FDCWD)
        return !nv_target_fd_path(thread, fd, path, PATH_MAX);
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)thread);
    length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* The name as the book has it: its folder without symbolic links. */
static bool find_path(pid_t thread, const struct naming *of, const uint64_t *arguments, char *whole)
{
    char given[PATH_MAX], path[2 * PATH_MAX + 2], folder[PATH_MAX], *name;

    if (nv_target_string(thread, arguments[of->path], given, sizeof given) || !*given)
        return false;
    if (*given == '/')
        snprintf(path, sizeof path, "%s", given);
    else if (find_folder(thread, of, arguments, folder))
        snprintf(path, sizeof path, "%s/%s", folder, given);
    else
        return false;
    while ((name = strrchr(path, '/')) != path && !name[1]) /* a folder's, with a '/' at its end */
        *name = 0;
    *name = 0;
    if (!realpath(*path ? path : "/", folder))
        return false;
    return snprintf(whole, PATH_MAX, "%s/%s", strcmp(folder, "/") != 0 ? folder : "", name + 1) < PATH_MAX;
}

/* Opening what is there already makes no name. */
static bool makes_none(pid_t thread, const struct naming *of, const uint64_t *arguments, const char *path)
{
    struct open_how how = {0};
    struct stat status;

    if (of->flags == NO_FLAGS && of->number != SYS_creat)
        return false;
    if (of->flags >= HOW)
        (void)nv_target_read(thread, arguments[of->flags - HOW], &how, sizeof how);
    else if (of->flags != NO_FLAGS)
        how.flags = arguments[of->flags];
    return (of->flags != NO_FLAGS && !(how.flags & O_CREAT)) || !lstat(path, &status);
}

/* At most two names. */
void nv_call_names_begin(struct nv_tracer *tracer, struct nv_tracee *tracee)
{
    struct nv_call *call = &tracee->call;

    if (!nv_watch_has_names(tracer->watch))
        return;
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++) {
        const struct naming *of = &namings[i];
        char path[PATH_MAX];
        uint32_t file;

        if (of->number != call->number || call->name_count == 2 ||
            (of->flags >= 0 && of->flags < HOW && !(call->arguments[of->flags] & O_CREAT)) ||
            !find_path(tracee->thread, of, call->arguments, path))
            continue;
        file = nv_watch_name(tracer->watch, path);
        if (file && !makes_none(tracee->thread, of, call->arguments, path))
            call->names[call->name_count++] = file;
    }
}

void nv_call_names_end(struct nv_tracer *tracer, struct nv_tracee *tracee, struct nv_store *store)
{
    for (size_t i = 0; i < tracee->call.name_count; i++)
        nv_watch_named(tracer->watch, tracee->call.names[i], store);
}
