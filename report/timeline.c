/* SPDX-License-Identifier: MIT */
/* What happened when, kept small: owns the merging of spans. The supervisor fills it, json.c writes it. */
#include "report/map.h"

#include <stdlib.h>
#include <string.h>

#define PARTS 1024 /* of the timeline: what lies within one is told together */

struct nv_report_timeline *nv_timeline_new(void)
{
    struct nv_report_timeline *timeline = calloc(1, sizeof *timeline);
    if (!timeline)
        return NULL;
    timeline->events = calloc(NV_EVENTS_MAX, sizeof *timeline->events);
    timeline->spans = calloc(NV_SPANS_MAX, sizeof *timeline->spans);
    timeline->places = calloc(NV_EVENTS_MAX, sizeof *timeline->places);
    if (timeline->events && timeline->spans && timeline->places)
        return timeline;
    nv_timeline_free(timeline);
    return NULL;
}

void nv_timeline_free(struct nv_report_timeline *timeline)
{
    if (!timeline)
        return;
    for (size_t i = 0; i < timeline->event_count; i++)
        free(timeline->events[i].file);
    for (size_t i = 0; i < timeline->place_count; i++)
        nv_stack_clear(&timeline->places[i]);
    free(timeline->events);
    free(timeline->spans);
    free(timeline->places);
    free(timeline);
}

bool nv_timeline_event(struct nv_report_timeline *timeline, const struct nv_report_event *event)
{
    if (timeline->event_count == NV_EVENTS_MAX) {
        free(event->file);
        return false;
    }
    for (unsigned kind = 0; kind < NV_EVENT_KINDS; kind++)
        timeline->counts[kind] += event->kinds >> kind & 1;
    timeline->events[timeline->event_count++] = *event;
    return true;
}

void nv_timeline_span(struct nv_report_timeline *timeline, const struct nv_report_span *span)
{
    struct nv_report_span *last = timeline->span_count ? &timeline->spans[timeline->span_count - 1] : NULL;
    bool near = last && span->to_ns - last->from_ns <= timeline->length_ns / PARTS;
    if (!near && timeline->span_count < NV_SPANS_MAX) {
        last = &timeline->spans[timeline->span_count++];
        *last = (struct nv_report_span){.from_ns = span->from_ns};
    }
    last->to_ns = span->to_ns;
    last->bytes += span->bytes;
    for (unsigned kind = 0; kind < NV_EVENT_KINDS; kind++) {
        last->counts[kind] += span->counts[kind];
        timeline->counts[kind] += span->counts[kind];
    }
}

static int compare_events(const void *left, const void *right)
{
    const struct nv_report_event *a = left, *b = right;
    return (a->at_ns > b->at_ns) - (a->at_ns < b->at_ns);
}

void nv_timeline_sort(struct nv_report_timeline *timeline)
{
    if (timeline->event_count > 1)
        qsort(timeline->events, timeline->event_count, sizeof *timeline->events, compare_events);
}
