/* SPDX-License-Identifier: MIT */
/*
 * The system calls that change files: which they are, what of their arguments says where, and what is told when they
 * have returned. The tracer calls it, and has no two such calls under way at once.
 */
#include "supervise/observer.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef RWF_APPEND
#define RWF_APPEND 0x10
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

enum { NUMBERS = 1024, NONE = -1 };

/* Where the bytes of a write call went: at the file's position, or where an argument (or a pointer to it) says. */
enum where { AT_POSITION, AT_ARGUMENT, AT_POINTER };

struct nv_observed_kind {
    const char *name;
    bool (*begin)(struct nv_observer *observer, struct nv_observed_call *call);
    void (*end)(struct nv_observer *observer, struct nv_observed_call *call);
    int first;   /* the argument with the descriptor, or the folder of the (first) path; NONE: the current folder */
    int second;  /* likewise of the second path */
    int path[2]; /* the arguments with paths */
    enum where where;
    int offset; /* the argument with it; of an open: with the flags */
};

static int descriptor(const struct nv_observed_call *call, int argument)
{
    return argument == NONE ? AT_FDCWD : (int)call->arguments[argument];
}

/* ---- names ---- */

static void free_names(struct nv_observed_call *call)
{
    for (int i = 0; i < 2; i++) {
        if (call->names[i].folder >= 0)
            close(call->names[i].folder);
        call->names[i].folder = -1;
    }
}

/* The last name of a path is not followed: it is taken off, and the rest leads to its folder. */
static bool split_path(char *path, char *name, size_t name_bytes)
{
    size_t length = strlen(path);
    char *slash;

    while (length > 1 && path[length - 1] == '/')
        path[--length] = 0;
    slash = strrchr(path, '/');
    if (strlen(slash ? slash + 1 : path) >= name_bytes)
        return false;
    strcpy(name, slash ? slash + 1 : path);
    if (!slash)
        strcpy(path, ".");
    else
        slash[slash == path] = 0;
    return *name && strcmp(name, ".") && strcmp(name, "..");
}

/* A descriptor of ours (O_PATH) for what the path leads to; or negative. */
static int find_path(const struct nv_observed_call *call, int folder, const char *path)
{
    struct nv_place place;
    int found, status = nv_place_find(&place, call->thread, folder, path, 0, true);

    if (status)
        return status;
    found = nv_place_look(&place);
    nv_place_free(&place);
    return found;
}

static bool find_name_at(struct nv_observed_call *call, int index, int folder, char *path)
{
    if (!split_path(path, call->names[index].name, sizeof call->names[index].name))
        return false;
    call->names[index].folder = find_path(call, folder, path);
    return call->names[index].folder >= 0;
}

static bool find_name(struct nv_observed_call *call, int index, int folder, int argument)
{
    char path[PATH_MAX];

    return !nv_target_string(call->thread, call->arguments[argument], path, sizeof path) &&
           find_name_at(call, index, folder, path);
}

/* The call would fail, or leads elsewhere, where a folder cannot be found. */
static bool begin_name(struct nv_observer *observer, struct nv_observed_call *call)
{
    const struct nv_observed_kind *kind = call->kind;
    bool found = find_name(call, 0, descriptor(call, kind->first), kind->path[0]);

    (void)observer;
    if (found && kind->path[1])
        found = find_name(call, 1, descriptor(call, kind->second), kind->path[1]);
    return found;
}

/* A socket may have a name among files. */
static bool begin_bind(struct nv_observer *observer, struct nv_observed_call *call)
{
    struct sockaddr_un address = {0};
    uint64_t length = call->arguments[2];

    (void)observer;
    if (length > sizeof address || length <= offsetof(struct sockaddr_un, sun_path) ||
        nv_target_read(call->thread, call->arguments[1], &address, length) || address.sun_family != AF_UNIX ||
        !address.sun_path[0])
        return false;

    char path[sizeof address.sun_path + 1];

    snprintf(path, sizeof path, "%.*s", (int)sizeof address.sun_path, address.sun_path);
    return find_name_at(call, 0, AT_FDCWD, path);
}

static void end_new_name(struct nv_observer *observer, struct nv_observed_call *call)
{
    nv_observe_new_name(observer, call->names[0].folder, call->names[0].name);
}

static void end_gone_name(struct nv_observer *observer, struct nv_observed_call *call)
{
    nv_observe_gone_name(observer, call->names[0].folder, call->names[0].name);
}

static void end_rename(struct nv_observer *observer, struct nv_observed_call *call)
{
    bool exchanged = call->number == SYS_renameat2 && (call->arguments[4] & RENAME_EXCHANGE);

    nv_observe_renamed(observer, call->names[0].folder, call->names[0].name, call->names[1].folder, call->names[1].name,
                       exchanged);
}

