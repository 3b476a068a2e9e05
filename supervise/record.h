/* SPDX-License-Identifier: MIT */
/* What reports draw beyond findings: syncs as they come, and at the end the timeline and each file's map. */
#ifndef NV_RECORD_H
#define NV_RECORD_H

#include "report/map.h"
#include "supervise/supervisor.h"

/* A sync in progress. */
struct nv_record_sync {
    struct nv_object *object; /* NULL: every file, or none that is known */
    uint64_t at_ns, bytes_before;
};

/* Of a run that is to be recorded: 0 or -ENOMEM. Of any other these do nothing, but for nv_record_start. */
int nv_record_open(struct nv_supervisor *supervisor);
/* The program is about to start: times count from here (CLOCK_MONOTONIC), in any run. */
void nv_record_start(struct nv_supervisor *supervisor, uint64_t began_ns);
void nv_record_close(struct nv_supervisor *supervisor);
/* Who made the call that is handled from now on, and its name. */
void nv_record_caller(struct nv_supervisor *supervisor, pid_t thread, const char *name);
void nv_record_begin(const struct nv_image *image, struct nv_record_sync *sync);
/* to UINT64_MAX: all of it. status: a negative errno when it failed. */
void nv_record_end(const struct nv_image *image, const struct nv_record_sync *sync, uint64_t from, uint64_t to,
                   int status);

/* The report's timeline, when the run is over. 0 or -ENOMEM. */
int nv_record_timeline(struct nv_supervisor *supervisor);

/* What was made durable of the file in the run, to its map. 0 or -ENOMEM. */
int nv_record_durable(const struct nv_object *object, struct nv_report_map *map);

#endif
