/* SPDX-License-Identifier: MIT */
/*
 * The trace file: all events of a run in their order, compressed. It holds whatever the explorer needs, the files as
 * they were when the run began, too; docs/TRACE.md describes it. Functions that can fail return 0 or a negative errno.
 */
#ifndef NV_TRACE_FILE_H
#define NV_TRACE_FILE_H

#include "trace/event.h"

struct nv_trace_writer;

int nv_trace_create(const char *path, struct nv_trace_writer **writer);
int nv_trace_put(struct nv_trace_writer *writer, const struct nv_trace_event *event);
/* The file is whole only when this returns 0; in any case the writer is gone. */
int nv_trace_finish(struct nv_trace_writer *writer);

/* A whole trace in memory. */
struct nv_trace {
    const struct nv_trace_event **events;
    size_t event_count;
};

/* Every event is checked: a damaged or foreign file is an error, with one line in `error`, and never a crash. */
int nv_trace_load(const char *path, struct nv_trace **trace, char *error, size_t error_bytes);
void nv_trace_free(struct nv_trace *trace);

#endif
