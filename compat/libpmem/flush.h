/* SPDX-License-Identifier: MIT */
/* The way of a range to its engine, short where the region is known and the engine keeps nothing. */
#ifndef NV_PMEM_FLUSH_H
#define NV_PMEM_FLUSH_H

#include "compat/libpmem/error.h"
#include "src/cpu/cpu.h"

/* Some thread has flushed pages and not drained them, ever. */
extern _Atomic bool nv_pmem_any_pending;

static inline bool nv_pmem_pending(void)
{
    return __builtin_expect(atomic_load_explicit(&nv_pmem_any_pending, memory_order_relaxed), 0);
}

/* All of the range lies in the region; `once` tells whether that was looked up for this call alone. */
NTSTATUS nv_pmem_flush_part(const struct nv_pmem_region *region, const void *address, size_t size_bytes, bool once,
                            const void *place);

/* What this thread has flushed, of every kind. No place: the end of another call. */
NTSTATUS nv_pmem_drain(const void *place);

/* Mapping by mapping. A failure is told as nv_pmem_failed does. */
void nv_pmem_flush_parts(const void *address, size_t size_bytes, bool drains, const struct nv_pmem_call *call);

static inline void nv_pmem_flush(const void *address, size_t size_bytes, bool drains, const struct nv_pmem_call *call)
{
    const struct nv_pmem_region *region = nv_pmem_region_quick(address, size_bytes);
    if (__builtin_expect(!region || region->pends || (drains && nv_pmem_pending()), 0)) {
        nv_pmem_flush_parts(address, size_bytes, drains, call);
        return;
    }
    if (__builtin_expect(region->lines, 1)) {
        nv_cpu->write_back(address, size_bytes);
        if (drains)
            nv_cpu->fence();
        return;
    }
    NTSTATUS status = region->nv.engine->flush(&region->nv, (void *)(uintptr_t)address, size_bytes,
                                               drains ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN, call->place);
    if (__builtin_expect(status != 0, 0))
        nv_pmem_failed(status, call, address, size_bytes);
}

#endif
