/* SPDX-License-Identifier: MIT */
/*
 * The syncs of one file. Those that run at the same time share their failures, and on a slow device their device
 * flushes: see nv_syncs_run.
 */
#ifndef NV_SYNCS_H
#define NV_SYNCS_H

#include <nvrtl/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nv_sync_kind { NV_SYNC_PAGES, NV_SYNC_FILE, NV_SYNC_KINDS };

/* What somebody waits for. On that thread's stack, as the first member of what its kind needs. */
struct nv_sync {
    enum nv_sync_kind kind;
    struct nv_sync *next; /* another one that is made with it */
    /* Whether another one, of the same kind, may be made with this one. */
    bool (*joins)(const struct nv_sync *first, const struct nv_sync *sync);
    /* Makes this one and those after it, and sets the three below. Not under the lock. */
    void (*make)(struct nv_sync *first);
    /* After another one has been made with `first`: what it alone is told. NULL: nothing. Not under the lock. */
    void (*confirm)(struct nv_sync *sync);
    bool is_timed; /* `make` is to say how long the device flush took */
    NTSTATUS status;
    bool lost;         /* the status says that data may be lost: it is the file's failure from now on */
    uint64_t flush_ns; /* how long the device flush took, as far as that is known */
    bool done;
};

/* Syncs that will be made as one. On the stack of its first. */
struct nv_round {
    struct nv_sync *first;
    struct nv_sync *last;
    size_t count;
};

#define NV_FLUSH_TIMES 8
#define NV_SLOW_FLUSH_NS 200000u
#define NV_QUICK_FLUSH_NS 10000u /* for such, looking at the clock is dear: one in NV_FLUSHES_PER_TIME is timed */
#define NV_FLUSHES_PER_TIME 16

struct nv_syncs {
    NTSTATUS failure;
    uint64_t begun;           /* number of syncs so far */
    struct nv_running *first; /* those that run, in the order in which they began */
    struct nv_running *last;
    struct nv_round *gathering[NV_SYNC_KINDS];
    bool leading[NV_SYNC_KINDS]; /* a round is being made */
    size_t last_count[NV_SYNC_KINDS];
    uint64_t flush_ns[NV_FLUSH_TIMES]; /* the last ones */
    uint64_t measured;
    pthread_cond_t changed;
};

/* Of all syncs, and of what their owner keeps beside them. Never held over a system call. */
extern pthread_mutex_t nv_syncs_lock;

/* Without the lock; in a forked child with it, where nobody is in a sync. */
void nv_syncs_open(struct nv_syncs *syncs);
void nv_syncs_close(struct nv_syncs *syncs);

/*
 * Makes the sync, refused with the failure if there is one. Where the last device flushes were quick, it is made at
 * once, beside others: the block layer merges what can be merged. Where they took more than NV_SLOW_FLUSH_NS, one of
 * those that wait makes all of them with one flush, after it has waited for those of the last round up to a quarter
 * of the time of a flush.
 */
NTSTATUS nv_syncs_run(struct nv_syncs *syncs, struct nv_sync *sync);

#endif
