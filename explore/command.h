/* SPDX-License-Identifier: MIT */
/* The recovery command: started for each state, without a shell where it needs none. recover.c runs it. */
#ifndef NV_RECOVERY_COMMAND_H
#define NV_RECOVERY_COMMAND_H

#include "explore/ending.h"

struct nv_recovery_command;

/*
 * text: with {} for the path. What the environment of the command has more is NVRTL_PROMISES, a path. NULL: no memory,
 * or an errno.
 */
struct nv_recovery_command *nv_recovery_command_new(const char *text, const char *path, const char *promises,
                                                    double timeout_seconds);
void nv_recovery_command_free(struct nv_recovery_command *command);

/*
 * Run it to its end, and end whatever it has left behind (cell.h). 0; or a negative errno: it could not be run at all.
 */
int nv_recovery_command_run(struct nv_recovery_command *command, struct nv_ending *ending);

#endif
