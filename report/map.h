/* SPDX-License-Identifier: MIT */
/*
 * What became of the bytes of each file, and what happened when: for reports that are drawn. Bounded, whatever the
 * program does: ranges are rounded outwards until they are few, and events merged into spans of time; every count is
 * exact.
 */
#ifndef NV_MAP_H
#define NV_MAP_H

#include "report/finding.h"

/* From the best to the worst: the worst shows where a range holds several. */
enum nv_map_state {
    NV_MAP_DURABLE,   /* made durable in the run */
    NV_MAP_IGNORED,   /* differs, and is not meant to be durable */
    NV_MAP_IN_FLIGHT, /* flushed, not drained */
    NV_MAP_DIRTY,     /* differs from what is durable */
    NV_MAP_STATES
};

struct nv_map_range {
    uint64_t offset, length_bytes;
    enum nv_map_state state;
    const void *finding; /* the struct nv_finding that names it; NULL: none does. While judging: what becomes one */
};

/* Ranges that ascend and do not touch, unless they are of different kinds. */
struct nv_map_layer {
    uint64_t grain_bytes; /* ranges are rounded outwards to a multiple; 1: they are exact */
    size_t count, room;
    struct nv_map_range *ranges;
};

struct nv_report_map {
    char *file;                         /* as in findings */
    uint64_t view_bytes, durable_bytes; /* sizes of the file, at the end */
    uint64_t bytes[NV_MAP_STATES];      /* exact; what was made durable may have changed since, and counts for both */
    struct nv_map_layer durable;        /* what was made durable in the run */
    struct nv_map_layer differs;        /* and what differs at its end, which covers that */
};

#define NV_MAP_FILES_MAX ((size_t)512)
#define NV_MAP_RANGES_MAX ((size_t)4096)         /* of a layer */
#define NV_MAP_RANGES_OF_ALL_MAX ((size_t)16384) /* of a report */

struct nv_report_map *nv_map_new(const char *file); /* NULL: no memory */
void nv_map_free(struct nv_report_map *map);
/* Add the next range: no offset is lower than that of the one before. False: no memory. */
bool nv_map_add(struct nv_report_map *map, const struct nv_map_range *range);
/*
 * Add a map (taken over). Where there are too many, one without differences gives way, or the last by name, and is
 * counted.
 */
bool nv_report_add_map(struct nv_report *report, struct nv_report_map *map);

/* -- the timeline -- */

enum nv_event_kind { NV_EVENT_WRITE, NV_EVENT_FLUSH, NV_EVENT_DRAIN, NV_EVENT_SYNC, NV_EVENT_KINDS };

/* One call. It may be of several kinds: a durable write is a write, a flush and a drain. */
struct nv_report_event {
    uint64_t at_ns, duration_ns; /* since the program's start; 0: the duration is not known */
    unsigned kinds;              /* a bit each: 1 << NV_EVENT_WRITE ... */
    uint32_t thread;
    bool failed;
    char *file;                    /* NULL: none, or unknown */
    uint64_t offset, length_bytes; /* 0: of the whole file, or none */
    uint64_t bytes;                /* written, flushed or, by a sync, made durable */
    const char *call;              /* "fsync"; NULL: of the interface */
    size_t place;                  /* its number in places, plus 1; 0: unknown */
};

/* Many, of which only this is known. */
struct nv_report_span {
    uint64_t from_ns, to_ns;
    uint64_t counts[NV_EVENT_KINDS];
    uint64_t bytes;
};

#define NV_EVENTS_MAX ((size_t)4096)
#define NV_SPANS_MAX ((size_t)4096)

struct nv_report_timeline {
    uint64_t length_ns;
    uint64_t counts[NV_EVENT_KINDS]; /* of events and spans together */
    size_t event_count, span_count, place_count;
    struct nv_report_event *events; /* by time */
    struct nv_report_span *spans;   /* by time */
    struct nv_stack *places;
};

struct nv_report_timeline *nv_timeline_new(void); /* with all the room there can be; NULL: no memory */
void nv_timeline_free(struct nv_report_timeline *timeline);
/* Add an event, its file taken over. False: there are NV_EVENTS_MAX. */
bool nv_timeline_event(struct nv_report_timeline *timeline, const struct nv_report_event *event);
/* Add the next span, length_ns being known. Those within a thousandth of the timeline become one. */
void nv_timeline_span(struct nv_report_timeline *timeline, const struct nv_report_span *span);
/* Order events by time, once all are there. */
void nv_timeline_sort(struct nv_report_timeline *timeline);

#endif
