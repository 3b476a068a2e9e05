/* SPDX-License-Identifier: MIT */
/* Owns sets of pages. Called by binding.c for what is flushed and not drained. */
#include "src/backing/extents.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 8u
#define ROOM_KEPT 64u

static struct nv_os_range *items_of(struct nv_extents *extents)
{
    return extents->items ? extents->items : &extents->first;
}

/* The first range that ends at `low` or behind it. */
static uint32_t find(const struct nv_extents *extents, uintptr_t low)
{
    const struct nv_os_range *items = nv_extents_items(extents);
    uint32_t from = 0, to = extents->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (items[middle].high < low)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Joins ranges that are no farther apart than `gap_bytes`, until no more than `enough` are left. */
static void join_across(struct nv_extents *extents, size_t gap_bytes, uint32_t enough)
{
    struct nv_os_range *items = items_of(extents);
    uint32_t last = 0, left = extents->count;
    for (uint32_t i = 1; i < extents->count; i++) {
        if (left > enough && items[i].low - items[last].high <= gap_bytes) {
            items[last].high = items[i].high;
            left--;
        } else {
            items[++last] = items[i];
        }
    }
    extents->count = left;
}

/* Half of the ranges are joined to others, those first that are closest. */
static void coarsen(struct nv_extents *extents)
{
    uint32_t enough = extents->count / 2;
    for (size_t gap_bytes = NV_EXTENT_PAGE; extents->count > enough; gap_bytes *= 2)
        join_across(extents, gap_bytes, enough);
}

/* Room for one more range. */
static bool grow(struct nv_extents *extents)
{
    uint32_t room = extents->items ? extents->room : 1;
    if (extents->count < room)
        return true;
    if (room == NV_EXTENTS_MAX) {
        coarsen(extents);
        return true;
    }
    uint32_t wanted = room < ROOM_MIN ? ROOM_MIN : room * 2;
    struct nv_os_range *items = nv_os->resize(extents->items, wanted * sizeof(*items));
    if (!items)
        return false;
    if (!extents->items)
        items[0] = extents->first;
    extents->items = items;
    extents->room = wanted;
    return true;
}

/* The range becomes one with those that it touches. False: it touches none. */
static bool merge(struct nv_extents *extents, struct nv_os_range range)
{
    struct nv_os_range *items = items_of(extents);
    uint32_t at = find(extents, range.low), end = at;
    while (end < extents->count && items[end].low <= range.high)
        end++;
    if (end == at)
        return false;
    if (range.low < items[at].low)
        items[at].low = range.low;
    items[at].high = range.high > items[end - 1].high ? range.high : items[end - 1].high;
    memmove(&items[at + 1], &items[end], (extents->count - end) * sizeof(*items));
    extents->count -= end - at - 1;
    return true;
}

static void insert(struct nv_extents *extents, struct nv_os_range range)
{
    struct nv_os_range *items = items_of(extents);
    uint32_t at = find(extents, range.low);
    memmove(&items[at + 1], &items[at], (extents->count - at) * sizeof(*items));
    items[at] = range;
    extents->count++;
}

static void become_hull(struct nv_extents *extents, struct nv_os_range range)
{
    struct nv_os_range *items = items_of(extents), hull = nv_extents_hull(extents);
    items[0].low = range.low < hull.low ? range.low : hull.low;
    items[0].high = range.high > hull.high ? range.high : hull.high;
    extents->count = 1;
}

void nv_extents_add(struct nv_extents *extents, uintptr_t low, uintptr_t high)
{
    if (low >= high)
        return;
    struct nv_os_range range = {low & ~(NV_EXTENT_PAGE - 1), (high + NV_EXTENT_PAGE - 1) & ~(NV_EXTENT_PAGE - 1)};
    if (merge(extents, range))
        return;
    if (!grow(extents))
        become_hull(extents, range);
    else if (!merge(extents, range)) /* what is coarser now may have it */
        insert(extents, range);
}

void nv_extents_add_all(struct nv_extents *extents, const struct nv_extents *other)
{
    const struct nv_os_range *items = nv_extents_items(other);
    for (uint32_t i = 0; i < other->count; i++)
        nv_extents_add(extents, items[i].low, items[i].high);
}

size_t nv_extents_bytes(const struct nv_extents *extents)
{
    const struct nv_os_range *items = nv_extents_items(extents);
    size_t size_bytes = 0;
    for (uint32_t i = 0; i < extents->count; i++)
        size_bytes += items[i].high - items[i].low;
    return size_bytes;
}

void nv_extents_clear(struct nv_extents *extents)
{
    extents->count = 0;
    if (extents->room > ROOM_KEPT)
        nv_extents_free(extents);
}

void nv_extents_free(struct nv_extents *extents)
{
    free(extents->items);
    *extents = (struct nv_extents){0};
}
