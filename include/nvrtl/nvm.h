/* SPDX-License-Identifier: MIT */
/*
 * Non-volatile memory tokens: make what was written to a mapped file durable, and know that it is.
 *
 * The functions are those that Microsoft documents under winnt.h ("RtlGetNonVolatileToken" and its family); what the
 * documentation leaves open is decided in docs/CHOICES.md. All of them may be called from any thread at any time.
 *
 * Persistence domains. What survives a power failure decides how much a flush and a drain must do:
 *
 *   memory      the CPU's caches survive (eADR): a flush does nothing, a drain is a store fence
 *   cpu-cache   memory survives, caches do not (DAX, MAP_SYNC): cache lines are written back, a drain is a store fence
 *   page-cache  the file is on a disk: a drain writes the pages and makes the device flush, once
 *   volatile    nothing survives (tmpfs, memfd): nothing is done, and NvrtlQueryToken says so
 *
 * A flush with FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN only starts the work; a later drain by the same thread finishes all of
 * it.
 */
#ifndef NVRTL_NVM_H
#define NVRTL_NVM_H

#include <nvrtl/types.h>

NVRTL_BEGIN

/* One range of non-volatile memory: Length bytes from BaseAddress. */
typedef struct _NV_MEMORY_RANGE {
    VOID *BaseAddress;
    SIZE_T Length;
} NV_MEMORY_RANGE, *PNV_MEMORY_RANGE;

/* Stands for a token in flush, ranges, drain, write and fill: the mapping is looked up at each call. */
#define FLUSH_NV_MEMORY_DEFAULT_TOKEN (ULONG_PTR)(-1)

/* Flag of the two flush functions: start the work, do not wait for it. */
#define FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN (0x00000001)

/*
 * Flags of RtlWriteNonVolatileMemory and RtlFillNonVolatileMemory:
 *
 *   0, or NO_DRAIN alone   plain stores; nothing is durable
 *   FLUSH                  flush what was written, then drain
 *   FLUSH | NO_DRAIN       flush what was written; a later drain makes it durable
 *   NON_TEMPORAL           stores that pass the cache where the CPU has them, then drain
 *   NON_TEMPORAL|NO_DRAIN  write: counts as a flush without drain; fill: drains all the same
 *   PERSIST                durable on return, whichever way is cheaper; NO_DRAIN has no effect
 */
#define WRITE_NV_MEMORY_FLAG_FLUSH (0x00000001)
#define WRITE_NV_MEMORY_FLAG_NON_TEMPORAL (0x00000002)
#define WRITE_NV_MEMORY_FLAG_PERSIST (WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NON_TEMPORAL)
#define WRITE_NV_MEMORY_FLAG_NO_DRAIN (0x00000100)

#define FILL_NV_MEMORY_FLAG_FLUSH (0x00000001)
#define FILL_NV_MEMORY_FLAG_NON_TEMPORAL (0x00000002)
#define FILL_NV_MEMORY_FLAG_PERSIST (FILL_NV_MEMORY_FLAG_FLUSH | FILL_NV_MEMORY_FLAG_NON_TEMPORAL)
#define FILL_NV_MEMORY_FLAG_NO_DRAIN (0x00000100)

