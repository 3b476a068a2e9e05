/* SPDX-License-Identifier: MIT */
/*
 * Stopping the program's calls where they begin and end, by ptrace, in a recorded run. One thread (the supervisor's)
 * does all of it. Functions that can fail return 0 or a negative errno.
 */
#ifndef NV_TURNS_H
#define NV_TURNS_H

#include "supervise/supervisor.h"

/* Before the program starts: it, and all that it starts, is traced from here on. */
int nv_turns_open(struct nv_supervisor *supervisor);
int nv_turns_seize(pid_t program);
/* Whatever has stopped or ended meanwhile (SIGCHLD tells): it goes on, when its turn comes. */
void nv_turns_serve(struct nv_turns *turns);
/* A call is under way: notified ones wait. */
bool nv_turns_is_busy(const struct nv_turns *turns);
/* After how much time nv_turns_serve is to be called at the latest, stops or none. */
int nv_turns_patience_ms(const struct nv_turns *turns);

/* A notified call begins to be handled. */
void nv_turns_notified(struct nv_turns *turns, pid_t thread);
/* To be called before the answer is given, once or more often. `goes_on`: the kernel is to do what was called for. */
void nv_turns_answering(struct nv_turns *turns, const struct seccomp_notif *call, bool goes_on);

void nv_turns_close(struct nv_supervisor *supervisor);

#endif
