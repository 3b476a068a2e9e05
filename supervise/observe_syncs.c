/* SPDX-License-Identifier: MIT */
/* Tells of what system calls make durable, before and after. Called by their handlers, in syncs.c. */
#include "supervise/observer.h"

#include <unistd.h>

void nv_observe_sync_begin(const struct nv_image *image)
{
    struct nv_observer *observer = image->observer;
    struct nv_trace_event *event;

    if (!observer)
        return;
    nv_observe_changes(observer);
    event = nv_observe_event(observer, NV_TRACE_SYNC_BEGIN, 0);
    if (event)
        nv_observe_tell(observer, event);
}

void nv_observe_sync_end(const struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to,
                         uint16_t flags, int status)
{
    struct nv_observer *observer = image->observer;
    struct nv_trace_event *event = observer ? nv_observe_event(observer, NV_TRACE_SYNC, 0) : NULL;

    if (!event)
        return;
    event->object = object ? object->trace_number : 0;
    event->flags |= flags;
    if (status || (object && !object->trace_number))
        event->flags |= NV_TRACE_FAILED; /* an object that is not known is not everything */
    event->offset = from;
    event->length = to == UINT64_MAX ? UINT64_MAX : to - from;
    nv_observe_tell(observer, event);
}

static void tell_own(struct nv_observer *observer, enum nv_trace_kind kind, const struct nv_object *object)
{
    struct nv_trace_event *event = nv_observe_event(observer, kind, 0);

    if (!event)
        return;
    event->thread = (uint32_t)getpid();
    event->object = object ? object->trace_number : 0;
    nv_log_commit(event);
}

/* As a sync of none of its bytes, by nvrtl itself. */
void nv_observe_token(const struct nv_image *image, const struct nv_object *object)
{
    if (!image->observer || !object->trace_number)
        return;
    tell_own(image->observer, NV_TRACE_SYNC_BEGIN, NULL);
    tell_own(image->observer, NV_TRACE_SYNC, object);
}
