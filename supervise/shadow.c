/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory of shadows: made when a file's content is first told of, as large as the file, and longer with it.
 * Called by the server for verifiers, and by whoever tells what system calls did.
 */
#include "supervise/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int copy_range(const struct nv_object *object, int from, off_t at, off_t end, void *buffer)
{
    while (at < end) {
        size_t wanted = end - at < (off_t)NV_CHUNK_BYTES ? (size_t)(end - at) : NV_CHUNK_BYTES;
        ssize_t got = pread(from, buffer, wanted, at);

        if (got <= 0)
            return got ? -errno : 0;
        nv_shadow_set(&object->shadow, (uint64_t)at, buffer, (uint64_t)got);
        at += got;
    }
    return 0;
}

/* What was there before anything was told. */
static int fill(const struct nv_object *object, int from)
{
    void *buffer = malloc(NV_CHUNK_BYTES);
    off_t hole = 0, data;
    int status = buffer ? 0 : -ENOMEM;

    while (!status && (data = lseek(from, hole, SEEK_DATA)) >= 0) {
        hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            break;
        status = copy_range(object, from, data, hole, buffer);
    }
    free(buffer);
    return status;
}

static int extend(struct nv_object *object, uint64_t end)
{
    if (object->shadow_fd < 0)
        object->shadow_fd = memfd_create("nvrtl-shadow", MFD_CLOEXEC);
    if (object->shadow_fd < 0 || ftruncate(object->shadow_fd, (off_t)nv_shadow_memory_bytes(end)))
        return -errno;
    nv_shadow_close(&object->shadow);
    return nv_shadow_open(&object->shadow, object->shadow_fd) ? 0 : -errno;
}

int nv_shadow_provide(struct nv_image *image, struct nv_object *object, uint64_t end)
{
    bool first = object->shadow_fd < 0;
    int durable = first ? nv_object_durable(image, object) : -1, status;

    if (first && durable < 0 && durable != -ENOENT)
        return durable;
    if (end < object->durable_bytes)
        end = object->durable_bytes;
    if (!first && end <= object->shadow.bytes)
        return 0;
    status = extend(object, end);
    return !status && first && durable >= 0 ? fill(object, durable) : status;
}

int nv_shadow_begin(struct nv_object *object, int view, uint64_t end)
{
    int status = object->shadow_fd < 0 ? extend(object, end) : 0;

    return status ? status : fill(object, view);
}

void nv_shadow_forget(struct nv_object *object)
{
    nv_shadow_close(&object->shadow);
    if (object->shadow_fd >= 0)
        close(object->shadow_fd);
    object->shadow_fd = -1;
}
