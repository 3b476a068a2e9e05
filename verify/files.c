/* SPDX-License-Identifier: MIT */
/*
 * Owns the registry of verified files, keyed by device and inode, and their mappings, which live as long as the
 * process: so any thread may use one without a lock. Called by binding.c, engine.c and notes.c.
 */
#include "verify/files.h"
#include "nvrtl/status.h"
#include "verify/alone.h"
#include "verify/client.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS 256

static _Atomic(struct nv_file *) buckets[BUCKETS];
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t flights = PTHREAD_MUTEX_INITIALIZER;

static _Atomic(struct nv_file *) *bucket_of(uint64_t device, uint64_t inode)
{
    return &buckets[(device * 31 + inode) % BUCKETS];
}

static struct nv_file *find(uint64_t device, uint64_t inode)
{
    struct nv_file *file = atomic_load_explicit(bucket_of(device, inode), memory_order_acquire);

    while (file != NULL && (file->device != device || file->inode != inode))
        file = file->next;
    return file;
}

static uint64_t size_of(int descriptor)
{
    struct stat status;

    return fstat(descriptor, &status) == 0 && status.st_size > 0 ? (uint64_t)status.st_size : 0;
}

static void *map_shared(int descriptor, uint64_t size_bytes)
{
    void *start = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);

    if (start == MAP_FAILED)
        return NULL;
    madvise(start, size_bytes, MADV_HUGEPAGE);
    return start;
}

static uint64_t lines_bytes(const struct nv_file_map *map)
{
    return NV_LINES_HEADER_BYTES + map->bytes / NV_PAGE_BYTES * sizeof(struct nv_page_records);
}

static void free_map(struct nv_file_map *map)
{
    if (map->durable != NULL)
        munmap(map->durable, map->bytes);
    if (map->header != NULL)
        munmap((void *)(uintptr_t)map->header, lines_bytes(map));
    free(map);
}

/* Map both, as far as both reach. */
static struct nv_file_map *map_file(int durable, int lines)
{
    struct nv_file_map *map = calloc(1, sizeof *map);
    uint64_t bytes = (size_of(durable) + NV_PAGE_BYTES - 1) / NV_PAGE_BYTES * NV_PAGE_BYTES;
    uint64_t recorded = size_of(lines);

    if (map == NULL)
        return NULL;
    recorded = recorded > NV_LINES_HEADER_BYTES ? recorded - NV_LINES_HEADER_BYTES : 0;
    recorded = recorded / sizeof(struct nv_page_records) * NV_PAGE_BYTES;
    map->bytes = bytes < recorded ? bytes : recorded;
    if (map->bytes == 0)
        return map;
    map->durable = map_shared(durable, map->bytes);
    map->header = map_shared(lines, lines_bytes(map));
    if (map->durable == NULL || map->header == NULL) {
        free_map(map);
        return NULL;
    }
    map->pages = (struct nv_page_records *)((char *)(uintptr_t)map->header + NV_LINES_HEADER_BYTES);
    return map;
}

static bool reaches(const struct nv_file_map *map, uint64_t end)
{
    return map->bytes >= end && atomic_load_explicit(&map->header->reach_bytes, memory_order_acquire) >= end;
}