/* ---- opening ---- */

static bool begin_open(struct nv_observer *observer, struct nv_observed_call *call)
{
    (void)observer;
    (void)call;
    return true;
}

static uint64_t open_flags(const struct nv_observed_call *call)
{
    uint64_t flags;

    if (call->kind->offset == NONE) /* creat */
        return O_CREAT | O_TRUNC | O_WRONLY;
    if (call->number != SYS_openat2)
        return (uint32_t)call->arguments[call->kind->offset];
    return nv_target_read(call->thread, call->arguments[2], &flags, sizeof flags) ? 0 : flags;
}

static bool follows(uint64_t flags)
{
    return !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
}

/* The file that was opened is new: where is it? */
static void tell_created(struct nv_observer *observer, const struct nv_observed_call *call, uint64_t flags)
{
    char path[PATH_MAX];
    struct nv_place place;

    if (nv_target_string(call->thread, call->arguments[call->kind->path[0]], path, sizeof path) ||
        nv_place_find(&place, call->thread, descriptor(call, call->kind->first), path, 0, follows(flags))) {
        nv_observe_lost(observer, "a new file was not recorded: its path could not be followed");
        return;
    }
    nv_observe_new_name(observer, place.fd, place.name);
    nv_place_free(&place);
}

static void end_open(struct nv_observer *observer, struct nv_observed_call *call)
{
    uint64_t flags = open_flags(call);
    struct statx status;
    struct nv_object *object = nv_observe_object(observer, call->thread, (int)call->result, &status);

    if (!object || !S_ISREG(status.stx_mode) || object->excluded)
        return;
    if (!object->trace_number && (flags & O_TMPFILE) == O_TMPFILE)
        nv_observe_nameless(observer, object, &status);
    else if (!object->trace_number)
        tell_created(observer, call, flags);
    if (object->trace_number && (flags & O_TRUNC))
        nv_observe_size(observer, object, 0);
    if ((flags & O_DSYNC) && call->number == SYS_openat2)
        nv_observe_lost(observer, "synchronous writes by a descriptor of openat2 were recorded as if they were not");
}

void nv_observe_opened(struct nv_observer *observer, const struct nv_place *place, int own, uint64_t flags)
{
    struct statx status;
    struct nv_object *object = observer ? nv_observe_object(observer, getpid(), own, &status) : NULL;

    if (!object || !S_ISREG(status.stx_mode) || object->excluded)
        return;
    if (!object->trace_number && (flags & O_TMPFILE) == O_TMPFILE)
        nv_observe_nameless(observer, object, &status);
    else if (!object->trace_number)
        nv_observe_new_name(observer, place->fd, place->name);
    if (object->trace_number && (flags & O_TRUNC))
        nv_observe_size(observer, object, 0);
}

/* ---- files by descriptor ---- */

static bool begin_file(struct nv_observer *observer, struct nv_observed_call *call)
{
    struct statx status;

    call->object = nv_observe_object(observer, call->thread, descriptor(call, call->kind->first), &status);
    if (call->object && !call->object->trace_number && !call->object->excluded)
        nv_observe_lost(observer, "a file was changed that had not been recorded");
    return call->object && call->object->trace_number;
}

static bool begin_write(struct nv_observer *observer, struct nv_observed_call *call)
{
    call->acknowledges = nv_observe_is_acknowledgement(observer, call->thread, descriptor(call, call->kind->first));
    return call->acknowledges || begin_file(observer, call);
}

/* A number behind a field of /proc/PID/fdinfo/FD. */
static bool fd_number(const struct nv_observed_call *call, const char *field, int base, uint64_t *number)
{
    char path[64], text[512], *found;
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)call->thread, descriptor(call, call->kind->first));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    found = strstr(text, field);
    if (!found)
        return false;
    *number = strtoull(found + strlen(field), NULL, base);
    return true;
}

static bool appends(const struct nv_observed_call *call)
{
    uint64_t flags = 0;

    if (call->number == SYS_pwritev2 && (call->arguments[5] & RWF_APPEND))
        return true;
    return fd_number(call, "flags:", 8, &flags) && (flags & O_APPEND);
}

/* Where the last byte went, or the next one would. */
static bool find_end(struct nv_observer *observer, const struct nv_observed_call *call, uint64_t *end)
{
    const struct nv_observed_kind *kind = call->kind;
    uint64_t argument = call->arguments[kind->offset];
    struct statx status;

    if (appends(call)) {
        *end = nv_observe_object(observer, call->thread, descriptor(call, kind->first), &status) ? status.stx_size : 0;
        return *end >= (uint64_t)call->result;
    }
    if (kind->where == AT_POINTER && argument)
        return !nv_target_read(call->thread, argument, end, sizeof *end);
    if (kind->where == AT_ARGUMENT && !(call->number == SYS_pwritev2 && argument == UINT64_MAX)) {
        *end = argument + (uint64_t)call->result;
        return true;
    }
    return fd_number(call, "pos:", 10, end) && *end >= (uint64_t)call->result;
}

