/* SPDX-License-Identifier: MIT */
/*
 * Included before the sources when they are compiled against mingw's headers: the part of the interface that those
 * lack, by its public documentation. Everything else the sources find there must come from mingw itself.
 */
#ifndef COMPAT_MINGW_MISSING_H
#define COMPAT_MINGW_MISSING_H

#include <stddef.h>

typedef struct _NV_MEMORY_RANGE {
    void *BaseAddress;
    size_t Length;
} NV_MEMORY_RANGE, *PNV_MEMORY_RANGE;

#define FLUSH_NV_MEMORY_DEFAULT_TOKEN (ULONG_PTR)(-1)
#define FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN 1
#define WRITE_NV_MEMORY_FLAG_FLUSH 1
#define WRITE_NV_MEMORY_FLAG_NON_TEMPORAL 2
#define WRITE_NV_MEMORY_FLAG_PERSIST 3
#define WRITE_NV_MEMORY_FLAG_NO_DRAIN 0x100
#define FILL_NV_MEMORY_FLAG_FLUSH 1
#define FILL_NV_MEMORY_FLAG_NON_TEMPORAL 2
#define FILL_NV_MEMORY_FLAG_PERSIST 3
#define FILL_NV_MEMORY_FLAG_NO_DRAIN 0x100

long RtlGetNonVolatileToken(void *, size_t, void **);
long RtlFreeNonVolatileToken(void *);
long RtlDrainNonVolatileFlush(void *);
long RtlFlushNonVolatileMemory(void *, void *, size_t, unsigned long);
long RtlFlushNonVolatileMemoryRanges(void *, PNV_MEMORY_RANGE, size_t, unsigned long);
long RtlWriteNonVolatileMemory(void *, void *, const void *, size_t, unsigned long);
long RtlFillNonVolatileMemory(void *, void *, size_t, unsigned char, unsigned long);

#endif
