/* SPDX-License-Identifier: MIT */
/* The signals that end programs, sent to nvrtl: read one by one, where it suits. */
#ifndef NV_SIGNALS_H
#define NV_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/* What the supervisor changes of itself, as the program would have had it. */
struct nv_inherited {
    struct rlimit descriptors, file_bytes;
    struct sigaction child, file_too_large;
    sigset_t mask;
    mode_t creation_mask;
};

struct nv_signals {
    int descriptor; /* readable when there is one; -1: not begun */
    sigset_t ignored;
};

struct nv_signal {
    int number;
    bool sent;    /* by a process. A terminal signals the program by itself */
    bool ignored; /* nvrtl was started to ignore it */
};

/* From here on they do nothing but to become readable. 0 or a negative errno. */
int nv_signals_begin(struct nv_signals *signals, struct nv_inherited *inherited);
/* The next one, or false. */
bool nv_signals_next(const struct nv_signals *signals, struct nv_signal *signal);
/* While there is no program that could be meant: the number of one that was to end nvrtl, or 0. */
int nv_signals_interrupted(const struct nv_signals *signals);
/* In what becomes the program: as it would have been without nvrtl. */
void nv_inherited_restore(const struct nv_inherited *inherited);

#endif
