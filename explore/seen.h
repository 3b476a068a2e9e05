/* SPDX-License-Identifier: MIT */
/* Which images were met, and what was said of them: a set of hashes, with three bits for each. */
#ifndef NV_EXPLORE_SEEN_H
#define NV_EXPLORE_SEEN_H

#include "explore/hash.h"

enum nv_seen_mark { NV_SEEN_MET = 1, NV_SEEN_GOOD = 2, NV_SEEN_BAD = 4, NV_SEEN_MARKS = 7 };

struct nv_seen {
    struct nv_hash *slots;
    size_t count, capacity; /* a power of two */
};

/* The marks that it had, which `marks` are added to. Negative: no memory. */
int nv_seen_mark(struct nv_seen *seen, struct nv_hash id, unsigned marks);
void nv_seen_free(struct nv_seen *seen);

#endif
