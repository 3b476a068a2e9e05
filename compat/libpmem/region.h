/* SPDX-License-Identifier: MIT */
/*
 * Which engine serves an address. The interface has no tokens, so the mappings are known here: those that pmem_map_file
 * made, and those that a call met; each is bound to its engine through the runtime's seam, as a token would be.
 */
#ifndef NV_PMEM_REGION_H
#define NV_PMEM_REGION_H

#include "src/nvm/seam.h"

#include <stdatomic.h>

#define NV_PMEM_SLOTS ((size_t)64)
#define NV_PMEM_SLOT_SHIFT 21

/* Never changed while it is known, and not used anew for long after that: whoever has found it may finish its call. */
struct nv_pmem_region {
    struct nv_region nv;
    const struct nv_engine *deep; /* flushes whatever PMEM_NO_FLUSH says */
    bool lines;                   /* the CPU's table is all that it takes: the engine need not be asked */
    bool direct;                  /* the engine's write is better than plain stores and a flush, or wants to know */
    bool pends;                   /* pages are flushed, and the engine has to be told of the drain */
    bool persistent;              /* a flush makes it durable, as the interface means it */
    bool mapped;                  /* by pmem_map_file; in a verified run, or pmem_is_pmem was asked about it */
};

/* A public function's name and its return address. */
struct nv_pmem_call {
    const char *function; /* NULL: whatever the memory is, it is not misused */
    const void *place;
};

/* The regions that were found last, by address. Never NULL. */
extern _Atomic(const struct nv_pmem_region *) nv_pmem_found[NV_PMEM_SLOTS];

/* The region that the whole range lies in, if it is one of those; else NULL. */
static inline const struct nv_pmem_region *nv_pmem_region_quick(const void *address, size_t size_bytes)
{
    size_t slot = (uintptr_t)address >> NV_PMEM_SLOT_SHIFT & (NV_PMEM_SLOTS - 1);
    const struct nv_pmem_region *region = atomic_load_explicit(&nv_pmem_found[slot], memory_order_acquire);
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)region->nv.base);
    return offset < region->nv.size_bytes && size_bytes <= region->nv.size_bytes - offset ? region : NULL;
}

/*
 * The region that the address lies in; asks the kernel when it is not known. What must not be remembered is put into
 * `once`, which the caller gives back with nv_pmem_region_release. Never NULL.
 */
const struct nv_pmem_region *nv_pmem_region_find(const void *address, const struct nv_pmem_call *call,
                                                 struct nv_pmem_region *once);
void nv_pmem_region_release(const struct nv_pmem_region *region, const struct nv_pmem_region *once);

/* How much of the range, from its first byte, lies in the region. */
static inline size_t nv_pmem_region_part(const struct nv_pmem_region *region, const void *address, size_t size_bytes)
{
    size_t left = region->nv.size_bytes - (size_t)((uintptr_t)address - (uintptr_t)region->nv.base);
    return size_bytes < left ? size_bytes : left;
}

/* Around a change of mappings, so that nobody learns what is about to be no more. */
void nv_pmem_region_lock(void);
void nv_pmem_region_unlock(void);

/* Under the lock: the range has been mapped by pmem_map_file. A failing status when it cannot be remembered. */
NTSTATUS nv_pmem_region_add(void *address, size_t size_bytes);
/* Under the lock: nothing is known of the range any more. */
void nv_pmem_region_forget(const void *address, size_t size_bytes);

/* What pmem_is_pmem answers. */
bool nv_pmem_is_persistent(const void *address, size_t size_bytes);

#endif
