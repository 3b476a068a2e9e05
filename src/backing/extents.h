/* SPDX-License-Identifier: MIT */
/*
 * A set of pages, as ranges of addresses: in order, and none touching the next. It is exact up to NV_EXTENTS_MAX
 * ranges; beyond that, neighbours become one range, with the pages between them.
 */
#ifndef NV_EXTENTS_H
#define NV_EXTENTS_H

#include "src/os/os.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NV_EXTENTS_MAX 1024u
#define NV_EXTENT_PAGE ((uintptr_t)4096) /* of larger pages some parts may be ranges of their own: that does no harm */

struct nv_extents {
    struct nv_os_range first; /* the only one, while there are no items */
    struct nv_os_range *items;
    uint32_t count;
    uint32_t room; /* of items */
};

/* Adds the pages that [low, high) touches. Without memory for another range, all of them become one. */
void nv_extents_add(struct nv_extents *extents, uintptr_t low, uintptr_t high);

/* Adds what another set has. */
void nv_extents_add_all(struct nv_extents *extents, const struct nv_extents *other);

static inline const struct nv_os_range *nv_extents_items(const struct nv_extents *extents)
{
    return extents->items ? extents->items : &extents->first;
}

/* From the first page to the last; a set with no pages has none. */
static inline struct nv_os_range nv_extents_hull(const struct nv_extents *extents)
{
    const struct nv_os_range *items = nv_extents_items(extents);
    return (struct nv_os_range){items[0].low, items[extents->count - 1].high};
}

size_t nv_extents_bytes(const struct nv_extents *extents);

/* No pages. The memory is kept for those to come, unless it is much. */
void nv_extents_clear(struct nv_extents *extents);

void nv_extents_free(struct nv_extents *extents);

#endif