/* Ask the supervisor for the file up to `end`, and map it. */
static NTSTATUS ask(uint64_t device, uint64_t inode, uint64_t end, uint32_t *id, struct nv_file_map **map)
{
    struct nv_verifier_request request = {.kind = NV_VERIFIER_FILE, .device = device, .inode = inode, .end = end};
    struct nv_verifier_reply reply;
    int descriptors[2];
    NTSTATUS status;

    if (nv_alone_is_on())
        return nv_alone_map(device, inode, id, map);
    status = nv_client_ask(&request, &reply, descriptors, 2);
    if (!NT_SUCCESS(status))
        return status;
    *id = reply.file;
    *map = map_file(descriptors[0], descriptors[1]);
    close(descriptors[0]);
    close(descriptors[1]);
    return *map != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS enter(uint64_t device, uint64_t inode, uint64_t end, struct nv_file **file)
{
    _Atomic(struct nv_file *) *bucket = bucket_of(device, inode);
    struct nv_file_map *map = NULL;
    uint32_t id = 0;
    NTSTATUS status = ask(device, inode, end, &id, &map);

    if (!NT_SUCCESS(status))
        return status;
    *file = calloc(1, sizeof **file);
    if (*file == NULL) {
        free_map(map);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    (*file)->device = device;
    (*file)->inode = inode;
    (*file)->id = id;
    map->file = *file;
    atomic_init(&(*file)->map, map);
    (*file)->next = atomic_load_explicit(bucket, memory_order_relaxed);
    atomic_store_explicit(bucket, *file, memory_order_release);
    return STATUS_SUCCESS;
}

NTSTATUS nv_files_get(uint64_t device, uint64_t inode, uint64_t end, struct nv_file **file)
{
    NTSTATUS status = STATUS_SUCCESS;

    *file = find(device, inode);
    if (*file == NULL) {
        pthread_mutex_lock(&registry);
        *file = find(device, inode);
        if (*file == NULL)
            status = enter(device, inode, end, file);
        pthread_mutex_unlock(&registry);
    }
    if (NT_SUCCESS(status))
        nv_file_reach(*file, end);
    return status;
}

uint32_t nv_files_name(uint64_t device, uint64_t inode)
{
    struct nv_verifier_request request = {.kind = NV_VERIFIER_NAME, .device = device, .inode = inode};
    struct nv_verifier_reply reply;
    const struct nv_file *file = find(device, inode);

    if (file != NULL)
        return file->id;
    return NT_SUCCESS(nv_client_ask(&request, &reply, NULL, 0)) ? reply.file : 0;
}

static const struct nv_file_map *remap(struct nv_file *file, uint64_t end)
{
    struct nv_file_map *map = atomic_load_explicit(&file->map, memory_order_acquire), *longer = NULL;
    uint32_t id = 0;

    if (nv_alone_is_on())
        nv_alone_measure(file->device, file->inode);
    if (reaches(map, end))
        return map;
    if (nv_alone_is_on() || !NT_SUCCESS(ask(file->device, file->inode, end, &id, &longer)))
        return NULL;
    if (id != file->id) { /* of another file, that took the inode over */
        free_map(longer);
        return NULL;
    }
    if (longer->bytes <= map->bytes) {
        free_map(longer);
        return reaches(map, end) ? map : NULL;
    }
    longer->file = file;
    longer->shorter = map;
    atomic_store_explicit(&file->map, longer, memory_order_release);
    return reaches(longer, end) ? longer : NULL;
}

const struct nv_file_map *nv_file_reach(struct nv_file *file, uint64_t end)
{
    const struct nv_file_map *map = atomic_load_explicit(&file->map, memory_order_acquire);

    if (reaches(map, end))
        return map;
    pthread_mutex_lock(&registry);
    map = remap(file, end);
    pthread_mutex_unlock(&registry);
    return map;
}

void nv_files_flight_lock(void)
{
    pthread_mutex_lock(&flights);
}

void nv_files_flight_unlock(void)
{
    pthread_mutex_unlock(&flights);
}

NTSTATUS nv_files_each(NTSTATUS (*act)(struct nv_file *file))
{
    NTSTATUS first = STATUS_SUCCESS;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct nv_file *file = atomic_load_explicit(&buckets[i], memory_order_acquire); file != NULL;
             file = file->next) {
            NTSTATUS status = act(file);

            first = NT_SUCCESS(first) ? status : first;
        }
    return first;
}

static NTSTATUS forget_flight(struct nv_file *file)
{
    nv_flight_clear(&file->flight);
    return STATUS_SUCCESS;
}

/* In the order in which calls nest: who flushes pages may have to ask for a longer map. */
void nv_files_before_fork(void)
{
    pthread_mutex_lock(&flights);
    pthread_mutex_lock(&registry);
}

void nv_files_after_fork(bool child)
{
    if (child)
        (void)nv_files_each(forget_flight);
    pthread_mutex_unlock(&registry);
    pthread_mutex_unlock(&flights);
}
