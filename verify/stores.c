/* SPDX-License-Identifier: MIT */
/*
 * Owns the regions whose stores are of interest, and notes each store in the records of its lines. Called by seam.c, by
 * engine.c for each flush, and by the hooks that the compiler put into the program.
 */
#include "verify/stores.h"
#include "verify/notes.h"
#include "verify/page.h"
#include "verify/pending.h"
#include "verify/places.h"
#include "verify/tell.h"
#include <pthread.h>

#define REGIONS 1024
#define LINE_BYTES ((uint64_t)64)

/* Read without a lock: a store that races with the end of its token is a mistake of the program's. */
static struct {
    _Atomic uintptr_t start, end; /* end 0: none */
    _Atomic(const struct nv_binding *) binding;
} regions[REGIONS];
static _Atomic size_t region_count;     /* slots ever used */
static _Atomic uint32_t region_changes; /* so far */
static NVRTL_STORE_WATCH *watches;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

_Atomic bool nv_stores_watched;

/* Under the mutex: what holds all regions, for a comparison of each store with it. */
static void tell_watches(void)
{
    uintptr_t low = UINTPTR_MAX, high = 0;

    atomic_fetch_add(&region_changes, 1);
    for (size_t i = 0; i < atomic_load(&region_count); i++) {
        uintptr_t start = atomic_load(&regions[i].start), end = atomic_load(&regions[i].end);

        low = end != 0 && start < low ? start : low;
        high = end > high ? end : high;
    }
    for (NVRTL_STORE_WATCH *watch = watches; watch != NULL; watch = watch->Next) {
        __atomic_store_n(&watch->Low, low, __ATOMIC_RELAXED);
        __atomic_store_n(&watch->Bytes, high > low ? high - low : 0, __ATOMIC_RELAXED);
    }
}

void nv_stores_watch(NVRTL_STORE_WATCH *watch)
{
    pthread_mutex_lock(&mutex);
    watch->Next = watches;
    watches = watch;
    nv_notes_ledger()->stores = 1;
    atomic_store(&nv_stores_watched, true);
    tell_watches();
    pthread_mutex_unlock(&mutex);
}

static size_t free_slot(void)
{
    size_t count = atomic_load(&region_count);

    for (size_t i = 0; i < count; i++)
        if (atomic_load(&regions[i].end) == 0)
            return i;
    if (count < REGIONS)
        atomic_store(&region_count, count + 1);
    return count;
}

void nv_stores_add(const struct nv_binding *binding, const void *base, size_t size_bytes)
{
    size_t slot;

    pthread_mutex_lock(&mutex);
    slot = free_slot();
    if (slot == REGIONS) {
        nv_notes_lost();
    } else {
        atomic_store(&regions[slot].binding, binding);
        atomic_store(&regions[slot].start, (uintptr_t)base);
        atomic_store(&regions[slot].end, (uintptr_t)base + size_bytes);
        tell_watches();
    }
    pthread_mutex_unlock(&mutex);
}

void nv_stores_remove(const void *base, size_t size_bytes)
{
    uintptr_t start = (uintptr_t)base, end = start + size_bytes;

    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < atomic_load(&region_count); i++) {
        if (atomic_load(&regions[i].start) != start || atomic_load(&regions[i].end) != end)
            continue;
        atomic_store(&regions[i].end, 0);
        tell_watches();
        break;
    }
    pthread_mutex_unlock(&mutex);
}

static const struct nv_binding *find(struct nv_thread *thread, uintptr_t address)
{
    size_t count = atomic_load_explicit(&region_count, memory_order_acquire);

    for (size_t tried = 0, i = thread->store_region; tried < count; tried++, i = i + 1 < count ? i + 1 : 0) {
        uintptr_t start = atomic_load_explicit(&regions[i].start, memory_order_relaxed);
        uintptr_t end = atomic_load_explicit(&regions[i].end, memory_order_acquire);

        if (address < start || address >= end)
            continue;
        thread->store_region = i;
        return atomic_load_explicit(&regions[i].binding, memory_order_relaxed);
    }
    return NULL;
}

