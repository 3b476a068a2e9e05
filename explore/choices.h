/* SPDX-License-Identifier: MIT */
/*
 * What one unit could hold after a power failure: each distinct content once, the oldest first. points.c asks for it
 * under what a layout says of the file: where it was cut, and where it ends.
 */
#ifndef NV_EXPLORE_CHOICES_H
#define NV_EXPLORE_CHOICES_H

#include "explore/objects.h"

/* How the file is in a layout, as far as it concerns a unit. */
struct nv_frame {
    uint64_t cut;   /* the event of the last cut that is there; 0: none */
    uint32_t limit; /* bytes of the unit that lie before the file's end */
};

struct nv_choices {
    struct nv_frame frame;
    uint32_t most;     /* how many were wanted */
    uint32_t count;    /* at least 1 */
    uint32_t newest;   /* the one with all steps */
    bool complete;     /* else there are more */
    uint8_t *contents; /* count units */
    struct nv_hash *hashes;
};

/* They are kept with the unit until it changes. NULL: no memory. */
const struct nv_choices *nv_choices_of(struct nv_unit *unit, struct nv_frame frame, uint32_t most);
/* The steps of one of them: a byte for each atom of the unit. -ENOMEM. */
int nv_choices_steps(const struct nv_unit *unit, const struct nv_choices *choices, uint32_t choice, uint8_t *chosen);

#endif
