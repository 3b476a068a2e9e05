/* SPDX-License-Identifier: MIT */
/*
 * Owns pmem_flush and its family: each range goes, mapping by mapping, to the engine that serves it. Called by
 * programs, and by write.c for what it has stored.
 *
 * The interface's own promise ends at persistent memory. On a file in the page cache pmem_persist makes it durable all
 * the same, by msync, and so does pmem_flush with the pmem_drain that follows.
 */
#include "compat/libpmem/flush.h"

#include "compat/libpmem/error.h"
#include "compat/libpmem/libpmem.h"
#include "compat/libpmem/system.h"
#include "src/backing/backing.h"
#include "src/nvm/engines.h"
#include "src/nvm/resolve.h"
#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <string.h>

#define PLACE __builtin_return_address(0)
#define CALL(name)                                                                                                     \
    &(const struct nv_pmem_call)                                                                                       \
    {                                                                                                                  \
        (name), PLACE                                                                                                  \
    }
#define PENDING_MAX 16

/* -- what this thread has flushed and not drained, as far as an engine must be told: pages, not lines -- */

static __thread struct {
    size_t count;
    struct nv_region regions[PENDING_MAX];
} pending;

_Atomic bool nv_pmem_any_pending;

/* A region that is gone by now has nothing to drain. */
static NTSTATUS drain_region(const struct nv_region *region, const void *place)
{
    NTSTATUS status = region->engine->drain(region, place);
    return status == STATUS_INVALID_PARAMETER ? STATUS_SUCCESS : status;
}

static NTSTATUS keep_pending(const struct nv_region *region, const void *place)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; i < pending.count; i++)
        if (pending.regions[i].context == region->context)
            return STATUS_SUCCESS;
    if (pending.count == PENDING_MAX) {
        status = drain_region(&pending.regions[0], place);
        memmove(&pending.regions[0], &pending.regions[1], --pending.count * sizeof(pending.regions[0]));
    }
    pending.regions[pending.count++] = *region;
    atomic_store_explicit(&nv_pmem_any_pending, true, memory_order_relaxed);
    return status;
}

static NTSTATUS drain_pending(const void *place)
{
    NTSTATUS first = STATUS_SUCCESS;
    while (pending.count) {
        NTSTATUS status = drain_region(&pending.regions[--pending.count], place);
        if (first == STATUS_SUCCESS)
            first = status;
    }
    return first;
}

/* -- ranges -- */

/* With pages go the lines: memory of another kind may lie there by now (see region.c). */
NTSTATUS nv_pmem_flush_part(const struct nv_pmem_region *region, const void *address, size_t size_bytes, bool once,
                            const void *place)
{
    uint32_t flags = region->pends && once ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN;
    if (region->pends && nv_cpu->write_back)
        nv_cpu->write_back(address, size_bytes);
    NTSTATUS status = region->nv.engine->flush(&region->nv, (void *)(uintptr_t)address, size_bytes, flags, place);
    if (status == STATUS_SUCCESS && region->pends && !once)
        status = keep_pending(&region->nv, place);
    return status;
}

NTSTATUS nv_pmem_drain(const void *place)
{
    NTSTATUS status = drain_pending(place);
    NTSTATUS lines = nv_seam->drain_default(place);
    return status == STATUS_SUCCESS ? lines : status;
}

void nv_pmem_flush_parts(const void *address, size_t size_bytes, bool drains, const struct nv_pmem_call *call)
{
    NTSTATUS first = STATUS_SUCCESS, status;
    const char *at = address;
    for (size_t left = size_bytes; left;) {
        struct nv_pmem_region once;
        const struct nv_pmem_region *region = nv_pmem_region_find(at, call, &once);
        size_t part = nv_pmem_region_part(region, at, left);
        status = nv_pmem_flush_part(region, at, part, region == &once, call->place);
        first = first == STATUS_SUCCESS ? status : first;
        nv_pmem_region_release(region, &once);
        at += part;
        left -= part;
    }
    status = drains ? nv_pmem_drain(NULL) : STATUS_SUCCESS;
    first = first == STATUS_SUCCESS ? status : first;
    if (first != STATUS_SUCCESS)
        nv_pmem_failed(first, call, address, size_bytes);
}

void pmem_flush(const void *addr, size_t len)
{
    nv_pmem_flush(addr, len, false, CALL(__func__));
}

void pmem_persist(const void *addr, size_t len)
{
    nv_pmem_flush(addr, len, true, CALL(__func__));
}

void pmem_drain(void)
{
    if (__builtin_expect(!nv_seam->verified && !nv_pmem_pending(), 1)) {
        nv_cpu->fence();
        return;
    }
    NTSTATUS status = nv_pmem_drain(PLACE);
    if (status != STATUS_SUCCESS)
        nv_pmem_failed(status, CALL(__func__), NULL, 0);
}