/* A bit for each byte of a line from `from` to `to`, which lie in it. */
static uint64_t bits(uint64_t from, uint64_t to)
{
    uint64_t count = to - from;

    return (count == LINE_BYTES ? UINT64_MAX : ((uint64_t)1 << count) - 1) << (from % LINE_BYTES);
}

/* Bytes of one page: [at, at + size_bytes) in the file. */
typedef void act_on_page(struct nv_page_records *page, uint64_t at, size_t size_bytes, uint16_t place);

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the nth byte of `unnamed` is the line's nth word");

/*
 * Whole words are set by plain stores, which others of the line do not wait for, nor undo. The page's bit comes last.
 */
static void note_words(struct nv_line_record *line, uint64_t from, uint64_t to)
{
    unsigned char *words = (unsigned char *)&line->unnamed;

    for (uint64_t i = from / NV_WORD_BYTES; i < to / NV_WORD_BYTES; i++)
        if (__atomic_load_n(&words[i], __ATOMIC_RELAXED) != UINT8_MAX)
            __atomic_store_n(&words[i], UINT8_MAX, __ATOMIC_RELAXED);
}

/* Bytes [from, to) of the line. */
static inline void note_line(struct nv_page_records *page, size_t number, uint64_t from, uint64_t to, uint16_t place)
{
    struct nv_line_record *line = &page->lines[number];
    uint64_t bit = (uint64_t)1 << number;

    if (__builtin_expect((atomic_load_explicit(&page->page.written, memory_order_relaxed) & bit) != 0, 0))
        nv_page_write(page, bit, place);
    else
        atomic_store_explicit(&line->write_place, place, memory_order_relaxed);
    if (((from | to) % NV_WORD_BYTES) == 0)
        note_words(line, from, to);
    else if ((~atomic_load_explicit(&line->unnamed, memory_order_relaxed) & bits(from, to)) != 0)
        atomic_fetch_or(&line->unnamed, bits(from, to));
    if ((atomic_load_explicit(&page->page.unnamed, memory_order_relaxed) & bit) == 0)
        atomic_fetch_or(&page->page.unnamed, bit);
}

static void note_store(struct nv_page_records *page, uint64_t at, size_t size_bytes, uint16_t place)
{
    uint64_t end = at + size_bytes;

    while (at < end) {
        uint64_t line_end = (at | (LINE_BYTES - 1)) + 1, stop = end < line_end ? end : line_end;

        note_line(page, at % NV_PAGE_BYTES / LINE_BYTES, at % LINE_BYTES, at % LINE_BYTES + (stop - at), place);
        at = stop;
    }
}

/* Threads that name bytes of one line at the same moment may lose some of `told`, which is for a count alone. */
static void name_line(struct nv_line_record *line, uint64_t mask)
{
    mask &= atomic_load_explicit(&line->unnamed, memory_order_relaxed);
    if (mask == 0)
        return;
    atomic_store_explicit(&line->told, atomic_load_explicit(&line->told, memory_order_relaxed) | mask,
                          memory_order_relaxed);
    atomic_fetch_and(&line->unnamed, ~mask);
}

static void note_flush(struct nv_page_records *page, uint64_t at, size_t size_bytes, uint16_t place)
{
    uint64_t first = at % NV_PAGE_BYTES / LINE_BYTES, end = at + size_bytes;
    uint64_t lines = (size_bytes == NV_PAGE_BYTES ? atomic_load(&page->page.unnamed) : NV_PAGE_ALL) >> first << first;

    (void)place;
    for (; lines != 0; lines &= lines - 1) {
        size_t number = (size_t)__builtin_ctzll(lines);
        uint64_t from = at / NV_PAGE_BYTES * NV_PAGE_BYTES + number * LINE_BYTES, to = from + LINE_BYTES;

        if (from >= end)
            return;
        name_line(&page->lines[number], bits(from > at ? from : at, to < end ? to : end));
    }
}

