/* SPDX-License-Identifier: MIT */
/* Owns the pending pages of page-cache tokens, and drains them. Called by engine_page_cache.c. */
#include "src/nvm/binding.h"

#include "src/backing/backing.h"
#include "src/backing/pages.h"
#include "src/nvm/resolve.h"
#include "src/os/os.h"

#include <nvrtl/status.h>
#include <stdlib.h>

/* One mapping of a token. */
struct piece {
    uintptr_t start;
    uintptr_t end;
    uint64_t offset; /* of start in the file */
    uintptr_t mapping_start;
    uintptr_t mapping_end;
    uint64_t device;
    uint64_t inode;
    struct nv_backing *backing;
    struct nv_extents pending; /* flushed, not drained */
};

/* A drain under way. */
struct flight {
    struct flight *next;
    uint64_t number;         /* in the order in which they began */
    uint32_t epoch;          /* of the process that it is under way in */
    uint32_t piece;          /* which `taken` is of */
    struct nv_extents taken; /* what was pending */
};

struct binding {
    struct nv_slot slot;
    uint32_t count;
    bool may_keep;
    struct piece *pieces;
    struct flight *flights; /* under way, in their order */
    struct flight *spare;
    uint64_t drains; /* begun so far */
};

NV_POOL_TYPE(struct binding);

struct nv_pool nv_binding_pool = NV_POOL(0xB3);

/* A binding's lock is chosen by its address: so it needs no making, and fork() can take all of them. */
#define STRIPES 32

struct stripe {
    pthread_mutex_t lock;
    pthread_cond_t drained;
} __attribute__((aligned(64)));

static struct stripe stripes[STRIPES] = {
    [0 ... STRIPES - 1] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER},
};

/* Another one in a forked child: the drains that its parent had under way are none of its own. */
static uint32_t epoch = 1;

static struct stripe *stripe_of(const struct binding *binding)
{
    return &stripes[(uintptr_t)binding / sizeof(*binding) % STRIPES];
}

/* What a parent had under way when it forked is pending in its child. */
static void adopt(struct binding *binding)
{
    while (binding->flights && binding->flights->epoch != epoch) {
        struct flight *flight = binding->flights;
        nv_extents_add_all(&binding->pieces[flight->piece].pending, &flight->taken);
        nv_extents_clear(&flight->taken);
        binding->flights = flight->next;
        flight->next = binding->spare;
        binding->spare = flight;
    }
}

/* The live binding, locked; NULL if it is freed. */
static struct binding *lock_live(void *handle)
{
    struct binding *binding = (struct binding *)(void *)nv_pool_find(&nv_binding_pool, (uint64_t)(uintptr_t)handle);
    if (!binding)
        return NULL;
    pthread_mutex_lock(&stripe_of(binding)->lock);
    if (nv_slot_is(&binding->slot, (uint64_t)(uintptr_t)handle)) {
        adopt(binding);
        return binding;
    }
    pthread_mutex_unlock(&stripe_of(binding)->lock);
    return NULL;
}

static void unlock(struct binding *binding)
{
    pthread_mutex_unlock(&stripe_of(binding)->lock);
}

/* Under the lock. */
static NTSTATUS first_failure(const struct binding *binding)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (uint32_t i = 0; i < binding->count && status == STATUS_SUCCESS; i++)
        status = nv_backing_failure(binding->pieces[i].backing);
    return status;
}

static void end_pieces(struct piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        nv_extents_free(&pieces[i].pending);
        nv_backing_put(pieces[i].backing);
    }
    free(pieces);
}

static bool make_piece(struct piece *piece, const struct nv_segment *segment)
{
    *piece = (struct piece){
        .start = (uintptr_t)segment->start,
        .end = (uintptr_t)segment->end,
        .offset = segment->offset,
        .mapping_start = (uintptr_t)segment->mapping_start,
        .mapping_end = (uintptr_t)segment->mapping_end,
        .device = segment->device,
        .inode = segment->inode,
        .backing = nv_backing_get(segment->device, segment->inode),
    };
    return piece->backing != NULL;
}

