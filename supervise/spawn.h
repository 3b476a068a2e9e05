/* SPDX-License-Identifier: MIT */
/* Starting the program under the filter. */
#ifndef NV_SPAWN_H
#define NV_SPAWN_H

#include "supervise/filter.h"
#include "supervise/supervisor.h"

#include <signal.h>
#include <sys/resource.h>

struct nv_spawn {
    const struct nv_filter *filter;
    const char *working_folder;
    struct rlimit descriptors; /* as the program would have had it */
    sigset_t signals;          /* its mask */
};

/*
 * Start the program; supervisor->program and ->listener are set. 0, or the exit status that nvrtl ends with (125, 126,
 * 127) and why.
 */
int nv_spawn(struct nv_supervisor *supervisor, const struct nv_spawn *spawn, char *error, size_t error_bytes);

#endif
