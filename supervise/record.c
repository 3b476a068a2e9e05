/* SPDX-License-Identifier: MIT */
/*
 * Owns the record of syncs, and makes the timeline of it and of what the verifiers recorded. Syncs come from syncs.c,
 * maps are wanted by judge.c; a run whose report draws nothing has no record, and each call ends at once.
 */
#include "supervise/record.h"
#include "supervise/lines.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES = 64 };

_Static_assert((int)NV_ACTIVITY_WRITE == (int)NV_EVENT_WRITE && (int)NV_ACTIVITY_FLUSH == (int)NV_EVENT_FLUSH &&
                   (int)NV_ACTIVITY_DRAIN == (int)NV_EVENT_DRAIN && (int)NV_ACTIVITY_SYNC == (int)NV_EVENT_SYNC &&
                   (int)NV_ACTIVITY_KINDS == (int)NV_EVENT_KINDS,
               "reports and verifiers count the same kinds");

struct nv_record {
    struct nv_activity activity;
    uint64_t began_ns;
    pid_t thread;     /* whose call is handled */
    const char *call; /* its name */
    /* Of each event: */
    const char *calls[NV_ACTIVITY_EVENTS];
    const struct nv_object *objects[NV_ACTIVITY_EVENTS];
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return nv_nanoseconds(now);
}

int nv_record_open(struct nv_supervisor *supervisor)
{
    if (!supervisor->options->record)
        return 0;
    supervisor->image.record = calloc(1, sizeof *supervisor->image.record);
    if (!supervisor->image.record)
        return -ENOMEM;
    supervisor->ledger->records = 1;
    return 0;
}

void nv_record_start(struct nv_supervisor *supervisor, uint64_t began_ns)
{
    supervisor->ledger->began_ns = began_ns;
    if (supervisor->image.record)
        supervisor->image.record->began_ns = began_ns;
}

void nv_record_close(struct nv_supervisor *supervisor)
{
    free(supervisor->image.record);
    supervisor->image.record = NULL;
}

void nv_record_caller(struct nv_supervisor *supervisor, pid_t thread, const char *name)
{
    struct nv_record *record = supervisor->image.record;

    if (!record)
        return;
    record->thread = thread;
    record->call = name;
}

void nv_record_begin(const struct nv_image *image, struct nv_record_sync *sync)
{
    if (!image->record)
        return;
    sync->at_ns = now_ns() - image->record->began_ns;
    sync->bytes_before = image->bytes_made_durable;
}

void nv_record_end(const struct nv_image *image, const struct nv_record_sync *sync, uint64_t from, uint64_t to,
                   int status)
{
    struct nv_record *record = image->record;
    struct nv_activity_event *event = record ? nv_activity_take(&record->activity) : NULL;
    uint64_t bytes = image->bytes_made_durable - sync->bytes_before;

    if (!record)
        return;
    if (!event) {
        nv_activity_count(&record->activity, sync->at_ns, 1 << NV_ACTIVITY_SYNC, bytes);
        return;
    }
    event->kinds = 1 << NV_ACTIVITY_SYNC;
    event->thread = (uint32_t)record->thread;
    event->at_ns = sync->at_ns;
    event->duration_ns = now_ns() - record->began_ns - sync->at_ns;
    event->offset = from;
    event->length_bytes = to == UINT64_MAX ? 0 : to - from;
    event->bytes = bytes;
    event->failed = status < 0;
    record->calls[event - record->activity.events] = record->call;
    record->objects[event - record->activity.events] = sync->object;
    atomic_store(&event->ready, 1);
}

/* ---- the timeline ---- */

struct timeline {
    struct nv_supervisor *supervisor;
    struct nv_report_timeline *report;
    uint32_t places[NV_LEDGER_PLACES]; /* the report's number of each of the ledger's, plus 1 */
};

/* The same stack is pushed once. */
static int add_place(struct timeline *timeline, uint16_t number)
{
    struct nv_report_timeline *report = timeline->report;

    if (!number || timeline->places[number])
        return 0;
    if (!nv_judge_place(&report->places[report->place_count], timeline->supervisor->ledger, number))
        return -ENOMEM;
    timeline->places[number] = (uint32_t)++report->place_count;
    return 0;
}

/* As findings name it; NULL without an error: it has no name any more. */
static int name_file(const struct nv_object *object, char **file)
{
    char path[PATH_MAX];

    *file = NULL;
    if (!object || nv_object_path(object, path, sizeof path) < 0)
        return 0;
    *file = nv_judge_shown_path(object->folder, path);
    return *file ? 0 : -ENOMEM;
}

static int add_event(struct timeline *timeline, const struct nv_activity_event *event, const struct nv_object *object,
                     const char *call)
{
    struct nv_report_event told = {.at_ns = event->at_ns,
                                   .duration_ns = event->duration_ns,
                                   .kinds = event->kinds,
                                   .thread = event->thread,
                                   .offset = event->offset,
                                   .length_bytes = event->length_bytes,
                                   .bytes = event->bytes,
                                   .failed = event->failed,
                                   .call = call};

    if (!atomic_load(&event->ready))
        return 0;
    if (add_place(timeline, event->place) || name_file(object, &told.file))
        return -ENOMEM;
    told.place = timeline->places[event->place];
    (void)nv_timeline_event(timeline->report, &told);
    return 0;
}

