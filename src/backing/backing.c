/* SPDX-License-Identifier: MIT */
/*
 * Owns what is known of each file while tokens or handles stand for it. Called by binding.c for mapped pages, and by
 * whoever flushes an open file.
 */
#include "src/backing/backing.h"

#include "src/backing/files.h"
#include "src/backing/pages.h"
#include "src/os/os.h"

#include <nvrtl/status.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

enum keeping { NOT_YET, STARTING, KEPT, NEVER };

struct nv_backing {
    struct nv_backing *next; /* in its bucket */
    uint64_t device;
    uint64_t inode;
    size_t references;
    struct nv_syncs syncs;
    enum keeping keeping;
    struct nv_os_keeper *_Atomic keeper; /* while it is KEPT: until the last reference is given back */
};

#define BUCKETS 256
#define KEPT_MAX 64 /* files, each with a thread */

static struct nv_backing *buckets[BUCKETS];
static size_t kept;
#define lock nv_syncs_lock /* of everything here */

static struct nv_backing **bucket(uint64_t device, uint64_t inode)
{
    uint64_t mixed = (device * 31 + inode) * 0x9E3779B97F4A7C15u;
    return &buckets[mixed >> 56];
}

static struct nv_backing *make(uint64_t device, uint64_t inode)
{
    struct nv_backing *backing = nv_os->resize(NULL, sizeof(*backing));
    if (!backing)
        return NULL;
    *backing = (struct nv_backing){.device = device, .inode = inode};
    nv_syncs_open(&backing->syncs);
    struct nv_backing **head = bucket(device, inode);
    backing->next = *head;
    *head = backing;
    return backing;
}

struct nv_backing *nv_backing_get(uint64_t device, uint64_t inode)
{
    pthread_mutex_lock(&lock);
    struct nv_backing *backing = *bucket(device, inode);
    while (backing && (backing->device != device || backing->inode != inode))
        backing = backing->next;
    if (!backing)
        backing = make(device, inode);
    if (backing)
        backing->references++;
    pthread_mutex_unlock(&lock);
    return backing;
}

/* Under the lock: takes the keeper away, which the caller ends without it. */
static struct nv_os_keeper *take_keeper(struct nv_backing *backing)
{
    kept -= backing->keeping == KEPT;
    backing->keeping = NOT_YET;
    return atomic_exchange(&backing->keeper, NULL);
}

/* Under the lock. */
static void drop(struct nv_backing *backing)
{
    struct nv_backing **link = bucket(backing->device, backing->inode);
    while (*link != backing)
        link = &(*link)->next;
    *link = backing->next;
    nv_syncs_close(&backing->syncs);
    free(backing);
}

void nv_backing_put(struct nv_backing *backing)
{
    struct nv_os_keeper *keeper = NULL;
    pthread_mutex_lock(&lock);
    if (--backing->references == 0) {
        keeper = take_keeper(backing);
        if (backing->syncs.failure == STATUS_SUCCESS)
            drop(backing);
    }
    pthread_mutex_unlock(&lock);
    if (keeper)
        nv_os->end_keeper(keeper);
}

NTSTATUS nv_backing_failure(struct nv_backing *backing)
{
    pthread_mutex_lock(&lock);
    NTSTATUS failure = backing->syncs.failure;
    pthread_mutex_unlock(&lock);
    return failure;
}

void nv_backing_forget(struct nv_backing *backing)
{
    pthread_mutex_lock(&lock);
    backing->syncs.failure = STATUS_SUCCESS;
    pthread_mutex_unlock(&lock);
}

NTSTATUS nv_backing_failure_on(uint64_t device)
{
    NTSTATUS failure = STATUS_SUCCESS;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS && failure == STATUS_SUCCESS; i++)
        for (struct nv_backing *backing = buckets[i]; backing && failure == STATUS_SUCCESS; backing = backing->next)
            if (backing->device == device)
                failure = backing->syncs.failure;
    pthread_mutex_unlock(&lock);
    return failure;
}

