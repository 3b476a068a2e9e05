/* SPDX-License-Identifier: MIT */
/* A process that outlives the supervisor, should that be killed: it ends the program and removes the scratch folder. */
#ifndef NV_GUARDIAN_H
#define NV_GUARDIAN_H

#include "supervise/view.h"

#include <sys/types.h>

struct nv_guardian {
    pid_t process;
    int line; /* closed without a word, it is the supervisor's death */
};

/* In the view's mount namespace. 0 or a negative errno. */
int nv_guardian_start(struct nv_guardian *guardian, const struct nv_view_context *view);
/* All is well: the guardian goes. */
void nv_guardian_dismiss(struct nv_guardian *guardian);
/* Kill every process of this mount namespace but this one and `spared`, and those they start meanwhile. */
void nv_kill_namespace(pid_t spared);

#endif
