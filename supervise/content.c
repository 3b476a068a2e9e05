/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one file in both images: comparing them, and bringing the view's to the durable one. Holes cost nothing,
 * and only blocks that differ are written. Called for each sync, and at the end of a run.
 */
#include "supervise/hints.h"
#include "supervise/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* One side of a comparison: a descriptor, its size, and the extent of data found last. */
struct side {
    int fd;
    uint64_t size_bytes;
    uint64_t data_start, data_end;
    uint8_t *buffer;
};

static int side_open(struct side *side, int fd, uint8_t *buffer)
{
    struct stat status;

    if (fd < 0)
        return fd;
    if (fstat(fd, &status))
        return -errno;
    *side = (struct side){.fd = fd, .size_bytes = (uint64_t)status.st_size, .buffer = buffer};
    return 0;
}

/* Find the first extent of data that ends behind `position`; a file system that cannot tell has data everywhere. */
static void side_seek(struct side *side, uint64_t position)
{
    off_t start, end;

    if (position < side->data_end)
        return;
    side->data_start = side->data_end = UINT64_MAX;
    if (position >= side->size_bytes)
        return;
    start = lseek(side->fd, (off_t)position, SEEK_DATA);
    if (start < 0 && errno == ENXIO)
        return;
    if (start < 0)
        start = (off_t)position;
    end = lseek(side->fd, start, SEEK_HOLE);
    side->data_start = (uint64_t)start;
    side->data_end = end < 0 ? side->size_bytes : (uint64_t)end;
}

