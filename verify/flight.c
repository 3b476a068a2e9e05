/* SPDX-License-Identifier: MIT */
/*
 * Owns the copies of lines that were flushed and not drained, and their way into the durable image. Called by engine.c,
 * with the flight of a thread (cpu-cache) or of a file (page-cache).
 */
#include "verify/files.h"
#include "verify/line.h"
#include "verify/page.h"
#include "verify/unseen.h"
#include <stddef.h>
#include <sys/mman.h>

#define WORDS 8
#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNKS_KEPT 64
#define LINE_BYTES ((uint64_t)64)

struct entry {
    const struct nv_file_map *map;
    uint64_t line; /* its number in the file */
    uint32_t version;
    bool watched;
    uint64_t words[WORDS];
};

struct nv_flight_chunk {
    struct nv_flight_chunk *next;
    size_t count;
    struct entry entries[];
};

#define CHUNK_ENTRIES ((CHUNK_BYTES - sizeof(struct nv_flight_chunk)) / sizeof(struct entry))

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
 * The versions are taken before the content is: so what a higher version holds includes all that the thread with the
 * lower one had stored, and the lower one may be left out.
 */
static void take_versions(struct nv_page_records *page, size_t first, struct entry *entries, size_t count,
                          uint16_t place)
{
    struct nv_patience patience = {0};
    uint32_t passes;

    nv_page_lock(&page->page, &patience);
    nv_page_own(page, nv_page_set(first, count));
    passes = atomic_load_explicit(&page->page.passes, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        struct nv_line_record *line = &page->lines[first + i];
        uint32_t version = atomic_load_explicit(&line->flushes, memory_order_relaxed) + 1;

        atomic_store_explicit(&line->flushes, version, memory_order_relaxed);
        atomic_store_explicit(&line->flush_place, place, memory_order_relaxed);
        entries[i].version = version + passes;
    }
    nv_page_unlock(&page->page);
}

/* Lines of one page. */
static void add(struct nv_flight_chunk *chunk, const struct nv_file_map *map, uint64_t offset, const char *view,
                size_t count, uint16_t place, bool watched)
{
    struct nv_page_records *page = nv_file_page(map, offset);
    size_t first = offset % NV_PAGE_BYTES / LINE_BYTES;
    struct entry *entries = &chunk->entries[chunk->count];

    for (size_t i = 0; i < count; i++) /* for the drain */
        __builtin_prefetch(map->durable + offset + i * LINE_BYTES, 1);
    take_versions(page, first, entries, count, place);
    for (size_t i = 0; i < count; i++) {
        nv_line_copy(entries[i].words, view + i * LINE_BYTES);
        entries[i].map = map;
        entries[i].watched = watched;
        entries[i].line = offset / LINE_BYTES + i;
        atomic_store_explicit(&page->lines[first + i].hash, nv_line_hash(entries[i].words), memory_order_relaxed);
    }
    chunk->count += count;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool nv_flight_add(struct nv_flight *flight, const struct nv_file_map *map, uint64_t offset, const void *view,
                   size_t size_bytes, uint16_t place, bool watched)
{
    for (size_t done = 0; done < size_bytes;) {
        struct nv_flight_chunk *chunk = flight->last;
        size_t in_page = (NV_PAGE_BYTES - (offset + done) % NV_PAGE_BYTES) / LINE_BYTES, count;

        if (chunk == NULL || chunk->count == CHUNK_ENTRIES)
            chunk = extend(flight);
        if (chunk == NULL)
            return false;
        count = least(least(in_page, CHUNK_ENTRIES - chunk->count), (size_bytes - done) / LINE_BYTES);
        add(chunk, map, offset + done, (const char *)view + done, count, place, watched);
        done += count * LINE_BYTES;
    }
    return true;
}

/* How many of the entries, from the first on, are for one page. */
static size_t count_of_page(const struct entry *entries, size_t count)
{
    size_t same = 1;

    while (same < count && entries[same].map == entries->map &&
           entries[same].line / NV_PAGE_LINES == entries->line / NV_PAGE_LINES)
        same++;
    return same;
}

/* With the page locked: what stands there may be as new, or the supervisor has made it so. */
static void commit_line(const struct entry *entry, struct nv_page_records *page)
{
    struct nv_line_record *line = &page->lines[entry->line % NV_PAGE_LINES];
    uint32_t passes = atomic_load_explicit(&page->page.passes, memory_order_relaxed);
    uint32_t committed = atomic_load_explicit(&line->committed, memory_order_relaxed) + passes;
    uint32_t flushes = atomic_load_explicit(&line->flushes, memory_order_relaxed) + passes;
    char *durable = entry->map->durable + entry->line * LINE_BYTES;
    uint64_t whole = atomic_load_explicit(&page->page.whole, memory_order_relaxed);

    if ((whole >> entry->line % NV_PAGE_LINES & 1) != 0 || !nv_line_is_newer(entry->version, committed))
        return;
    if (__builtin_expect(entry->watched, 0))
        nv_unseen_look(page, entry->line % NV_PAGE_LINES, durable, entry->words, 0, entry->version == flushes);
    nv_line_copy(durable, entry->words);
    atomic_store_explicit(&line->committed, entry->version - passes, memory_order_relaxed);
}

/* Entries for one page. False: the file was cut in front of it; nothing was done. */
static bool commit(const struct entry *entries, size_t count, struct nv_patience *patience)
{
    const struct nv_file_map *map = entries->map;
    uint64_t offset = entries->line / NV_PAGE_LINES * NV_PAGE_BYTES;
    struct nv_page_records *page = nv_file_page(map, offset);
    bool reached;

    nv_page_lock_unheld(map->header, &page->page, offset, offset + NV_PAGE_BYTES, patience);
    reached = atomic_load_explicit(&map->header->reach_bytes, memory_order_acquire) > offset;
    for (size_t i = 0; reached && i < count; i++)
        commit_line(&entries[i], page);
    nv_page_unlock(&page->page);
    return reached;
}

void nv_flight_drain(struct nv_flight *flight)
{
    struct nv_patience patience = {0};

    for (struct nv_flight_chunk *chunk = flight->first; chunk != NULL && chunk->count != 0; chunk = chunk->next)
        for (size_t i = 0, count; i < chunk->count; i += count) {
            const struct entry *entries = &chunk->entries[i];

            count = count_of_page(entries, chunk->count - i);
            /* When the file was cut, and has grown again, all is as it was. */
            while (!commit(entries, count, &patience))
                if (nv_file_reach(entries->map->file, (entries->line + 1) * LINE_BYTES) == NULL)
                    break;
        }
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
