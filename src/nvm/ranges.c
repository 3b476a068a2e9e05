/* SPDX-License-Identifier: MIT */
/*
 * Owns the walk over a list of ranges. Called by nvm.c to check it and by engine_cpu_cache.c to write it back.
 *
 * A second write-back of a line that is still in flight costs forty times one that has long landed. Neighbouring ranges
 * share lines, so the lines just written are kept as a running interval, and a range gives only what sticks out of it.
 * Sorting the ranges first would cost more than it could save.
 */
#include "src/nvm/ranges.h"

const NV_MEMORY_RANGE *nv_ranges_outside(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!nv_range_inside(region, ranges[i].BaseAddress, ranges[i].Length))
            return &ranges[i];
    return NULL;
}

/* Whole lines, [low, high). */
struct interval {
    uintptr_t low;
    uintptr_t high;
};

static struct interval lines_of(const NV_MEMORY_RANGE *range)
{
    uintptr_t start = (uintptr_t)range->BaseAddress;
    uintptr_t end = start + range->Length;
    return (struct interval){start & ~(NV_LINE_BYTES - 1), (end + NV_LINE_BYTES - 1) & ~(NV_LINE_BYTES - 1)};
}

void nv_ranges_write_back(const NV_MEMORY_RANGE *ranges, size_t count,
                          void (*write_back)(const void *address, size_t size_bytes))
{
    struct interval done = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].Length == 0)
            continue;
        struct interval lines = lines_of(&ranges[i]);
        if (lines.low - done.low > done.high - done.low) { /* begins outside, by one unsigned comparison */
            write_back((const void *)lines.low, lines.high - lines.low);
            done = lines;
        } else if (lines.high > done.high) {
            write_back((const void *)done.high, lines.high - done.high);
            done.high = lines.high;
        }
    }
}
