/* SPDX-License-Identifier: MIT */
/*
 * Owns the count of bytes that changed though no hook told of a store there: by system calls that read into the region,
 * by code without hooks. judge.c calls it for each file of a run on the level of stores.
 */
#include "supervise/stores.h"
#include "supervise/lines.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE = 64 };

/* Stores are watched under tokens. */
static bool is_watched(struct nv_stores_unseen *unseen, const struct nv_ledger *ledger, const struct nv_object *object,
                       uint64_t offset)
{
    uint32_t count = atomic_load(&ledger->regions);

    count = count < NV_LEDGER_RANGES ? count : NV_LEDGER_RANGES;
    for (uint32_t tried = 0; tried < count; tried++) {
        const struct nv_ledger_range *region = &ledger->region[(unseen->region + tried) % count];

        if (!atomic_load(&region->ready) || region->file != object->verifier_file || offset < region->offset ||
            offset - region->offset >= region->length_bytes)
            continue;
        unseen->region = (unseen->region + tried) % count;
        return true;
    }
    return false;
}

static void add(struct nv_stores_unseen *unseen, uint64_t bytes, uint64_t first)
{
    if (bytes && (!unseen->bytes || first < unseen->first))
        unseen->first = first;
    unseen->bytes += bytes;
}

void nv_stores_compare(struct nv_stores_unseen *unseen, const struct nv_ledger *ledger, const struct nv_object *object,
                       uint64_t from, uint64_t to, const uint8_t *view, const uint8_t *durable)
{
    struct nv_line_record record;
    uint64_t told;

    if (!atomic_load(&ledger->stores) || !view || !durable || !nv_lines_know(object, from, &record) ||
        !is_watched(unseen, ledger, object, from))
        return;
    told = atomic_load(&record.unnamed) | atomic_load(&record.told);
    for (uint64_t at = from; at < to; at++)
        if (view[at - from] != durable[at - from] && !(told >> at % LINE & 1))
            add(unseen, 1, at);
}

bool nv_stores_tell(struct nv_stores_unseen *unseen, const struct nv_ledger *ledger, const struct nv_object *object,
                    const char *path, struct nv_report *report)
{
    char sentence[512];
    uint64_t first = 0, bytes;

    if (!atomic_load(&ledger->stores))
        return true;
    bytes = nv_lines_unseen(object, &first);
    add(unseen, bytes, first);
    if (!unseen->bytes)
        return true;
    report->unseen_bytes += unseen->bytes;
    snprintf(sentence, sizeof sentence,
             "of %.256s: who stored %" PRIu64 " byte%s that changed under tokens, from 0x%" PRIx64
             " on: no hook told of them (a system call that reads into memory, or code without hooks)",
             path, unseen->bytes, unseen->bytes == 1 ? "" : "s", unseen->first);
    return nv_report_not_seen(report, sentence);
}