/* -- by the kernel -- */

/*
 * In a verified run the supervisor hears of the system call itself. Elsewhere a file that has failed once fails until
 * the program ends: Linux tells of a lost page only once.
 */
static int sync_part(const struct nv_pmem_region *region, const char *address, size_t size_bytes)
{
    if (!region->pends)
        return nv_os->sync((void *)(uintptr_t)address, size_bytes);
    NTSTATUS status = region->nv.engine->flush(&region->nv, (void *)(uintptr_t)address, size_bytes, 0, NULL);
    return status == STATUS_SUCCESS ? 0 : -nv_pmem_errno(status);
}

static int sync_parts(const char *at, size_t left, const struct nv_pmem_call *call)
{
    int error = 0;
    if (nv_seam->verified)
        return nv_os->sync((void *)(uintptr_t)at, left);
    while (left && !error) {
        struct nv_pmem_region once;
        const struct nv_pmem_region *region = nv_pmem_region_find(at, call, &once);
        size_t part = nv_pmem_region_part(region, at, left);
        error = sync_part(region, at, part);
        nv_pmem_region_release(region, &once);
        at += part;
        left -= part;
    }
    return error;
}

static int sync_range(const void *address, size_t size_bytes, const struct nv_pmem_call *call)
{
    int error = size_bytes ? sync_parts(address, size_bytes, call) : 0;
    if (!error)
        return 0;
    nv_pmem_error(-error, "%s: msync of %zu bytes from %p", call->function, size_bytes, address);
    return -1;
}

int pmem_msync(const void *addr, size_t len)
{
    return sync_range(addr, len, CALL(__func__));
}

/* -- as deep as the platform lets software reach -- */

static void deep_flush(const void *address, size_t left, const struct nv_pmem_call *call)
{
    NTSTATUS first = STATUS_SUCCESS;
    const char *at = address;
    for (size_t size_bytes = left; left;) {
        struct nv_pmem_region once;
        const struct nv_pmem_region *region = nv_pmem_region_find(at, call, &once);
        size_t part = nv_pmem_region_part(region, at, left);
        NTSTATUS status;
        if (region->pends)
            status = nv_pmem_flush_part(region, at, part, region == &once, call->place);
        else
            status = region->deep->flush(&region->nv, (void *)(uintptr_t)at, part, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN,
                                         call->place);
        first = first == STATUS_SUCCESS ? status : first;
        nv_pmem_region_release(region, &once);
        at += part;
        left -= part;
        if (!left && first != STATUS_SUCCESS)
            nv_pmem_failed(first, call, address, size_bytes);
    }
}

/* Device DAX has no pages to sync; its region has a file that makes the queues of the memory controller empty. */
static int drain_device(const char *address)
{
    struct nv_segment segment;
    struct stat status;
    if (nv_resolve_mapping(address, &segment) != STATUS_SUCCESS || nv_pmem_system->status(segment.path, &status) < 0 ||
        !S_ISCHR(status.st_mode))
        return -ENOTTY;
    return nv_pmem_system->deep_flush(status.st_rdev);
}

static int deep_drain(const void *address, size_t size_bytes, const struct nv_pmem_call *call)
{
    NTSTATUS status = nv_pmem_drain(NULL);
    if (status != STATUS_SUCCESS) {
        nv_pmem_error(nv_pmem_errno(status), "%s: %zu bytes from %p are not durable", call->function, size_bytes,
                      address);
        return -1;
    }
    int error = size_bytes ? drain_device(address) : 0;
    if (error == -ENOTTY)
        return sync_range(address, size_bytes, call);
    if (error)
        nv_pmem_error(-error, "%s: the deep flush of the device", call->function);
    return error ? -1 : 0;
}

void pmem_deep_flush(const void *addr, size_t len)
{
    deep_flush(addr, len, CALL(__func__));
}

int pmem_deep_drain(const void *addr, size_t len)
{
    return deep_drain(addr, len, CALL(__func__));
}

int pmem_deep_persist(const void *addr, size_t len)
{
    deep_flush(addr, len, CALL(__func__));
    return deep_drain(addr, len, CALL(__func__));
}

int pmem_has_auto_flush(void)
{
    if (nv_seam->verified)
        return nv_seam->domain == NvrtlDomainMemory;
    int answer = nv_pmem_system->has_auto_flush();
    if (answer >= 0)
        return answer;
    nv_pmem_error(-answer, "%s: the platform's regions", __func__);
    return -1;
}

/* On the CPUs of today a store fence is all there is. */
int pmem_has_hw_drain(void)
{
    return 0;
}

int pmem_is_pmem(const void *addr, size_t len)
{
    return nv_pmem_is_persistent(addr, len);
}
