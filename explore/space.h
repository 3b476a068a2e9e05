/* SPDX-License-Identifier: MIT */
/*
 * Goes through the combinations of choices, each with some alternatives, the likely culprits first. explore.c uses it
 * twice at each point: for names and lengths, and below that for contents.
 */
#ifndef NV_EXPLORE_SPACE_H
#define NV_EXPLORE_SPACE_H

#include <stddef.h>
#include <stdint.h>

struct nv_space {
    size_t count;
    const uint32_t *alternatives; /* how many each has: at least 1. 0: as it is durable */
    const uint32_t *newest;       /* with all that is pending */
};

enum nv_phase {
    NV_PHASE_ENDS,    /* all 0; all newest */
    NV_PHASE_SINGLES, /* one other than 0; one other than newest */
    NV_PHASE_PAIRS,   /* two newest, the rest 0; two 0, the rest newest */
    NV_PHASE_ALL      /* every combination */
};

/* How many there are; at most UINT64_MAX. */
uint64_t nv_space_size(const struct nv_space *space, enum nv_phase phase);

struct nv_walk {
    void *context;
    /* A choice is another from now on. At the start all are 0. */
    void (*choose)(void *context, size_t choice, uint32_t alternative);
    /* Anything but 0 ends the walk. */
    int (*visit)(void *context);
};

/* All of a phase but the first `skip`, in an order that is always the same. What ended it, or 0. */
int nv_space_walk(const struct nv_space *space, enum nv_phase phase, uint64_t skip, const struct nv_walk *walk);

#endif
