/* SPDX-License-Identifier: MIT */
/*
 * Owns the known regions: sorted by address, none over another. Called by every function that is given an address, and
 * by those that change mappings.
 *
 * In a plain run a mapping is remembered when a call first meets it. Only pmem_unmap is heard of; memory that goes by
 * other means and comes back as another mapping has its lines written back, as libpmem's contract has it, and no more.
 * In a verified run that would be taken for a flush of the former file: so there only what was declared is remembered,
 * by pmem_map_file or pmem_is_pmem, and the rest is looked up at each call.
 */
#include "compat/libpmem/region.h"

#include "compat/libpmem/settings.h"
#include "compat/libpmem/system.h"
#include "src/cpu/cpu.h"
#include "src/nvm/engines.h"
#include "src/nvm/resolve.h"
#include "src/os/os.h"

#include <nvrtl/status.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RETIRED ((size_t)1024)
#define PAGE ((uintptr_t)4096)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of everything here but nv_pmem_found */
static struct nv_pmem_region **known;
static size_t known_count, known_room;
static struct nv_pmem_region *retired[RETIRED];
static size_t retired_next;
static bool force_is_known;
static enum nv_pmem_force force;

static const struct nv_pmem_region nothing;
static struct nv_pmem_region everything = {.nv = {.size_bytes = SIZE_MAX}, .direct = true, .persistent = true};

_Atomic(const struct nv_pmem_region *) nv_pmem_found[NV_PMEM_SLOTS] = {[0 ... NV_PMEM_SLOTS - 1] = &nothing};

/* -- engines -- */

static const char *unsure_name(void)
{
    return "msync";
}

/* What is right for every memory: its lines, and its pages. */
static NTSTATUS unsure_flush(const struct nv_region *region, void *address, size_t size_bytes, uint32_t flags,
                             const void *place)
{
    (void)region, (void)flags, (void)place;
    if (nv_cpu->write_back && size_bytes)
        nv_cpu->write_back(address, size_bytes);
    nv_cpu->fence();
    int error = size_bytes ? nv_os->sync(address, size_bytes) : 0;
    return error ? nv_os_status(error) : STATUS_SUCCESS;
}

/* For memory of which the kernel could not be asked. */
static const struct nv_engine unsure = {
    .name = "unsure", .domain = NvrtlDomainPageCache, .write_back_name = unsure_name, .flush = unsure_flush};

/* Lines are written back by the CPU, where it can do that. */
static const struct nv_engine *lines(void)
{
    return nv_cpu->write_back ? &nv_engine_cpu_cache : &nv_engine_memory;
}

static bool is_verified(const struct nv_engine *engine)
{
    return strcmp(engine->name, "verifier") == 0;
}

/*
 * Settles what follows from the engine. Memory that lives in RAM has its lines written back, too: that harms nobody,
 * and other memory may be mapped there one day.
 */
static void settle(struct nv_pmem_region *region)
{
    const struct nv_engine *engine = region->nv.engine;
    if (engine->domain == NvrtlDomainVolatile)
        engine = lines();
    region->persistent = region->nv.engine->domain >= NvrtlDomainCpuCache;
    region->deep = engine->domain == NvrtlDomainMemory && !is_verified(engine) ? lines() : engine;
    if (nv_pmem_settings.always_flush)
        engine = region->deep;
    if (nv_pmem_settings.never_flush && engine->domain == NvrtlDomainCpuCache)
        engine = &nv_engine_memory;
    region->nv.engine = engine;
    region->lines = !is_verified(engine) && engine->domain == NvrtlDomainCpuCache;
    region->direct = is_verified(engine) || engine->domain == NvrtlDomainCpuCache;
    region->pends = !is_verified(engine) && engine->domain == NvrtlDomainPageCache;
}

static void use_lines(struct nv_pmem_region *region, uintptr_t start, uintptr_t end)
{
    *region = (struct nv_pmem_region){
        .nv = {.engine = lines(), .base = (char *)start, .size_bytes = end - start},
    };
    settle(region);
    region->persistent = false;
}

static NTSTATUS bind(struct nv_pmem_region *region, const struct nv_segment *segment, bool mapped)
{
    *region = (struct nv_pmem_region){
        .nv = {.base = segment->start, .size_bytes = (size_t)(segment->end - segment->start)},
        .mapped = mapped,
    };
    NTSTATUS status = nv_seam->bind(&region->nv, segment, 1);
    if (NT_SUCCESS(status))
        settle(region);
    return status;
}

static void release(const struct nv_pmem_region *region)
{
    if (region->nv.context)
        region->nv.engine->release(&region->nv, NULL);
}

/* -- the table, under the lock -- */

static uintptr_t start_of(const struct nv_pmem_region *region)
{
    return (uintptr_t)region->nv.base;
}

static uintptr_t end_of(const struct nv_pmem_region *region)
{
    return (uintptr_t)region->nv.base + region->nv.size_bytes;
}

