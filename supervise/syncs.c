/* SPDX-License-Identifier: MIT */
/*
 * The system calls that make files durable: fsync and its kin. Each copies what it promises to the durable image, then
 * returns.
 */
#include "supervise/hints.h"
#include "supervise/observer.h"
#include "supervise/record.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <unistd.h>

struct nv_folder *nv_folder_of(struct nv_supervisor *supervisor, pid_t thread, int fd, const struct statx *status)
{
    char path[PATH_MAX];

    if (!S_ISREG(status->stx_mode) && !S_ISDIR(status->stx_mode))
        return NULL;
    for (size_t i = 0; i < supervisor->image.folder_count; i++) {
        struct nv_folder *folder = &supervisor->image.folders[i];

        if (folder->device != nv_statx_device(status))
            continue;
        if (folder->own_device)
            return folder;
        if (nv_target_fd_path(thread, fd, path, sizeof path))
            nv_be_blind(supervisor, "files were used whose path could not be read");
        else if (nv_path_below(path, folder->path))
            return folder;
    }
    return NULL;
}

/*
 * Bytes of a file that has no durable name: it gets one later (O_TMPFILE and link; the posix model), or was unlinked
 * and never does.
 */
static int make_nameless(struct nv_image *image, struct nv_folder *folder, const struct statx *status,
                         struct nv_object **found)
{
    struct nv_object *object = nv_image_object(image, folder, status);
    int result;

    *found = NULL;
    if (!object)
        return -ENOMEM;
    result = nv_image_make_nameless(image, object);
    if (!result)
        *found = object;
    else if (!status->stx_nlink) {
        object->unjudged = true; /* the file system has no files without a name */
        result = 0;
    }
    return result;
}

/*
 * The file, with its name durable if the model says that this sync makes it so. NULL in *found: nothing can be durable.
 */
static int prepare(struct nv_image *image, struct nv_folder *folder, const struct statx *status, bool data_only,
                   struct nv_object **found)
{
    struct nv_object *object = nv_image_find(image, nv_statx_device(status), status->stx_ino);
    int result = 0;

    if (object && !nv_image_same(image, object, status))
        object = NULL;
    if (image->model == NV_FS_JOURNALED &&
        (!data_only || !object || object->new_metadata || object->durable_bytes != status->stx_size)) {
        result = nv_names_sync(image, NULL);
        object = nv_image_find(image, nv_statx_device(status), status->stx_ino);
        if (object && !nv_image_same(image, object, status))
            object = NULL;
    }
    *found = object;
    if (!result && (!object || (!object->names && !object->nameless)))
        result = make_nameless(image, folder, status, found);
    return result;
}

/* The sync fails, and tells so once: nothing of the file is durable by it, and what it should have written is lost. */
static int fail_sync(struct nv_image *image, struct nv_folder *folder, int own, const struct statx *status,
                     uint64_t from, uint64_t to)
{
    struct nv_object *object = nv_image_object(image, folder, status);

    if (object && own >= 0)
        nv_object_adopt_view(image, object, own);
    else if (own >= 0)
        close(own);
    if (!object || object->excluded)
        return -EIO;
    return nv_lost_take(image, object, from, to) == -ENOMEM ? -ENOMEM : -EIO;
}

/* What sync_object does. */
static int make_durable(struct nv_image *image, struct nv_folder *folder, int own, const struct statx *status,
                        bool data_only, uint64_t from, uint64_t to, struct nv_object **found)
{
    struct nv_object *object = NULL;
    int result;

    if (nv_lost_any(image))
        return fail_sync(image, folder, own, status, from, to);
    result = prepare(image, folder, status, data_only, &object);
    *found = object;
    if (result || !object || object->excluded) {
        if (own >= 0)
            close(own);
        return result;
    }
    if (own >= 0)
        nv_object_adopt_view(image, object, own);
    result = nv_content_sync(image, object, from, to);
    if (!result && (!data_only || object->new_metadata))
        result = nv_content_attributes(image, object, false);
    if (!result)
        object->new_metadata = false;
    return result;
}

