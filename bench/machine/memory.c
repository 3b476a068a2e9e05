/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory under test and the cases of write, fill, flush, drain and refusal. The memory is a memfd whose token
 * works for the cpu-cache domain: DRAM stands in for persistent memory.
 */
#include "bench/machine/parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t sizes[] = {8,       16,      32,       64,       128,       256,     512,     1 << 10,
                               2 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20};
#define SIZE_COUNT (sizeof sizes / sizeof sizes[0])
#define DATA_BYTES ((size_t)16 << 20)

/* -- the memory -- */

static char *map_memory(size_t size_bytes)
{
    int file = memfd_create("nvrtl-bench", MFD_CLOEXEC);
    if (file < 0)
        return NULL;
    void *base = MAP_FAILED;
    if (ftruncate(file, (off_t)size_bytes) == 0)
        base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    close(file);
    if (base == MAP_FAILED)
        return NULL;
    memset(base, 1, size_bytes);
    return base;
}

/* A token of the cpu-cache domain, and one that was freed. */
static bool take_tokens(struct nv_bench_memory *memory)
{
    struct nv_bench_batch *batch = &memory->batch;
    const char *before = getenv("NVRTL_DOMAIN");
    char *kept = before ? strdup(before) : NULL;
    setenv("NVRTL_DOMAIN", "cpu-cache", 1);
    bool ok = RtlGetNonVolatileToken(memory->base, memory->size_bytes, &batch->bad_token) == STATUS_SUCCESS &&
              RtlFreeNonVolatileToken(batch->bad_token) == STATUS_SUCCESS &&
              RtlGetNonVolatileToken(memory->base, memory->size_bytes, &batch->token) == STATUS_SUCCESS;
    if (kept)
        setenv("NVRTL_DOMAIN", kept, 1);
    else
        unsetenv("NVRTL_DOMAIN");
    free(kept);
    return ok;
}

bool nv_bench_memory_open(struct nv_bench_memory *memory, size_t size_bytes, uint64_t seed)
{
    *memory = (struct nv_bench_memory){.size_bytes = size_bytes, .random = seed ^ 0x9E3779B97F4A7C15u};
    memory->base = map_memory(size_bytes);
    memory->data = aligned_alloc(4096, DATA_BYTES);
    memory->batch.at = calloc(NV_BENCH_COUNT_MAX, sizeof(char *));
    memory->batch.ranges = calloc((size_t)NV_BENCH_RANGES * NV_BENCH_RANGE_CALLS, sizeof(NV_MEMORY_RANGE));
    if (!memory->base || !memory->data || !memory->batch.at || !memory->batch.ranges)
        return false;
    memset(memory->data, 2, DATA_BYTES);
    memory->batch.data = memory->data;
    return take_tokens(memory);
}

void nv_bench_memory_close(struct nv_bench_memory *memory)
{
    if (memory->batch.token)
        RtlFreeNonVolatileToken(memory->batch.token);
    if (memory->base)
        munmap(memory->base, memory->size_bytes);
    free(memory->data);
    free(memory->batch.at);
    free(memory->batch.ranges);
}

/* -- a sample -- */

void nv_bench_random_lines(struct nv_bench_case *test, struct nv_bench_batch *batch)
{
    struct nv_bench_memory *memory = test->context;
    size_t needed = batch->size_bytes ? batch->size_bytes : NV_BENCH_LINE;
    size_t room = (memory->size_bytes - needed) / NV_BENCH_LINE + 1;
    for (size_t i = 0; i < batch->count; i++)
        batch->at[i] = memory->base + nv_bench_random(&memory->random) % room * NV_BENCH_LINE;
}

/* Lines that are in the cache: a few of them, again and again. */
static void hot_lines(struct nv_bench_case *test, struct nv_bench_batch *batch)
{
    struct nv_bench_memory *memory = test->context;
    for (size_t i = 0; i < batch->count; i++) {
        batch->at[i] = memory->base + i % 256 * NV_BENCH_LINE;
        *(volatile char *)batch->at[i];
    }
}

double nv_bench_sample_memory(struct nv_bench_case *test, enum nv_bench_contestant contestant, size_t count)
{
    struct nv_bench_memory *memory = test->context;
    struct nv_bench_batch batch = memory->batch;
    batch.size_bytes = test->size_bytes;
    batch.count = count;
    test->prepare(test, &batch);
    batch.count = count > 32 ? 32 : 0; /* code and predictors get warm on the first few */
    if (batch.count && !test->bodies[contestant](&batch))
        return -1;
    RtlDrainNonVolatileFlush(batch.token);
    batch.count = count;
    double began = nv_bench_now_ns();
    bool ok = test->bodies[contestant](&batch);
    double took = nv_bench_now_ns() - began;
    return ok ? took / (double)count : -1;
}

/* -- bodies -- */

bool nv_bench_write_nvrtl(const struct nv_bench_batch *batch)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < batch->count; i++)
        status |= RtlWriteNonVolatileMemory(batch->token, batch->at[i], batch->data, batch->size_bytes,
                                            WRITE_NV_MEMORY_FLAG_PERSIST);
    return status == STATUS_SUCCESS;
}

bool nv_bench_write_libpmem(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        nv_bench_libpmem.memcpy_persist(batch->at[i], batch->data, batch->size_bytes);
    return true;
}