/* NULL without memory. */
static struct piece *make_pieces(const struct nv_segment *segments, size_t count)
{
    size_t made = 0;
    struct piece *pieces = count < UINT32_MAX ? nv_os->resize(NULL, count * sizeof(*pieces)) : NULL;
    while (pieces && made < count && make_piece(&pieces[made], &segments[made]))
        made++;
    if (pieces && made < count) {
        end_pieces(pieces, made);
        return NULL;
    }
    return pieces;
}

static struct flight *make_flight(void)
{
    struct flight *flight = nv_os->resize(NULL, sizeof(*flight));
    if (flight)
        *flight = (struct flight){0};
    return flight;
}

void *nv_binding_new(const struct nv_segment *segments, size_t count, bool may_keep)
{
    uint64_t handle;
    struct binding *binding = NULL;
    struct piece *pieces = make_pieces(segments, count);
    struct flight *flight = pieces ? make_flight() : NULL;
    if (flight)
        binding = (struct binding *)(void *)nv_pool_take(&nv_binding_pool, &handle);
    if (!binding) {
        end_pieces(pieces, pieces ? count : 0);
        free(flight);
        return NULL;
    }
    pthread_mutex_lock(&stripe_of(binding)->lock);
    binding->count = (uint32_t)count;
    binding->may_keep = may_keep;
    binding->pieces = pieces;
    binding->flights = NULL;
    binding->spare = flight;
    binding->drains = 0;
    nv_pool_publish(&binding->slot, handle);
    unlock(binding);
    return (void *)(uintptr_t)handle;
}

/* Under the lock. */
static void note(struct binding *binding, const NV_MEMORY_RANGE *range)
{
    uintptr_t low = (uintptr_t)range->BaseAddress;
    uintptr_t high = (uintptr_t)range->BaseAddress + range->Length;
    if (range->Length == 0)
        return;
    for (uint32_t i = 0; i < binding->count; i++) {
        struct piece *piece = &binding->pieces[i];
        nv_extents_add(&piece->pending, low > piece->start ? low : piece->start, high < piece->end ? high : piece->end);
    }
}

NTSTATUS nv_binding_flush(void *handle, const NV_MEMORY_RANGE *ranges, size_t count)
{
    struct binding *binding = lock_live(handle);
    if (!binding)
        return STATUS_INVALID_PARAMETER;
    for (size_t i = 0; i < count; i++)
        note(binding, &ranges[i]);
    NTSTATUS status = first_failure(binding);
    unlock(binding);
    return status;
}

/* -- a drain -- */

/* A descriptor of the file, opened by what the kernel says of the mapping now. */
static void keep(const struct piece *piece, const struct nv_extents *extents)
{
    struct nv_os_range hull = nv_extents_hull(extents);
    struct nv_segment *segments = NULL;
    size_t count;
    if (nv_resolve((const void *)hull.low, hull.high - hull.low, &segments, &count) != STATUS_SUCCESS ||
        segments->device != piece->device || segments->inode != piece->inode) {
        nv_backing_keep(piece->backing, NULL);
    } else {
        struct nv_backing_place place = {
            .path = segments->path,
            .mapping_start = (uintptr_t)segments->mapping_start,
            .mapping_end = (uintptr_t)segments->mapping_end,
        };
        nv_backing_keep(piece->backing, &place);
    }
    free(segments);
}

static NTSTATUS sync_piece(const struct piece *piece, const struct nv_extents *extents, bool may_keep)
{
    struct nv_pages pages = {
        .extents = extents,
        .start = piece->start,
        .offset = piece->offset,
        .mapping_start = piece->mapping_start,
        .mapping_end = piece->mapping_end,
    };
    if (may_keep && nv_backing_wants_keeper(piece->backing, extents))
        keep(piece, extents);
    return nv_backing_sync_pages(piece->backing, &pages);
}

/*
 * Under the lock, which is free while a piece is synced: what the flight has taken no one else changes, and as long as
 * it is under way no one frees the pieces.
 */
