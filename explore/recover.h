/* SPDX-License-Identifier: MIT */
/*
 * The judge of states: the program's own recovery, a command or a function, run on each. jobs.c makes one in each cell,
 * and hands it to nv_explore.
 */
#ifndef NV_RECOVER_H
#define NV_RECOVER_H

#include "explore/ending.h"
#include "explore/explore.h"
#include "explore/stake.h"

struct nv_recover_options {
    const char *command;  /* with {}; or NULL */
    const char *function; /* library:function; or NULL. Neither: states are good */
    const char *host;     /* the program that calls the function (function.h) */
    double timeout_seconds;
    const char *scratch; /* an empty folder of this process */
    bool on_disk;        /* the states are to stay there; else in memory */
};

struct nv_recover;

/* 0, or -1 with one line in `error`. */
int nv_recover_open(const struct nv_recover_options *options, const struct nv_stake *stake, struct nv_recover **recover,
                    char *error, size_t error_bytes);
void nv_recover_close(struct nv_recover *recover);
/* Its context is the recover. `progress` is left to the caller. */
struct nv_judge nv_recover_judge(struct nv_recover *recover);
/* How the recovery of the last state ended. */
const struct nv_ending *nv_recover_ending(const struct nv_recover *recover);
/* Why it said NV_VERDICT_STOP; empty: it did not. */
const char *nv_recover_error(const struct nv_recover *recover);
/* Before it is judged, each further state is written to this folder, too; -1: no more. */
void nv_recover_keep(struct nv_recover *recover, int folder);
/* What was kept last could not be written: a negative errno. */
int nv_recover_kept(const struct nv_recover *recover);

#endif