static inline __attribute__((always_inline)) void each_page(const struct nv_binding *binding, uintptr_t address,
                                                            size_t size_bytes, act_on_page *act, uint16_t place)
{
    uintptr_t end = address + size_bytes;

    while (address < end) {
        uintptr_t part_end, page_end = (address | (NV_PAGE_BYTES - 1)) + 1;
        const struct nv_binding_part *part = nv_binding_part(binding, address, &part_end);
        uintptr_t stop = end < page_end ? end : page_end;
        const struct nv_file_map *map = part->file != NULL ? nv_file_reach(part->file, stop + part->shift) : NULL;

        if (map != NULL)
            act(nv_file_page(map, address + part->shift), address + part->shift, stop - address, place);
        address = stop;
    }
}

/* The page of `address`, for the next store, if all of it is in the region that was found. */
static void remember(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, uint32_t changes)
{
    uintptr_t start = address & ~(uintptr_t)(NV_PAGE_BYTES - 1), end = start + NV_PAGE_BYTES, part_end;
    const struct nv_binding_part *part = nv_binding_part(binding, start, &part_end);
    const struct nv_file_map *map = part->file != NULL ? nv_file_reach(part->file, end + part->shift) : NULL;
    bool whole = atomic_load(&regions[thread->store_region].start) <= start &&
                 end <= atomic_load(&regions[thread->store_region].end);

    thread->store_page.start = start;
    thread->store_page.records = map != NULL && whole ? nv_file_page(map, start + part->shift) : NULL;
    thread->store_page.regions = changes;
}

/* Most stores are near the last one: then nothing has to be looked for. */
static inline bool is_in_last_page(const struct nv_thread *thread, uintptr_t address, size_t size_bytes)
{
    const struct nv_thread_page *page = &thread->store_page;

    return page->records != NULL && address - page->start < NV_PAGE_BYTES &&
           size_bytes <= page->start + NV_PAGE_BYTES - address && nv_tell_log == NULL &&
           page->regions == atomic_load_explicit(&region_changes, memory_order_acquire);
}

static void see_elsewhere(struct nv_thread *thread, uintptr_t address, size_t size_bytes, const void *place)
{
    uint32_t changes = atomic_load(&region_changes);
    const struct nv_binding *binding = find(thread, address);
    uint16_t id;

    if (binding == NULL)
        return;
    id = nv_place_of_code(thread, place);
    each_page(binding, address, size_bytes, note_store, id);
    if (__builtin_expect(nv_tell_log != NULL, 0))
        nv_pending_note(thread, binding, address, size_bytes, id);
    remember(thread, binding, address, changes);
}

void nv_stores_see(const void *address, size_t size_bytes, const void *place)
{
    struct nv_thread *thread = nv_thread_self();

    if (thread == NULL)
        return;
    if (__builtin_expect(is_in_last_page(thread, (uintptr_t)address, size_bytes), 1))
        note_store(thread->store_page.records, (uintptr_t)address, size_bytes, nv_place_of_code(thread, place));
    else
        see_elsewhere(thread, (uintptr_t)address, size_bytes, place);
}

void nv_stores_made(void)
{
    if (nv_tell_log != NULL && nv_thread_state != NULL && !nv_thread_state->telling)
        nv_pending_made(nv_thread_state);
}

void nv_stores_write(const struct nv_binding *binding, uintptr_t address, size_t size_bytes, uint16_t place)
{
    each_page(binding, address, size_bytes, note_store, place);
}

void nv_stores_cover(const struct nv_binding *binding, uintptr_t address, size_t size_bytes)
{
    each_page(binding, address, size_bytes, note_flush, 0);
}

void nv_stores_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_stores_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