/* `own` is a descriptor of ours for the view's file, or negative: it is looked for by name. */
static int sync_object(struct nv_image *image, struct nv_folder *folder, int own, const struct statx *status,
                       bool data_only, uint64_t from, uint64_t to)
{
    struct nv_record_sync record = {.object = nv_image_find(image, nv_statx_device(status), status->stx_ino)};
    int result;

    image->syncs++;
    nv_record_begin(image, &record);
    nv_observe_sync_begin(image);
    nv_image_make_room(image);
    result = make_durable(image, folder, own, status, data_only, from, to, &record.object);
    nv_record_end(image, &record, from, to, result);
    nv_observe_sync_end(image, nv_image_object(image, folder, status), from, to, data_only ? NV_TRACE_DATA_ONLY : 0,
                        result);
    return result;
}

int nv_sync_file(struct nv_supervisor *supervisor, pid_t thread, int fd, const struct statx *status, bool data_only,
                 uint64_t from, uint64_t to)
{
    struct nv_folder *folder = nv_folder_of(supervisor, thread, fd, status);
    struct nv_object *object;
    int own;

    if (!folder)
        return 0;
    object = nv_image_find(&supervisor->image, nv_statx_device(status), status->stx_ino);
    if (object && object->view >= 0 && nv_image_same(&supervisor->image, object, status))
        return sync_object(&supervisor->image, folder, -1, status, data_only, from, to);
    own = nv_target_reopen(thread, fd);
    if (own >= 0)
        return sync_object(&supervisor->image, folder, own, status, data_only, from, to);
    nv_not_followed(supervisor, folder, status, "a file was synced that the supervisor could not open");
    return NV_HIDDEN;
}

/* What sync_folder does. */
static int make_names_durable(struct nv_supervisor *supervisor, struct nv_folder *folder, pid_t thread, int fd,
                              const struct statx *status)
{
    struct nv_image *image = &supervisor->image;
    struct nv_object *object;
    struct nv_record_sync record = {0};
    int own, result;

    image->syncs++;
    nv_record_begin(image, &record);
    nv_image_make_room(image);
    if (image->model == NV_FS_JOURNALED) {
        result = nv_names_sync(image, NULL);
        nv_record_end(image, &record, 0, UINT64_MAX, result);
        return result;
    }
    object = nv_image_object(image, folder, status);
    if (!object)
        return -ENOMEM;
    own = nv_target_reopen(thread, fd);
    if (own < 0) {
        nv_be_blind(supervisor, "a folder was synced that the supervisor could not open");
        return NV_HIDDEN;
    }
    nv_object_adopt_view(image, object, own);
    result = nv_names_sync(image, object);
    record.object = object;
    nv_record_end(image, &record, 0, UINT64_MAX, result);
    return result;
}

static int sync_folder(struct nv_supervisor *supervisor, struct nv_folder *folder, pid_t thread, int fd,
                       const struct statx *status)
{
    int result;

    nv_observe_sync_begin(&supervisor->image);
    result = make_names_durable(supervisor, folder, thread, fd, status);
    nv_observe_sync_end(&supervisor->image, nv_image_object(&supervisor->image, folder, status), 0, UINT64_MAX,
                        NV_TRACE_FOLDER, result);
    return result;
}

/* What the supervisor was not allowed to do is no error of the program's: its call goes on in the kernel. */
static void answer_with(struct nv_answer *answer, int status)
{
    if (status != NV_HIDDEN)
        *answer = (struct nv_answer){.answered = true, .error = -status};
}

/* The file that a descriptor of the caller has open, if it is at stake; else NULL. */
static struct nv_folder *synced_file(struct nv_supervisor *supervisor, const struct seccomp_notif *call, int fd,
                                     struct statx *file, struct nv_answer *answer)
{
    int status = nv_target_statx((pid_t)call->pid, fd, file);

    if (!nv_notify_valid(supervisor, call))
        return NULL;
    if (status == NV_HIDDEN)
        nv_be_blind(supervisor, "files were synced by a process that may not be looked into");
    else if (status && status != -EBADF && status != -ESRCH)
        answer_with(answer, status); /* it may be at stake */
    return status ? NULL : nv_folder_of(supervisor, (pid_t)call->pid, fd, file);
}

