/* SPDX-License-Identifier: MIT */
/*
 * Owns the bindings of tokens, one for each mapping (or row of them) that a token was ever taken on. Called by seam.c;
 * engine.c reads them.
 */
#include "verify/binding.h"
#include "nvrtl/status.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256

static struct nv_binding *buckets[BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static NTSTATUS describe(const struct nv_segment *segment, struct nv_binding_part *part)
{
    uint64_t end = segment->offset + (uint64_t)(segment->end - segment->start);
    NTSTATUS status = nv_files_get(segment->device, segment->inode, end, &part->file);

    part->start = (uintptr_t)segment->start;
    part->shift = segment->offset - (uint64_t)(uintptr_t)segment->start;
    if (status != NV_VERIFIER_NOT_AT_STAKE)
        return status;
    part->file = NULL;
    part->shift = 0;
    return STATUS_SUCCESS;
}

static bool same(const struct nv_binding_part *a, const struct nv_binding_part *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i].start != b[i].start || a[i].file != b[i].file || a[i].shift != b[i].shift)
            return false;
    return true;
}

static struct nv_binding *intern(const struct nv_binding_part *parts, size_t count)
{
    struct nv_binding **bucket = &buckets[(parts[count - 1].shift / 4096 + count) % BUCKETS];
    struct nv_binding *binding;

    for (binding = *bucket; binding != NULL; binding = binding->next)
        if (binding->count == count && same(binding->parts, parts, count))
            return binding;
    binding = malloc(sizeof *binding + count * sizeof *parts);
    if (binding == NULL)
        return NULL;
    binding->count = count;
    memcpy(binding->parts, parts, count * sizeof *parts);
    binding->next = *bucket;
    *bucket = binding;
    return binding;
}

/* Segments of one file that go on in it are one part. Returns how many parts there are. */
static size_t join(struct nv_binding_part *parts, size_t count)
{
    size_t last = 0;

    parts[0].start = 0;
    for (size_t i = 1; i < count; i++)
        if (parts[i].file != parts[last].file || parts[i].shift != parts[last].shift)
            parts[++last] = parts[i];
    return last + 1;
}

NTSTATUS nv_binding_get(const struct nv_segment *segments, size_t count, const struct nv_binding **binding,
                        bool *at_stake)
{
    struct nv_binding_part *parts = malloc(count * sizeof *parts);
    NTSTATUS status = parts != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;

    *at_stake = false;
    for (size_t i = 0; i < count && NT_SUCCESS(status); i++) {
        status = describe(&segments[i], &parts[i]);
        *at_stake = *at_stake || (NT_SUCCESS(status) && parts[i].file != NULL);
    }
    if (NT_SUCCESS(status) && *at_stake) {
        pthread_mutex_lock(&mutex);
        *binding = intern(parts, join(parts, count));
        pthread_mutex_unlock(&mutex);
        if (*binding == NULL)
            status = STATUS_INSUFFICIENT_RESOURCES;
    }
    free(parts);
    return status;
}

void nv_binding_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_binding_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
