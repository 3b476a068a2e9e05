/* SPDX-License-Identifier: MIT */
/* Maps of files, kept small: owns the rounding of their ranges. The supervisor fills them, json.c writes them. */
#include "report/map.h"

#include <stdlib.h>
#include <string.h>

/* -- layers -- */

static bool same_kind(const struct nv_map_range *a, const struct nv_map_range *b)
{
    return a->state == b->state && a->finding == b->finding;
}

/*
 * Put a range, rounded outwards, behind those that are there. Where it meets the last one, they become one or the worse
 * of the two has what both want. There is room.
 */
static void put(struct nv_map_layer *layer, struct nv_map_range range)
{
    struct nv_map_range *last = layer->count ? &layer->ranges[layer->count - 1] : NULL;
    uint64_t from = range.offset / layer->grain_bytes * layer->grain_bytes;
    uint64_t to = range.offset + range.length_bytes + layer->grain_bytes - 1;
    uint64_t last_end = last ? last->offset + last->length_bytes : 0;
    to = to / layer->grain_bytes * layer->grain_bytes;
    if (last && from <= last_end && same_kind(last, &range)) {
        last->length_bytes = (to > last_end ? to : last_end) - last->offset;
        return;
    }
    if (last && from < last_end && range.state > last->state) {
        last->length_bytes = from - last->offset;
        layer->count -= !last->length_bytes;
    } else if (from < last_end) {
        from = last_end;
    }
    if (from >= to)
        return;
    range.offset = from;
    range.length_bytes = to - from;
    layer->ranges[layer->count++] = range;
}

/* Round on until there are at most `limit` ranges. */
static void coarsen(struct nv_map_layer *layer, size_t limit)
{
    while (layer->count > limit) {
        size_t count = layer->count;
        layer->grain_bytes = layer->grain_bytes < 64 ? 64 : layer->grain_bytes * 2;
        layer->count = 0;
        for (size_t i = 0; i < count; i++)
            put(layer, layer->ranges[i]);
    }
}

static bool add(struct nv_map_layer *layer, const struct nv_map_range *range)
{
    if (layer->count == NV_MAP_RANGES_MAX)
        coarsen(layer, NV_MAP_RANGES_MAX / 2);
    if (layer->count == layer->room) {
        size_t room = layer->room ? layer->room * 2 : 16;
        struct nv_map_range *grown = reallocarray(layer->ranges, room, sizeof *grown);
        if (!grown)
            return false;
        layer->ranges = grown;
        layer->room = room;
    }
    put(layer, *range);
    return true;
}

/* -- maps -- */

struct nv_report_map *nv_map_new(const char *file)
{
    struct nv_report_map *map = calloc(1, sizeof *map);
    if (!map)
        return NULL;
    map->durable.grain_bytes = map->differs.grain_bytes = 1;
    map->file = strdup(file);
    if (map->file)
        return map;
    free(map);
    return NULL;
}

void nv_map_free(struct nv_report_map *map)
{
    if (!map)
        return;
    free(map->file);
    free(map->durable.ranges);
    free(map->differs.ranges);
    free(map);
}

bool nv_map_add(struct nv_report_map *map, const struct nv_map_range *range)
{
    if (!range->length_bytes)
        return true;
    map->bytes[range->state] += range->length_bytes;
    return add(range->state == NV_MAP_DURABLE ? &map->durable : &map->differs, range);
}

static size_t range_count(const struct nv_report_map *map)
{
    return map->durable.count + map->differs.count;
}

/* Whether a map tells more than another: of differences, and of a file that comes before it in the list of findings. */
static bool tells_more(const struct nv_report_map *map, const struct nv_report_map *other)
{
    if (!map->differs.count != !other->differs.count)
        return map->differs.count != 0;
    return strcmp(map->file, other->file) < 0;
}

/* Of all maps that which tells least. */
static struct nv_report_map **find_dispensable(const struct nv_report *report)
{
    struct nv_report_map **found = report->maps;
    for (size_t i = 1; i < report->map_count; i++)
        if (tells_more(*found, report->maps[i]))
            found = &report->maps[i];
    return found;
}

/* All ranges together stay few: the limit of each file is halved until they are. */
static void bound(struct nv_report *report)
{
    size_t limit = NV_MAP_RANGES_MAX;
    for (;;) {
        size_t total = 0;
        for (size_t i = 0; i < report->map_count; i++)
            total += range_count(report->maps[i]);
        if (total <= NV_MAP_RANGES_OF_ALL_MAX)
            return;
        limit /= 2;
        for (size_t i = 0; i < report->map_count; i++) {
            coarsen(&report->maps[i]->durable, limit);
            coarsen(&report->maps[i]->differs, limit);
        }
    }
}

bool nv_report_add_map(struct nv_report *report, struct nv_report_map *map)
{
    if (!map)
        return false;
    if (!report->maps)
        report->maps = calloc(NV_MAP_FILES_MAX, sizeof(struct nv_report_map *));
    if (!report->maps) {
        nv_map_free(map);
        return false;
    }
    if (report->map_count < NV_MAP_FILES_MAX) {
        report->maps[report->map_count++] = map;
    } else {
        struct nv_report_map **least = find_dispensable(report), *given_up = map;
        if (tells_more(map, *least)) {
            given_up = *least;
            *least = map;
        }
        nv_map_free(given_up);
        report->maps_left_out++;
    }
    bound(report);
    return true;
}