static void handle_fsync(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer,
                         bool data_only)
{
    int status, fd = (int)call->data.args[0];
    pid_t thread = (pid_t)call->pid;
    struct statx file;
    struct nv_folder *folder = synced_file(supervisor, call, fd, &file, answer);

    if (!folder)
        return;
    if (S_ISDIR(file.stx_mode))
        status = sync_folder(supervisor, folder, thread, fd, &file);
    else
        status = nv_sync_file(supervisor, thread, fd, &file, data_only, 0, UINT64_MAX);
    answer_with(answer, status);
}

void nv_handle_fsync(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    handle_fsync(supervisor, call, answer, false);
}

void nv_handle_fdatasync(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    handle_fsync(supervisor, call, answer, true);
}

struct msync_range {
    struct nv_supervisor *supervisor;
    uint64_t from, to;
};

/* A new file gets its name first, if the model says that a sync of the file gives it. */
static int find_mapped(struct nv_image *image, const struct nv_target_mapping *mapping, struct nv_object **found)
{
    int status = nv_names_meet(image, mapping->device, mapping->inode, found);

    if (!status && *found && !(*found)->names && image->model == NV_FS_JOURNALED)
        status = nv_names_sync(image, NULL);
    return status;
}

static int msync_mapping(void *context, const struct nv_target_mapping *mapping)
{
    const struct msync_range *range = context;
    struct nv_image *image = &range->supervisor->image;
    struct nv_object *object;
    uint64_t from = mapping->start > range->from ? mapping->start : range->from;
    uint64_t to = mapping->end < range->to ? mapping->end : range->to;
    struct statx status;
    int view, result;

    if (!mapping->shared)
        return 0;
    result = find_mapped(image, mapping, &object);
    if (result || !object)
        return result;
    view = nv_object_view(image, object);
    if (view < 0)
        return view == -ENOENT ? 0 : view; /* it has no name any more */
    if (statx(view, "", AT_EMPTY_PATH, NV_STATX_MASK, &status))
        return -errno;
    return sync_object(image, object->folder, -1, &status, true, mapping->offset + (from - mapping->start),
                       mapping->offset + (to - mapping->start));
}

/* The kernel still judges the arguments; nothing is left for it to write. */
void nv_handle_msync(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    uint64_t from = call->data.args[0], to = (from + call->data.args[1] + 4095) & ~(uint64_t)4095;
    struct msync_range range = {supervisor, from, to};
    int status = from % 4096 || to <= from ? 0 : nv_target_mappings((pid_t)call->pid, from, to, msync_mapping, &range);

    if (status == NV_HIDDEN && nv_notify_valid(supervisor, call))
        nv_be_blind(supervisor, "files were synced by a process that may not be looked into");
    else if (status)
        answer_with(answer, status);
}

static int sync_everything(struct nv_image *image)
{
    struct nv_record_sync record = {0};
    int status;

    image->syncs++;
    nv_record_begin(image, &record);
    nv_observe_sync_begin(image);
    status = nv_names_sync(image, NULL);
    for (struct nv_object *object = image->objects; object && !status; object = object->next) {
        if (!S_ISREG(object->type) || !object->names || object->excluded)
            continue;
        nv_image_make_room(image);
        status = nv_object_view(image, object);
        if (status == -ENOENT) {
            status = 0;
            continue;
        }
        status = status < 0 ? status : nv_content_sync(image, object, 0, UINT64_MAX);
        if (!status)
            object->new_metadata = false;
    }
    nv_record_end(image, &record, 0, UINT64_MAX, status);
    nv_observe_sync_end(image, NULL, 0, UINT64_MAX, 0, status);
    return status;
}

/* sync() has no error to return; the kernel goes on with the other file systems. */
void nv_handle_sync(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    (void)call;
    (void)answer;
    if (sync_everything(&supervisor->image))
        (void)nv_report_not_seen(supervisor->report,
                                 "a sync() could not write everything; sync() has no way to tell the program");
}