static bool fill_nvrtl(const struct nv_bench_batch *batch)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < batch->count; i++)
        status |=
            RtlFillNonVolatileMemory(batch->token, batch->at[i], batch->size_bytes, 0, FILL_NV_MEMORY_FLAG_PERSIST);
    return status == STATUS_SUCCESS;
}

static bool fill_libpmem(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        nv_bench_libpmem.memset_persist(batch->at[i], 0, batch->size_bytes);
    return true;
}

static bool flush_nvrtl(const struct nv_bench_batch *batch)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < batch->count; i++)
        status |= RtlFlushNonVolatileMemory(batch->token, batch->at[i], 8, 0);
    return status == STATUS_SUCCESS;
}

static bool flush_libpmem(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        nv_bench_libpmem.flush(batch->at[i], 8);
        nv_bench_libpmem.drain();
    }
    return true;
}

static bool store_and_flush_nvrtl(const struct nv_bench_batch *batch)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < batch->count; i++) {
        *(volatile uint64_t *)(void *)batch->at[i] = i;
        status |= RtlFlushNonVolatileMemory(batch->token, batch->at[i], 8, 0);
    }
    return status == STATUS_SUCCESS;
}

static bool store_and_flush_libpmem(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        *(volatile uint64_t *)(void *)batch->at[i] = i;
        nv_bench_libpmem.flush(batch->at[i], 8);
        nv_bench_libpmem.drain();
    }
    return true;
}

static bool drain_nvrtl(const struct nv_bench_batch *batch)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < batch->count; i++)
        status |= RtlDrainNonVolatileFlush(batch->token);
    return status == STATUS_SUCCESS;
}

static bool drain_libpmem(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        nv_bench_libpmem.drain();
    return true;
}

static bool refusal_nvrtl(const struct nv_bench_batch *batch)
{
    bool refused = true;
    for (size_t i = 0; i < batch->count; i++)
        refused &= RtlFlushNonVolatileMemory(batch->bad_token, batch->at[i], 8, 0) == STATUS_INVALID_PARAMETER;
    return refused;
}

static bool refusal_garbage_nvrtl(const struct nv_bench_batch *batch)
{
    bool refused = true;
    for (size_t i = 0; i < batch->count; i++)
        refused &= RtlFlushNonVolatileMemory(batch->at[i], batch->at[i], 8, 0) == STATUS_INVALID_PARAMETER;
    return refused;
}

/* -- cases -- */

static struct nv_bench_case *add(struct nv_bench *bench, struct nv_bench_memory *memory, const char *group,
                                 const char *name, nv_bench_body *nvrtl, nv_bench_body *libpmem, nv_bench_body *bare)
{
    struct nv_bench_case *test = nv_bench_add(bench, group, name);
    test->context = memory;
    test->sample = nv_bench_sample_memory;
    test->prepare = nv_bench_random_lines;
    test->bodies[NV_BENCH_NVRTL] = nvrtl;
    test->bodies[NV_BENCH_LIBPMEM] = nv_bench_libpmem.drain ? libpmem : NULL;
    test->bodies[NV_BENCH_BARE] = bare;
    return test;
}

static void name_size(char *name, size_t name_bytes, size_t size_bytes)
{
    if (size_bytes >= 1 << 20)
        snprintf(name, name_bytes, "%zu MiB", size_bytes >> 20);
    else if (size_bytes >= 1 << 10)
        snprintf(name, name_bytes, "%zu KiB", size_bytes >> 10);
    else
        snprintf(name, name_bytes, "%zu B", size_bytes);
}

static void add_sizes(struct nv_bench *bench, struct nv_bench_memory *memory, const char *group, nv_bench_body *nvrtl,
                      nv_bench_body *libpmem, nv_bench_body *bare)
{
    char name[32];
    for (size_t i = 0; i < SIZE_COUNT && sizes[i] <= memory->size_bytes / 4; i++) {
        name_size(name, sizeof name, sizes[i]);
        add(bench, memory, group, name, nvrtl, libpmem, bare)->size_bytes = sizes[i];
    }
}

void nv_bench_memory_cases(struct nv_bench *bench, struct nv_bench_memory *memory)
{
    struct nv_bench_bare bare = nv_bench_bare_bodies();
    add_sizes(bench, memory, "durable write", nv_bench_write_nvrtl, nv_bench_write_libpmem, bare.write);
    add_sizes(bench, memory, "durable fill", fill_nvrtl, fill_libpmem, bare.fill);
    add(bench, memory, "flush of one line", "in the cache", flush_nvrtl, flush_libpmem, bare.flush)->prepare =
        hot_lines;
    add(bench, memory, "flush of one line", "anywhere", flush_nvrtl, flush_libpmem, bare.flush);
    add(bench, memory, "flush of one line", "after a store to it", store_and_flush_nvrtl, store_and_flush_libpmem,
        bare.store_and_flush);
    add(bench, memory, "drain", "nothing flushed", drain_nvrtl, drain_libpmem, bare.drain);
    add(bench, memory, "refusal of a token", "freed", refusal_nvrtl, NULL, NULL);
    add(bench, memory, "refusal of a token", "garbage", refusal_garbage_nvrtl, NULL, NULL);
}
