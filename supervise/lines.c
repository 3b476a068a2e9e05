/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of the verifier's line records: one shared, sparse array a file. Called by the server and by
 * syncs.
 */
#include "supervise/image.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE_BYTES = 64 };

int nv_lines_provide(struct nv_object *object, uint64_t end)
{
    uint64_t bytes = (end + LINE_BYTES - 1) / LINE_BYTES * sizeof(struct nv_line_record);
    void *lines;

    if (object->lines_fd < 0)
        object->lines_fd = memfd_create("nvrtl-lines", MFD_CLOEXEC);
    if (object->lines_fd < 0)
        return -errno;
    if (bytes <= object->lines_bytes)
        return 0;
    if (ftruncate(object->lines_fd, (off_t)bytes))
        return -errno;
    lines = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, object->lines_fd, 0);
    if (lines == MAP_FAILED)
        return -errno;
    if (object->lines)
        munmap(object->lines, object->lines_bytes);
    object->lines = lines;
    object->lines_bytes = bytes;
    return 0;
}

/* Whatever was in flight for these lines is older than what a system call has just made durable. */
static void commit_records(struct nv_line_record *record, const struct nv_line_record *end)
{
    for (; record < end; record++) {
        uint32_t flushes = atomic_load(&record->flushes);

        if (atomic_load(&record->committed) != flushes)
            atomic_store(&record->committed, flushes);
    }
}

void nv_lines_committed(struct nv_object *object, uint64_t from, uint64_t to)
{
    uint64_t at = from / LINE_BYTES * sizeof(struct nv_line_record);
    uint64_t end = to < UINT64_MAX - LINE_BYTES ? (to + LINE_BYTES - 1) / LINE_BYTES * sizeof(struct nv_line_record)
                                                : object->lines_bytes;

    if (end > object->lines_bytes)
        end = object->lines_bytes;
    while (at < end) {
        off_t data = lseek(object->lines_fd, (off_t)at, SEEK_DATA);
        off_t hole = data < 0 ? -1 : lseek(object->lines_fd, data, SEEK_HOLE);

        if (hole < 0 || (uint64_t)data >= end)
            return;
        at = (uint64_t)hole < end ? (uint64_t)hole : end;
        commit_records((struct nv_line_record *)((char *)object->lines + data),
                       (struct nv_line_record *)((char *)object->lines + at));
    }
}
