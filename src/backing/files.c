/* SPDX-License-Identifier: MIT */
/* Owns the ways to make an open file durable. Called by backing.c. */
#include "src/backing/files.h"

#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/status.h>

#define INTERRUPTIONS 100 /* a sync of a network file may be interrupted; not for ever */

static struct nv_files_sync *files_sync(struct nv_sync *sync)
{
    return (struct nv_files_sync *)(void *)sync;
}

static int call(int descriptor, enum nv_file_sync how)
{
    switch (how) {
    case NV_SYNC_WRITE:
        return nv_os->write_back(descriptor);
    case NV_SYNC_VOLUME:
        return nv_os->sync_volume(descriptor);
    case NV_SYNC_ALL:
    case NV_SYNC_DATA:
        break;
    }
    return nv_os->sync_file(descriptor, how == NV_SYNC_DATA);
}

/* A descriptor that is none, or of something that cannot be synced, says nothing of the file's data. */
static void conclude(struct nv_sync *sync, int error)
{
    sync->lost = error != 0 && error != -EBADF && error != -EINVAL;
    sync->status = error == 0 ? STATUS_SUCCESS : nv_os_file_status(error, files_sync(sync)->descriptor);
}

static void make(struct nv_sync *sync)
{
    struct nv_files_sync *first = files_sync(sync);
    enum nv_file_sync how = first->how;
    for (struct nv_sync *each = sync; each; each = each->next)
        if (files_sync(each)->how == NV_SYNC_ALL)
            how = NV_SYNC_ALL;
    bool is_timed = sync->is_timed && how != NV_SYNC_WRITE;
    uint64_t began_ns = is_timed ? nv_os->clock_ns() : 0;
    int error = -EINTR;
    for (int i = 0; i < INTERRUPTIONS && error == -EINTR; i++)
        error = call(first->descriptor, how);
    sync->flush_ns = is_timed ? nv_os->clock_ns() - began_ns : 0;
    conclude(sync, error);
}

static bool is_durable(enum nv_file_sync how)
{
    return how == NV_SYNC_ALL || how == NV_SYNC_DATA;
}

static bool joins(const struct nv_sync *first, const struct nv_sync *sync)
{
    return is_durable(((const struct nv_files_sync *)(const void *)first)->how) &&
           is_durable(((const struct nv_files_sync *)(const void *)sync)->how);
}

/* Each open file is told of a lost page for itself; a descriptor that cannot be asked is of none with pages. */
static void confirm(struct nv_sync *sync)
{
    int error = nv_os->check_file(files_sync(sync)->descriptor);
    bool has_no_pages = error == -ESPIPE || error == -ENOSYS || error == -EPERM;
    conclude(sync, has_no_pages ? 0 : error);
}

void nv_files_sync_begin(struct nv_files_sync *sync, int descriptor, enum nv_file_sync how)
{
    *sync = (struct nv_files_sync){
        .sync = {.kind = NV_SYNC_FILE, .joins = joins, .make = make, .confirm = confirm},
        .descriptor = descriptor,
        .how = how,
    };
}
