/* SPDX-License-Identifier: MIT */
/* A keeper's thread, and what it shares with those that it works for. */
#ifndef NV_KEEPER_THREAD_H
#define NV_KEEPER_THREAD_H

#include "src/os/os.h"

#include <stdatomic.h>

#define NV_KEEPER_STACK_BYTES 8192

enum nv_keeper_state {
    NV_KEEPER_ASKED,
    NV_KEEPER_STARTED, /* all writes are under way; told only to who asked for it */
    NV_KEEPER_DONE
};

/* What others ask of a keeper. It belongs to who asks, and waits. */
struct nv_keeper_request {
    struct nv_keeper_request *next;
    const struct nv_os_pages *pages;
    int error;
    bool tell_start;
    uint32_t cpu;           /* once it is started: where the keeper runs */
    _Atomic uint32_t state; /* enum nv_keeper_state */
};

struct nv_os_keeper {
    _Atomic uint32_t thread; /* its id; the kernel clears it when the thread is gone */
    _Atomic uint32_t ready;
    _Atomic uint32_t bell; /* rings with each request, and for the end */
    atomic_bool ends;
    struct nv_keeper_request *_Atomic requests;
    _Atomic uint64_t wait_ns; /* how long writes took to end, after all were started; not the thread's */
    struct nv_os_file *file;  /* until it is ready */
    uint64_t device;
    uint64_t inode;
    int error;      /* why it did not get ready */
    int descriptor; /* in the thread's own table, as long as it is not negative */
    int maps;       /* likewise */
    char stack[NV_KEEPER_STACK_BYTES] __attribute__((aligned(16)));
};

/* Begins the thread, with the signals that are blocked now. A negative errno: there is none. */
int nv_keeper_begin(struct nv_os_keeper *keeper);

#endif