/*
 * Get a token for the Size bytes from NvBuffer, which lie in one or several adjacent shared, writable mappings of
 * files.
 *
 * The kernel is asked what is mapped there, once; the token is then good until RtlFreeNonVolatileToken, provided that
 * the mapping stays as it was.
 *
 * STATUS_SUCCESS                  *NvToken is the token.
 * STATUS_INVALID_PARAMETER        NvToken or NvBuffer is NULL, Size is 0, the range wraps around the address space, or
 *                                 part of it is private or anonymous memory.
 * STATUS_INFO_LENGTH_MISMATCH     part of the range is not mapped.
 * STATUS_ACCESS_DENIED            part of the range may not be written.
 * STATUS_INSUFFICIENT_RESOURCES   no token is left, or the kernel could not be asked.
 *
 * Source: Microsoft Learn, "RtlGetNonVolatileToken function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlGetNonVolatileToken(PVOID NvBuffer, SIZE_T Size, PVOID *NvToken);

/*
 * Free a token. Nothing is flushed or drained by it; under `nvrtl check`, what was written and never made durable is
 * found.
 *
 * STATUS_SUCCESS            the token is no longer valid, in any thread.
 * STATUS_INVALID_PARAMETER  it was no live token (NULL, garbage, freed already, FLUSH_NV_MEMORY_DEFAULT_TOKEN).
 *
 * Source: Microsoft Learn, "RtlFreeNonVolatileToken function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlFreeNonVolatileToken(PVOID NvToken);

/*
 * Flush the Size bytes from NvBuffer; with Flags 0 they are durable on return. Size 0 flushes nothing (and still
 * drains).
 *
 * STATUS_SUCCESS            done (or, with FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN, begun).
 * STATUS_INVALID_PARAMETER  no live token, an unknown flag, or a range that is not inside the token's.
 * Other statuses            page-cache only: the device did not take the data (STATUS_IO_DEVICE_ERROR,
 *                           STATUS_DISK_FULL, ...). The failure stays with the file: see NvrtlForgetFailure.
 *
 * Source: Microsoft Learn, "RtlFlushNonVolatileMemory function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlFlushNonVolatileMemory(PVOID NvToken, PVOID NvBuffer, SIZE_T Size, ULONG Flags);

/*
 * Flush NumRanges ranges, then drain once. All ranges are checked before any is flushed. No ranges only drain.
 *
 * STATUS_INVALID_PARAMETER  as RtlFlushNonVolatileMemory, or NvRanges is NULL while NumRanges is not 0. Other statuses
 *                           likewise.
 *
 * Source: Microsoft Learn, "RtlFlushNonVolatileMemoryRanges function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlFlushNonVolatileMemoryRanges(PVOID NvToken, PNV_MEMORY_RANGE NvRanges, SIZE_T NumRanges,
                                                         ULONG Flags);

/*
 * Wait until every flush that this thread began is durable (page-cache: every flush of the token's files, by any
 * thread). With FLUSH_NV_MEMORY_DEFAULT_TOKEN: what this thread flushed with that token.
 *
 * Statuses as RtlFlushNonVolatileMemory.
 *
 * Source: Microsoft Learn, "RtlDrainNonVolatileFlush function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlDrainNonVolatileFlush(PVOID NvToken);

/*
 * Copy Size bytes from Source to NvDestination, which lies inside the token's range; Flags as in the table above.
 * Source and destination may overlap. On any failing status that names a parameter, nothing was written.
 *
 * Statuses as RtlFlushNonVolatileMemory.
 *
 * Source: Microsoft Learn, "RtlWriteNonVolatileMemory function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlWriteNonVolatileMemory(PVOID NvToken, VOID UNALIGNED *NvDestination,
                                                   const VOID UNALIGNED *Source, SIZE_T Size, ULONG Flags);

/*
 * Set Size bytes from NvDestination to Value; Flags as in the table above.
 *
 * Statuses as RtlFlushNonVolatileMemory.
 *
 * Source: Microsoft Learn, "RtlFillNonVolatileMemory function (winnt.h)".
 */
NVRTL_API NTSTATUS NTAPI RtlFillNonVolatileMemory(PVOID NvToken, VOID UNALIGNED *NvDestination, SIZE_T Size,
                                                  const UCHAR Value, ULONG Flags);

/* What survives a power failure, from nothing to everything. */
typedef enum _NVRTL_DOMAIN {
    NvrtlDomainVolatile = 0,
    NvrtlDomainPageCache = 1,
    NvrtlDomainCpuCache = 2,
    NvrtlDomainMemory = 3
} NVRTL_DOMAIN;

/* What NvrtlQueryToken tells. Texts are UTF-8, terminated by NUL, and cut where they do not fit. */
typedef struct _NVRTL_TOKEN_INFORMATION {
    NVRTL_DOMAIN Domain; /* the weakest among the mappings of the range */
    BOOLEAN Forced;      /* by NVRTL_DOMAIN, or by the verified run's --domain */
    BOOLEAN Verified;    /* this is a verified run */
    PVOID BaseAddress;
    SIZE_T Length;      /* bytes */
    CHAR WriteBack[24]; /* how lines are written back: "clwb", "msync", "none", ... */
    CHAR Reason[160];   /* why this domain */
} NVRTL_TOKEN_INFORMATION, *PNVRTL_TOKEN_INFORMATION;

/*
 * Tell what a token stands for. InformationSize is sizeof(NVRTL_TOKEN_INFORMATION).
 *
 * STATUS_SUCCESS               *Information is filled.
 * STATUS_INVALID_PARAMETER     no live token (FLUSH_NV_MEMORY_DEFAULT_TOKEN is none here), or Information is NULL.
 * STATUS_INFO_LENGTH_MISMATCH  InformationSize is another size.
 *
 * Source: nvrtl's own.
 */
NVRTL_API NTSTATUS NTAPI NvrtlQueryToken(PVOID NvToken, PNVRTL_TOKEN_INFORMATION Information, SIZE_T InformationSize);

/*
 * The name of a domain, as on the command line: "memory", "cpu-cache", "page-cache", "volatile".
 *
 * Source: nvrtl's own.
 */
NVRTL_API const char *NTAPI NvrtlDomainName(NVRTL_DOMAIN Domain);

/*
 * Take a file out of its failed state. Linux tells of a page that it could not write only once, and the page may be
 * lost; so after a failed flush every later flush of that file fails too, in every token, until the program says here
 * that it has written the data again (or does not need it).
 *
 * STATUS_SUCCESS            no file of the token's range is in a failed state now.
 * STATUS_INVALID_PARAMETER  no live token.
 *
 * Source: nvrtl's own.
 */
NVRTL_API NTSTATUS NTAPI NvrtlForgetFailure(PVOID NvToken);

NVRTL_END

#endif
