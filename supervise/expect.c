/* SPDX-License-Identifier: MIT */
/*
 * What the program says must hold: a range is durable, or is so before another one. Called for a verifier's question,
 * and before each sync that makes contents durable. What does not hold is noted in the ledger.
 */
#include "supervise/image.h"

#include <nvrtl/nvm.h>
#include <string.h>

static struct nv_object *object_of(const struct nv_image *image, uint32_t file)
{
    return file && file <= image->verifier_file_count ? image->verifier_files[file - 1] : NULL;
}

/* With persistent caches what is stored is durable. */
static bool is_durable_at_once(const struct nv_image *image)
{
    return image->ledger->domain == NvrtlDomainMemory;
}

int nv_expect_difference(struct nv_image *image, const struct nv_ledger_range *range, uint64_t *offset)
{
    struct nv_object *object = object_of(image, range->file);

    *offset = NV_VERIFIER_EQUAL;
    if (!object || object->excluded || is_durable_at_once(image))
        return 0;
    nv_image_make_room(image);
    return nv_content_first_difference(image, object, range->offset, range->offset + range->length_bytes, offset);
}

static bool reaches(const struct nv_ledger_range *range, uint64_t from, uint64_t to)
{
    return range->offset < to && from < range->offset + range->length_bytes;
}

/* One event for each order; that it happens again counts. */
static void note(struct nv_ledger *ledger, const struct nv_ledger_order *order, uint64_t offset)
{
    uint32_t known = atomic_load(&ledger->events), slot;
    struct nv_ledger_event *event;

    for (slot = 0; slot < known && slot < NV_LEDGER_EVENTS; slot++) {
        event = &ledger->event[slot];
        if (atomic_load(&event->ready) && event->kind == NV_EVENT_OUT_OF_ORDER && event->place == order->place) {
            atomic_fetch_add(&event->count, 1);
            return;
        }
    }
    slot = atomic_fetch_add(&ledger->events, 1);
    if (slot >= NV_LEDGER_EVENTS) {
        atomic_fetch_add(&ledger->lost, 1);
        return;
    }
    event = &ledger->event[slot];
    event->kind = NV_EVENT_OUT_OF_ORDER;
    event->place = order->place;
    event->file = order->first.file;
    event->offset = offset;
    event->size_bytes = order->first.offset + order->first.length_bytes - offset;
    strcpy(event->function, "NvrtlExpectOrder");
    atomic_store(&event->count, 1);
    atomic_store(&event->ready, 1);
}

void nv_expect_before_sync(struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to)
{
    uint32_t count = image->ledger ? atomic_load(&image->ledger->orders) : 0;

    for (uint32_t i = 0; i < count && i < NV_LEDGER_ORDERS && !is_durable_at_once(image); i++) {
        const struct nv_ledger_order *order = &image->ledger->order[i];
        uint64_t offset = NV_VERIFIER_EQUAL;

        if (!atomic_load(&order->ready) || order->then.file != object->verifier_file ||
            !reaches(&order->then, from, to))
            continue;
        if (!nv_expect_difference(image, &order->then, &offset) && offset != NV_VERIFIER_EQUAL &&
            !nv_expect_difference(image, &order->first, &offset) && offset != NV_VERIFIER_EQUAL)
            note(image->ledger, order, offset);
    }
}
