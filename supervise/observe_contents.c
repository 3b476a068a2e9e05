/* SPDX-License-Identifier: MIT */
/*
 * Tells what files hold: data that calls have written, zeros, sizes. The bytes are read from the view's file once the
 * call has returned, whatever the call was.
 */
#include "supervise/observer.h"
#include "supervise/shadow.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENT_BYTES_MAX ((uint64_t)16 << 20)

/* ---- descriptors ---- */

/* Of the view's file, for reading; negative when there is none. */
static int content_of(struct nv_observer *observer, const struct nv_object *object, pid_t thread, int fd)
{
    int own;

    for (size_t i = 0; i < NV_OBSERVE_CONTENTS; i++)
        if (observer->contents[i].object == object)
            return observer->contents[i].descriptor;
    own = nv_target_reopen(thread, fd);
    if (own < 0) {
        nv_observe_lost(observer, "what was written to a file could not be read");
        return own;
    }
    if (observer->contents[observer->next_content].object)
        close(observer->contents[observer->next_content].descriptor);
    observer->contents[observer->next_content].object = object;
    observer->contents[observer->next_content].descriptor = own;
    observer->next_content = (observer->next_content + 1) % NV_OBSERVE_CONTENTS;
    return own;
}

void nv_observe_forget_contents(struct nv_observer *observer)
{
    for (size_t i = 0; i < NV_OBSERVE_CONTENTS; i++)
        if (observer->contents[i].object)
            close(observer->contents[i].descriptor);
}

/* ---- shadows ---- */

/* What verifiers and mappings compare with learns of it, too. The pages are held until let_go. */
static bool hold(struct nv_observer *observer, struct nv_object *object, uint64_t from, uint64_t to)
{
    if (object->shadow_fd < 0)
        return false;
    if (to > object->shadow.bytes && nv_shadow_provide(&observer->supervisor->image, object, to))
        observer->error = -ENOMEM;
    nv_shadow_hold(&object->shadow, from, to);
    return true;
}

static void let_go(struct nv_object *object, bool held, uint64_t from, uint64_t to)
{
    if (held)
        nv_shadow_let_go(&object->shadow, from, to);
}

/* ---- data ---- */

static void reaches(struct nv_object *object, uint64_t to)
{
    if (object->trace_bytes < to)
        object->trace_bytes = to;
}

/* Whatever cannot be read reads as zeros. */
static void read_content(int content, uint64_t offset, uint8_t *bytes, uint64_t length)
{
    for (uint64_t done = 0; done < length;) {
        ssize_t got = pread(content, bytes + done, (size_t)(length - done), (off_t)(offset + done));

        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            memset(bytes + done, 0, (size_t)(length - done));
            return;
        }
        done += got > 0 ? (uint64_t)got : 0;
    }
}

/* `bytes`, or what the descriptor's file holds there. */
static void tell_write(struct nv_observer *observer, struct nv_object *object, int content, const uint8_t *bytes,
                       uint64_t offset, uint64_t length)
{
    bool held = hold(observer, object, offset, offset + length);
    struct nv_trace_event *event = nv_observe_event(observer, NV_TRACE_WRITE, (uint32_t)length);

    if (event) {
        event->object = object->trace_number;
        event->offset = offset;
        if (bytes)
            memcpy(nv_trace_payload(event), bytes, (size_t)length);
        else
            read_content(content, offset, nv_trace_payload(event), length);
        if (held)
            nv_shadow_set(&object->shadow, offset, nv_trace_payload(event), length);
        nv_observe_tell(observer, event);
        reaches(object, offset + length);
    }
    let_go(object, held, offset, offset + length);
}

static void tell_writes(struct nv_observer *observer, struct nv_object *object, int content, const uint8_t *bytes,
                        uint64_t offset, uint64_t length)
{
    while (length) {
        uint64_t piece = length < EVENT_BYTES_MAX ? length : EVENT_BYTES_MAX;

        tell_write(observer, object, content, bytes, offset, piece);
        offset += piece;
        length -= piece;
        bytes = bytes ? bytes + piece : NULL;
        if (length)
            nv_observe_drain(observer);
    }
}

void nv_observe_written(struct nv_observer *observer, struct nv_object *object, pid_t thread, int fd, uint64_t offset,
                        uint64_t length)
{
    int content = length ? content_of(observer, object, thread, fd) : -1;

    if (content >= 0)
        tell_writes(observer, object, content, NULL, offset, length);
}

