/* SPDX-License-Identifier: MIT */
/* Owns the pending pages of page-cache tokens, and drains them. Called by engine_page_cache.c. */
#include "src/nvm/binding.h"

#include "src/backing/backing.h"
#include "src/os/os.h"

#include <nvrtl/status.h>
#include <stdlib.h>

/* [low, high); empty when high is 0. */
struct hull {
    uintptr_t low;
    uintptr_t high;
};

/* One mapping of a token. */
struct piece {
    uintptr_t start;
    uintptr_t end;
    struct hull pending; /* flushed, not drained */
    struct hull syncing; /* what the drain under way has taken from pending */
    struct nv_backing *backing;
};

struct binding {
    struct nv_slot slot;
    uint32_t drain_epoch; /* a drain is under way, if it is the epoch of this process */
    uint32_t count;
    struct piece *pieces;
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

/* The live binding, locked; NULL if it is freed. */
static struct binding *lock_live(void *handle)
{
    struct binding *binding = (struct binding *)(void *)nv_pool_find(&nv_binding_pool, (uint64_t)(uintptr_t)handle);
    if (!binding)
        return NULL;
    pthread_mutex_lock(&stripe_of(binding)->lock);
    if (nv_slot_is(&binding->slot, (uint64_t)(uintptr_t)handle))
        return binding;
    pthread_mutex_unlock(&stripe_of(binding)->lock);
    return NULL;
}

static void unlock(struct binding *binding)
{
    pthread_mutex_unlock(&stripe_of(binding)->lock);
}

/* The live binding, locked, with no drain under way; NULL if it is freed. */
static struct binding *lock_idle(void *handle)
{
    struct binding *binding = lock_live(handle);
    while (binding && binding->drain_epoch == epoch) {
        pthread_cond_wait(&stripe_of(binding)->drained, &stripe_of(binding)->lock);
        if (!nv_slot_is(&binding->slot, (uint64_t)(uintptr_t)handle)) {
            unlock(binding);
            return NULL;
        }
    }
    return binding;
}

static void join(struct hull *hull, uintptr_t low, uintptr_t high)
{
    if (low >= high)
        return;
    if (hull->high == 0 || low < hull->low)
        hull->low = low;
    if (high > hull->high)
        hull->high = high;
}

/* Under the lock. */
static NTSTATUS first_failure(const struct binding *binding)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (uint32_t i = 0; i < binding->count && status == STATUS_SUCCESS; i++)
        status = nv_backing_failure(binding->pieces[i].backing);
    return status;
}

static void put_backings(struct piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        nv_backing_put(pieces[i].backing);
}

static bool make_piece(struct piece *piece, const struct nv_segment *segment)
{
    *piece = (struct piece){
        .start = (uintptr_t)segment->start,
        .end = (uintptr_t)segment->end,
        .backing = nv_backing_get(segment->device, segment->inode),
    };
    return piece->backing != NULL;
}

void *nv_binding_new(const struct nv_segment *segments, size_t count)
{
    uint64_t handle;
    size_t made = 0;
    struct piece *pieces = count < UINT32_MAX ? nv_os->resize(NULL, count * sizeof(*pieces)) : NULL;
    while (pieces && made < count && make_piece(&pieces[made], &segments[made]))
        made++;
    struct binding *binding =
        pieces && made == count ? (struct binding *)(void *)nv_pool_take(&nv_binding_pool, &handle) : NULL;
    if (!binding) {
        put_backings(pieces, made);
        free(pieces);
        return NULL;
    }
    pthread_mutex_lock(&stripe_of(binding)->lock);
    binding->drain_epoch = 0;
    binding->count = (uint32_t)count;
    binding->pieces = pieces;
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
        join(&piece->pending, low > piece->start ? low : piece->start, high < piece->end ? high : piece->end);
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

/* Moves pending to syncing. What a parent's drain had taken when it forked comes along. */
static void begin_drain(struct binding *binding)
{
    for (uint32_t i = 0; i < binding->count; i++) {
        struct piece *piece = &binding->pieces[i];
        join(&piece->syncing, piece->pending.low, piece->pending.high);
        piece->pending = (struct hull){0};
    }
    binding->drain_epoch = epoch;
}

static void end_drain(struct binding *binding)
{
    for (uint32_t i = 0; i < binding->count; i++)
        binding->pieces[i].syncing = (struct hull){0};
    binding->drain_epoch = 0;
    pthread_cond_broadcast(&stripe_of(binding)->drained);
}

/* Not under the lock: as long as the drain is under way, no one else changes syncing, and no one frees the pieces. */
static NTSTATUS sync_pieces(struct binding *binding)
{
    NTSTATUS first = STATUS_SUCCESS;
    for (uint32_t i = 0; i < binding->count; i++) {
        struct piece *piece = &binding->pieces[i];
        NTSTATUS status = piece->syncing.high ? nv_backing_sync(piece->backing, (char *)piece->syncing.low,
                                                                piece->syncing.high - piece->syncing.low)
                                              : nv_backing_failure(piece->backing);
        if (first == STATUS_SUCCESS)
            first = status;
    }
    return first;
}

NTSTATUS nv_binding_drain(void *handle)
{
    struct binding *binding = lock_idle(handle);
    if (!binding)
        return STATUS_INVALID_PARAMETER;
    begin_drain(binding);
    unlock(binding);
    NTSTATUS status = sync_pieces(binding);
    pthread_mutex_lock(&stripe_of(binding)->lock);
    end_drain(binding);
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

void nv_binding_free(void *handle)
{
    struct binding *binding = lock_idle(handle);
    if (!binding)
        return;
    (void)nv_pool_retire(&nv_binding_pool, (uint64_t)(uintptr_t)handle);
    struct piece *pieces = binding->pieces;
    uint32_t count = binding->count;
    pthread_cond_broadcast(&stripe_of(binding)->drained); /* who waits to drain it sees that it is gone */
    unlock(binding);
    put_backings(pieces, count);
    free(pieces);
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
