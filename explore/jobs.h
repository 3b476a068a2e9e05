/* SPDX-License-Identifier: MIT */
/*
 * One exploration in several processes: starts the cells, tells how far they are, and joins what they report. nvrtl
 * crash calls it.
 */
#ifndef NV_JOBS_H
#define NV_JOBS_H

#include "explore/recover.h"
#include "report/crash.h"

struct nv_jobs_options {
    struct nv_recover_options recover; /* scratch: left alone */
    struct nv_explore_options explore; /* shard, shards: of this call among others; the jobs divide it further */
    uint32_t jobs;                     /* from 1 */
    const char *scratch;               /* folder for states; NULL: memory */
    const char *keep;                  /* folder for failing states; NULL: none are kept */
    const char *trace;                 /* its file, for the command that replays; NULL: it goes */
    bool progress;                     /* a line on standard error */
};

/*
 * 0: *report has findings and coverage, to be freed. Else -1 with one line in `error`. *interrupted: a signal ended it.
 */
int nv_jobs_run(const struct nv_trace *trace, const struct nv_stake *stake, const struct nv_jobs_options *options,
                struct nv_report **report, bool *interrupted, char *error, size_t error_bytes);

/*
 * Build the state that `id` names in options->keep, and run the recovery on it, if there is one. 0: *told, to be freed,
 * says what was done, and *failed whether recovery failed.
 */
int nv_jobs_replay(const struct nv_trace *trace, const struct nv_stake *stake, const struct nv_jobs_options *options,
                   const char *id, char **told, bool *failed, char *error, size_t error_bytes);

#endif
