/* SPDX-License-Identifier: MIT */
/*
 * A process between the supervisor and the program. It is told when the supervisor is gone, and then ends all that the
 * run has started and removes the scratch folder.
 */
#ifndef NV_GUARDIAN_H
#define NV_GUARDIAN_H

#include "supervise/view.h"

#include <sys/types.h>

struct nv_guardian {
    pid_t process;
    int line; /* closed without a word, it is the supervisor's death */
};

/* In the guardian: start the program. Its process number, or negative. */
typedef pid_t nv_guardian_starter(void *context);

/*
 * In the view's mount namespace. With a starter the guardian is the program's parent, and the one to which all
 * processes fall that lose theirs. 0 or a negative errno.
 */
int nv_guardian_start(struct nv_guardian *guardian, const struct nv_view_context *view, nv_guardian_starter *starter,
                      void *context);
/* Send the program a signal; when it has ended meanwhile, the processes that it has left running. */
void nv_guardian_signal(const struct nv_guardian *guardian, int signal_number);
/* Read how the program ended, as waitpid tells it. False: the guardian was killed before it could tell. */
bool nv_guardian_await(const struct nv_guardian *guardian, int *status);
/* All is well: the guardian goes. */
void nv_guardian_dismiss(struct nv_guardian *guardian);

/*
 * Signal every process that descends from this one, but for `spared` itself. Returns how many there are that the signal
 * reached; the first of them in *some, unless that is NULL.
 */
unsigned nv_signal_descendants(pid_t spared, int signal_number, pid_t *some);
/* Kill them, and those they start meanwhile. */
void nv_kill_descendants(pid_t spared);

#endif
