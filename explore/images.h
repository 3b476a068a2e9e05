/* SPDX-License-Identifier: MIT */
/* Shows what a point has chosen as a state: its names with their paths, and the bytes that are not as in the base. */
#ifndef NV_EXPLORE_IMAGES_H
#define NV_EXPLORE_IMAGES_H

#include "explore/points.h"

struct nv_image {
    struct nv_state state;
    uint64_t layout, number; /* of which the entries are */
    struct nv_state_entry *entries;
    uint32_t *first, *next; /* entries + 1 of each place */
    struct nv_span {
        size_t first, count; /* changes */
    } * spans;               /* of each place: those that the layout makes */
    size_t fixed_changes;    /* of all of them */
    char *paths;
    struct nv_state_change *changes;
    size_t change_count, change_capacity;
};

/* It holds until the point chooses again. -ENOMEM. */
int nv_image_show(struct nv_image *image, struct nv_point *point, bool base);
void nv_image_end(struct nv_image *image);

#endif
