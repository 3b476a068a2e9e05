/* SPDX-License-Identifier: MIT */
/*
 * Owns the table that takes the place of the runtime's own in a verified run, and its one entry. The runtime's
 * constructor loads this library and calls nvrtl_verifier_seam; its public functions call the table.
 */
#include "src/nvm/seam.h"
#include "nvrtl/status.h"
#include "verify/alone_syncs.h"
#include "verify/binding.h"
#include "verify/client.h"
#include "verify/engine.h"
#include "verify/expect.h"
#include "verify/fork.h"
#include "verify/level.h"
#include "verify/notes.h"
#include "verify/places.h"
#include "verify/recorded.h"
#include "verify/seam.h"
#include "verify/stores.h"
#include "verify/tell.h"
#include "verify/traced.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPLIT_BY "an atomic operation"

static struct nv_seam seam;
static const struct nv_runtime *runtime;
static const struct nv_engine *engine; /* of the domain that the run simulates; NULL: of none */
static NTSTATUS (*drain_thread)(NVRTL_DOMAIN domain, const void *place, const void *frame) = nv_verified_drain;

static uint16_t place_of(const void *place, const void *frame)
{
    struct nv_thread *thread = nv_thread_self();

    return thread != NULL ? nv_place_id(thread, place, frame) : 0;
}

static void tell_regions(const struct nv_binding *binding, const struct nv_region *region)
{
    uintptr_t address = (uintptr_t)region->base, end = address + region->size_bytes, part_end;

    while (address < end) {
        const struct nv_binding_part *part = nv_binding_part(binding, address, &part_end);
        uintptr_t stop = part_end < end ? part_end : end;

        if (part->file != NULL)
            nv_notes_region(part->file->id, address + part->shift, stop - address);
        address = stop;
    }
}

static NTSTATUS bind(struct nv_region *region, const struct nv_segment *segments, size_t count)
{
    const struct nv_binding *binding = NULL;
    bool at_stake = false;
    NTSTATUS status = STATUS_SUCCESS;

    if (nv_alone_is_on() && !nv_alone_bind(region, segments, count))
        return runtime->plain->bind(region, segments, count);
    if (engine != NULL)
        status = nv_binding_get(segments, count, &binding, &at_stake);
    if (!NT_SUCCESS(status))
        return status;
    if (!at_stake)
        return runtime->plain->bind(region, segments, count);
    region->engine = engine;
    region->context = (void *)(uintptr_t)binding;
    atomic_fetch_add_explicit(&nv_notes_ledger()->tokens, 1, memory_order_relaxed);
    /* Only on the memory domain does it matter where tokens were, when there is one for each call. */
    if (!region->for_one_call || engine->domain == NvrtlDomainMemory)
        tell_regions(binding, region);
    if (!region->for_one_call)
        nv_stores_add(binding, region->base, region->size_bytes);
    if (nv_tell_log != NULL && nv_thread_self() != NULL)
        nv_tell_map(nv_thread_self(), region, binding, segments, count);
    return STATUS_SUCCESS;
}

/* What this thread flushed may be verified and plain. */
static NTSTATUS drain_default(const void *place)
{
    NTSTATUS status = engine != NULL ? drain_thread(engine->domain, place, __builtin_frame_address(0)) : STATUS_SUCCESS;
    NTSTATUS plain = runtime->plain->drain_default(place);

    if (nv_notes_ledger()->records != 0)
        nv_recorded_drain(status, place);
    return NT_SUCCESS(status) ? plain : status;
}

/* The file at stake that `address` lies in; its number, or 0. */
static uint32_t file_at(const void *address)
{
    struct nv_segment *segments = NULL;
    size_t count = 0;
    uint32_t id = 0;

    if (address == NULL || !NT_SUCCESS(runtime->resolve(address, 1, &segments, &count)))
        return 0;
    if (count != 0)
        id = nv_files_name(segments->device, segments->inode);
    free(segments);
    return id;
}

