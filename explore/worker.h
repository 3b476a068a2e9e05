/* SPDX-License-Identifier: MIT */
/* What one job does in its cell: explore its share, and report. jobs.c starts and hears it. */
#ifndef NV_WORKER_H
#define NV_WORKER_H

#include "explore/jobs.h"

#include <stdatomic.h>

/* Of one job, in memory that it shares with jobs.c. */
struct nv_worker_progress {
    _Atomic uint64_t point, points, states, failures;
};

struct nv_worker {
    const struct nv_trace *trace;
    const struct nv_stake *stake;
    const struct nv_jobs_options *options; /* with the scratch folder and the shard of this job */
    struct nv_worker_progress *progress;
    const _Atomic bool *stop; /* shared, too */
    const char *replay;       /* an id; NULL: explore */
    int report;               /* a pipe: JSON, or what was done; a line that says why, when the exit status is not 0 */
};

/* Its exit status: 0, 99 when a replayed state failed, or NV_CELL_FAILED. */
int nv_worker_run(void *worker);

#endif
