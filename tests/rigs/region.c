/* SPDX-License-Identifier: MIT */
/* Owns the regions of rig-client and the ways to make them durable. Used by its commands. */
#include "client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void region_open(struct region *region, const char *path)
{
    *region = (struct region){.path = path, .descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)};
    must(region->descriptor >= 0, path);
}

void region_map(struct region *region, size_t size_bytes, bool synchronous)
{
    const int protection = PROT_READ | PROT_WRITE;
    region->size_bytes = size_bytes;
    region->base = MAP_FAILED;
    if (synchronous)
        region->base = mmap(NULL, size_bytes, protection, MAP_SHARED_VALIDATE | MAP_SYNC, region->descriptor, 0);
    region->synchronous = region->base != MAP_FAILED;
    if (!region->synchronous)
        region->base = mmap(NULL, size_bytes, protection, MAP_SHARED, region->descriptor, 0);
    must(region->base != MAP_FAILED, "mmap");
    must(RtlGetNonVolatileToken(region->base, size_bytes, &region->token) == STATUS_SUCCESS, "token");
    must(NvrtlHandleFromFd(region->descriptor, GENERIC_READ | GENERIC_WRITE, &region->handle) == STATUS_SUCCESS,
         "handle");
}

void region_close(struct region *region)
{
    if (region->view) {
        must(RtlFreeNonVolatileToken(region->view_token) == STATUS_SUCCESS, "free the view's");
        must(NtUnmapViewOfSection(NtCurrentProcess(), region->view) == STATUS_SUCCESS, "unmap the view");
    }
    must(NtClose(region->handle) == STATUS_SUCCESS, "close the handle");
    must(RtlFreeNonVolatileToken(region->token) == STATUS_SUCCESS, "free");
    must(munmap(region->base, region->size_bytes) == 0 && close(region->descriptor) == 0, "close");
}

/* Stores, a flush of each range, one drain for all. */
static NTSTATUS flush_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    memcpy(region->base + offset, data, size_bytes);
    return RtlFlushNonVolatileMemory(region->token, region->base + offset, size_bytes,
                                     FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
}

static NTSTATUS drain(struct region *region)
{
    return RtlDrainNonVolatileFlush(region->token);
}

/* The same, and the mapping is looked up at each call. */
static NTSTATUS default_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    memcpy(region->base + offset, data, size_bytes);
    return RtlFlushNonVolatileMemory((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, region->base + offset, size_bytes,
                                     FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
}

static NTSTATUS default_drain(struct region *region)
{
    (void)region;
    return RtlDrainNonVolatileFlush((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN);
}

/* Stores that pass the cache, one drain for all. */
static NTSTATUS non_temporal_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    return RtlWriteNonVolatileMemory(region->token, region->base + offset, data, size_bytes,
                                     WRITE_NV_MEMORY_FLAG_NON_TEMPORAL | WRITE_NV_MEMORY_FLAG_NO_DRAIN);
}

/* Each write is durable by itself; the drain has nothing left to do. */
static NTSTATUS persist_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    return RtlWriteNonVolatileMemory(region->token, region->base + offset, data, size_bytes,
                                     WRITE_NV_MEMORY_FLAG_PERSIST);
}

static NTSTATUS nothing(struct region *region)
{
    (void)region;
    return STATUS_SUCCESS;
}

/* Stores, then one call that flushes all ranges and drains. */
static NTSTATUS ranges_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    must(region->pending_count < PENDING_MAX, "ranges");
    memcpy(region->base + offset, data, size_bytes);
    region->pending[region->pending_count++] = (NV_MEMORY_RANGE){region->base + offset, size_bytes};
    return STATUS_SUCCESS;
}

static NTSTATUS ranges_flush(struct region *region)
{
    size_t count = region->pending_count;
    region->pending_count = 0;
    return RtlFlushNonVolatileMemoryRanges(region->token, region->pending, count, 0);
}

/* -- handles and views -- */

static NTSTATUS file_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = (LONGLONG)offset};
    return NtWriteFile(region->handle, NULL, NULL, NULL, &io, (PVOID)(uintptr_t)data, (ULONG)size_bytes, &at, NULL);
}

static NTSTATUS file_flush(struct region *region)
{
    IO_STATUS_BLOCK io;
    return NtFlushBuffersFile(region->handle, &io);
}

static NTSTATUS file_data_flush(struct region *region)
{
    IO_STATUS_BLOCK io;
    return NtFlushBuffersFileEx(region->handle, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, &io);
}

/* What was written by the handle is made durable by the token. */
static NTSTATUS file_write_to_drain(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    NTSTATUS status = file_write(region, offset, data, size_bytes);
    if (status != STATUS_SUCCESS)
        return status;
    return RtlFlushNonVolatileMemory(region->token, region->base + offset, size_bytes,
                                     FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
}

/* And what was stored into the mapping by the handle. */
static NTSTATUS store(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    memcpy(region->base + offset, data, size_bytes);
    return STATUS_SUCCESS;
}

/* A section as large as the mapping is to be: the file has that size then. */
void region_map_view(struct region *region)
{
    HANDLE section;
    LARGE_INTEGER size = {.QuadPart = (LONGLONG)region->size_bytes};
    SIZE_T view_bytes = 0;
    PVOID base = NULL;
    must(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, region->handle) ==
             STATUS_SUCCESS,
         "section");
    must(NtMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, NULL, &view_bytes, ViewShare, 0,
                            PAGE_READWRITE) == STATUS_SUCCESS,
         "view");
    must(NtClose(section) == STATUS_SUCCESS, "close the section");
    must(RtlGetNonVolatileToken(base, region->size_bytes, &region->view_token) == STATUS_SUCCESS, "the view's token");
    region->view = base;
}

static NTSTATUS view_write(struct region *region, size_t offset, const void *data, size_t size_bytes)
{
    if (!region->view)
        region_map_view(region);
    memcpy(region->view + offset, data, size_bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS view_flush(struct region *region)
{
    IO_STATUS_BLOCK io;
    PVOID base = region->view;
    SIZE_T size_bytes = 0;
    return NtFlushVirtualMemory(NtCurrentProcess(), &base, &size_bytes, &io);
}

static NTSTATUS view_token_flush(struct region *region)
{
    return RtlFlushNonVolatileMemory(region->view_token, region->view, region->size_bytes, 0);
}

static const struct way ways[] = {
    {"flush", flush_write, drain, true},
    {"default-token", default_write, default_drain, true},
    {"non-temporal", non_temporal_write, drain, true},
    {"persist", persist_write, drain, true},
    {"ranges", ranges_write, ranges_flush, true},
    {"file", file_write, file_flush, true, .metadata = true},
    {"file-data", file_write, file_data_flush, true},
    {"file-token", file_write_to_drain, drain, true},
    {"store-file", store, file_flush, true, .metadata = true},
    {"view", view_write, view_flush, true},
    {"view-token", view_write, view_token_flush, true},
    {"view-file", view_write, file_data_flush, true},
    {"no-drain", flush_write, nothing, false},
};

const struct way *way_at(size_t index)
{
    return index < sizeof ways / sizeof *ways ? &ways[index] : NULL;
}

const struct way *way_find(const char *name)
{
    for (size_t i = 0; way_at(i); i++)
        if (!strcmp(name, way_at(i)->name))
            return way_at(i);
    fprintf(stderr, "rig-client: there is no way %s\n", name);
    exit(2);
}