/* The file of a live token: the first that is at stake; its number, or 0. */
static uint32_t file_of(PVOID token)
{
    const struct nv_binding *binding;
    struct nv_region region;

    if (engine == NULL || runtime->find == NULL || !runtime->find(token, &region) || region.engine != engine)
        return 0;
    binding = region.context;
    for (size_t i = 0; i < binding->count; i++)
        if (binding->parts[i].file != NULL)
            return binding->parts[i].file->id;
    return 0;
}

static NTSTATUS refuse(enum nv_refusal why, const char *function, PVOID token, const void *address, size_t size_bytes,
                       const void *place)
{
    uint16_t id = place_of(place, __builtin_frame_address(0));
    struct nv_ledger_range range = {.length_bytes = size_bytes};
    int before = errno;

    if (nv_notes_event_again(why, function, id))
        return STATUS_INVALID_PARAMETER;
    if (why == NV_REFUSED_RANGE)
        range.file = file_of(token);
    if ((why == NV_REFUSED_RANGE || why == NV_REFUSED_MEMORY) && range.file == 0)
        range.file = file_at(address);
    nv_notes_event(why, function, id, token, &range, address);
    errno = before;
    return STATUS_INVALID_PARAMETER;
}

static void misuse(enum nv_misuse why, const char *function, const void *place)
{
    struct nv_ledger_range range = {0};

    nv_notes_event(why, function, place_of(place, __builtin_frame_address(0)), NULL, &range, NULL);
}

static void tell(const char *sentence)
{
    nv_notes_tell(sentence);
}

static void announce_libpmem(void)
{
    atomic_store_explicit(&nv_notes_ledger()->libpmem, 1, memory_order_relaxed);
}

static void ignore(const void *address, size_t size_bytes)
{
    struct nv_segment *segments = NULL;
    size_t count = 0;
    int before = errno;

    if (size_bytes == 0 || !NT_SUCCESS(runtime->resolve(address, size_bytes, &segments, &count)))
        return;
    for (size_t i = 0; i < count; i++) {
        uint32_t file = nv_files_name(segments[i].device, segments[i].inode);

        if (file != 0)
            nv_notes_ignore(file, segments[i].offset, (uint64_t)(segments[i].end - segments[i].start));
    }
    free(segments);
    errno = before;
}

static void mark(const char *text, const void *place)
{
    uint16_t id = place_of(place, __builtin_frame_address(0));

    if (text == NULL)
        return;
    nv_notes_mark(text, id);
    if (nv_tell_log != NULL && nv_thread_self() != NULL)
        nv_tell_promise(nv_thread_self(), text, id);
}

/*
 * The line is in flight; whoever writes back by instructions has the domain cpu-cache in mind, and on another they make
 * nothing durable.
 */
static bool see_write_back(const void *address, size_t size_bytes, bool ordered, const void *place)
{
    struct nv_region region = {.base = (char *)(uintptr_t)address, .size_bytes = size_bytes, .for_one_call = true};
    struct nv_segment *segments = NULL;
    size_t count = 0;
    int before = errno;
    bool seen = false;

    if (engine == NULL || engine->domain != NvrtlDomainCpuCache ||
        !NT_SUCCESS(runtime->resolve(address, size_bytes, &segments, &count)))
        return false;
    if (NT_SUCCESS(bind(&region, segments, count))) {
        seen = region.engine == engine;
        if (seen)
            (void)engine->flush(&region, region.base, size_bytes, ordered ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN,
                                place);
        region.engine->release(&region, place);
    }
    free(segments);
    errno = before;
    return seen;
}

static void see_fence(void)
{
    if (engine != NULL && engine->domain == NvrtlDomainCpuCache)
        (void)drain_thread(engine->domain, NULL, NULL);
}

static void watch_stores(NVRTL_STORE_WATCH *watch)
{
    if (engine != NULL)
        nv_stores_watch(watch);
}

static void see_store(const void *address, size_t size_bytes, const void *place)
{
    if (size_bytes != 0)
        nv_stores_see(address, size_bytes, place);
    else
        nv_stores_made();
}

