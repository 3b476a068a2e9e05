/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory that drivers allocate from pools: that of the process, with a word in front of each piece by which it
 * is freed. Called by drivers and filters.
 */
#include "src/os/os.h"

#include <nvrtl/kernel.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((SIZE_T)16)
#define CACHE_LINE ((SIZE_T)64)
#define PAGE ((SIZE_T)4096)
#define CACHE_ALIGNED_TYPE 4
#define POOLS (POOL_FLAG_NON_PAGED | POOL_FLAG_NON_PAGED_EXECUTE | POOL_FLAG_PAGED)

/* Right in front of each piece. */
struct head {
    void *allocated;
    ULONG tag; /* for whoever looks with a debugger */
};

_Static_assert(sizeof(struct head) <= ALIGNMENT, "the head lies between the allocation and the aligned piece");

static void *allocate(SIZE_T size_bytes, SIZE_T alignment, ULONG tag)
{
    if (size_bytes >= PAGE)
        alignment = PAGE;
    if (size_bytes > SIZE_MAX - alignment - ALIGNMENT)
        return NULL;
    char *allocated = nv_os->resize(NULL, size_bytes + alignment + ALIGNMENT);
    if (!allocated)
        return NULL;
    uintptr_t piece = ((uintptr_t)allocated + ALIGNMENT + alignment - 1) & ~(uintptr_t)(alignment - 1);
    ((struct head *)piece)[-1] = (struct head){allocated, tag};
    return (void *)piece;
}

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return allocate(NumberOfBytes, PoolType & CACHE_ALIGNED_TYPE ? CACHE_LINE : ALIGNMENT, Tag);
}

static void *zeroed(void *piece, SIZE_T size_bytes)
{
    return piece ? memset(piece, 0, size_bytes) : NULL;
}

PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
    return zeroed(ExAllocatePoolWithTag(PoolType, NumberOfBytes, Tag), NumberOfBytes);
}

PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
    if (__builtin_popcountll(Flags & POOLS) != 1)
        return NULL;
    void *piece = allocate(NumberOfBytes, Flags & POOL_FLAG_CACHE_ALIGNED ? CACHE_LINE : ALIGNMENT, Tag);
    return Flags & POOL_FLAG_UNINITIALIZED ? piece : zeroed(piece, NumberOfBytes);
}

VOID ExFreePool(PVOID P)
{
    if (P)
        free(((struct head *)P)[-1].allocated);
}

VOID ExFreePoolWithTag(PVOID P, ULONG Tag)
{
    (void)Tag;
    ExFreePool(P);
}
