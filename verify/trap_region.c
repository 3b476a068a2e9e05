/* SPDX-License-Identifier: MIT */
/*
 * Owns each thread's last mappings, bound to their engines: a look at them tells where a flushed line belongs. trap.c
 * calls it. Mappings are heard of by the functions here that stand before libc's: each makes all that is known stale.
 */
#include "src/nvm/resolve.h"
#include "src/nvm/seam.h"
#include "verify/trap.h"

#include <nvrtl/status.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define KNOWN ((size_t)4)

struct known {
    uintptr_t start, end;
    uint64_t generation; /* 0: nothing */
    bool at_stake;
    struct nv_region region;
};

static _Atomic uint64_t generation = 1;
static _Thread_local struct known known[KNOWN];
static _Thread_local size_t oldest;

static bool is_verified(const struct nv_engine *engine)
{
    return strcmp(engine->name, "verifier") == 0;
}

/* The mapping that the address lies in; what is no mapping of a file is a page that is not at stake. */
static void look_up(struct known *entry, uintptr_t address, uint64_t now)
{
    struct nv_segment *segments = NULL;
    size_t count = 0;

    *entry = (struct known){.start = address & ~(uintptr_t)4095, .generation = now};
    entry->end = entry->start + 4096;
    if (!NT_SUCCESS(nv_resolve((void *)address, 1, &segments, &count)) || !count)
        return;
    segments->start = segments->mapping_start;
    segments->offset -= address - (uintptr_t)segments->mapping_start;
    segments->end = segments->mapping_end;
    entry->region = (struct nv_region){
        .base = segments->start, .size_bytes = (size_t)(segments->end - segments->start), .for_one_call = true};
    if (NT_SUCCESS(nv_seam->bind(&entry->region, segments, 1))) {
        entry->start = (uintptr_t)segments->start;
        entry->end = (uintptr_t)segments->end;
        entry->at_stake = is_verified(entry->region.engine);
        if (!entry->at_stake)
            entry->region.engine->release(&entry->region, NULL);
    }
    free(segments);
}

static const struct known *find(uintptr_t address)
{
    uint64_t now = atomic_load_explicit(&generation, memory_order_acquire);
    struct known *entry;

    for (size_t i = 0; i < KNOWN; i++)
        if (known[i].generation == now && known[i].start <= address && address < known[i].end)
            return &known[i];
    entry = &known[oldest++ % KNOWN];
    if (entry->generation && entry->at_stake)
        entry->region.engine->release(&entry->region, NULL);
    look_up(entry, address, now);
    return entry;
}

bool nv_trap_write_back(uintptr_t address, size_t size_bytes, bool ordered, const void *place)
{
    const struct known *entry = nv_seam->domain == NvrtlDomainCpuCache ? find(address) : NULL;

    if (!entry || !entry->at_stake)
        return false;
    if (size_bytes > entry->end - address)
        size_bytes = entry->end - address;
    (void)entry->region.engine->flush(&entry->region, (void *)address, size_bytes,
                                      ordered ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN, place);
    return true;
}

/* ---- mappings change ---- */

static void change(void)
{
    atomic_fetch_add_explicit(&generation, 1, memory_order_acq_rel);
}

EXPORTED void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (flags & MAP_FIXED)
        change();
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

/* With large offsets, mmap has the name mmap64; here it needs both. */
EXPORTED void *nv_trap_mmap(void *address, size_t length, int protection, int flags, int fd,
                            off_t offset) __asm__("mmap") __attribute__((alias("mmap64"), nothrow, leaf));

EXPORTED int munmap(void *address, size_t length)
{
    change();
    return (int)syscall(SYS_munmap, address, length);
}

EXPORTED void *mremap(void *address, size_t before, size_t after, int flags, ...)
{
    void *wanted = NULL;
    va_list arguments;

    va_start(arguments, flags);
    if (flags & MREMAP_FIXED)
        wanted = va_arg(arguments, void *);
    va_end(arguments);
    change();
    return (void *)syscall(SYS_mremap, address, before, after, flags, wanted);
}