/* What nobody refers to was kept for its failure alone. */
void nv_backing_forget_on(uint64_t device)
{
    struct nv_backing *next;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct nv_backing *backing = buckets[i]; backing; backing = next) {
            next = backing->next;
            if (backing->device != device)
                continue;
            backing->syncs.failure = STATUS_SUCCESS;
            if (backing->references == 0)
                drop(backing);
        }
    pthread_mutex_unlock(&lock);
}

/* -- descriptors -- */

bool nv_backing_wants_keeper(struct nv_backing *backing, const struct nv_extents *extents)
{
    if (!nv_pages_are_scattered(extents))
        return false;
    pthread_mutex_lock(&lock);
    bool wants = backing->keeping == NOT_YET && kept < KEPT_MAX;
    if (wants) {
        backing->keeping = STARTING;
        kept++;
    }
    pthread_mutex_unlock(&lock);
    return wants;
}

static struct nv_os_keeper *start_keeper(const struct nv_backing *backing, const struct nv_backing_place *place)
{
    char link[64];
    struct nv_os_keeper *keeper;
    struct nv_os_file file = {
        .paths = {link, place->path},
        .device = backing->device,
        .inode = backing->inode,
        .systems = nv_pages_systems,
        .system_count = nv_pages_system_count,
    };
    (void)snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx", place->mapping_start, place->mapping_end);
    if (nv_os->keep(&file, &keeper) != 0)
        return NULL;
    if (!(file.attributes & STATX_ATTR_DAX))
        return keeper;
    nv_os->end_keeper(keeper);
    return NULL;
}

void nv_backing_keep(struct nv_backing *backing, const struct nv_backing_place *place)
{
    struct nv_os_keeper *keeper = place ? start_keeper(backing, place) : NULL;
    pthread_mutex_lock(&lock);
    backing->keeping = keeper ? KEPT : NEVER;
    kept -= keeper == NULL;
    atomic_store(&backing->keeper, keeper);
    pthread_mutex_unlock(&lock);
}

/* -- syncs -- */

NTSTATUS nv_backing_sync_pages(struct nv_backing *backing, const struct nv_pages *pages)
{
    struct nv_pages_sync sync;
    nv_pages_sync_begin(&sync, atomic_load(&backing->keeper), pages);
    return nv_syncs_run(&backing->syncs, &sync.sync);
}

NTSTATUS nv_backing_sync(struct nv_backing *backing, char *start, size_t size_bytes)
{
    struct nv_os_range range = {(uintptr_t)start, (uintptr_t)start + size_bytes};
    struct nv_extents extents = {.first = range, .count = 1};
    struct nv_pages pages = {.extents = &extents, .mapping_start = range.low, .mapping_end = range.high};
    return nv_backing_sync_pages(backing, &pages);
}

NTSTATUS nv_backing_sync_file(struct nv_backing *backing, int descriptor, enum nv_file_sync how)
{
    struct nv_files_sync sync;
    nv_files_sync_begin(&sync, descriptor, how);
    return nv_syncs_run(&backing->syncs, &sync.sync);
}

/* -- fork -- */

void nv_backing_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_backing_after_fork(int in_child)
{
    for (size_t i = 0; in_child && i < BUCKETS; i++)
        for (struct nv_backing *backing = buckets[i]; backing; backing = backing->next) {
            struct nv_os_keeper *keeper = take_keeper(backing);
            if (keeper)
                nv_os->forget_keeper(keeper);
            nv_syncs_open(&backing->syncs);
        }
    if (in_child)
        kept = 0; /* nobody is about to start one */
    pthread_mutex_unlock(&lock);
}

size_t nv_backing_count(void)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct nv_backing *backing = buckets[i]; backing; backing = backing->next)
            count++;
    pthread_mutex_unlock(&lock);
    return count;
}
