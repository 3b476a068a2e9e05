/* SPDX-License-Identifier: MIT */
/* Owns the check of a list of ranges. Called by nvm.c before an engine sees it. */
#include "src/nvm/ranges.h"

/*
 * Whether some range may lie outside: without a branch, and without ever missing one. Each of offset, length, their sum
 * and what is left of the region behind them has its top bit clear when all is well. (Empty ranges may lie anywhere, so
 * a yes is not the last word.)
 */
static bool may_be_outside(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count)
{
    size_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        size_t offset = (size_t)((uintptr_t)ranges[i].BaseAddress - (uintptr_t)region->base);
        size_t end = offset + ranges[i].Length;
        bits |= offset | ranges[i].Length | end | (region->size_bytes - end);
    }
    return bits > SIZE_MAX / 2;
}

const NV_MEMORY_RANGE *nv_ranges_outside(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count)
{
    if (!may_be_outside(region, ranges, count))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!nv_range_inside(region, ranges[i].BaseAddress, ranges[i].Length))
            return &ranges[i];
    return NULL;
}
