/* SPDX-License-Identifier: MIT */
/*
 * How fast crash states are enumerated and hashed, with a judge that does nothing: `states` lines or sectors pending at
 * once, `points` times, beside `files` files that nobody touches.
 *
 * usage: explore-states [memory|file] [--pending N] [--points N] [--files N] [--megabytes N] [--max-states N]
 */
#include "explore/explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct traces {
    struct nv_trace trace;
    size_t capacity;
};

static struct nv_trace_event *add(struct traces *traces, uint16_t kind, const void *payload, uint32_t payload_bytes)
{
    uint32_t bytes = (uint32_t)sizeof(struct nv_trace_event) + ((payload_bytes + 7) & ~7u);
    struct nv_trace_event *event = calloc(1, bytes);

    if (traces->trace.event_count == traces->capacity) {
        traces->capacity = traces->capacity * 2 + 1024;
        traces->trace.events = realloc(traces->trace.events, traces->capacity * sizeof *traces->trace.events);
    }
    if (!event || !traces->trace.events)
        exit(1);
    event->bytes = bytes;
    event->payload_bytes = payload_bytes;
    event->kind = kind;
    event->thread = 1;
    if (payload_bytes)
        memcpy(nv_trace_payload(event), payload, payload_bytes);
    traces->trace.events[traces->trace.event_count++] = event;
    return event;
}

static void add_file(struct traces *traces, uint32_t object, uint64_t bytes)
{
    static uint8_t block[1 << 20];
    char name[32];
    struct nv_trace_event *event;

    event = add(traces, NV_TRACE_CREATE, name, (uint32_t)snprintf(name, sizeof name, "file%u", object) + 1);
    event->object = object;
    event->parent = 1;
    event->offset = 0100644;
    event->flags = NV_TRACE_INITIAL;
    for (uint64_t at = 0; at < bytes; at += sizeof block) {
        memset(block, (int)(object + at % 251), sizeof block);
        event = add(traces, NV_TRACE_WRITE, block, bytes - at < sizeof block ? (uint32_t)(bytes - at) : sizeof block);
        event->object = object;
        event->offset = at;
        event->flags = NV_TRACE_INITIAL;
    }
}

struct shape {
    bool memory;
    uint64_t pending, points, files, megabytes, max_states;
};

static void add_start(struct traces *traces, const struct shape *shape)
{
    struct nv_trace_event *event = add(traces, NV_TRACE_CREATE, "/data", 6);

    event->object = 1;
    event->offset = 040755;
    event->flags = NV_TRACE_INITIAL;
    add_file(traces, 2, shape->megabytes << 20);
    for (uint64_t i = 0; i < shape->files; i++)
        add_file(traces, (uint32_t)i + 3, 100);
    if (shape->memory) {
        event = add(traces, NV_TRACE_MAP, NULL, 0);
        event->object = 2;
        event->length = shape->megabytes << 20;
        event->other = 2;
    }
}

/* So many stores to as many places, then what makes them durable. */
static void add_point(struct traces *traces, const struct shape *shape, uint64_t number)
{
    uint64_t unit = shape->memory ? 64 : 512, units = (shape->megabytes << 20) / unit;
    struct nv_trace_event *event;

    if (!shape->memory)
        add(traces, NV_TRACE_SYNC_BEGIN, NULL, 0);
    for (uint64_t i = 0; i < shape->pending; i++) {
        uint64_t value = number * shape->pending + i + 1, place = value * 0x9e3779b97f4a7c15u % units * unit;

        event = add(traces, shape->memory ? NV_TRACE_STORE : NV_TRACE_WRITE, &value, sizeof value);
        event->object = 2;
        event->offset = place;
        event->place = (uint32_t)i + 1;
        if (!shape->memory)
            continue;
        event = add(traces, NV_TRACE_FLUSH, NULL, 0);
        event->object = 2;
        event->offset = place;
        event->length = 64;
    }
    if (!shape->memory)
        add(traces, NV_TRACE_SYNC_BEGIN, NULL, 0);
    event = add(traces, shape->memory ? NV_TRACE_DRAIN : NV_TRACE_SYNC, NULL, 0);
    event->object = 2;
    event->length = UINT64_MAX;
    event->place = 100 + (uint32_t)(number % 50);
}

static uint64_t judged;

static enum nv_verdict judge(void *context, const struct nv_state *state)
{
    (void)context;
    (void)state;
    judged++;
    return NV_VERDICT_GOOD;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time); /* other programs do not count */
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void read_shape(int argc, char **argv, struct shape *shape)
{
    const struct {
        const char *name;
        uint64_t *value;
    } options[] = {{"--pending", &shape->pending},
                   {"--points", &shape->points},
                   {"--files", &shape->files},
                   {"--megabytes", &shape->megabytes},
                   {"--max-states", &shape->max_states}};

    shape->memory = argc < 2 || strcmp(argv[1], "file");
    for (int i = 2; i + 1 < argc; i += 2)
        for (size_t j = 0; j < sizeof options / sizeof *options; j++)
            if (!strcmp(argv[i], options[j].name))
                *options[j].value = strtoull(argv[i + 1], NULL, 10);
}

int main(int argc, char **argv)
{
    struct shape shape = {.pending = 16, .points = 64, .megabytes = 1};
    struct traces traces = {0};
    struct nv_explore_result result;
    struct nv_judge judging = {.judge = judge};
    char error[200] = "";
    double started;

    read_shape(argc, argv, &shape);
    add_start(&traces, &shape);
    for (uint64_t i = 0; i < shape.points; i++)
        add_point(&traces, &shape, i);
    for (int sharded = 0; sharded < 2; sharded++) {
        struct nv_explore_options options = {.seed = 1, .max_states = shape.max_states, .shards = sharded ? 1000 : 1};

        judged = 0;
        started = now();
        if (nv_explore(&traces.trace, &options, &judging, &result, error, sizeof error))
            fprintf(stderr, "%s\n", error);
        printf("%s, %s: %zu events, %" PRIu64 " of %" PRIu64 " points, %" PRIu64 " states, %" PRIu64
               " met again, %" PRIu64 " judged, %s; %.2f s of CPU, %.2f million states a second\n",
               shape.memory ? "memory" : "file", sharded ? "one shard of 1000" : "all judged", traces.trace.event_count,
               result.points_done, result.points, result.states, result.repeated, judged,
               result.exhaustive ? "exhaustive" : "sampled", now() - started,
               (double)(result.states + result.repeated) / (now() - started) / 1e6);
        nv_explore_result_free(&result);
    }
    return 0;
}
