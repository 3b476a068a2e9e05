/* SPDX-License-Identifier: MIT */
/*
 * Owns the public functions of the memory plane: each checks its arguments, then makes one call through the token's
 * engine. Called by programs. What is refused goes through the seam, where the verifier hears of it.
 */
#include "src/nvm/default_token.h"
#include "src/nvm/engines.h"
#include "src/nvm/flags.h"
#include "src/nvm/ranges.h"
#include "src/nvm/reason.h"
#include "src/nvm/resolve.h"
#include "src/nvm/seam.h"
#include "src/nvm/token.h"

#include <nvrtl/intrinsics.h>
#include <nvrtl/nvrtl.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACE __builtin_return_address(0)
#define REFUSE(why, token, address, size_bytes)                                                                        \
    nv_seam->refuse(NV_REFUSED_##why, __func__, (token), (address), (size_bytes), PLACE)

static const struct nv_segment *weakest(const struct nv_segment *segments, size_t count)
{
    const struct nv_segment *found = segments;
    for (size_t i = 1; i < count; i++)
        if (segments[i].domain < found->domain)
            found = &segments[i];
    return found;
}

static NTSTATUS make_token(void *address, size_t size_bytes, const struct nv_segment *segments, size_t count,
                           PVOID *token)
{
    struct nv_region region = {.base = address, .size_bytes = size_bytes};
    NTSTATUS status = nv_seam->bind(&region, segments, count);
    if (!NT_SUCCESS(status))
        return status;
    const struct nv_segment *decisive = weakest(segments, count);
    *token = nv_token_new(&region, decisive->domain, nv_reason_keep(decisive->reason));
    if (*token)
        return STATUS_SUCCESS;
    region.engine->release(&region, NULL);
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS RtlGetNonVolatileToken(PVOID NvBuffer, SIZE_T Size, PVOID *NvToken)
{
    struct nv_segment *segments;
    size_t count;
    PVOID token;
    if (!NvToken)
        return REFUSE(POINTER, NULL, NvBuffer, Size);
    NTSTATUS status = nv_resolve(NvBuffer, Size, &segments, &count);
    if (!NT_SUCCESS(status))
        return status;
    status = make_token(NvBuffer, Size, segments, count, &token);
    free(segments);
    if (NT_SUCCESS(status))
        *NvToken = token;
    return status;
}

NTSTATUS RtlFreeNonVolatileToken(PVOID NvToken)
{
    struct nv_region region;
    if (!nv_token_free(NvToken, &region))
        return REFUSE(TOKEN, NvToken, NULL, 0);
    region.engine->release(&region, PLACE);
    return STATUS_SUCCESS;
}

/* A call with the default token and no bytes: there is nothing to look up, and nothing to do but what the flags say. */
static void nothing_region(struct nv_region *region)
{
    *region = (struct nv_region){.engine = &nv_engine_volatile, .for_one_call = true};
}

/*
 * Memory that no token would be given for is a refused range here; that the kernel could not be asked is the caller's
 * to know.
 */
static NTSTATUS default_region(void *address, size_t size_bytes, struct nv_region *region, const char *function,
                               const void *place)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (size_bytes == 0)
        nothing_region(region);
    else
        status = nv_default_region(address, size_bytes, region);
    if (NT_SUCCESS(status) || status == STATUS_INSUFFICIENT_RESOURCES)
        return status;
    return nv_seam->refuse(NV_REFUSED_RANGE, function, (PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, address, size_bytes,
                           place);
}

/* The region that a call with this token and range goes to. */
static inline NTSTATUS find_region(PVOID token, void *address, size_t size_bytes, struct nv_region *region,
                                   const char *function, const void *place)
{
    if (nv_is_default_token(token))
        return default_region(address, size_bytes, region, function, place);
    if (!nv_token_find(token, region))
        return nv_seam->refuse(NV_REFUSED_TOKEN, function, token, address, size_bytes, place);
    if (!nv_range_inside(region, address, size_bytes))
        return nv_seam->refuse(NV_REFUSED_RANGE, function, token, address, size_bytes, place);
    return STATUS_SUCCESS;
}

static inline NTSTATUS done(const struct nv_region *region, NTSTATUS status, enum nv_effect effect, const void *place)
{
    return region->for_one_call ? nv_default_done(region, status, effect, place) : status;
}

NTSTATUS RtlFlushNonVolatileMemory(PVOID NvToken, PVOID NvBuffer, SIZE_T Size, ULONG Flags)
{
    struct nv_region region;
    if (Flags & ~NV_FLUSH_FLAGS)
        return REFUSE(FLAGS, NvToken, NvBuffer, Size);
    NTSTATUS status = find_region(NvToken, NvBuffer, Size, &region, __func__, PLACE);
    if (!NT_SUCCESS(status))
        return status;
    status = region.engine->flush(&region, NvBuffer, Size, Flags, PLACE);
    return done(&region, status, nv_flush_effect(Flags), PLACE);
}

/* Every range is looked up before any is flushed; the drain comes once, at the end. */
static NTSTATUS default_flush_ranges(const NV_MEMORY_RANGE *ranges, size_t count, ULONG flags, const char *function,
                                     const void *place)
{
    struct nv_region region;
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < count && NT_SUCCESS(status); i++) {
        status = default_region(ranges[i].BaseAddress, ranges[i].Length, &region, function, place);
        if (NT_SUCCESS(status))
            region.engine->release(&region, place);
    }
    for (size_t i = 0; i < count && NT_SUCCESS(status); i++) {
        status = default_region(ranges[i].BaseAddress, ranges[i].Length, &region, function, place);
        if (!NT_SUCCESS(status))
            break;
        status = region.engine->flush(&region, ranges[i].BaseAddress, ranges[i].Length,
                                      FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN, place);
        status = nv_default_done(&region, status, NV_FLUSH, place);
    }
    if (NT_SUCCESS(status) && nv_flush_effect(flags) == NV_DRAIN)
        status = nv_default_drain(place);
    return status;
}

NTSTATUS RtlFlushNonVolatileMemoryRanges(PVOID NvToken, PNV_MEMORY_RANGE NvRanges, SIZE_T NumRanges, ULONG Flags)
{
    struct nv_region region;
    if (Flags & ~NV_FLUSH_FLAGS)
        return REFUSE(FLAGS, NvToken, NvRanges, 0);
    if (NumRanges && !NvRanges)
        return REFUSE(POINTER, NvToken, NULL, 0);
    if (nv_is_default_token(NvToken))
        return default_flush_ranges(NvRanges, NumRanges, Flags, __func__, PLACE);
    if (!nv_token_find(NvToken, &region))
        return REFUSE(TOKEN, NvToken, NvRanges, 0);
    const NV_MEMORY_RANGE *outside = nv_ranges_outside(&region, NvRanges, NumRanges);
    if (outside)
        return REFUSE(RANGE, NvToken, outside->BaseAddress, outside->Length);
    return region.engine->flush_ranges(&region, NvRanges, NumRanges, Flags, PLACE);
}

NTSTATUS RtlDrainNonVolatileFlush(PVOID NvToken)
{
    struct nv_region region;
    if (nv_is_default_token(NvToken))
        return nv_default_drain(PLACE);
    if (!nv_token_find(NvToken, &region))
        return REFUSE(TOKEN, NvToken, NULL, 0);
    return region.engine->drain(&region, PLACE);
}

NTSTATUS RtlWriteNonVolatileMemory(PVOID NvToken, VOID UNALIGNED *NvDestination, const VOID UNALIGNED *Source,
                                   SIZE_T Size, ULONG Flags)
{
    struct nv_region region;
    if (Flags & ~NV_WRITE_FLAGS)
        return REFUSE(FLAGS, NvToken, NvDestination, Size);
    if (Size && !Source)
        return REFUSE(POINTER, NvToken, Source, Size);
    NTSTATUS status = find_region(NvToken, NvDestination, Size, &region, __func__, PLACE);
    if (!NT_SUCCESS(status))
        return status;
    status = region.engine->write(&region, NvDestination, Source, Size, Flags, PLACE);
    return done(&region, status, nv_write_effect(Flags), PLACE);
}

NTSTATUS RtlFillNonVolatileMemory(PVOID NvToken, VOID UNALIGNED *NvDestination, SIZE_T Size, const UCHAR Value,
                                  ULONG Flags)
{
    struct nv_region region;
    if (Flags & ~NV_WRITE_FLAGS)
        return REFUSE(FLAGS, NvToken, NvDestination, Size);
    NTSTATUS status = find_region(NvToken, NvDestination, Size, &region, __func__, PLACE);
    if (!NT_SUCCESS(status))
        return status;
    status = region.engine->fill(&region, NvDestination, Size, Value, Flags, PLACE);
    return done(&region, status, nv_fill_effect(Flags), PLACE);
}

NTSTATUS NvrtlQueryToken(PVOID NvToken, PNVRTL_TOKEN_INFORMATION Information, SIZE_T InformationSize)
{
    struct nv_region region;
    NVRTL_DOMAIN domain;
    const char *reason;
    if (!nv_token_query(NvToken, &region, &domain, &reason))
        return REFUSE(TOKEN, NvToken, NULL, 0);
    if (!Information)
        return REFUSE(POINTER, NvToken, NULL, InformationSize);
    if (InformationSize != sizeof(*Information))
        return STATUS_INFO_LENGTH_MISMATCH;
    *Information = (NVRTL_TOKEN_INFORMATION){
        .Domain = nv_seam->verified ? region.engine->domain : domain,
        .Forced = nv_seam->forced,
        .Verified = nv_seam->verified,
        .BaseAddress = region.base,
        .Length = region.size_bytes,
    };
    (void)snprintf(Information->WriteBack, sizeof(Information->WriteBack), "%s", region.engine->write_back_name());
    (void)snprintf(Information->Reason, sizeof(Information->Reason), "%s",
                   nv_seam->verified && nv_seam->forced ? "simulated by the verified run" : reason);
    return STATUS_SUCCESS;
}

NTSTATUS NvrtlForgetFailure(PVOID NvToken)
{
    struct nv_region region;
    if (!nv_token_find(NvToken, &region))
        return REFUSE(TOKEN, NvToken, NULL, 0);
    return region.engine->forget_failure(&region);
}

VOID NvrtlIgnore(const VOID *Address, SIZE_T Size)
{
    nv_seam->ignore(Address, Size);
}

VOID NvrtlMark(const CHAR *Text)
{
    nv_seam->mark(Text, PLACE);
}

BOOLEAN NvrtlSeeWriteBack(const VOID *Address, SIZE_T Size, BOOLEAN Ordered)
{
    return nv_seam->see_write_back(Address, Size, Ordered, PLACE);
}

VOID NvrtlSeeFence(VOID)
{
    nv_seam->see_fence();
}

VOID NvrtlWatchStores(PNVRTL_STORE_WATCH Watch)
{
    nv_seam->watch_stores(Watch);
}

VOID NvrtlSeeStore(const VOID *Address, SIZE_T Size, const VOID *Place)
{
    nv_seam->see_store(Address, Size, Place);
}

VOID NvrtlSeeAtomicStore(const VOID *Address, SIZE_T Size, const VOID *Place)
{
    ULONG_PTR first = (ULONG_PTR)Address, last = first + Size - 1;
    nv_seam->see_store(Address, Size, Place);
    if (first / NV_LINE_BYTES != last / NV_LINE_BYTES)
        nv_seam->see_split(Address, Size, Place);
}

VOID NvrtlExpectDurable(const VOID *Address, SIZE_T Size)
{
    nv_seam->expect_durable(Address, Size, PLACE);
}

VOID NvrtlExpectOrder(const VOID *First, SIZE_T FirstSize, const VOID *Then, SIZE_T ThenSize)
{
    NV_MEMORY_RANGE first = {(PVOID)First, FirstSize}, then = {(PVOID)Then, ThenSize};
    nv_seam->expect_order(&first, &then, PLACE);
}
