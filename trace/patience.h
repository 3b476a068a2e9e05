/* SPDX-License-Identifier: MIT */
/*
 * Waiting for who has a lock in memory that processes share: a line of the durable image, a page of a shadow. It takes
 * a moment, unless its thread was killed meanwhile.
 */
#ifndef NV_PATIENCE_H
#define NV_PATIENCE_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NV_LOCKED 1u /* in a word with a lock; the rest of it is another whenever it is locked */
#define NV_PATIENCE_SPINS 100
#define NV_PATIENCE_NS 1000000000
#define NV_PATIENCE_SHORT_NS 1000000 /* for the other locks of one who is dead */

/* All zero before the first wait for a lock, or for locks that are looked at together. */
struct nv_patience {
    unsigned spins;
    uint32_t word; /* that was locked */
    int64_t since_ns;
    bool lost; /* a holder was taken for dead */
};

/* Let others go on. */
static inline void nv_patience_yield(struct nv_patience *patience)
{
    if (patience->spins < NV_PATIENCE_SPINS)
        patience->spins++;
    else
        sched_yield();
}

/*
 * Wait, for a moment, while `lock` is locked as `word` tells. Once one holder has had it for very long, it is taken for
 * dead, and the lock opened: each time it is locked its word is another.
 */
static inline void nv_patience_wait(struct nv_patience *patience, _Atomic uint32_t *lock, uint32_t word)
{
    struct timespec now;
    int64_t now_ns;

    nv_patience_yield(patience);
    if (patience->spins < NV_PATIENCE_SPINS)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (patience->word != word || patience->since_ns == 0) {
        patience->word = word;
        patience->since_ns = now_ns;
    }
    if (now_ns - patience->since_ns > (patience->lost ? NV_PATIENCE_SHORT_NS : NV_PATIENCE_NS)) {
        patience->lost = true;
        patience->since_ns = 0;
        atomic_compare_exchange_strong(lock, &word, word & ~NV_LOCKED);
    }
}

#endif
