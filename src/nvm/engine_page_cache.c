/* SPDX-License-Identifier: MIT */
/*
 * Owns the page-cache domain: a flush notes its pages, a drain makes one msync over the noted pages of each mapping.
 * Called through the region of a token.
 *
 * msync writes the dirty pages of the range and makes the device flush once; starting the writes earlier, at the flush,
 * gains little and is not durable by itself (docs/CHOICES.md).
 */
#include "src/nvm/binding.h"
#include "src/nvm/engines.h"
#include "src/nvm/flags.h"

#include <nvrtl/status.h>
#include <string.h>

static const char *write_back_name(void)
{
    return "msync";
}

/* What follows the stores to the ranges. */
static NTSTATUS follow(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                       enum nv_effect effect)
{
    if (effect == NV_STORE)
        return STATUS_SUCCESS;
    NTSTATUS status = nv_binding_flush(region->context, ranges, count);
    if (status == STATUS_SUCCESS && effect == NV_DRAIN)
        status = nv_binding_drain(region->context);
    return status;
}

static NTSTATUS flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                      const void *place)
{
    NV_MEMORY_RANGE range = {address, size_bytes};
    (void)place;
    return follow(region, &range, 1, nv_flush_effect(flags));
}

static NTSTATUS flush_ranges(const struct nv_region *region, const NV_MEMORY_RANGE *ranges, size_t count,
                             uint32_t flags, const void *place)
{
    (void)place;
    return follow(region, ranges, count, nv_flush_effect(flags));
}

static NTSTATUS drain(const struct nv_region *region, const void *place)
{
    (void)place;
    return nv_binding_drain(region->context);
}

static NTSTATUS write(const struct nv_region *region, void *destination, const void *source, size_t size_bytes,
                      uint32_t flags, const void *place)
{
    NV_MEMORY_RANGE range = {destination, size_bytes};
    (void)place;
    nv_plain_write(destination, source, size_bytes);
    return follow(region, &range, 1, nv_write_effect(flags));
}

static NTSTATUS fill(const struct nv_region *region, void *destination, size_t size_bytes, uint8_t value,
                     uint32_t flags, const void *place)
{
    NV_MEMORY_RANGE range = {destination, size_bytes};
    (void)place;
    nv_plain_fill(destination, value, size_bytes);
    return follow(region, &range, 1, nv_fill_effect(flags));
}

static NTSTATUS forget_failure(const struct nv_region *region)
{
    return nv_binding_forget_failure(region->context);
}

static void release(const struct nv_region *region, const void *place)
{
    (void)place;
    nv_binding_free(region->context);
}

const struct nv_engine nv_engine_page_cache = {
    .name = "page-cache",
    .domain = NvrtlDomainPageCache,
    .write_back_name = write_back_name,
    .flush = flush,
    .flush_ranges = flush_ranges,
    .drain = drain,
    .write = write,
    .fill = fill,
    .forget_failure = forget_failure,
    .release = release,
};

/* A single call is too short to open a file for. */
NTSTATUS nv_bind_page_cache(struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    region->engine = &nv_engine_page_cache;
    region->context = nv_binding_new(segments, count, !region->for_one_call);
    return region->context ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS nv_bind_msync(struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    region->engine = &nv_engine_page_cache;
    region->context = nv_binding_new(segments, count, false);
    return region->context ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