static void end_write(struct nv_observer *observer, struct nv_observed_call *call)
{
    uint64_t end, length = (uint64_t)call->result;

    if (call->acknowledges) {
        nv_observe_acknowledged(observer, call, call->number == SYS_writev);
        return;
    }
    if (!length)
        return;
    if (find_end(observer, call, &end))
        nv_observe_written(observer, call->object, call->thread, descriptor(call, call->kind->first), end - length,
                           length);
    else
        nv_observe_lost(observer, "a write was not recorded, since its place in the file could not be found out");
}

static uint64_t size_now(struct nv_observer *observer, const struct nv_observed_call *call)
{
    struct statx status;

    return nv_observe_object(observer, call->thread, descriptor(call, call->kind->first), &status)
               ? status.stx_size
               : call->object->trace_bytes;
}

static void end_truncate(struct nv_observer *observer, struct nv_observed_call *call)
{
    nv_observe_size(observer, call->object, size_now(observer, call));
}

static void end_fallocate(struct nv_observer *observer, struct nv_observed_call *call)
{
    uint64_t mode = call->arguments[1], offset = call->arguments[2], length = call->arguments[3];

    if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) {
        nv_observe_again(observer, call->object, call->thread, descriptor(call, call->kind->first), offset);
        return;
    }
    nv_observe_size(observer, call->object, size_now(observer, call));
    if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        nv_observe_zeros(observer, call->object, offset, offset + length);
}

/* FICLONE and FICLONERANGE. */
static void end_clone(struct nv_observer *observer, struct nv_observed_call *call)
{
    nv_observe_again(observer, call->object, call->thread, descriptor(call, call->kind->first), 0);
}

static void tell_mode(struct nv_observer *observer, const struct nv_object *object, mode_t mode)
{
    struct nv_trace_event *event;

    if (!object || !object->trace_number || !(event = nv_observe_event(observer, NV_TRACE_MODE, 0)))
        return;
    event->object = object->trace_number;
    event->offset = mode;
    nv_observe_tell(observer, event);
}

static bool begin_any(struct nv_observer *observer, struct nv_observed_call *call)
{
    struct statx status;

    call->object = nv_observe_object(observer, call->thread, descriptor(call, call->kind->first), &status);
    return call->object && call->object->trace_number;
}

static void end_fchmod(struct nv_observer *observer, struct nv_observed_call *call)
{
    struct statx status;

    (void)nv_observe_object(observer, call->thread, descriptor(call, call->kind->first), &status);
    tell_mode(observer, call->object, status.stx_mode);
}

/* ---- files by path ---- */

/* Every link is followed. A descriptor of ours, or negative. */
static int find_file(const struct nv_observed_call *call)
{
    char path[PATH_MAX];

    if (nv_target_string(call->thread, call->arguments[call->kind->path[0]], path, sizeof path))
        return -EFAULT;
    return find_path(call, descriptor(call, call->kind->first), path);
}

/* O_PATH is enough to look at, and no open file to the kernel's /proc. */
static struct nv_object *file_at(struct nv_observer *observer, int own, struct statx *status)
{
    struct nv_supervisor *supervisor = observer->supervisor;
    struct nv_folder *folder = NULL;

    if (own >= 0 && !statx(own, "", AT_EMPTY_PATH, NV_STATX_MASK, status))
        folder = nv_folder_of(supervisor, getpid(), own, status);
    return folder ? nv_image_object(&supervisor->image, folder, status) : NULL;
}

static void end_path_truncate(struct nv_observer *observer, struct nv_observed_call *call)
{
    struct statx status;
    int own = find_file(call);
    struct nv_object *object = file_at(observer, own, &status);

    if (object && object->trace_number)
        nv_observe_size(observer, object, status.stx_size);
    if (own >= 0)
        close(own);
}

static void end_chmod(struct nv_observer *observer, struct nv_observed_call *call)
{
    struct statx status = {0};
    int own = find_file(call);
    const struct nv_object *object = file_at(observer, own, &status);

    tell_mode(observer, object, status.stx_mode);
    if (own >= 0)
        close(own);
}

/* ---- mappings: what matters is that they will be there ---- */