/* Read a chunk; what lies behind the end is zero. */
static int side_read(const struct side *side, uint64_t offset, size_t length)
{
    size_t done = 0;

    while (side->fd >= 0 && done < length) {
        ssize_t got = pread(side->fd, side->buffer + done, length - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (!got)
            break;
        done += (size_t)got;
    }
    memset(side->buffer + done, 0, length - done);
    return 0;
}

/*
 * The next chunk, at or behind *offset, where either side has data, or at `also`. False when there is none before `to`.
 */
static bool next_chunk(struct side *view, struct side *durable, uint64_t also, uint64_t to, uint64_t *offset,
                       size_t *length)
{
    uint64_t start = *offset, end;

    if (start < to && to - start > NV_CHUNK_BYTES) { /* the end of an extent is searched for through all of it */
        side_seek(view, *offset);
        side_seek(durable, *offset);
        start = view->data_start < durable->data_start ? view->data_start : durable->data_start;
        if (also < start)
            start = also;
        if (start < *offset)
            start = *offset;
    }
    if (start >= to)
        return false;
    start &= ~(NV_BLOCK_BYTES - 1);
    end = start + NV_CHUNK_BYTES;
    *offset = start;
    *length = (size_t)((end < to ? end : to) - start);
    return true;
}

/* Both sides of a file that has a durable image. */
static int open_sides(struct nv_image *image, struct nv_object *object, struct side *view, struct side *durable)
{
    int status = side_open(view, nv_object_view(image, object), image->buffers);

    if (status)
        return status;
    return side_open(durable, nv_object_durable(image, object), (uint8_t *)image->buffers + NV_CHUNK_BYTES);
}

static int write_run(const struct side *durable, const uint8_t *bytes, size_t length, uint64_t offset)
{
    while (length) {
        ssize_t put = pwrite(durable->fd, bytes, length, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EBADF ? -EACCES : -errno;
        bytes += put;
        length -= (size_t)put;
        offset += (uint64_t)put;
    }
    return 0;
}

/* A bit for each block; without memory for it the difference is only told less exactly. */
static void note_synced(struct nv_object *object, uint64_t offset, uint64_t length)
{
    uint64_t last = (offset + length - 1) / NV_BLOCK_BYTES;

    if (last >= object->synced_block_bits) {
        uint64_t bits = (last + 1 + 4096) * 2 / 8 * 8;
        uint8_t *grown = realloc(object->synced_blocks, (size_t)(bits / 8));

        if (!grown)
            return;
        memset(grown + object->synced_block_bits / 8, 0, (size_t)((bits - object->synced_block_bits) / 8));
        object->synced_blocks = grown;
        object->synced_block_bits = bits;
    }
    for (uint64_t block = offset / NV_BLOCK_BYTES; block <= last; block++)
        object->synced_blocks[block / 8] |= (uint8_t)(1u << (block % 8));
}

bool nv_content_was_synced(const struct nv_object *object, uint64_t offset)
{
    uint64_t block = offset / NV_BLOCK_BYTES;

    return block < object->synced_block_bits && (object->synced_blocks[block / 8] >> (block % 8) & 1);
}

/* Write the blocks of a chunk that differ, neighbours together. */
static int copy_chunk(struct nv_image *image, struct nv_object *object, const struct side *view,
                      const struct side *durable, uint64_t offset, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t run = 0;
        int status;

        while (at + run < length) {
            size_t block = length - at - run < NV_BLOCK_BYTES ? length - at - run : NV_BLOCK_BYTES;

            if (!memcmp(view->buffer + at + run, durable->buffer + at + run, block) ||
                (object->lost_count && nv_lost_is(object, offset + at + run, view->buffer + at + run, block)))
                break;
            run += block;
        }
        if (!run) {
            at += NV_BLOCK_BYTES;
            continue;
        }
        status = write_run(durable, view->buffer + at, run, offset + at);
        if (status)
            return status;
        note_synced(object, offset + at, run);
        image->bytes_made_durable += run;
        object->written = true;
        at += run;
    }
    return 0;
}

/* A verifier may be writing lines of the chunk to the durable file: not while it is read here, and written. */
static int copy_held(struct nv_image *image, struct nv_object *object, const struct side *view,
                     const struct side *durable, uint64_t offset, size_t length)
{
    struct nv_lines_hold hold;
    int status;

    nv_lines_hold(object, offset, length, image->adopt_views, &hold);
    status = side_read(view, offset, length);
    if (!status)
        status = side_read(durable, offset, length);
    if (!status)
        status = copy_chunk(image, object, view, durable, offset, length);
    nv_lines_let_go(&hold, !status);
    return status;
}

/* What is in flight for a hole of both sides is older than the hole. */
static int copy_range(struct nv_image *image, struct nv_object *object, struct side *view, struct side *durable,
                      uint64_t from, uint64_t to)
{
    uint64_t offset = from & ~(NV_BLOCK_BYTES - 1), in_flight = 0;
    size_t length;

    for (;;) {
        int status;

        if (in_flight <= offset)
            in_flight = nv_lines_in_flight(object, offset, to);
        if (!next_chunk(view, durable, in_flight, to, &offset, &length))
            return 0;
        status = copy_held(image, object, view, durable, offset, length);
        if (status)
            return status;
        offset += length;
    }
}

/*
 * The view was cut. What a verifier has in flight behind its end is given up; should the file have grown again
 * meanwhile, all that it has there is copied instead, from *from to *to.
 */
static int cut(struct nv_image *image, struct nv_object *object, struct side *view, struct side *durable,
               uint64_t *from, uint64_t *to)
{
    uint64_t size = view->size_bytes;
    struct stat status;
    int result = 0;

    nv_lines_hold_tail(object, size, image->adopt_views);
    if (fstat(view->fd, &status))
        result = -errno;
    else
        view->size_bytes = (uint64_t)status.st_size;
    if (!result && view->size_bytes < durable->size_bytes) {
        nv_lines_resized(object, view->size_bytes);
        if (ftruncate(durable->fd, (off_t)view->size_bytes))
            result = -errno;
        else
            durable->size_bytes = view->size_bytes;
        object->written = true;
    }
    nv_lines_resized(object, durable->size_bytes);
    nv_lines_let_go_tail(object);
    if (view->size_bytes > size) {
        *from = *from < size ? *from : size;
        *to = UINT64_MAX;
    }
    return result;
}

/* Where a verifier writes the durable file, or a failed sync has lost blocks, no hint tells of it. */
static bool has_hint(const struct nv_image *image, const struct nv_object *object)
{
    return nv_hint_is_good(object) && !image->adopt_views && !object->lost_count && !object->verifier_file;
}

static int copy_hinted(struct nv_image *image, struct nv_object *object, struct side *view, struct side *durable,
                       uint64_t from, uint64_t to)
{
    struct nv_ranges ranges;
    int status = nv_hint_take(image, object, from, to, &ranges);

    for (size_t i = 0; i < ranges.count && !status; i++)
        status = copy_range(image, object, view, durable, ranges.items[i].from,
                            ranges.items[i].to < to ? ranges.items[i].to : to);
    if (status)
        nv_hint_give_back(object, &ranges);
    free(ranges.items);
    return status;
}

static int copy_all(struct nv_image *image, struct nv_object *object, struct side *view, struct side *durable,
                    uint64_t from, uint64_t to)
{
    int status = copy_range(image, object, view, durable, from, to);

    if (!status && has_hint(image, object))
        nv_hint_is_equal(image, object, from, to);
    return status;
}

static int sync_content(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to)
{
    struct side view = {0}, durable = {0};
    bool hinted;
    int status = open_sides(image, object, &view, &durable);

    nv_hints_notice(image);
    hinted = has_hint(image, object) && durable.size_bytes <= view.size_bytes;
    if (!status && durable.size_bytes > view.size_bytes)
        status = cut(image, object, &view, &durable, &from, &to);
    if (status)
        return status;
    from &= ~(NV_BLOCK_BYTES - 1);
    if (to < UINT64_MAX - NV_BLOCK_BYTES)
        to = (to + NV_BLOCK_BYTES - 1) & ~(NV_BLOCK_BYTES - 1);
    if (to > view.size_bytes)
        to = view.size_bytes;
    if (from < to)
        status = (hinted ? copy_hinted : copy_all)(image, object, &view, &durable, from, to);
    if (status)
        return status;
    if (durable.size_bytes < view.size_bytes) {
        if (ftruncate(durable.fd, (off_t)view.size_bytes))
            return -errno;
        object->written = true;
    }
    object->durable_bytes = view.size_bytes;
    nv_lines_resized(object, view.size_bytes);
    return 0;
}

int nv_content_sync(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to)
{
    int status;

    if (nv_object_find_foreign(image, object))
        return 0;
    nv_expect_before_sync(image, object, from, to);
    status = sync_content(image, object, from, to);
    if (!status)
        object->trusted = object->sync_failed;
    nv_object_agree(object, !status && !from && to == UINT64_MAX);
    return status;
}

struct attributes {
    char names[XATTR_LIST_MAX + 1], value[XATTR_SIZE_MAX], other[XATTR_SIZE_MAX];
};

/* Not those of a security module, nor of the file system itself. */
static bool is_of_the_user(const char *name)
{
    return !strncmp(name, "user.", 5) || !strncmp(name, "system.posix_acl_", 17);
}

/*
 * The view has it not: because the program removed it, or because no view could have it (tmpfs of an older kernel, an
 * access list of users that are none in our namespace)?
 */
static bool could_have(int view, const char *name, const char *value, size_t length)
{
    struct stat status;

    if (fstat(view, &status) || fsetxattr(view, name, value, length, XATTR_CREATE))
        return false;
    (void)fremovexattr(view, name);
    (void)fchmod(view, status.st_mode & 07777); /* an access list is part of the mode */
    return true;
}

static void copy_attribute(int from, int to, const char *name, bool from_view, struct attributes *memory)
{
    ssize_t length = fgetxattr(from, name, memory->value, sizeof memory->value);
    ssize_t other = fgetxattr(to, name, memory->other, sizeof memory->other);

    if (length >= 0 && (other != length || memcmp(memory->value, memory->other, (size_t)length)))
        (void)fsetxattr(to, name, memory->value, (size_t)length, 0);
    if (length >= 0 || other < 0 || fgetxattr(from, name, NULL, 0) >= 0 || errno != ENODATA)
        return;
    if (!from_view || could_have(from, name, memory->other, (size_t)other))
        (void)fremovexattr(to, name);
}

static void copy_attributes(int from, int to, bool from_view)
{
    struct attributes *memory;

    if (flistxattr(from, NULL, 0) <= 0 && flistxattr(to, NULL, 0) <= 0)
        return;
    memory = malloc(sizeof *memory);
    for (int side = 0; memory && side < 2; side++) {
        ssize_t length = flistxattr(side ? to : from, memory->names, XATTR_LIST_MAX);

        memory->names[length > 0 ? length : 0] = 0;
        for (const char *name = memory->names; name < memory->names + length; name += strlen(name) + 1)
            if (is_of_the_user(name))
                copy_attribute(from, to, name, from_view, memory);
    }
    free(memory);
}

void nv_content_copy_attributes(int from, int to)
{
    copy_attributes(from, to, false);
}

/* What the run has not changed stays as it is: the view may not be able to express it. */
static bool mode_changed(const struct nv_object *object, const struct stat *view, const struct stat *durable)
{
    return ((view->st_mode ^ durable->st_mode) & 07777) && !(object->initial && view->st_mode == object->view_mode);
}

static bool time_changed(const struct nv_object *object, const struct stat *view, const struct stat *durable)
{
    uint64_t now = nv_nanoseconds(view->st_mtim);

    if (view->st_mtim.tv_sec == durable->st_mtim.tv_sec && view->st_mtim.tv_nsec == durable->st_mtim.tv_nsec)
        return false;
    return object->written || !object->initial || now != object->view_change_ns;
}

int nv_content_attributes(struct nv_image *image, struct nv_object *object, bool times)
{
    struct stat view, durable;
    int from = nv_object_view(image, object), to = nv_object_durable(image, object);

    if (from < 0 || to < 0)
        return from < 0 ? from : to;
    if (fstat(from, &view) || fstat(to, &durable))
        return -errno;
    if (image->keeps_owners && (view.st_uid != durable.st_uid || view.st_gid != durable.st_gid) &&
        (fchown(to, view.st_uid, view.st_gid) || fstat(to, &durable))) /* which may clear bits of the mode */
        return -errno;
    if (mode_changed(object, &view, &durable) && fchmod(to, view.st_mode & 07777))
        return -errno;
    copy_attributes(from, to, true);
    if (times && time_changed(object, &view, &durable) &&
        futimens(to, (struct timespec[]){view.st_atim, view.st_mtim}) && errno != EPERM)
        return -errno; /* EPERM: the file is another's; it has the time of our writing, as after any other's */
    return 0;
}

/* Visit the differing lines of a chunk, neighbours together. */
static int compare_chunk(const struct side *view, const struct side *durable, uint64_t offset, size_t length,
                         nv_difference_visitor *visit, void *context)
{
    size_t at = 0;

    if (!memcmp(view->buffer, durable->buffer, length))
        return 0;
    while (at < length) {
        size_t run = 0;
        int status;

        while (at + run < length) {
            size_t line = length - at - run < 64 ? length - at - run : 64;

            if (!memcmp(view->buffer + at + run, durable->buffer + at + run, line))
                break;
            run += line;
        }
        status = run ? visit(context, offset + at, run, view->buffer + at, durable->buffer + at) : 0;
        if (status)
            return status;
        at += run ? run : 64;
    }
    return 0;
}

/* Of two sizes: what one file has and the other has not, when no byte of it told so already. */
static int compare_sizes(const struct side *view, const struct side *durable, uint64_t last_difference,
                         nv_difference_visitor *visit, void *context)
{
    if (view->size_bytes < durable->size_bytes)
        return visit(context, view->size_bytes, durable->size_bytes - view->size_bytes, NULL, NULL);
    if (view->size_bytes > durable->size_bytes && last_difference <= durable->size_bytes)
        return visit(context, durable->size_bytes, view->size_bytes - durable->size_bytes, NULL, NULL);
    return 0;
}

struct last_difference {
    nv_difference_visitor *visit;
    void *context;
    uint64_t end;
    struct nv_image *image;
    struct nv_object *object;
};

/* When the run is over, the hints are held against what differs. */
static bool has_hint_at_end(const struct last_difference *last)
{
    const struct nv_object *object = last->object;

    return nv_hint_is_good(object) && last->image->adopt_views && !object->lost_count && !object->verifier_file &&
           !object->foreign && (object->names || object->nameless);
}

static int remember_last(void *context, uint64_t offset, uint64_t length, const uint8_t *view, const uint8_t *durable)
{
    struct last_difference *last = context;

    last->end = offset + length;
    if (has_hint_at_end(last) && !nv_hint_covers(last->image, last->object, offset, offset + length))
        last->object->untold = true;
    return last->visit(last->context, offset, length, view, durable);
}

int nv_content_compare_range(struct nv_image *image, struct nv_object *object, uint64_t offset, uint64_t to,
                             nv_difference_visitor *visit, void *context)
{
    struct last_difference last = {visit, context, 0, image, object};
    struct side view, durable = {.fd = -1, .buffer = (uint8_t *)image->buffers + NV_CHUNK_BYTES};
    size_t length;
    int status = side_open(&view, nv_object_view(image, object), image->buffers);

    if (!status && (object->names || object->nameless))
        status = side_open(&durable, nv_object_durable(image, object), durable.buffer);
    if (status)
        return status;
    if (to > view.size_bytes)
        to = view.size_bytes;
    while (next_chunk(&view, &durable, UINT64_MAX, to, &offset, &length)) {
        status = side_read(&view, offset, length);
        if (!status)
            status = side_read(&durable, offset, length);
        if (!status)
            status = compare_chunk(&view, &durable, offset, length, remember_last, &last);
        if (status)
            return status;
        offset += length;
    }
    return compare_sizes(&view, &durable, last.end, visit, context);
}

int nv_content_compare(struct nv_image *image, struct nv_object *object, nv_difference_visitor *visit, void *context)
{
    return nv_content_compare_range(image, object, 0, UINT64_MAX, visit, context);
}

struct search {
    uint64_t from, to, found;
};

static int find_first(void *context, uint64_t offset, uint64_t length, const uint8_t *view, const uint8_t *durable)
{
    struct search *search = context;
    uint64_t at = offset > search->from ? offset : search->from;
    uint64_t end = offset + length < search->to ? offset + length : search->to;

    while (at < end && view && view[at - offset] == durable[at - offset])
        at++;
    if (at < end)
        search->found = at;
    return at < end ? 1 : 0;
}

int nv_content_first_difference(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to,
                                uint64_t *offset)
{
    struct search search = {from, to, NV_VERIFIER_EQUAL};
    int status = nv_content_compare_range(image, object, from, to, find_first, &search);

    *offset = search.found;
    return status < 0 ? status : 0;
}
