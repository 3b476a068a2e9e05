/* SPDX-License-Identifier: MIT */
/*
 * Owns the judgement whether a flush or a drain was in vain. Called by engine.c before it does the work, and only in a
 * run that asked for it.
 */
#include "verify/waste.h"

#define LINE_BYTES ((uint64_t)64)

__attribute__((no_sanitize("thread"))) static bool line_is_news(const struct nv_file_map *map, uint64_t offset,
                                                                const void *view)
{
    const struct nv_line_record *record = nv_file_line(map, offset);

    return atomic_load_explicit(&record->flushes, memory_order_relaxed) == 0 ||
           atomic_load_explicit(&record->hash, memory_order_relaxed) != nv_line_hash(view);
}

static bool part_is_news(const struct nv_binding_part *part, uintptr_t from, uintptr_t to)
{
    uint64_t shift = part->shift;
    const struct nv_file_map *map = nv_file_reach(part->file, to + shift);

    if (map == NULL)
        return true;
    for (uintptr_t line = from & ~(uintptr_t)(LINE_BYTES - 1); line < to; line += LINE_BYTES)
        if (line_is_news(map, line + shift, (const void *)line))
            return true;
    return false;
}

bool nv_waste_is_news(const struct nv_binding *binding, const void *address, size_t size_bytes)
{
    uintptr_t at = (uintptr_t)address, end = at + size_bytes, part_end;

    while (at < end) {
        const struct nv_binding_part *part = nv_binding_part(binding, at, &part_end);
        uintptr_t stop = end < part_end ? end : part_end;

        if (part->file == NULL || part_is_news(part, at, stop))
            return true;
        at = stop;
    }
    return false;
}

static void count(_Atomic uint32_t *all, _Atomic uint32_t *in_vain, bool news)
{
    atomic_fetch_add_explicit(all, 1, memory_order_relaxed);
    if (!news)
        atomic_fetch_add_explicit(in_vain, 1, memory_order_relaxed);
}

void nv_waste_note_flush(uint16_t place, bool news)
{
    struct nv_ledger_place *at = &nv_notes_ledger()->place[place];

    count(&at->flushes, &at->redundant, news);
}

void nv_waste_note_drain(uint16_t place, bool news)
{
    struct nv_ledger_place *at = &nv_notes_ledger()->place[place];

    count(&at->drains, &at->needless, news);
}
