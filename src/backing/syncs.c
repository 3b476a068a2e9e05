/* SPDX-License-Identifier: MIT */
/* Owns the syncs of a file that are under way, and the failure of the file. Called by backing.c. */
#include "src/backing/syncs.h"

#include "src/os/os.h"

#include <nvrtl/status.h>
#include <time.h>

pthread_mutex_t nv_syncs_lock = PTHREAD_MUTEX_INITIALIZER;

/* A sync that runs, for one or for all of a round, on its thread's stack. */
struct nv_running {
    struct nv_running *earlier;
    struct nv_running *later;
    uint64_t number;
};

void nv_syncs_open(struct nv_syncs *syncs)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    *syncs = (struct nv_syncs){.failure = syncs->failure};
    pthread_cond_init(&syncs->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void nv_syncs_close(struct nv_syncs *syncs)
{
    pthread_cond_destroy(&syncs->changed);
}

/* -- one that runs; all of this under the lock -- */

static void begin(struct nv_syncs *syncs, struct nv_running *running)
{
    *running = (struct nv_running){.earlier = syncs->last, .number = syncs->begun++};
    if (syncs->last)
        syncs->last->later = running;
    else
        syncs->first = running;
    syncs->last = running;
}

static void end(struct nv_syncs *syncs, struct nv_running *running)
{
    if (running->earlier)
        running->earlier->later = running->later;
    else
        syncs->first = running->later;
    if (running->later)
        running->later->earlier = running->earlier;
    else
        syncs->last = running->earlier;
    pthread_cond_broadcast(&syncs->changed);
}

/*
 * The kernel tells an open file of a lost page once, and that may be another thread than the one that waits for the
 * page. So a sync that succeeded waits until those that ran beside it have said how they fared.
 */
static void wait_for_others(struct nv_syncs *syncs)
{
    uint64_t begun_by_now = syncs->begun;
    while (syncs->failure == STATUS_SUCCESS && syncs->first && syncs->first->number < begun_by_now)
        pthread_cond_wait(&syncs->changed, &nv_syncs_lock);
}

static void note(struct nv_syncs *syncs, const struct nv_sync *sync)
{
    if (sync->lost && syncs->failure == STATUS_SUCCESS)
        syncs->failure = sync->status;
}

/* As long as flushes are quick, a few of their times will do. */
static bool wants_time(const struct nv_syncs *syncs)
{
    uint64_t last_ns = syncs->measured ? syncs->flush_ns[(syncs->measured - 1) % NV_FLUSH_TIMES] : UINT64_MAX;
    return last_ns > NV_QUICK_FLUSH_NS || syncs->begun % NV_FLUSHES_PER_TIME == 0;
}

/* Makes this one and those after it. The lock is free meanwhile. */
static NTSTATUS make(struct nv_syncs *syncs, struct nv_sync *first)
{
    struct nv_running running;
    first->is_timed = wants_time(syncs);
    begin(syncs, &running);
    pthread_mutex_unlock(&nv_syncs_lock);
    first->make(first);
    pthread_mutex_lock(&nv_syncs_lock);
    note(syncs, first);
    if (first->status == STATUS_SUCCESS && first->flush_ns)
        syncs->flush_ns[syncs->measured++ % NV_FLUSH_TIMES] = first->flush_ns;
    end(syncs, &running);
    if (first->status == STATUS_SUCCESS)
        wait_for_others(syncs);
    return syncs->failure != STATUS_SUCCESS ? syncs->failure : first->status;
}

/* -- rounds; under the lock -- */

/* The time of a flush: the least of the last ones, as a stall says nothing of the device. 0: not known. */
static uint64_t flush_ns(const struct nv_syncs *syncs)
{
    uint64_t least = syncs->measured ? UINT64_MAX : 0;
    for (uint64_t i = 0; i < syncs->measured && i < NV_FLUSH_TIMES; i++)
        if (syncs->flush_ns[i] < least)
            least = syncs->flush_ns[i];
    return least;
}

static struct timespec in(uint64_t ns)
{
    uint64_t at = nv_os->clock_ns() + ns;
    return (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
}

/* Until the round before is made; and a little for those who took part in it, as they may be about to come again. */
static void gather(struct nv_syncs *syncs, const struct nv_round *round, enum nv_sync_kind kind)
{
    while (syncs->leading[kind])
        pthread_cond_wait(&syncs->changed, &nv_syncs_lock);
    struct timespec limit = in(flush_ns(syncs) / 4);
    while (round->count < syncs->last_count[kind])
        if (pthread_cond_timedwait(&syncs->changed, &nv_syncs_lock, &limit) != 0)
            break;
}

static NTSTATUS lead(struct nv_syncs *syncs, struct nv_sync *sync)
{
    struct nv_round round = {.first = sync, .last = sync, .count = 1};
    enum nv_sync_kind kind = sync->kind;
    syncs->gathering[kind] = &round;
    gather(syncs, &round, kind);
    syncs->gathering[kind] = NULL;
    syncs->leading[kind] = true;
    syncs->last_count[kind] = round.count;
    NTSTATUS status = syncs->failure != STATUS_SUCCESS ? syncs->failure : make(syncs, sync);
    for (struct nv_sync *next, *each = sync->next; each; each = next) {
        next = each->next;
        each->status = status;
        each->done = true;
    }
    syncs->leading[kind] = false;
    pthread_cond_broadcast(&syncs->changed);
    return status;
}

static NTSTATUS follow(struct nv_syncs *syncs, struct nv_round *round, struct nv_sync *sync)
{
    round->last->next = sync;
    round->last = sync;
    round->count++;
    pthread_cond_broadcast(&syncs->changed);
    while (!sync->done)
        pthread_cond_wait(&syncs->changed, &nv_syncs_lock);
    if (sync->status == STATUS_SUCCESS && sync->confirm) {
        pthread_mutex_unlock(&nv_syncs_lock);
        sync->confirm(sync);
        pthread_mutex_lock(&nv_syncs_lock);
        note(syncs, sync);
    }
    return syncs->failure != STATUS_SUCCESS ? syncs->failure : sync->status;
}

static NTSTATUS run(struct nv_syncs *syncs, struct nv_sync *sync)
{
    struct nv_round *round = syncs->gathering[sync->kind];
    if (syncs->failure != STATUS_SUCCESS)
        return syncs->failure;
    if (flush_ns(syncs) <= NV_SLOW_FLUSH_NS || (round && !round->first->joins(round->first, sync)))
        return make(syncs, sync);
    if (!round)
        return lead(syncs, sync);
    NTSTATUS status = follow(syncs, round, sync);
    if (status == STATUS_SUCCESS || syncs->failure != STATUS_SUCCESS)
        return status;
    sync->next = NULL;
    return make(syncs, sync); /* it was the first one's own trouble */
}

NTSTATUS nv_syncs_run(struct nv_syncs *syncs, struct nv_sync *sync)
{
    pthread_mutex_lock(&nv_syncs_lock);
    NTSTATUS status = run(syncs, sync);
    pthread_mutex_unlock(&nv_syncs_lock);
    return status;
}
