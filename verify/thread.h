/* SPDX-License-Identifier: MIT */
/* What the verifier keeps for each thread of the program. */
#ifndef NV_VERIFY_THREAD_H
#define NV_VERIFY_THREAD_H

#include "verify/flight.h"

#define NV_THREAD_PLACES 512
#define NV_THREAD_FILES 8

#define NV_THREAD_CALLERS 3

struct nv_file;
struct nv_pending;

/* A known stack: where it returns to, and where on it, counted from `frame`, the callers' return addresses lie. */
struct nv_thread_place {
    const void *place, *frame;
    uintptr_t callers[NV_THREAD_CALLERS];
    uint32_t at_bytes[NV_THREAD_CALLERS];
    uint16_t caller_count, id;
};

struct nv_page_records;

/* The page that the thread stored to last, if all of it is watched: good until the regions change. */
struct nv_thread_page {
    uintptr_t start;
    struct nv_page_records *records; /* NULL: none */
    uint32_t regions;                /* as many changes of the regions */
};

struct nv_thread {
    struct nv_flight flight; /* cpu-cache */
    bool in_places;
    size_t store_region; /* where the last store was found */
    struct nv_thread_page store_page;
    /* Of a recorded run: */
    bool telling;               /* a call in the midst of it is a signal handler's */
    bool flushed;               /* since the last drain */
    uint32_t number;            /* in events; 0: not yet known */
    struct nv_pending *pending; /* a store that is about to be made */
    size_t file_count;          /* page-cache: files flushed and not drained; more than NV_THREAD_FILES: any */
    struct nv_file *files[NV_THREAD_FILES];
    struct nv_thread_place places[NV_THREAD_PLACES];
};

extern __thread struct nv_thread *nv_thread_state;

struct nv_thread *nv_thread_create(void);

/* This thread's; NULL: no memory. */
static inline struct nv_thread *nv_thread_self(void)
{
    struct nv_thread *thread = nv_thread_state;

    return __builtin_expect(thread != NULL, 1) ? thread : nv_thread_create();
}

/* In the child of a fork: what is in flight is the parent's. */
void nv_thread_after_fork(void);

#endif
