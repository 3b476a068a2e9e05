/* SPDX-License-Identifier: MIT */
/*
 * Owns pmem_memmove, pmem_memcpy and pmem_memset with their variants. Called by programs. Where the engine has its own
 * way to store durably that is taken; else, and where a flag or a variable asks for ordinary stores, it is stores and a
 * flush.
 */
#include "compat/libpmem/flush.h"
#include "compat/libpmem/libpmem.h"
#include "compat/libpmem/settings.h"
#include "compat/libpmem/stores.h"

#include <nvrtl/status.h>

#define PLACE __builtin_return_address(0)
#define CALL(name)                                                                                                     \
    &(const struct nv_pmem_call)                                                                                       \
    {                                                                                                                  \
        (name), PLACE                                                                                                  \
    }
#define UNUSUAL (PMEM_F_MEM_NOFLUSH | PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_WB | PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_WC)

/* What is stored: bytes of `source`, or the value. */
struct content {
    const char *source;
    bool filled;
    uint8_t value;
};

static inline NTSTATUS write_direct(const struct nv_pmem_region *region, char *destination,
                                    const struct content *content, size_t size_bytes, uint32_t flags, const void *place)
{
    const struct nv_engine *engine = region->nv.engine;
    if (!content->filled)
        return engine->write(&region->nv, destination, content->source, size_bytes, flags, place);
    return engine->fill(&region->nv, destination, size_bytes, content->value, flags, place);
}

/* Stores and what they need of the CPU, as the cpu-cache engine does it. */
static inline void write_lines(char *destination, const struct content *content, size_t size_bytes, unsigned flags)
{
    if (size_bytes && content->filled)
        nv_cpu->fill(destination, content->value, size_bytes);
    else if (size_bytes)
        nv_cpu->copy(destination, content->source, size_bytes);
    if (!(flags & PMEM_F_MEM_NODRAIN))
        nv_cpu->fence();
}

/* Stores alone, of which a verified run takes note. */
static NTSTATUS store(const struct nv_pmem_region *region, char *destination, const struct content *content,
                      size_t size_bytes, const void *place)
{
    if (nv_seam->verified && region && region->direct)
        return write_direct(region, destination, content, size_bytes, 0, place);
    if (!content->filled)
        nv_pmem_move(destination, content->source, size_bytes);
    else
        nv_pmem_set(destination, content->value, size_bytes);
    return STATUS_SUCCESS;
}

/* Whether the flags, or a variable, want ordinary stores. */
static bool wants_ordinary(size_t size_bytes, unsigned flags)
{
    if ((flags & (PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_WB)) || nv_pmem_settings.no_movnt)
        return true;
    return !(flags & (PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_WC)) && size_bytes < nv_pmem_settings.movnt_threshold;
}

#define BEGIN_FLUSH (WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN)

/* To a region that all of it lies in, up to the drain; by stores and a flush if need be. */
static NTSTATUS write_region(const struct nv_pmem_region *region, char *destination, const struct content *content,
                             size_t size_bytes, unsigned flags, bool once, const void *place)
{
    if (flags & PMEM_F_MEM_NOFLUSH)
        return store(region, destination, content, size_bytes, place);
    if (region->direct && !wants_ordinary(size_bytes, flags))
        return write_direct(region, destination, content, size_bytes, BEGIN_FLUSH, place);
    NTSTATUS status = store(region, destination, content, size_bytes, place);
    return status == STATUS_SUCCESS ? nv_pmem_flush_part(region, destination, size_bytes, once, place) : status;
}

/* Whatever the flags are, and wherever it lies: in several mappings, it is stored first and flushed then. */
static void write_any(char *destination, const struct content *content, size_t size_bytes, unsigned flags,
                      const struct nv_pmem_call *call)
{
    /* Stores alone are no misuse of memory that is not persistent. */
    struct nv_pmem_call finder = {flags & PMEM_F_MEM_NOFLUSH ? NULL : call->function, call->place};
    struct nv_pmem_region once;
    NTSTATUS status = STATUS_SUCCESS;
    if (size_bytes) {
        const struct nv_pmem_region *region = nv_pmem_region_find(destination, &finder, &once);
        if (nv_pmem_region_part(region, destination, size_bytes) == size_bytes) {
            status = write_region(region, destination, content, size_bytes, flags, region == &once, call->place);
        } else {
            status = store(NULL, destination, content, size_bytes, call->place);
            if (!(flags & PMEM_F_MEM_NOFLUSH))
                nv_pmem_flush_parts(destination, size_bytes, false, call);
        }
        nv_pmem_region_release(region, &once);
    }
    if (status == STATUS_SUCCESS && !(flags & (PMEM_F_MEM_NODRAIN | PMEM_F_MEM_NOFLUSH)))
        status = nv_pmem_drain(NULL);
    if (status != STATUS_SUCCESS)
        nv_pmem_failed(status, call, destination, size_bytes);
}

/* The short way, for what is usual. `content` and `flags` are constants in most callers. */
static inline __attribute__((always_inline)) void *write(void *destination, const struct content *content,
                                                         size_t size_bytes, unsigned flags,
                                                         const struct nv_pmem_call *call)
{
    const struct nv_pmem_region *region = nv_pmem_region_quick(destination, size_bytes);
    bool usual = region && region->direct && !(flags & UNUSUAL) && size_bytes >= nv_pmem_settings.movnt_threshold &&
                 !nv_pmem_pending();
    if (__builtin_expect(!usual, 0)) {
        write_any(destination, content, size_bytes, flags, call);
        return destination;
    }
    if (__builtin_expect(region->lines, 1)) {
        write_lines(destination, content, size_bytes, flags);
        return destination;
    }
    NTSTATUS status =
        write_direct(region, destination, content, size_bytes,
                     flags & PMEM_F_MEM_NODRAIN ? BEGIN_FLUSH : WRITE_NV_MEMORY_FLAG_PERSIST, call->place);
    if (__builtin_expect(status != STATUS_SUCCESS, 0))
        nv_pmem_failed(status, call, destination, size_bytes);
    return destination;
}

#define COPY(flags) write(pmemdest, &(const struct content){.source = src}, len, (flags), CALL(__func__))
#define FILL(flags)                                                                                                    \
    write(pmemdest, &(const struct content){.filled = true, .value = (uint8_t)c}, len, (flags), CALL(__func__))

void *pmem_memmove(void *pmemdest, const void *src, size_t len, unsigned flags)
{
    return COPY(flags);
}

void *pmem_memcpy(void *pmemdest, const void *src, size_t len, unsigned flags)
{
    return COPY(flags);
}

void *pmem_memset(void *pmemdest, int c, size_t len, unsigned flags)
{
    return FILL(flags);
}

void *pmem_memmove_persist(void *pmemdest, const void *src, size_t len)
{
    return COPY(0);
}

void *pmem_memcpy_persist(void *pmemdest, const void *src, size_t len)
{
    return COPY(0);
}

void *pmem_memset_persist(void *pmemdest, int c, size_t len)
{
    return FILL(0);
}

void *pmem_memmove_nodrain(void *pmemdest, const void *src, size_t len)
{
    return COPY(PMEM_F_MEM_NODRAIN);
}

void *pmem_memcpy_nodrain(void *pmemdest, const void *src, size_t len)
{
    return COPY(PMEM_F_MEM_NODRAIN);
}

void *pmem_memset_nodrain(void *pmemdest, int c, size_t len)
{
    return FILL(PMEM_F_MEM_NODRAIN);
}