void nv_handle_syncfs(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    struct statx file;

    if (synced_file(supervisor, call, (int)call->data.args[0], &file, answer))
        answer_with(answer, sync_everything(&supervisor->image));
}

/* A write that becomes durable only when it completes; nobody is told when that is. */
static bool is_synchronous_write(const struct nv_supervisor *supervisor, const struct iocb *block)
{
    if (block->aio_lio_opcode != IOCB_CMD_PWRITE && block->aio_lio_opcode != IOCB_CMD_PWRITEV)
        return false;
    return (block->aio_rw_flags & 6) || (int)block->aio_fildes >= supervisor->reserved_first;
}

/* In a recorded run: an asynchronous write is taken for done when it begins. */
static void observe_submitted(struct nv_supervisor *supervisor, pid_t thread, const struct iocb *block,
                              struct nv_folder *folder, const struct statx *file)
{
    bool writes = block->aio_lio_opcode == IOCB_CMD_PWRITE || block->aio_lio_opcode == IOCB_CMD_PWRITEV;

    if (supervisor->observer && writes && S_ISREG(file->stx_mode))
        nv_observe_submitted(supervisor->observer, nv_image_object(&supervisor->image, folder, file), thread, block);
}

/* It is written some time, and nobody tells when. */
static void lose_if_written(struct nv_supervisor *supervisor, const struct statx *file, const struct iocb *block)
{
    struct nv_object *object = nv_image_find(&supervisor->image, nv_statx_device(file), file->stx_ino);

    if (object && (block->aio_lio_opcode == IOCB_CMD_PWRITE || block->aio_lio_opcode == IOCB_CMD_PWRITEV))
        nv_hint_end(&supervisor->image, object);
}

static int submit_one(struct nv_supervisor *supervisor, const struct seccomp_notif *call, const struct iocb *block)
{
    int fd = (int)block->aio_fildes;
    struct statx file;
    struct nv_answer answer = {0};
    struct nv_folder *folder = synced_file(supervisor, call, fd, &file, &answer);

    if (!folder)
        return -answer.error;
    observe_submitted(supervisor, (pid_t)call->pid, block, folder, &file);
    lose_if_written(supervisor, &file, block);
    if (is_synchronous_write(supervisor, block)) {
        nv_not_followed(
            supervisor, folder, &file,
            "synchronous writes by io_submit (O_SYNC, O_DSYNC or RWF_SYNC with AIO): those files were not judged");
        return 0;
    }
    if (block->aio_lio_opcode != IOCB_CMD_FSYNC && block->aio_lio_opcode != IOCB_CMD_FDSYNC)
        return 0;
    if (S_ISDIR(file.stx_mode))
        return sync_folder(supervisor, folder, (pid_t)call->pid, fd, &file);
    return nv_sync_file(supervisor, (pid_t)call->pid, fd, &file, block->aio_lio_opcode == IOCB_CMD_FDSYNC, 0,
                        UINT64_MAX);
}

static int read_block(pid_t thread, uint64_t list, uint64_t index, struct iocb *block)
{
    uint64_t address;
    int status = nv_target_read(thread, list + index * sizeof address, &address, sizeof address);

    return status ? status : nv_target_read(thread, address, block, sizeof *block);
}

/* An asynchronous fsync covers what was written before it; it is made durable here, and the kernel completes it. */
void nv_handle_io_submit(struct nv_supervisor *supervisor, const struct seccomp_notif *call, struct nv_answer *answer)
{
    pid_t thread = (pid_t)call->pid;

    for (uint64_t i = 0; i < call->data.args[1] && i < 65536; i++) {
        struct iocb block;
        int status = read_block(thread, call->data.args[2], i, &block);

        if (status == NV_HIDDEN && nv_notify_valid(supervisor, call))
            nv_be_blind(supervisor, "a process that may not be looked into called io_submit");
        if (status)
            return;
        status = submit_one(supervisor, call, &block);
        if (status && status != NV_HIDDEN) {
            answer_with(answer, status);
            return;
        }
    }
}
