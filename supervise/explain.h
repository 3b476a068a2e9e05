/* SPDX-License-Identifier: MIT */
/*
 * The second run of `nvrtl check --explain`: on a copy of the folders as they were before the first, it finds out which
 * code wrote the bytes that the first run's findings name.
 */
#ifndef NV_EXPLAIN_H
#define NV_EXPLAIN_H

#include "supervise/run.h"

struct nv_explain;

/*
 * Before the first run: a process of its own keeps a copy of the folders at stake. NULL with the reason in `error`. Of
 * the options, those words that the caller keeps until the end are used.
 */
struct nv_explain *nv_explain_begin(const struct nv_run_options *options, char *error, size_t error_bytes);
/*
 * After it: run the program again where a finding has no place, and give it one; what has several becomes several
 * findings. What did not come again the report says. 0 or -ENOMEM. `report` NULL: there was no run.
 */
int nv_explain_end(struct nv_explain *explain, struct nv_report *report);

#endif