static int add_calls(struct timeline *timeline)
{
    const struct nv_image *image = &timeline->supervisor->image;
    const struct nv_activity *activity = &timeline->supervisor->ledger->activity;
    int status = 0;

    for (size_t i = 0; i < NV_ACTIVITY_EVENTS && !status; i++) {
        uint32_t file = activity->events[i].file;
        bool known = file && file <= image->verifier_file_count;

        status = add_event(timeline, &activity->events[i], known ? image->verifier_files[file - 1] : NULL, NULL);
    }
    return status;
}

static int add_syncs(struct timeline *timeline)
{
    const struct nv_record *record = timeline->supervisor->image.record;
    int status = 0;

    for (size_t i = 0; i < NV_ACTIVITY_EVENTS && !status; i++)
        status = add_event(timeline, &record->activity.events[i], record->objects[i], record->calls[i]);
    return status;
}

/* How many there were; each counts for all of its kinds. */
static uint64_t add_calls_of(const struct nv_activity_span *from, struct nv_report_span *to)
{
    uint64_t sum = 0;

    for (unsigned kinds = 1; kinds < 1 << NV_ACTIVITY_KINDS; kinds++) {
        uint64_t calls = atomic_load(&from->calls[kinds]);

        sum += calls;
        for (unsigned kind = 0; kind < NV_ACTIVITY_KINDS; kind++)
            to->counts[kind] += kinds >> kind & 1 ? calls : 0;
    }
    return sum;
}

static void add_spans(struct timeline *timeline)
{
    const struct nv_activity *both[] = {&timeline->supervisor->ledger->activity,
                                        &timeline->supervisor->image.record->activity};

    for (size_t i = 0; i < NV_ACTIVITY_SPANS; i++) {
        struct nv_report_span span = {.from_ns = nv_activity_span_start(i), .to_ns = nv_activity_span_start(i + 1)};
        uint64_t any = 0;

        for (size_t k = 0; k < 2; k++) {
            span.bytes += atomic_load(&both[k]->spans[i].bytes);
            any += add_calls_of(&both[k]->spans[i], &span);
        }
        if (any)
            nv_timeline_span(timeline->report, &span);
    }
}

int nv_record_timeline(struct nv_supervisor *supervisor)
{
    struct timeline *timeline = supervisor->image.record ? calloc(1, sizeof *timeline) : NULL;
    int status;

    if (!supervisor->image.record)
        return 0;
    supervisor->report->timeline = nv_timeline_new();
    if (!timeline || !supervisor->report->timeline) {
        free(timeline);
        return -ENOMEM;
    }
    timeline->supervisor = supervisor;
    timeline->report = supervisor->report->timeline;
    timeline->report->length_ns = (uint64_t)(supervisor->report->times.program * 1e9);
    status = add_calls(timeline);
    if (!status)
        status = add_syncs(timeline);
    add_spans(timeline);
    nv_timeline_sort(timeline->report);
    free(timeline);
    return status;
}

/* ---- what was made durable ---- */

struct durable {
    const struct nv_object *object;
    struct nv_report_map *map;
    uint64_t next_block; /* blocks before it have been added */
    uint64_t end;        /* of the file */
};

static bool is_synced(const struct nv_object *object, uint64_t block)
{
    return block < object->synced_block_bits && (object->synced_blocks[block / 8] >> (block % 8) & 1);
}

static int add_range(const struct durable *durable, uint64_t from, uint64_t to)
{
    struct nv_map_range range = {.offset = from, .state = NV_MAP_DURABLE};

    if (from >= durable->end)
        return 0;
    range.length_bytes = (to < durable->end ? to : durable->end) - from;
    return nv_map_add(durable->map, &range) ? 0 : -ENOMEM;
}

/* The blocks that syncs have copied, as far as `end`. */
static int add_blocks(struct durable *durable, uint64_t end)
{
    int status = 0;

    for (; durable->next_block < end && durable->next_block < durable->object->synced_block_bits && !status;
         durable->next_block++)
        if (is_synced(durable->object, durable->next_block))
            status =
                add_range(durable, durable->next_block * NV_BLOCK_BYTES, (durable->next_block + 1) * NV_BLOCK_BYTES);
    return status;
}

/* Lines that drains have committed; those that a sync copied come with their block. */
static int add_line(void *context, uint64_t offset)
{
    struct durable *durable = context;
    uint64_t block = offset / NV_BLOCK_BYTES;
    int status = add_blocks(durable, block + 1);

    return status || is_synced(durable->object, block) ? status : add_range(durable, offset, offset + LINE_BYTES);
}

int nv_record_durable(const struct nv_object *object, struct nv_report_map *map)
{
    struct durable durable = {.object = object, .map = map, .end = map->view_bytes};
    int status = nv_lines_each_committed(object, add_line, &durable);

    return status ? status : add_blocks(&durable, UINT64_MAX);
}
