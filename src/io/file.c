/* SPDX-License-Identifier: MIT */
/* Owns the life of file objects. Made when a file is opened; ended by the last handle and the last reference. */
#include "src/io/file.h"

#include "src/io/volume.h"
#include "src/os/os.h"

#include <nvrtl/status.h>
#include <stdlib.h>

static struct nv_file *file_of(struct nv_object *object)
{
    return (struct nv_file *)(void *)object;
}

/* Nothing that a filter says keeps a file open. */
static void send(struct nv_file *file, UCHAR major)
{
    struct nv_request request = {.major = major, .file = file};
    (void)nv_volume_send(file->volume, &request);
}

static void closed(struct nv_object *object)
{
    send(file_of(object), IRP_MJ_CLEANUP);
}

/* A file that was opened, and then refused by a filter, never had a handle to close. */
static void destroy(struct nv_object *object)
{
    struct nv_file *file = file_of(object);
    if (file->is_counted)
        send(file, IRP_MJ_CLEANUP);
    if (file->descriptor >= 0)
        send(file, IRP_MJ_CLOSE);
    pthread_mutex_destroy(&file->position_lock);
    free(file->name);
    free(file);
}

/* Everything that was asked of it has been done. */
static NTSTATUS wait(struct nv_object *object, bool alertable, const LARGE_INTEGER *timeout)
{
    (void)object;
    (void)alertable;
    (void)timeout;
    return STATUS_SUCCESS;
}

static void forked(struct nv_object *object)
{
    pthread_mutex_init(&file_of(object)->position_lock, NULL);
}

const struct nv_object_type nv_file_type = {
    .name = "File", .closed = closed, .destroy = destroy, .wait = wait, .forked = forked};

NTSTATUS nv_file_new(struct nv_file **file)
{
    struct nv_file *made = nv_os->resize(NULL, sizeof(*made));
    if (!made)
        return STATUS_INSUFFICIENT_RESOURCES;
    *made = (struct nv_file){
        .shown = {.Type = IO_TYPE_FILE, .Size = sizeof(FILE_OBJECT)}, .descriptor = -1, .kind = NV_FILE_OTHER};
    pthread_mutex_init(&made->position_lock, NULL);
    NTSTATUS status = nv_object_begin(&made->object, &nv_file_type);
    if (status != STATUS_SUCCESS)
        free(made);
    *file = status == STATUS_SUCCESS ? made : NULL;
    return status;
}
