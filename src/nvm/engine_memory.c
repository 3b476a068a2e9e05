/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory domain: the CPU's caches survive, so what is stored is durable once it is in order: a drain is a
 * store fence. Called through the region of a token.
 */
#include "src/cpu/cpu.h"
#include "src/nvm/engines.h"
#include "src/nvm/flags.h"

#include <nvrtl/status.h>
#include <string.h>

static const char *write_back_name(void)
{
    return "none";
}

static NTSTATUS flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                      const void *place)
{
    (void)region;
    (void)address;
    (void)size_bytes;
    (void)place;
    if (nv_flush_effect(flags) == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                             uint32_t flags, const void *place)
{
    (void)region;
    (void)ranges;
    (void)count;
    (void)place;
    if (nv_flush_effect(flags) == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS drain(const struct nv_region *region, const void *place)
{
    (void)region;
    (void)place;
    nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                      uint32_t flags, const void *place)
{
    (void)region;
    (void)place;
    nv_plain_write(destination, source, size_bytes);
    if (nv_write_effect(flags) == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                     uint32_t flags, const void *place)
{
    (void)region;
    (void)place;
    nv_plain_fill(destination, value, size_bytes);
    if (nv_fill_effect(flags) == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

const struct nv_engine nv_engine_memory = {
    .name = "memory",
    .domain = NvrtlDomainMemory,
    .write_back_name = write_back_name,
    .flush = flush,
    .flush_ranges = flush_ranges,
    .drain = drain,
    .write = write,
    .fill = fill,
    .forget_failure = nv_nothing_to_forget,
    .release = nv_nothing_to_release,
};