/* The number of the first region that ends behind the address. */
static size_t first_behind(uintptr_t address)
{
    size_t low = 0, high = known_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (end_of(known[middle]) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct nv_pmem_region *search(uintptr_t address)
{
    size_t number = first_behind(address);
    return number < known_count && start_of(known[number]) <= address ? known[number] : NULL;
}

/* Whoever is using it may finish its call: it is freed when many others have followed. */
static void retire(struct nv_pmem_region *region)
{
    for (size_t i = 0; i < NV_PMEM_SLOTS; i++) {
        const struct nv_pmem_region *expected = region;
        atomic_compare_exchange_strong(&nv_pmem_found[i], &expected, &nothing);
    }
    release(region);
    free(retired[retired_next]);
    retired[retired_next] = region;
    retired_next = (retired_next + 1) % RETIRED;
}

/* Where no other region lies. NULL without memory. */
static struct nv_pmem_region *insert(const struct nv_pmem_region *content)
{
    if (known_count == known_room) {
        size_t room = known_room ? known_room * 2 : 8;
        struct nv_pmem_region **items = nv_os->resize(known, room * sizeof(struct nv_pmem_region *));
        if (!items)
            return NULL;
        known = items;
        known_room = room;
    }
    struct nv_pmem_region *region = nv_os->resize(NULL, sizeof(*region));
    if (!region)
        return NULL;
    *region = *content;
    size_t number = first_behind(start_of(region));
    memmove(&known[number + 1], &known[number], (known_count - number) * sizeof(known[0]));
    known[number] = region;
    known_count++;
    return region;
}

/* Asks what is mapped at the range, and remembers it. */
static NTSTATUS learn(const void *address, size_t size_bytes)
{
    struct nv_segment *segments;
    struct nv_pmem_region region;
    size_t count;
    NTSTATUS status = nv_resolve(address, size_bytes, &segments, &count);
    if (!NT_SUCCESS(status))
        return status;
    for (size_t i = 0; i < count && NT_SUCCESS(status); i++) {
        status = bind(&region, &segments[i], true);
        if (NT_SUCCESS(status) && !insert(&region)) {
            release(&region);
            status = STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    free(segments);
    return status;
}

/* What sticks out of the range is learnt anew. */
static void forget(uintptr_t start, uintptr_t end)
{
    size_t number = first_behind(start);
    while (number < known_count && start_of(known[number]) < end) {
        struct nv_pmem_region *region = known[number];
        uintptr_t low = start_of(region), high = end_of(region);
        bool mapped = region->mapped;
        memmove(&known[number], &known[number + 1], (--known_count - number) * sizeof(known[0]));
        retire(region);
        if (mapped && low < start && NT_SUCCESS(learn((void *)low, start - low)))
            number = first_behind(start);
        if (mapped && high > end)
            (void)learn((void *)end, high - end);
    }
}

/* -- what is met -- */

static enum nv_pmem_force forced(void)
{
    return force_is_known ? force : nv_pmem_force();
}

/* The first question settles it for good. */
static enum nv_pmem_force settle_force(void)
{
    if (!force_is_known) {
        force = nv_pmem_force();
        force_is_known = true;
        for (size_t i = 0; i < NV_PMEM_SLOTS; i++)
            atomic_store_explicit(&nv_pmem_found[i], &nothing, memory_order_release);
    }
    return force;
}

/* The part of a mapping around the address in which nothing is known yet. */
static void clip(struct nv_segment *segment, uintptr_t address)
{
    size_t number = first_behind(address);
    if (number < known_count && start_of(known[number]) < (uintptr_t)segment->end)
        segment->end = (char *)start_of(known[number]);
    if (number > 0 && end_of(known[number - 1]) > (uintptr_t)segment->start) {
        segment->offset += end_of(known[number - 1]) - (uintptr_t)segment->start;
        segment->start = (char *)end_of(known[number - 1]);
    }
}

/* A plain run meets a mapping. NULL: it cannot be remembered. */
static const struct nv_pmem_region *meet(uintptr_t address)
{
    struct nv_segment segment;
    struct nv_pmem_region region;
    NTSTATUS status = nv_resolve_mapping((const void *)address, &segment);
    if (status == STATUS_INSUFFICIENT_RESOURCES || status == STATUS_INFO_LENGTH_MISMATCH)
        return NULL;
    clip(&segment, address);
    if (!NT_SUCCESS(status)) /* it is private, or may not be written */
        use_lines(&region, (uintptr_t)segment.start, (uintptr_t)segment.end);
    else if (!NT_SUCCESS(bind(&region, &segment, false)))
        return NULL;
    const struct nv_pmem_region *found = insert(&region);
    if (!found)
        release(&region);
    return found;
}

/* Whether a verified run has something to say of each call. */
static bool is_misused(const struct nv_pmem_region *region)
{
    return is_verified(region->deep) && (!region->persistent || forced() == NV_PMEM_NEVER);
}

/* PMEM_IS_PMEM_FORCE=1; but nothing is seen of lines in a verified run whose verifier could not be loaded. */
static bool is_all_persistent(void)
{
    return !nv_seam->verified && nv_seam->bind != nv_bind_page_cache && forced() == NV_PMEM_ALWAYS;
}

/* The region that is known, or becomes so; NULL: it is to be looked up for this call alone. */
static const struct nv_pmem_region *find_known(uintptr_t address)
{
    const struct nv_pmem_region *found;
    pthread_mutex_lock(&lock);
    if (is_all_persistent())
        found = &everything;
    else if ((found = search(address)) == NULL && !nv_seam->verified)
        found = meet(address);
    else if (found && is_misused(found))
        found = NULL;
    if (found)
        atomic_store_explicit(&nv_pmem_found[address >> NV_PMEM_SLOT_SHIFT & (NV_PMEM_SLOTS - 1)], found,
                              memory_order_release);
    pthread_mutex_unlock(&lock);
    return found;
}

/*
 * For one call. That memory which is not persistent is given to these functions is what a verified run is to find;
 * files that are not at stake are nobody's business.
 */
static void look_up(uintptr_t address, const struct nv_pmem_call *call, struct nv_pmem_region *once)
{
    struct nv_segment segment;
    NTSTATUS status = nv_resolve_mapping((const void *)address, &segment);
    uintptr_t page = address & ~(PAGE - 1);
    if (NT_SUCCESS(status))
        status = bind(once, &segment, false);
    else if (status == STATUS_INFO_LENGTH_MISMATCH)
        use_lines(once, page, page + PAGE); /* nothing is mapped: the program gets its fault */
    else if (status != STATUS_INSUFFICIENT_RESOURCES)
        use_lines(once, (uintptr_t)segment.start, (uintptr_t)segment.end);
    if (status == STATUS_INSUFFICIENT_RESOURCES)
        *once = (struct nv_pmem_region){.nv = {.engine = &unsure, .base = (char *)page, .size_bytes = PAGE},
                                        .deep = &unsure};
    else if (call->function && (!NT_SUCCESS(status) || is_misused(once)))
        (void)nv_seam->refuse(NV_REFUSED_MEMORY, call->function, NULL, (const void *)address, 0, call->place);
}

const struct nv_pmem_region *nv_pmem_region_find(const void *address, const struct nv_pmem_call *call,
                                                 struct nv_pmem_region *once)
{
    const struct nv_pmem_region *found = find_known((uintptr_t)address);
    if (found)
        return found;
    look_up((uintptr_t)address, call, once);
    return once;
}

void nv_pmem_region_release(const struct nv_pmem_region *region, const struct nv_pmem_region *once)
{
    if (region == once)
        release(once);
}

/* -- what is declared -- */

void nv_pmem_region_lock(void)
{
    pthread_mutex_lock(&lock);
}

void nv_pmem_region_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

NTSTATUS nv_pmem_region_add(void *address, size_t size_bytes)
{
    forget((uintptr_t)address, (uintptr_t)address + size_bytes);
    return learn(address, size_bytes);
}

void nv_pmem_region_forget(const void *address, size_t size_bytes)
{
    forget((uintptr_t)address, (uintptr_t)address + size_bytes);
}

/* Every byte of it lies in declared regions that are persistent. */
static bool is_declared(uintptr_t start, uintptr_t end)
{
    const struct nv_pmem_region *region = search(start);
    while (region && region->mapped && region->persistent && end_of(region) < end)
        region = search(end_of(region));
    return region && region->mapped && region->persistent;
}

bool nv_pmem_is_persistent(const void *address, size_t size_bytes)
{
    uintptr_t start = (uintptr_t)address, end = start + size_bytes;
    if (size_bytes == 0 || end < start)
        return false;
    pthread_mutex_lock(&lock);
    enum nv_pmem_force answer = settle_force();
    if (nv_seam->verified) {
        nv_seam->group(true);
        forget(start, end);
        (void)learn(address, size_bytes);
        nv_seam->group(false);
    }
    bool persistent = answer == NV_PMEM_ALWAYS || (answer == NV_PMEM_ASK && is_declared(start, end));
    pthread_mutex_unlock(&lock);
    return persistent;
}

/* -- beginning, and fork -- */

/* After the runtime's constructor, which chooses the seam. */
__attribute__((constructor(102))) static void start(void)
{
    nv_pmem_settings_read();
    everything.nv.engine = nv_pmem_system->has_auto_flush() == 1 ? &nv_engine_memory : lines();
    settle(&everything);
    everything.persistent = true;
    nv_seam->announce_libpmem();
    (void)pthread_atfork(nv_pmem_region_lock, nv_pmem_region_unlock, nv_pmem_region_unlock);
}