/* On a disk, what lies in one sector is durable at once. */
static void see_split(const void *address, size_t size_bytes, const void *place)
{
    uint64_t unit = seam.domain == NvrtlDomainPageCache ? NV_SECTOR_BYTES : NV_LINE_BYTES;
    struct nv_ledger_range range = {.length_bytes = size_bytes};
    struct nv_segment *segments = NULL;
    size_t count = 0;
    int before = errno;
    uint16_t id;

    if (engine == NULL || (uintptr_t)address / unit == ((uintptr_t)address + size_bytes - 1) / unit)
        return;
    id = place_of(place, __builtin_frame_address(0));
    if (nv_notes_event_again(NV_EVENT_SPLIT, SPLIT_BY, id))
        return;
    if (NT_SUCCESS(runtime->resolve(address, size_bytes, &segments, &count)) && count != 0) {
        range.file = nv_files_name(segments->device, segments->inode);
        range.offset = segments->offset;
    }
    free(segments);
    if (range.file != 0)
        nv_notes_event(NV_EVENT_SPLIT, SPLIT_BY, id, NULL, &range, address);
    errno = before;
}

static void expect_durable(const void *address, size_t size_bytes, const void *place)
{
    nv_expect_durable(runtime, address, size_bytes, place_of(place, __builtin_frame_address(0)));
}

static void expect_order(const NV_MEMORY_RANGE *first, const NV_MEMORY_RANGE *then, const void *place)
{
    nv_expect_order(runtime, first, then, place_of(place, __builtin_frame_address(0)));
}

static struct nv_seam seam = {
    .version = NV_SEAM_VERSION,
    .verified = true,
    .forced = true,
    .bind = bind,
    .drain_default = drain_default,
    .refuse = refuse,
    .misuse = misuse,
    .tell = tell,
    .announce_libpmem = announce_libpmem,
    .ignore = ignore,
    .mark = mark,
    .see_write_back = see_write_back,
    .see_fence = see_fence,
    .watch_stores = watch_stores,
    .see_store = see_store,
    .see_split = see_split,
    .expect_durable = expect_durable,
    .expect_order = expect_order,
    .is_view = nv_alone_is_view,
    .group = nv_alone_group,
};

static struct nv_ledger *take_ledger(void)
{
    struct nv_verifier_request request = {.kind = NV_VERIFIER_HELLO};
    struct nv_verifier_reply reply;
    struct nv_ledger *ledger = MAP_FAILED;
    struct stat status;
    int descriptor;

    if (!NT_SUCCESS(nv_client_ask(&request, &reply, &descriptor, 1)))
        return NULL;
    if (fstat(descriptor, &status) == 0 && (uint64_t)status.st_size >= sizeof *ledger)
        ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    return ledger != MAP_FAILED ? ledger : NULL;
}

const struct nv_seam *nvrtl_verifier_seam(const struct nv_runtime *lent)
{
    struct nv_ledger *ledger;

    if (lent == NULL || lent->version != NV_SEAM_VERSION || lent->plain == NULL || lent->resolve == NULL)
        return NULL;
    if (runtime != NULL) {
        if (nv_alone_is_on())
            nv_alone_syncs_of(lent);
        return &seam;
    }
    nv_client_open(secure_getenv(NV_VERIFIER_VARIABLE));
    ledger = nv_alone_open(secure_getenv(NV_VERIFIER_VARIABLE), lent);
    if (ledger == NULL)
        ledger = take_ledger();
    if (ledger == NULL)
        return NULL;
    if (!nv_fork_open()) {
        munmap(ledger, sizeof *ledger);
        return NULL;
    }
    runtime = lent;
    nv_level_open(lent);
    seam.domain = (NVRTL_DOMAIN)ledger->domain;
    engine = nv_verified_engine(seam.domain);
    if (ledger->records != 0)
        engine = nv_recorded_engine(engine);
    if (ledger->traces != 0 && engine != NULL) {
        engine = nv_traced_engine(engine);
        drain_thread = nv_traced_drain;
    }
    nv_notes_open(ledger);
    nv_places_open();
    if (nv_alone_is_on())
        nv_alone_syncs_of(lent);
    return &seam;
}