/* Bytes that will be there: read of the program itself. Returns where the next ones go. */
static uint64_t tell_part(struct nv_observer *observer, struct nv_object *object, pid_t thread, uint64_t offset,
                          uint64_t address, uint64_t length)
{
    for (uint64_t done = 0; done < length;) {
        size_t piece = length - done < NV_CHUNK_BYTES ? (size_t)(length - done) : NV_CHUNK_BYTES;

        if (nv_target_read(thread, address + done, observer->buffer, piece)) {
            nv_observe_lost(observer, "an asynchronous write could not be read");
            break;
        }
        tell_writes(observer, object, -1, observer->buffer, offset + done, piece);
        done += piece;
    }
    return offset + length;
}

void nv_observe_submitted(struct nv_observer *observer, struct nv_object *object, pid_t thread,
                          const struct iocb *block)
{
    uint64_t offset = (uint64_t)block->aio_offset;
    struct iovec part;

    if (!object || !object->trace_number)
        return;
    if (block->aio_lio_opcode == IOCB_CMD_PWRITE) {
        (void)tell_part(observer, object, thread, offset, block->aio_buf, block->aio_nbytes);
        return;
    }
    for (uint64_t i = 0; i < block->aio_nbytes && i < IOV_MAX; i++) {
        if (nv_target_read(thread, block->aio_buf + i * sizeof part, &part, sizeof part))
            return;
        offset = tell_part(observer, object, thread, offset, (uint64_t)(uintptr_t)part.iov_base, part.iov_len);
    }
}

void nv_observe_data(struct nv_observer *observer, struct nv_object *object, int content, uint64_t from, uint64_t to)
{
    while (from < to) {
        off_t data = lseek(content, (off_t)from, SEEK_DATA), hole;

        if (data < 0 && errno == ENXIO)
            return;
        hole = data < 0 ? -1 : lseek(content, data, SEEK_HOLE);
        if (hole < 0) { /* a file system that cannot tell */
            data = (off_t)from;
            hole = (off_t)to;
        }
        if ((uint64_t)data >= to)
            return;
        from = (uint64_t)hole < to ? (uint64_t)hole : to;
        tell_writes(observer, object, content, NULL, (uint64_t)data, from - (uint64_t)data);
        nv_observe_drain(observer);
    }
}

/* ---- zeros and sizes ---- */

void nv_observe_zeros(struct nv_observer *observer, struct nv_object *object, uint64_t from, uint64_t to)
{
    struct nv_trace_event *event;
    bool held;

    if (to > object->trace_bytes)
        to = object->trace_bytes;
    if (from >= to)
        return;
    held = hold(observer, object, from, to);
    event = nv_observe_event(observer, NV_TRACE_ZERO, 0);
    if (event) {
        event->object = object->trace_number;
        event->offset = from;
        event->length = to - from;
        if (held)
            nv_shadow_zero(&object->shadow, from, to - from);
        nv_observe_tell(observer, event);
    }
    let_go(object, held, from, to);
}

void nv_observe_size(struct nv_observer *observer, struct nv_object *object, uint64_t bytes)
{
    uint64_t before = object->trace_bytes;
    struct nv_trace_event *event;
    bool held = false;

    if (bytes == before)
        return;
    if (bytes < before)
        held = hold(observer, object, bytes, before);
    event = nv_observe_event(observer, NV_TRACE_SIZE, 0);
    if (event) {
        event->object = object->trace_number;
        event->length = bytes;
        if (held)
            nv_shadow_zero(&object->shadow, bytes, before - bytes);
        nv_observe_tell(observer, event);
    }
    object->trace_bytes = bytes;
    let_go(object, held, bytes, before);
}

void nv_observe_again(struct nv_observer *observer, struct nv_object *object, pid_t thread, int fd, uint64_t from)
{
    int content = content_of(observer, object, thread, fd);
    struct statx status;

    if (content < 0 || statx(content, "", AT_EMPTY_PATH, STATX_SIZE, &status))
        return;
    nv_observe_size(observer, object, status.stx_size);
    nv_observe_zeros(observer, object, from, status.stx_size);
    nv_observe_data(observer, object, content, from, status.stx_size);
}
