/* SPDX-License-Identifier: MIT */
/*
 * Owns the copies of lines that were flushed and not drained, and the way of a line into the durable image. Called by
 * engine.c, with the flight of a thread (cpu-cache) or of a file (page-cache).
 */
#include "verify/files.h"
#include "verify/patience.h"
#include <string.h>
#include <sys/mman.h>

#define WORDS 8
#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNKS_KEPT 64
#define LINE_BYTES ((uint64_t)64)

struct entry {
    const struct nv_file_map *map;
    uint64_t line; /* its number in the file */
    uint32_t version;
    uint64_t words[WORDS];
};

struct nv_flight_chunk {
    struct nv_flight_chunk *next;
    size_t count;
    struct entry entries[];
};

#define CHUNK_ENTRIES ((CHUNK_BYTES - sizeof(struct nv_flight_chunk)) / sizeof(struct entry))

/*
 * Another thread of the program may be writing the line, as it may be while a CPU writes it back: no aligned word is
 * torn, and the race is none of the verifier's.
 */
__attribute__((no_sanitize("thread"))) static void snapshot(uint64_t *words, const void *view)
{
    const volatile uint64_t *line = view;

    for (int i = 0; i < WORDS; i++)
        words[i] = line[i];
}

static struct nv_flight_chunk *extend(struct nv_flight *flight)
{
    struct nv_flight_chunk *chunk = flight->last != NULL ? flight->last->next : flight->first;

    if (chunk == NULL) {
        chunk = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (chunk == MAP_FAILED)
            return NULL;
        if (flight->last != NULL)
            flight->last->next = chunk;
        else
            flight->first = chunk;
    }
    flight->last = chunk;
    return chunk;
}

/*
 * The version is taken before the content is: so what a higher version holds includes all that the thread with the
 * lower one had stored, and the lower one may be left out.
 */
bool nv_flight_add(struct nv_flight *flight, const struct nv_file_map *map, uint64_t offset, const void *view,
                   uint16_t place)
{
    struct nv_line_record *record = &map->lines[offset / LINE_BYTES];
    struct nv_flight_chunk *chunk = flight->last;
    struct entry *entry;

    if (chunk == NULL || chunk->count == CHUNK_ENTRIES) {
        chunk = extend(flight);
        if (chunk == NULL)
            return false;
    }
    entry = &chunk->entries[chunk->count];
    entry->version = atomic_fetch_add(&record->flushes, NV_LINE_VERSION) + NV_LINE_VERSION;
    snapshot(entry->words, view);
    entry->map = map;
    entry->line = offset / LINE_BYTES;
    chunk->count++;
    atomic_store_explicit(&record->flush_place, place, memory_order_relaxed);
    atomic_store_explicit(&record->hash, nv_line_hash(entry->words), memory_order_relaxed);
    return true;
}

static bool is_held(const struct nv_lines_header *header, uint64_t offset)
{
    return atomic_load(&header->held_from) <= offset && offset < atomic_load(&header->held_to);
}

/*
 * Lock the line for this version of it. False: what stands there is as new, or the supervisor has made it so. It is
 * looked at whether the supervisor holds the line when that is locked, not before (verify/ledger.h).
 */
static bool lock(const struct entry *entry, _Atomic uint32_t *committed)
{
    const struct nv_lines_header *header = entry->map->header;
    struct nv_patience patience = {0};

    for (;;) {
        uint32_t word = atomic_load_explicit(committed, memory_order_acquire);

        if (!nv_line_is_newer(entry->version, word))
            return false;
        if ((word & NV_LINE_LOCKED) != 0) {
            nv_patience_wait(&patience, committed, word);
            continue;
        }
        patience.since_ns = 0;
        if (!atomic_compare_exchange_weak(committed, &word, word | NV_LINE_LOCKED))
            continue;
        if (__builtin_expect(!is_held(header, entry->line * LINE_BYTES), 1))
            return true;
        atomic_store_explicit(committed, word, memory_order_release);
        while (is_held(header, entry->line * LINE_BYTES))
            nv_patience_yield(&patience);
    }
}

/* False: the file was cut in front of the line; nothing was done. */
static bool commit(const struct entry *entry)
{
    const struct nv_file_map *map = entry->map;
    _Atomic uint32_t *committed = &map->lines[entry->line].committed;
    uint64_t offset = entry->line * LINE_BYTES, *durable = (uint64_t *)(void *)(map->durable + offset);

    if (!lock(entry, committed))
        return true;
    if (__builtin_expect(offset >= atomic_load_explicit(&map->header->reach_bytes, memory_order_acquire), 0)) {
        atomic_fetch_and(committed, ~NV_LINE_LOCKED);
        return false;
    }
    for (int i = 0; i < WORDS; i++)
        __atomic_store_n(&durable[i], entry->words[i], __ATOMIC_RELAXED);
    atomic_store_explicit(committed, entry->version, memory_order_release);
    return true;
}

/* A file that was cut, and has grown again since, takes what was flushed to it after that. */
static void settle(const struct entry *entry)
{
    while (!commit(entry))
        if (nv_file_reach(entry->map->file, (entry->line + 1) * LINE_BYTES) == NULL)
            return;
}

void nv_flight_drain(struct nv_flight *flight)
{
    for (struct nv_flight_chunk *chunk = flight->first; chunk != NULL && chunk->count != 0; chunk = chunk->next)
        for (size_t i = 0; i < chunk->count; i++)
            settle(&chunk->entries[i]);
    nv_flight_clear(flight);
}

bool nv_flight_is_empty(const struct nv_flight *flight)
{
    return flight->first == NULL || flight->first->count == 0;
}

/* Behind the end of a file that was cut there is nothing durable, and nothing is visited. */
void nv_flight_each(const struct nv_flight *flight, nv_flight_visitor *visit, void *context)
{
    for (const struct nv_flight_chunk *chunk = flight->first; chunk != NULL && chunk->count != 0; chunk = chunk->next)
        for (size_t i = 0; i < chunk->count; i++) {
            const struct entry *entry = &chunk->entries[i];
            uint64_t offset = entry->line * LINE_BYTES;

            if (offset < atomic_load_explicit(&entry->map->header->reach_bytes, memory_order_acquire))
                visit(context, entry->map->file, offset, entry->words, entry->map->durable + offset);
        }
}

static void free_chunks(struct nv_flight_chunk *chunk)
{
    while (chunk != NULL) {
        struct nv_flight_chunk *next = chunk->next;

        munmap(chunk, CHUNK_BYTES);
        chunk = next;
    }
}

void nv_flight_clear(struct nv_flight *flight)
{
    size_t kept = 0;

    for (struct nv_flight_chunk *chunk = flight->first; chunk != NULL && chunk->count != 0; chunk = chunk->next) {
        chunk->count = 0;
        if (++kept == CHUNKS_KEPT) {
            free_chunks(chunk->next);
            chunk->next = NULL;
        }
    }
    flight->last = flight->first;
}

void nv_flight_free(struct nv_flight *flight)
{
    free_chunks(flight->first);
    flight->first = flight->last = NULL;
}
