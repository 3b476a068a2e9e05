/* SPDX-License-Identifier: MIT */
/*
 * Where states are judged: a process of its own, with mounts and processes that nobody else sees, and that are all gone
 * with it. jobs.c starts one for each job.
 */
#ifndef NV_CELL_H
#define NV_CELL_H

#include <sys/types.h>

#define NV_CELL_FAILED 125 /* exit status: it could not be made, or not run to its end */

/*
 * Fork a child that becomes the first process of new namespaces, calls `work`, and ends with its result; it dies with
 * its parent, and all others in it die with it. -1: errno. Why it could not be made is written to `report`, a line.
 */
pid_t nv_cell_start(int (*work)(void *context), void *context, int report);

/* For the first process of a cell: all others in it end, and are collected. */
void nv_cell_end_others(void);

#endif
