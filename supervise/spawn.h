/* SPDX-License-Identifier: MIT */
/* Starting the program under the filter, as a child of the guardian. */
#ifndef NV_SPAWN_H
#define NV_SPAWN_H

#include "supervise/filter.h"
#include "supervise/guardian.h"
#include "supervise/supervisor.h"

struct nv_spawn {
    const struct nv_filter *filter;
    const struct nv_filter *stops; /* of a recorded run; else NULL */
    const char *working_folder;
    struct nv_inherited inherited;
};

/*
 * Start a guardian, and the program as its child; supervisor->listener is set. 0, or the exit status that
 * nvrtl ends with (125, 126, 127) and why.
 */
int nv_spawn(struct nv_supervisor *supervisor, const struct nv_spawn *spawn, const struct nv_view_context *view,
             struct nv_guardian *guardian, char *error, size_t error_bytes);

#endif
