/* SPDX-License-Identifier: MIT */
/*
 * What is durable and what is pending at a place in a trace. It takes the events one by one; the explorer stops it at
 * crash points.
 */
#ifndef NV_EXPLORE_MODEL_H
#define NV_EXPLORE_MODEL_H

#include "explore/explore.h"
#include "explore/names.h"
#include "explore/objects.h"

/* What is the same each time that a trace is gone through. */
struct nv_known {
    struct nv_hash content; /* of the file as it was when the run began */
    bool hashed;
    uint32_t unit_bytes;
    bool instant;
};

struct nv_subject {
    const struct nv_trace *trace;
    struct nv_known *objects; /* by number */
    uint32_t object_count;    /* one more than the highest */
};

/* The trace is one that nv_trace_load took. -ENOMEM. */
int nv_subject_open(struct nv_subject *subject, const struct nv_trace *trace);
void nv_subject_close(struct nv_subject *subject);

struct nv_flushed {
    struct nv_unit *unit;
    uint64_t event;
};

struct nv_thread {
    uint32_t number;
    uint64_t sync_begin; /* the event */
    struct nv_flushed *flushed;
    size_t count, capacity;
};

struct nv_model {
    struct nv_subject *subject;
    enum nv_explore_model kind;
    uint64_t event; /* the number of the last one taken; from 1 */
    struct nv_object *objects;
    struct nv_names names;
    struct nv_thread *threads;
    size_t thread_count;
    uint64_t instant_event; /* its stores are durable before the next event */
    char *promises;
    size_t promises_bytes, promises_capacity;
    uint64_t promise_count;
};

int nv_model_open(struct nv_model *model, struct nv_subject *subject, enum nv_explore_model kind);
/* Take the next event. Negative errno. */
int nv_model_take(struct nv_model *model);
void nv_model_close(struct nv_model *model);

/* Names that an event changes: up to two operations, or none. Negative errno. */
int nv_model_ops(struct nv_model *model, const struct nv_trace_event *event, struct nv_op ops[2]);

#endif