static bool begin_mmap(struct nv_observer *observer, struct nv_observed_call *call)
{
    uint64_t flags = 0;

    if (!begin_file(observer, call) || !S_ISREG(call->object->type))
        return false;
    if (fd_number(call, "flags:", 8, &flags) && (flags & O_ACCMODE) == O_RDWR)
        nv_observe_mapped(observer, call->object, call->thread, descriptor(call, call->kind->first),
                          call->arguments[2] & PROT_WRITE);
    return false;
}

static bool begin_mprotect(struct nv_observer *observer, struct nv_observed_call *call)
{
    (void)call;
    nv_observe_unprotected(observer);
    return false;
}

/* ---- the table ---- */

static const struct nv_observed_kind kinds[] = {
    {"open", begin_open, end_open, NONE, .path = {0}, .offset = 1},
    {"openat", begin_open, end_open, 0, .path = {1}, .offset = 2},
    {"openat2", begin_open, end_open, 0, .path = {1}, .offset = 2},
    {"creat", begin_open, end_open, NONE, .path = {0}, .offset = NONE},
    {"mkdir", begin_name, end_new_name, NONE, .path = {0}},
    {"mkdirat", begin_name, end_new_name, 0, .path = {1}},
    {"mknod", begin_name, end_new_name, NONE, .path = {0}},
    {"mknodat", begin_name, end_new_name, 0, .path = {1}},
    {"symlink", begin_name, end_new_name, NONE, .path = {1}},
    {"symlinkat", begin_name, end_new_name, 1, .path = {2}},
    {"bind", begin_bind, end_new_name, NONE},
    {"link", begin_name, end_new_name, NONE, .path = {1}},
    {"linkat", begin_name, end_new_name, 2, .path = {3}},
    {"unlink", begin_name, end_gone_name, NONE, .path = {0}},
    {"unlinkat", begin_name, end_gone_name, 0, .path = {1}},
    {"rmdir", begin_name, end_gone_name, NONE, .path = {0}},
    {"rename", begin_name, end_rename, NONE, NONE, {0, 1}},
    {"renameat", begin_name, end_rename, 0, 2, {1, 3}},
    {"renameat2", begin_name, end_rename, 0, 2, {1, 3}},
    {"write", begin_write, end_write, 0, .where = AT_POSITION},
    {"writev", begin_write, end_write, 0, .where = AT_POSITION},
    {"pwrite64", begin_file, end_write, 0, .where = AT_ARGUMENT, .offset = 3},
    {"pwritev", begin_file, end_write, 0, .where = AT_ARGUMENT, .offset = 3},
    {"pwritev2", begin_file, end_write, 0, .where = AT_ARGUMENT, .offset = 3},
    {"sendfile", begin_file, end_write, 0, .where = AT_POSITION},
    {"copy_file_range", begin_file, end_write, 2, .where = AT_POINTER, .offset = 3},
    {"splice", begin_file, end_write, 2, .where = AT_POINTER, .offset = 3},
    {"ftruncate", begin_file, end_truncate, 0},
    {"truncate", begin_open, end_path_truncate, NONE, .path = {0}},
    {"fallocate", begin_file, end_fallocate, 0},
    {"ioctl", begin_file, end_clone, 0},
    {"fchmod", begin_any, end_fchmod, 0},
    {"chmod", begin_open, end_chmod, NONE, .path = {0}},
    {"fchmodat", begin_open, end_chmod, 0, .path = {1}},
    {"fchmodat2", begin_open, end_chmod, 0, .path = {1}},
    {"mmap", begin_mmap, NULL, 4},
    {"mprotect", begin_mprotect, NULL, NONE},
};

static const struct nv_observed_kind *by_number[NUMBERS];

const char *nv_observe_call_name(size_t index)
{
    return index < sizeof kinds / sizeof *kinds ? kinds[index].name : NULL;
}

int nv_observe_calls_prepare(void)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int number = seccomp_syscall_resolve_name(kinds[i].name);

        if (number >= 0 && number < NUMBERS)
            by_number[number] = &kinds[i];
    }
    return 0;
}

bool nv_observe_call_begin(struct nv_observer *observer, struct nv_observed_call *call)
{
    call->kind = call->number < NUMBERS ? by_number[call->number] : NULL;
    call->names[0].folder = call->names[1].folder = -1;
    if (!call->kind)
        return false;
    nv_image_make_room(&observer->supervisor->image);
    if (call->kind->begin(observer, call))
        return true;
    free_names(call);
    return false;
}

void nv_observe_call_end(struct nv_observer *observer, struct nv_observed_call *call)
{
    if (call->result >= 0)
        call->kind->end(observer, call);
    free_names(call);
}

void nv_observe_call_free(struct nv_observed_call *call)
{
    free_names(call);
}
