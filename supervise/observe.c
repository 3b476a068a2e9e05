/* SPDX-License-Identifier: MIT */
/*
 * Owns the trace of a recorded run: the log that all processes append to, its way into the file, and the events of the
 * supervisor. Called by the run's loop, and by all of observe_*.c.
 */
#include "supervise/observer.h"
#include "supervise/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- events ---- */

struct nv_trace_event *nv_observe_event(struct nv_observer *observer, enum nv_trace_kind kind, uint32_t payload_bytes)
{
    struct nv_trace_event *event;

    if (observer->stopped && !observer->placed) {
        observer->place = nv_observe_place(observer, observer->thread);
        observer->placed = true;
    }
    event = nv_log_begin(observer->log, payload_bytes);
    if (!event) {
        observer->error = -EFBIG;
        return NULL;
    }
    event->kind = (uint16_t)kind;
    event->flags = observer->initial ? NV_TRACE_INITIAL : 0;
    event->thread = (uint32_t)observer->thread;
    event->place = observer->place;
    return event;
}

void nv_observe_tell(struct nv_observer *observer, struct nv_trace_event *event)
{
    if (observer->thread && !observer->stopped && observer->pending_count < NV_OBSERVE_PENDING)
        observer->pending[observer->pending_count++] = event;
    else
        nv_log_commit(event);
}

void nv_observe_caller(struct nv_observer *observer, pid_t thread, bool stopped)
{
    observer->thread = thread;
    observer->stopped = stopped;
    observer->placed = false;
    observer->place = 0;
}

void nv_observe_complete(struct nv_observer *observer, pid_t thread)
{
    uint32_t place = thread && observer->pending_count ? nv_observe_place(observer, thread) : 0;

    for (size_t i = 0; i < observer->pending_count; i++) {
        observer->pending[i]->place = place;
        nv_log_commit(observer->pending[i]);
    }
    observer->pending_count = 0;
    nv_observe_caller(observer, 0, false);
}

void nv_observe_lost(struct nv_observer *observer, const char *why)
{
    (void)nv_report_not_seen(observer->supervisor->report, why);
}

struct nv_object *nv_observe_object(struct nv_observer *observer, pid_t thread, int fd, struct statx *status)
{
    struct nv_supervisor *supervisor = observer->supervisor;
    int result = nv_target_statx(thread, fd, status);
    struct nv_folder *folder;

    if (result == NV_HIDDEN)
        nv_observe_lost(observer, "calls of a process that may not be looked into were not recorded");
    folder = result ? NULL : nv_folder_of(supervisor, thread, fd, status);
    return folder ? nv_image_object(&supervisor->image, folder, status) : NULL;
}

/* ---- the file ---- */

static void drain(struct nv_observer *observer, bool over)
{
    const struct nv_trace_event *event;

    while (observer->log && (event = nv_log_next(observer->log, &observer->cursor, over))) {
        nv_observe_note_place(observer, event->place);
        if (!observer->error)
            observer->error = nv_trace_put(observer->writer, event);
    }
    if (observer->log && observer->cursor)
        nv_log_give_back(observer->log, observer->supervisor->log_fd, observer->cursor);
}

void nv_observe_drain(struct nv_observer *observer)
{
    drain(observer, false);
}

static int begin(struct nv_observer *observer)
{
    struct nv_supervisor *supervisor = observer->supervisor;
    int status = nv_trace_create(supervisor->options->trace, &observer->writer);

    if (status)
        return status;
    observer->log = nv_log_open(supervisor->log_fd);
    if (!observer->log)
        return -errno;
    observer->buffer = malloc(NV_CHUNK_BYTES);
    if (!observer->buffer)
        return -ENOMEM;
    status = nv_observe_calls_prepare();
    if (!status)
        status = nv_observe_promises_open(observer);
    if (!status)
        status = nv_observe_initial(observer);
    return status ? status : observer->error;
}

int nv_observe_open(struct nv_supervisor *supervisor)
{
    if (!supervisor->options->trace)
        return 0;
    supervisor->observer = calloc(1, sizeof *supervisor->observer);
    if (!supervisor->observer)
        return -ENOMEM;
    supervisor->image.observer = supervisor->observer;
    supervisor->observer->supervisor = supervisor;
    return begin(supervisor->observer);
}

static void tell_end(struct nv_observer *observer)
{
    const struct nv_supervisor *supervisor = observer->supervisor;
    struct nv_trace_event *event;
    size_t bytes = 0;
    char *at;

    for (char **word = supervisor->options->program; *word; word++)
        bytes += strlen(*word) + 1;
    event = nv_observe_event(observer, NV_TRACE_END, (uint32_t)bytes);
    if (!event)
        return;
    at = nv_trace_payload(event);
    for (char **word = supervisor->options->program; *word; word++)
        at = stpcpy(at, *word) + 1;
    event->length = (uint64_t)(WIFSIGNALED(supervisor->status) ? 128 + WTERMSIG(supervisor->status)
                                                               : WEXITSTATUS(supervisor->status));
    nv_observe_tell(observer, event);
}

int nv_observe_end(struct nv_observer *observer)
{
    int status;

    nv_observe_complete(observer, 0);
    nv_observe_changes(observer);
    drain(observer, true);
    status = nv_observe_places(observer);
    tell_end(observer);
    drain(observer, true);
    if (!observer->error)
        observer->error = status;
    if (!observer->error && nv_log_full(observer->log))
        observer->error = -EFBIG;
    status = nv_trace_finish(observer->writer);
    observer->writer = NULL;
    return observer->error ? observer->error : status;
}

void nv_observe_close(struct nv_supervisor *supervisor)
{
    struct nv_observer *observer = supervisor->observer;

    if (!observer)
        return;
    if (observer->writer)
        (void)nv_trace_finish(observer->writer);
    nv_observe_forget_names(observer);
    nv_observe_forget_contents(observer);
    nv_observe_forget_maps(observer);
    nv_observe_forget_stacks(observer);
    nv_log_close(observer->log);
    free(observer->buffer);
    free(observer);
    supervisor->observer = NULL;
    supervisor->image.observer = NULL;
}
