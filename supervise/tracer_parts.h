/* SPDX-License-Identifier: MIT */
/* What the files of the tracer share: threads that are traced, and the address spaces that they have. */
#ifndef NV_TRACER_PARTS_H
#define NV_TRACER_PARTS_H

#include "supervise/tracer.h"
#include "supervise/unwind.h"

#include <pthread.h>
#include <signal.h>
#include <sys/user.h>

#define NV_TRACEE_HELD 16

/* A shared mapping of a watched file. */
struct nv_space_mapping {
    uint64_t start, end, offset;
    struct nv_watched *file;
};

/* An address space, of all threads that share it. */
struct nv_space {
    size_t users;
    int faults;    /* its userfaultfd, by which pages are write-protected; -1: none yet */
    bool refused;  /* there is none to be had */
    uint64_t gate; /* address of a system call instruction; 0: unknown */
    size_t count;
    struct nv_space_mapping *mappings;
    struct nv_unwinder *unwinder;
};

struct nv_call {
    int64_t number; /* -1: none */
    uint64_t arguments[6];
    uint32_t names[2]; /* of those that are asked for: what it makes or removes, as the watch knows them */
    size_t name_count;
    bool opened; /* watched pages that it may write to are open until it ends, to all threads */
};

struct nv_tracee {
    struct nv_tracee *next;
    pid_t thread;
    struct nv_space *space; /* NULL: its creator has not told of it yet */
    struct nv_call call;
    size_t held_count; /* signals that came at the wrong time */
    siginfo_t held[NV_TRACEE_HELD];
    bool running, gone;
    bool parked; /* it has been stopped, and why is to be looked at */
    int status;  /* as waitpid told it then */
};

struct nv_tracer {
    struct nv_explain_book *book;
    struct nv_watch *watch;
    struct nv_tracee *tracees;
    size_t open_calls; /* calls for which pages are open */
    pid_t first;
    int started[2]; /* the thread tells how attaching went */
    bool running;
    pthread_t thread;
};

/* ---- tracer.c ---- */

enum nv_step { NV_STEP_DONE, NV_STEP_SIGNAL, NV_STEP_GONE };
/* One instruction of a stopped thread. NV_STEP_SIGNAL: that came instead, and is not delivered. */
enum nv_step nv_tracee_step(struct nv_tracee *tracee, siginfo_t *signal);
/* Deliver it when the thread goes on. */
void nv_tracee_hold(struct nv_tracee *tracee, const siginfo_t *signal);
/* Have a stopped thread make a system call: its value, or a negative errno. */
int64_t nv_tracee_call(struct nv_tracee *tracee, long number, uint64_t first, uint64_t second, uint64_t third);
/* Only the first reason is kept. */
void nv_tracer_complain(struct nv_tracer *tracer, const char *what, int number);

/* ---- tracer_space.c ---- */

struct nv_space *nv_space_new(pid_t thread); /* of a program just executed. NULL: no memory */
struct nv_space *nv_space_copy(const struct nv_space *space);
void nv_space_drop(struct nv_space *space);
/* The pages of its mappings are protected from here on: after a fork. */
void nv_space_protect_all(struct nv_tracer *tracer, struct nv_tracee *tracee);
void nv_space_map(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct nv_space_mapping *mapping);
void nv_space_unmap(struct nv_space *space, uint64_t from, uint64_t to);
/* As mremap does it. */
void nv_space_move(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct nv_space_mapping *from,
                   uint64_t to_bytes, uint64_t to);
/* The mapping whose page at the address is watched; NULL: it is not. */
const struct nv_space_mapping *nv_space_watched(const struct nv_space *space, uint64_t address);
/* Open the watched pages of a range to stores, or close them again. Returns whether there are any. */
bool nv_space_open(const struct nv_space *space, uint64_t from, uint64_t to);
void nv_space_close(const struct nv_space *space, uint64_t from, uint64_t to);
/* Whether a mapping of a watched file is there. */
bool nv_space_holds(const struct nv_space *space, uint64_t address);
/* A store may have changed any of the range; NULL: there is no telling which. */
void nv_space_stored(const struct nv_space *space, uint64_t from, uint64_t to, struct nv_store *store);

/* ---- tracer_calls.c ---- */

void nv_call_begins(struct nv_tracer *tracer, struct nv_tracee *tracee);
/* `result`: the value, or a negative errno. */
void nv_call_ends(struct nv_tracer *tracer, struct nv_tracee *tracee, int64_t result);

/* ---- tracer_names.c ---- */

void nv_call_names_begin(struct nv_tracer *tracer, struct nv_tracee *tracee);
void nv_call_names_end(struct nv_tracer *tracer, struct nv_tracee *tracee, struct nv_store *store);

/* ---- tracer_stack.c ---- */

/* The stack of a stopped thread with these registers: its number in the book plus 1; 0: none. */
uint32_t nv_unwind(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct user_regs_struct *registers);
/*
 * Where the function returns to that the thread is in, if it is one of libc's that makes no calls, as those that copy
 * memory are; 0: it is not. The stack is noted in *known, if it was needed.
 */
uint64_t nv_unwind_copy(struct nv_tracer *tracer, struct nv_tracee *tracee, const struct user_regs_struct *registers,
                        uint32_t *known);

/* A store by the code at these registers. */
struct nv_place_of {
    struct nv_tracer *tracer;
    struct nv_tracee *tracee;
    struct user_regs_struct registers;
};
uint32_t nv_place_of(void *place_of); /* for struct nv_store */

#endif
