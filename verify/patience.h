/* SPDX-License-Identifier: MIT */
/* Waiting for who writes a line of the durable image. It takes a moment, unless its thread was killed meanwhile. */
#ifndef NV_VERIFY_PATIENCE_H
#define NV_VERIFY_PATIENCE_H

#include "verify/ledger.h"
#include <sched.h>
#include <stdbool.h>
#include <time.h>

#define NV_PATIENCE_SPINS 100
#define NV_PATIENCE_NS 1000000000
#define NV_PATIENCE_SHORT_NS 1000000 /* for the other lines of one who is dead */

/* All zero before the first wait for a line, or for lines that are looked at together. */
struct nv_patience {
    unsigned spins;
    uint32_t word; /* the record's `committed` */
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
 * Wait, for a moment, while `committed` is locked as `word` tells. Once one holder has had the line for very long, it
 * is taken for dead, and the line unlocked: each lock of a line has a word of its own.
 */
static inline void nv_patience_wait(struct nv_patience *patience, _Atomic uint32_t *committed, uint32_t word)
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
        atomic_compare_exchange_strong(committed, &word, word & ~NV_LINE_LOCKED);
    }
}

#endif
