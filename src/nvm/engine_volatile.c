/* SPDX-License-Identifier: MIT */
/*
 * Owns the volatile domain: nothing survives, so nothing is done but the stores. Called through the region of a token,
 * which NvrtlQueryToken says to be volatile.
 */
#include "src/nvm/engines.h"

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
    (void)flags;
    return STATUS_SUCCESS;
}

static NTSTATUS flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                             uint32_t flags, const void *place)
{
    (void)region;
    (void)ranges;
    (void)count;
    (void)place;
    (void)flags;
    return STATUS_SUCCESS;
}

static NTSTATUS drain(const struct nv_region *region, const void *place)
{
    (void)region;
    (void)place;
    return STATUS_SUCCESS;
}

static NTSTATUS write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                      uint32_t flags, const void *place)
{
    (void)region;
    (void)place;
    (void)flags;
    nv_plain_write(destination, source, size_bytes);
    return STATUS_SUCCESS;
}

static NTSTATUS fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                     uint32_t flags, const void *place)
{
    (void)region;
    (void)place;
    (void)flags;
    nv_plain_fill(destination, value, size_bytes);
    return STATUS_SUCCESS;
}

const struct nv_engine nv_engine_volatile = {
    .name = "volatile",
    .domain = NvrtlDomainVolatile,
    .write_back_name = write_back_name,
    .flush = flush,
    .flush_ranges = flush_ranges,
    .drain = drain,
    .write = write,
    .fill = fill,
    .forget_failure = nv_nothing_to_forget,
    .release = nv_nothing_to_release,
};