static NTSTATUS sync_pieces(struct binding *binding, struct flight *flight)
{
    NTSTATUS first = STATUS_SUCCESS;
    for (uint32_t i = 0; i < binding->count; i++) {
        struct piece *piece = &binding->pieces[i];
        struct nv_extents empty = flight->taken;
        flight->piece = i;
        flight->taken = piece->pending;
        piece->pending = empty;
        NTSTATUS status;
        if (flight->taken.count) {
            unlock(binding);
            status = sync_piece(piece, &flight->taken, binding->may_keep);
            pthread_mutex_lock(&stripe_of(binding)->lock);
        } else {
            status = nv_backing_failure(piece->backing);
        }
        nv_extents_clear(&flight->taken);
        if (first == STATUS_SUCCESS)
            first = status;
    }
    return first;
}

/* Under the lock: a flight for one more drain. Without memory it waits for one; NULL if the binding is freed then. */
static struct flight *take_flight(struct binding *binding, void *handle)
{
    struct flight *flight;
    while ((flight = binding->spare) == NULL && (flight = make_flight()) == NULL) {
        pthread_cond_wait(&stripe_of(binding)->drained, &stripe_of(binding)->lock);
        if (!nv_slot_is(&binding->slot, (uint64_t)(uintptr_t)handle))
            return NULL;
    }
    if (flight == binding->spare)
        binding->spare = flight->next;
    struct flight **end = &binding->flights;
    while (*end)
        end = &(*end)->next;
    *end = flight;
    flight->next = NULL;
    flight->number = binding->drains++;
    flight->epoch = epoch;
    return flight;
}

/* Under the lock. */
static void give_back(struct binding *binding, struct flight *flight)
{
    struct flight **link = &binding->flights;
    while (*link != flight)
        link = &(*link)->next;
    *link = flight->next;
    flight->next = binding->spare;
    binding->spare = flight;
    pthread_cond_broadcast(&stripe_of(binding)->drained);
}

/* Under the lock: a drain covers what others began to drain before. */
static NTSTATUS wait_for_earlier(struct binding *binding, void *handle, uint64_t number)
{
    while (nv_slot_is(&binding->slot, (uint64_t)(uintptr_t)handle)) {
        if (!binding->flights || binding->flights->number > number)
            return first_failure(binding);
        pthread_cond_wait(&stripe_of(binding)->drained, &stripe_of(binding)->lock);
    }
    return STATUS_SUCCESS;
}

NTSTATUS nv_binding_drain(void *handle)
{
    struct binding *binding = lock_live(handle);
    if (!binding)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    struct flight *flight = take_flight(binding, handle);
    if (flight) {
        uint64_t number = flight->number;
        status = sync_pieces(binding, flight);
        give_back(binding, flight);
        NTSTATUS earlier = wait_for_earlier(binding, handle, number);
        if (status == STATUS_SUCCESS)
            status = earlier;
    }
    unlock(binding);
    return status;
}

NTSTATUS nv_binding_forget_failure(void *handle)
{
    struct binding *binding = lock_live(handle);
    if (!binding)
        return STATUS_INVALID_PARAMETER;
    for (uint32_t i = 0; i < binding->count; i++)
        nv_backing_forget(binding->pieces[i].backing);
    unlock(binding);
    return STATUS_SUCCESS;
}

static void end_flights(struct flight *flights)
{
    for (struct flight *next; flights; flights = next) {
        next = flights->next;
        nv_extents_free(&flights->taken);
        free(flights);
    }
}

void nv_binding_free(void *handle)
{
    struct binding *binding = lock_live(handle);
    if (!binding)
        return;
    (void)nv_pool_retire(&nv_binding_pool, (uint64_t)(uintptr_t)handle); /* no drain begins any more */
    pthread_cond_broadcast(&stripe_of(binding)->drained);
    while (binding->flights)
        pthread_cond_wait(&stripe_of(binding)->drained, &stripe_of(binding)->lock);
    struct piece *pieces = binding->pieces;
    struct flight *spare = binding->spare;
    uint32_t count = binding->count;
    unlock(binding);
    end_pieces(pieces, count);
    end_flights(spare);
    nv_pool_give_back(&nv_binding_pool, &binding->slot);
}

void nv_binding_before_fork(void)
{
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_lock(&stripes[i].lock);
}

void nv_binding_after_fork(int in_child)
{
    if (in_child)
        epoch++;
    for (size_t i = STRIPES; i-- > 0;) {
        if (in_child)
            pthread_cond_init(&stripes[i].drained, NULL);
        pthread_mutex_unlock(&stripes[i].lock);
    }
}
