/* SPDX-License-Identifier: MIT */
/*
 * Owns the cpu-cache domain: lines are written back by the CPU's instruction, and a fence waits for them. Called
 * through the region of a token. Non-temporal stores win at every size on the CPUs that were measured, so every write
 * and fill that is to be durable uses them.
 */
#include "src/cpu/cpu.h"
#include "src/nvm/engines.h"
#include "src/nvm/flags.h"

#include <nvrtl/status.h>
#include <string.h>

static const char *write_back_name(void)
{
    return nv_cpu->instruction;
}

static NTSTATUS flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                      const void *place)
{
    (void)region;
    (void)place;
    if (size_bytes)
        nv_cpu->write_back(address, size_bytes);
    if (nv_flush_effect(flags) == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                             uint32_t flags, const void *place)
{
    (void)region;
    (void)place;
    nv_cpu->write_back_ranges(ranges, count);
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
    enum nv_effect effect = nv_write_effect(flags);
    (void)region;
    (void)place;
    if (effect == NV_STORE)
        nv_plain_write(destination, source, size_bytes);
    else if (size_bytes)
        nv_cpu->copy(destination, source, size_bytes);
    if (effect == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

static NTSTATUS fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                     uint32_t flags, const void *place)
{
    enum nv_effect effect = nv_fill_effect(flags);
    (void)region;
    (void)place;
    if (effect == NV_STORE)
        nv_plain_fill(destination, value, size_bytes);
    else if (size_bytes)
        nv_cpu->fill(destination, value, size_bytes);
    if (effect == NV_DRAIN)
        nv_cpu->fence();
    return STATUS_SUCCESS;
}

const struct nv_engine nv_engine_cpu_cache = {
    .name = "cpu-cache",
    .domain = NvrtlDomainCpuCache,
    .write_back_name = write_back_name,
    .flush = flush,
    .flush_ranges = flush_ranges,
    .drain = drain,
    .write = write,
    .fill = fill,
    .forget_failure = nv_nothing_to_forget,
    .release = nv_nothing_to_release,
};
