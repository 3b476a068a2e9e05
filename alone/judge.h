/* SPDX-License-Identifier: MIT */
/*
 * What the judge of a run without a supervisor keeps until the program's end. One thread at a time: the caller's lock.
 */
#ifndef NV_ALONE_JUDGE_H
#define NV_ALONE_JUDGE_H

#include "report/report.h"
#include "verify/alone.h"

struct nv_alone_state {
    struct nv_report *report;
    struct nv_suppressions *suppressions;
    struct nv_alone_name {
        char *path, *shown; /* absolute, and as findings have it */
    } * names;              /* by the file's number, from 1 */
    uint32_t name_count;
    bool incomplete; /* there was no memory for something */
};

/* The path of a file, to be freed; nv_told_path. */
char *nv_alone_path(void *state, uint32_t file);

/* report.c: all that was found, to where the run wants it. */
void nv_alone_report(struct nv_alone_state *state, const struct nv_alone_run *run);

#endif
