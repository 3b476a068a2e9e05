/* SPDX-License-Identifier: MIT */
/*
 * Owns the copies of lines that were flushed and not drained, and the locks under which a line of the durable image
 * changes. Called by engine.c, with the flight of a thread (cpu-cache) or of a file (page-cache).
 */
#include "verify/flight.h"
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#define WORDS 8
#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNKS_KEPT 64
#define STRIPES 64

struct entry {
    struct nv_line_record *record;
    uint64_t *durable;
    uint64_t version;
    uint64_t words[WORDS];
};

struct nv_flight_chunk {
    struct nv_flight_chunk *next;
    size_t count;
    struct entry entries[];
};

#define CHUNK_ENTRIES ((CHUNK_BYTES - sizeof(struct nv_flight_chunk)) / sizeof(struct entry))

static struct {
    _Alignas(64) atomic_uint held;
} stripes[STRIPES];

static atomic_uint *stripe_of(const struct nv_line_record *record)
{
    return &stripes[((uintptr_t)record / sizeof *record) % STRIPES].held;
}

static void lock(atomic_uint *stripe)
{
    while (atomic_exchange_explicit(stripe, 1, memory_order_acquire) != 0) {
        for (int spins = 0; atomic_load_explicit(stripe, memory_order_relaxed) != 0; spins++)
            if (spins > 100)
                sched_yield();
    }
}

static void unlock(atomic_uint *stripe)
{
    atomic_store_explicit(stripe, 0, memory_order_release);
}

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
bool nv_flight_add(struct nv_flight *flight, struct nv_line_record *record, void *durable, const void *view,
                   uint16_t place)
{
    struct nv_flight_chunk *chunk = flight->last;
    struct entry *entry;
    uint32_t version;

    if (chunk == NULL || chunk->count == CHUNK_ENTRIES) {
        chunk = extend(flight);
        if (chunk == NULL)
            return false;
    }
    entry = &chunk->entries[chunk->count];
    version = atomic_fetch_add(&record->flushes, 1) + 1;
    snapshot(entry->words, view);
    entry->record = record;
    entry->durable = durable;
    entry->version = version;
    chunk->count++;
    atomic_store_explicit(&record->flush_place, place, memory_order_relaxed);
    atomic_store_explicit(&record->hash, nv_line_hash(entry->words), memory_order_relaxed);
    return true;
}

static void commit(const struct entry *entry)
{
    struct nv_line_record *record = entry->record;
    atomic_uint *stripe = stripe_of(record);
    uint32_t version = (uint32_t)entry->version;

    lock(stripe);
    if ((int32_t)(version - atomic_load_explicit(&record->committed, memory_order_acquire)) > 0) {
        for (int i = 0; i < WORDS; i++)
            __atomic_store_n(&entry->durable[i], entry->words[i], __ATOMIC_RELAXED);
        atomic_store_explicit(&record->committed, version, memory_order_release);
    }
    unlock(stripe);
}

void nv_flight_drain(struct nv_flight *flight)
{
    for (struct nv_flight_chunk *chunk = flight->first; chunk != NULL && chunk->count != 0; chunk = chunk->next)
        for (size_t i = 0; i < chunk->count; i++)
            commit(&chunk->entries[i]);
    nv_flight_clear(flight);
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

void nv_flight_unlock_all(void)
{
    for (size_t i = 0; i < STRIPES; i++)
        atomic_store_explicit(&stripes[i].held, 0, memory_order_relaxed);
}
