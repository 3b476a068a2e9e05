/* SPDX-License-Identifier: MIT */
/* Whether ranges lie inside a region. */
#ifndef NV_RANGES_H
#define NV_RANGES_H

#include "src/nvm/seam.h"

/* Whether size_bytes from address lie inside the region. No bytes lie everywhere. */
static inline bool nv_range_inside(const struct nv_region *region, const void *address, size_t size_bytes)
{
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)region->base);
    return size_bytes == 0 || (offset < region->size_bytes && size_bytes <= region->size_bytes - offset);
}

/* The first range that does not lie inside the region, or NULL. */
const NV_MEMORY_RANGE *nv_ranges_outside(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count);

#endif
