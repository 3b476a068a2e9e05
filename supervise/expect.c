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

/* One event for each order and kind; that it happens again counts. */
static void note(struct nv_ledger *ledger, const struct nv_ledger_order *order, uint32_t kind,
                 const struct nv_ledger_range *range, uint64_t offset)
{
    uint32_t known = atomic_load(&ledger->events), slot;
    struct nv_ledger_event *event;

    for (slot = 0; slot < known && slot < NV_LEDGER_EVENTS; slot++) {
        event = &ledger->event[slot];
        if (atomic_load(&event->ready) && event->kind == kind && event->place == order->place) {
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
    event->kind = kind;
    event->place = order->place;
    event->file = range->file;
    event->offset = offset;
    event->size_bytes = range->offset + range->length_bytes - offset;
    strcpy(event->function, "NvrtlExpectOrder");
    atomic_store(&event->count, 1);
    atomic_store(&event->ready, 1);
}

/* The first and the last byte of a range that differ. */
struct extent {
    const struct nv_ledger_range *range;
    bool differs;
    uint64_t first, last;
};

static int look(void *context, uint64_t offset, uint64_t length, const uint8_t *view, const uint8_t *durable)
{
    struct extent *extent = context;

    for (uint64_t i = 0; i < length; i++) {
        if (!reaches(extent->range, offset + i, offset + i + 1) || (view && view[i] == durable[i]))
            continue;
        extent->first = extent->differs ? extent->first : offset + i;
        extent->last = offset + i;
        extent->differs = true;
    }
    return 0;
}

static void judge(struct nv_image *image, const struct nv_ledger_order *order)
{
    struct extent extent = {.range = &order->then};
    struct nv_object *object = object_of(image, order->then.file);
    uint64_t end = order->then.offset + order->then.length_bytes, offset;

    if (!object || nv_content_compare_range(image, object, order->then.offset, end, look, &extent) || !extent.differs)
        return;
    if (!nv_expect_difference(image, &order->first, &offset) && offset != NV_VERIFIER_EQUAL)
        note(image->ledger, order, NV_EVENT_OUT_OF_ORDER, &order->first, offset);
    if (extent.first / NV_SECTOR_BYTES != extent.last / NV_SECTOR_BYTES)
        note(image->ledger, order, NV_EVENT_TORN, &order->then, extent.first);
}

void nv_expect_before_sync(struct nv_image *image, const struct nv_object *object, uint64_t from, uint64_t to)
{
    uint32_t count = image->ledger ? atomic_load(&image->ledger->orders) : 0;

    for (uint32_t i = 0; i < count && i < NV_LEDGER_ORDERS && !is_durable_at_once(image); i++) {
        const struct nv_ledger_order *order = &image->ledger->order[i];

        if (atomic_load(&order->ready) && order->then.file == object->verifier_file && reaches(&order->then, from, to))
            judge(image, order);
    }
}
