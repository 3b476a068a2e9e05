/* SPDX-License-Identifier: MIT */
/*
 * Owns the program's own expectations: each is looked up in both images by the supervisor, and a broken one noted in
 * the ledger. Called by seam.c, and by engine.c before each drain.
 */
#include "verify/expect.h"
#include "nvrtl/status.h"
#include "verify/client.h"
#include "verify/files.h"
#include "verify/notes.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first byte of a file's range that is not durable as it is in the view; NV_VERIFIER_EQUAL: all of it is. */
static uint64_t first_difference(const struct nv_ledger_range *range)
{
    struct nv_verifier_request request = {.kind = NV_VERIFIER_COMPARE,
                                          .file = range->file,
                                          .offset = range->offset,
                                          .end = range->offset + range->length_bytes};
    struct nv_verifier_reply reply;

    if (NT_SUCCESS(nv_client_ask(&request, &reply, NULL, 0)))
        return reply.offset;
    nv_notes_lost();
    return NV_VERIFIER_EQUAL;
}

static void broken(uint32_t kind, const char *function, const struct nv_ledger_range *range, uint64_t offset,
                   uint16_t place)
{
    struct nv_ledger_range found = {.file = range->file, .offset = offset};

    found.length_bytes = range->offset + range->length_bytes - offset;
    nv_notes_event(kind, function, place, NULL, &found, NULL);
}

/* The files' ranges under [address, +size) that are at stake, up to `room` of them. Returns how many. */
static size_t ranges_of(const struct nv_runtime *runtime, const void *address, size_t size_bytes,
                        struct nv_ledger_range *ranges, size_t room)
{
    struct nv_segment *segments = NULL;
    size_t count = 0, found = 0;

    if (size_bytes == 0 || !NT_SUCCESS(runtime->resolve(address, size_bytes, &segments, &count)))
        return 0;
    for (size_t i = 0; i < count && found < room; i++) {
        uint32_t file = nv_files_name(segments[i].device, segments[i].inode);

        if (file != 0)
            ranges[found++] = (struct nv_ledger_range){.file = file,
                                                       .offset = segments[i].offset,
                                                       .length_bytes = (uint64_t)(segments[i].end - segments[i].start)};
    }
    free(segments);
    return found;
}

#define SEGMENTS 16 /* that one expectation reaches over at most */

void nv_expect_durable(const struct nv_runtime *runtime, const void *address, size_t size_bytes, uint16_t place)
{
    struct nv_ledger_range ranges[SEGMENTS];
    int before = errno;
    size_t count = ranges_of(runtime, address, size_bytes, ranges, SEGMENTS);

    for (size_t i = 0; i < count; i++) {
        uint64_t offset = first_difference(&ranges[i]);

        if (offset == NV_VERIFIER_EQUAL)
            continue;
        broken(NV_EVENT_NOT_DURABLE, "NvrtlExpectDurable", &ranges[i], offset, place);
        break;
    }
    errno = before;
}

void nv_expect_order(const struct nv_runtime *runtime, const NV_MEMORY_RANGE *first, const NV_MEMORY_RANGE *then,
                     uint16_t place)
{
    struct nv_ledger_range earlier[SEGMENTS], later[SEGMENTS];
    int before = errno;
    size_t earlier_count = ranges_of(runtime, first->BaseAddress, first->Length, earlier, SEGMENTS);
    size_t later_count = ranges_of(runtime, then->BaseAddress, then->Length, later, SEGMENTS);

    for (size_t i = 0; i < earlier_count; i++)
        for (size_t k = 0; k < later_count; k++)
            nv_notes_order(&earlier[i], &later[k], place);
    errno = before;
}

struct question {
    const struct nv_ledger_order *order;
    uint64_t unit_bytes; /* that never tears */
    uint64_t unit;       /* of what comes second, that a line in flight changes */
    bool changes, several;
};

static void change(struct question *question, uint64_t unit)
{
    question->several = question->several || (question->changes && unit != question->unit);
    question->changes = true;
    question->unit = unit;
}

static void look(void *context, const struct nv_file *file, uint64_t offset, const void *flushed, const void *durable)
{
    struct question *question = context;
    const struct nv_ledger_range *then = &question->order->then;
    const char *new_bytes = flushed, *old_bytes = durable;

    if (file->id != then->file)
        return;
    for (uint64_t i = 0; i < NV_LINE_BYTES; i++)
        if (offset + i >= then->offset && offset + i < then->offset + then->length_bytes &&
            new_bytes[i] != old_bytes[i])
            change(question, (offset + i) / question->unit_bytes);
}

static void ask(const struct nv_ledger_order *order, const struct question *question)
{
    uint16_t place = (uint16_t)order->place;
    uint64_t offset = first_difference(&order->first);

    if (offset != NV_VERIFIER_EQUAL)
        broken(NV_EVENT_OUT_OF_ORDER, "NvrtlExpectOrder", &order->first, offset, place);
    if (question->several)
        broken(NV_EVENT_TORN, "NvrtlExpectOrder", &order->then, order->then.offset, place);
}

bool nv_expect_orders(void)
{
    return atomic_load_explicit(&nv_notes_ledger()->orders, memory_order_relaxed) != 0;
}

void nv_expect_before_drain(const struct nv_flight *flight)
{
    struct nv_ledger *ledger = nv_notes_ledger();
    uint32_t count = atomic_load_explicit(&ledger->orders, memory_order_relaxed);

    for (uint32_t i = 0; i < count && i < NV_LEDGER_ORDERS; i++) {
        const struct nv_ledger_order *order = &ledger->order[i];
        struct question question = {
            .order = order, .unit_bytes = ledger->domain == NvrtlDomainPageCache ? NV_SECTOR_BYTES : NV_WORD_BYTES};

        if (atomic_load_explicit(&order->ready, memory_order_acquire) == 0)
            continue;
        nv_flight_each(flight, look, &question);
        if (question.changes)
            ask(order, &question);
    }
}
