/* SPDX-License-Identifier: MIT */
/*
 * Owns the regions that a thread has flushed with the default token and not drained. Called by nvm.c.
 *
 * Only engines with a context have something to remember (page-cache: the pages); the others need no more than the
 * fence that drain_default makes.
 */
#include "src/nvm/default_token.h"

#include "src/nvm/resolve.h"

#include <nvrtl/status.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 16

struct kept {
    size_t count;
    NTSTATUS failure; /* of a region that had to make room */
    struct nv_region regions[KEPT_MAX];
};

static __thread struct kept kept;
static pthread_key_t at_thread_end;
static bool has_key;

/* The thread ends without a drain: nothing was promised. */
static void thread_ended(void *value)
{
    (void)value;
    for (size_t i = 0; i < kept.count; i++)
        kept.regions[i].engine->release(&kept.regions[i], NULL);
    kept.count = 0;
}

void nv_default_start(void)
{
    has_key = pthread_key_create(&at_thread_end, thread_ended) == 0;
}

NTSTATUS nv_default_region(void *address, size_t size_bytes, struct nv_region *region)
{
    struct nv_segment *segments;
    size_t count;
    NTSTATUS status = nv_resolve(address, size_bytes, &segments, &count);
    if (!NT_SUCCESS(status))
        return status;
    *region = (struct nv_region){.base = address, .size_bytes = size_bytes, .for_one_call = true};
    status = nv_seam->bind(region, segments, count);
    free(segments);
    return status;
}

static void release(const struct nv_region *region, const void *place)
{
    region->engine->release(region, place);
}

/* Drains and releases the oldest region, whose failure the thread's next drain tells. */
static void make_room(const void *place)
{
    struct nv_region oldest = kept.regions[0];
    kept.count--;
    memmove(&kept.regions[0], &kept.regions[1], kept.count * sizeof(oldest));
    NTSTATUS status = oldest.engine->drain(&oldest, place);
    if (kept.failure == STATUS_SUCCESS)
        kept.failure = status;
    release(&oldest, place);
}

static void keep(const struct nv_region *region, const void *place)
{
    if (kept.count == KEPT_MAX)
        make_room(place);
    if (has_key)
        (void)pthread_setspecific(at_thread_end, &kept);
    kept.regions[kept.count++] = *region;
}

NTSTATUS nv_default_done(const struct nv_region *region, NTSTATUS status, enum nv_effect effect, const void *place)
{
    if (status == STATUS_SUCCESS && effect == NV_FLUSH && region->context) {
        keep(region, place);
        return status;
    }
    release(region, place);
    if (status == STATUS_SUCCESS && effect == NV_DRAIN)
        status = nv_default_drain(NULL); /* the call itself has drained: this is no drain of the program's own */
    return status;
}

NTSTATUS nv_default_drain(const void *place)
{
    NTSTATUS first = kept.failure;
    kept.failure = STATUS_SUCCESS;
    while (kept.count) {
        struct nv_region region = kept.regions[--kept.count];
        NTSTATUS status = region.engine->drain(&region, place);
        if (first == STATUS_SUCCESS)
            first = status;
        release(&region, place);
    }
    NTSTATUS status = nv_seam->drain_default(place);
    return first == STATUS_SUCCESS ? status : first;
}
