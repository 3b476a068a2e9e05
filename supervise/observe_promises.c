/* SPDX-License-Identifier: MIT */
/*
 * Promises by --ack-fd: each complete line that the program writes to that descriptor, as long as it is the file that
 * it was when the program began. Called with the writes that the tracer stops.
 */
#include "supervise/observer.h"
#include "supervise/target.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

int nv_observe_promises_open(struct nv_observer *observer)
{
    int fd = observer->supervisor->options->ack_descriptor;

    return fd >= 0 && fstat(fd, &observer->acknowledged) ? -errno : 0;
}

bool nv_observe_is_acknowledgement(struct nv_observer *observer, pid_t thread, int fd)
{
    const struct stat *acknowledged = &observer->acknowledged;
    struct statx status;

    if (fd != observer->supervisor->options->ack_descriptor || nv_target_statx(thread, fd, &status))
        return false;
    return nv_statx_device(&status) == acknowledged->st_dev && status.stx_ino == acknowledged->st_ino;
}

static void promise(struct nv_observer *observer)
{
    struct nv_trace_event *event;

    nv_observe_changes(observer);
    event = nv_observe_event(observer, NV_TRACE_PROMISE, (uint32_t)observer->line_bytes);
    if (event) {
        event->flags |= NV_TRACE_ACKNOWLEDGED;
        memcpy(nv_trace_payload(event), observer->line, observer->line_bytes);
        nv_observe_tell(observer, event);
    }
    observer->line_bytes = 0;
}

/* A NUL is no part of a line of text. */
static void take(struct nv_observer *observer, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == '\n')
            promise(observer);
        else if (observer->line_bytes < sizeof observer->line && bytes[i])
            observer->line[observer->line_bytes++] = bytes[i];
}

static uint64_t take_part(struct nv_observer *observer, pid_t thread, uint64_t address, uint64_t length)
{
    char bytes[4096];
    uint64_t done = 0;

    while (done < length) {
        ssize_t got = nv_target_read_some(thread, address + done, bytes,
                                          length - done < sizeof bytes ? (size_t)(length - done) : sizeof bytes);

        if (got <= 0) {
            nv_observe_lost(observer, "promises could not be read");
            break;
        }
        take(observer, bytes, (size_t)got);
        done += (uint64_t)got;
    }
    return length;
}

void nv_observe_acknowledged(struct nv_observer *observer, const struct nv_observed_call *call, bool vector)
{
    uint64_t left = (uint64_t)call->result;
    struct iovec part;

    if (!vector) {
        (void)take_part(observer, call->thread, call->arguments[1], left);
        return;
    }
    for (uint64_t i = 0; i < call->arguments[2] && left; i++) {
        if (nv_target_read(call->thread, call->arguments[1] + i * sizeof part, &part, sizeof part))
            return;
        left -= take_part(observer, call->thread, (uint64_t)(uintptr_t)part.iov_base,
                          part.iov_len < left ? part.iov_len : left);
    }
}
