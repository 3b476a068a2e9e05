/* SPDX-License-Identifier: MIT */
/*
 * Follows the second run by ptrace: each store into a watched page stops its thread, and is noted with its stack.
 * x86-64 alone.
 */
#ifndef NV_TRACER_H
#define NV_TRACER_H

#include "supervise/explain_watch.h"

struct nv_tracer;

/* NULL: no memory. */
struct nv_tracer *nv_tracer_new(struct nv_explain_book *book, struct nv_watch *watch);
/* Follow a process, and those that it starts, in a thread of its own. 0 or a negative errno. */
int nv_tracer_start(struct nv_tracer *tracer, pid_t process);
/* Wait until they all are gone. Reasons why some could not be followed are in the book. */
void nv_tracer_free(struct nv_tracer *tracer);

#endif
