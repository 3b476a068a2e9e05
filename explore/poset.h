/* SPDX-License-Identifier: MIT */
/*
 * Steps of which some need others first, and the sets of them that a power failure can leave: those that hold, with a
 * step, all that it needs. Used for the words of a line and for operations on names.
 */
#ifndef NV_EXPLORE_POSET_H
#define NV_EXPLORE_POSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nv_poset {
    size_t count;  /* steps, in an order in which each comes behind what it needs */
    size_t *first; /* count + 1 places in `needs` */
    uint32_t *needs;
    size_t needs_count, needs_capacity;
};

/* Add a step, then each that it needs. -ENOMEM. */
int nv_poset_add(struct nv_poset *poset);
int nv_poset_need(struct nv_poset *poset, uint32_t step);
void nv_poset_free(struct nv_poset *poset);

typedef int nv_poset_visit(void *context, const uint8_t *chosen);

/*
 * Visit each set once, the empty one first, the full one last; `chosen` has a byte for each step. Those before `from`
 * are in all sets. Anything but 0 from `visit` ends it, and is returned.
 */
int nv_poset_each(const struct nv_poset *poset, size_t from, nv_poset_visit *visit, void *context);

/* One of the sets, by chance: each step that can be is left out with a chance of `out` in 256. */
void nv_poset_sample(const struct nv_poset *poset, uint64_t *random, unsigned out, uint8_t *chosen);

/* splitmix64: the one source of chance here, so that a seed tells all. */
static inline uint64_t nv_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
