/* SPDX-License-Identifier: MIT */
/* Owns the cases of 1000 ranges with one drain. Every call gets ranges that no call before had. */
#include "bench/machine/parts.h"

#include <stdlib.h>

static bool ranges_nvrtl(const struct nv_bench_batch *batch)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < batch->count; i++)
        status |=
            RtlFlushNonVolatileMemoryRanges(batch->token, batch->ranges + i * NV_BENCH_RANGES, NV_BENCH_RANGES, 0);
    return status == STATUS_SUCCESS;
}

static bool ranges_libpmem(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const NV_MEMORY_RANGE *ranges = batch->ranges + i * NV_BENCH_RANGES;
        for (size_t k = 0; k < NV_BENCH_RANGES; k++)
            nv_bench_libpmem.flush(ranges[k].BaseAddress, ranges[k].Length);
        nv_bench_libpmem.drain();
    }
    return true;
}

static int by_address(const void *left, const void *right)
{
    const char *a = ((const NV_MEMORY_RANGE *)left)->BaseAddress, *b = ((const NV_MEMORY_RANGE *)right)->BaseAddress;
    return (a > b) - (a < b);
}

/*
 * Ranges of 8 to 256 bytes: sorted, in a window of test->parameter bytes that is in the cache, as memory is that a
 * program has just written; 0: random over all of the memory.
 */
static void fresh_ranges(struct nv_bench_case *test, struct nv_bench_batch *batch)
{
    struct nv_bench_memory *memory = test->context;
    size_t window = test->parameter ? test->parameter : memory->size_bytes;
    for (size_t call = 0; call < batch->count; call++) {
        NV_MEMORY_RANGE *ranges = batch->ranges + call * NV_BENCH_RANGES;
        for (size_t i = 0; i < NV_BENCH_RANGES; i++) {
            size_t length = 8 + nv_bench_random(&memory->random) % 32 * 8;
            ranges[i].BaseAddress = memory->base + nv_bench_random(&memory->random) % (window - 256) / 8 * 8;
            ranges[i].Length = length;
        }
        if (test->parameter)
            qsort(ranges, NV_BENCH_RANGES, sizeof *ranges, by_address);
    }
}

static void add(struct nv_bench *bench, struct nv_bench_memory *memory, const char *name, size_t window)
{
    struct nv_bench_case *test = nv_bench_add(bench, "1000 ranges", name);
    test->context = memory;
    test->sample = nv_bench_sample_memory;
    test->prepare = fresh_ranges;
    test->parameter = window;
    test->count_max = NV_BENCH_RANGE_CALLS;
    test->bodies[NV_BENCH_NVRTL] = ranges_nvrtl;
    test->bodies[NV_BENCH_LIBPMEM] = nv_bench_libpmem.drain ? ranges_libpmem : NULL;
    test->bodies[NV_BENCH_BARE] = nv_bench_bare_bodies().ranges;
}

void nv_bench_range_cases(struct nv_bench *bench, struct nv_bench_memory *memory)
{
    add(bench, memory, "random over all", 0);
    add(bench, memory, "sorted in 128 KiB", 128 << 10);
    add(bench, memory, "sorted in 16 KiB", 16 << 10);
}
