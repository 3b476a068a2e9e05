/* SPDX-License-Identifier: MIT */
/*
 * Owns the copies of lines that were flushed and not drained, and the way of a line into the durable image. Called by
 * engine.c, with the flight of a thread (cpu-cache) or of a file (page-cache).
 */
#include "trace/patience.h"
#include "verify/files.h"
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define WORDS 8
#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNKS_KEPT 64
#define LINE_BYTES ((uint64_t)64)
#define ROW_LINES ((size_t)32)

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

/* Loaded and stored by one instruction, or by one for each word. */
typedef uint64_t pair __attribute__((may_alias, vector_size(16), aligned(8)));

/*
 * Another thread of the program may be writing the line, as it may be while a CPU writes it back: no aligned word is
 * torn, and the race is none of the verifier's.
 */
__attribute__((no_sanitize("thread"))) static inline void copy_line(void *to, const void *from)
{
    const volatile pair *line = from;
    volatile pair *target = to;
    pair a = line[0], b = line[1], c = line[2], d = line[3];

    target[0] = a;
    target[1] = b;
    target[2] = c;
    target[3] = d;
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
    copy_line(entry->words, view);
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
static bool lock(const struct entry *entry, _Atomic uint32_t *committed, struct nv_patience *patience)
{
    const struct nv_lines_header *header = entry->map->header;

    for (;;) {
        uint32_t word = atomic_load_explicit(committed, memory_order_acquire);

        if (!nv_line_is_newer(entry->version, word))
            return false;
        if ((word & NV_LINE_LOCKED) != 0) {
            nv_patience_wait(patience, committed, word);
            continue;
        }
        patience->since_ns = 0;
        if (!atomic_compare_exchange_weak(committed, &word, word | NV_LINE_LOCKED))
            continue;
        if (__builtin_expect(!is_held(header, entry->line * LINE_BYTES), 1))
            return true;
        atomic_store_explicit(committed, word, memory_order_release);
        while (is_held(header, entry->line * LINE_BYTES))
            nv_patience_yield(patience);
    }
}

/* False: the file was cut in front of the line; nothing was done. */
static bool commit(const struct entry *entry, struct nv_patience *patience)
{
    const struct nv_file_map *map = entry->map;
    _Atomic uint32_t *committed = &map->lines[entry->line].committed;
    uint64_t offset = entry->line * LINE_BYTES;

    if (!lock(entry, committed, patience))
        return true;
    if (__builtin_expect(offset >= atomic_load_explicit(&map->header->reach_bytes, memory_order_acquire), 0)) {
        atomic_fetch_and(committed, ~NV_LINE_LOCKED);
        return false;
    }
    copy_line(map->durable + offset, entry->words);
    atomic_store_explicit(committed, entry->version, memory_order_release);
    return true;
}

/* A file that was cut, and has grown again since, takes what was flushed to it after that. */
static void settle(const struct entry *entry, struct nv_patience *patience)
{
    while (!commit(entry, patience))
        if (nv_file_reach(entry->map->file, (entry->line + 1) * LINE_BYTES) == NULL)
            return;
}

void nv_flight_drain(struct nv_flight *flight)
{
    struct nv_patience patience = {0};

    for (struct nv_flight_chunk *chunk = flight->first; chunk != NULL && chunk->count != 0; chunk = chunk->next)
        for (size_t i = 0; i < chunk->count; i++)
            settle(&chunk->entries[i], &patience);
    nv_flight_clear(flight);
}

/* -- flushed and drained by one call -- */

/*
 * Whoever waits for one line's memory keeps the locked instructions of the next from beginning. So a row of lines is
 * locked first, its memory on the way, then copied, then unlocked.
 */
struct row {
    const struct nv_file_map *map;
    struct nv_line_record *first;
    uint64_t line; /* the first one's number */
    const char *view;
    struct nv_patience *patience;
    size_t count; /* of lines that are locked */
    uint32_t versions[ROW_LINES];
};

/* `flushes` and `committed` are neighbours: a version and the lock are taken by one instruction. */
_Static_assert(offsetof(struct nv_line_record, committed) == offsetof(struct nv_line_record, flushes) + 4 &&
                   offsetof(struct nv_line_record, flushes) % 8 == 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "one 64-bit word, flushes below");

/* False: somebody else has the line; nothing was done. */
static bool take(struct nv_line_record *record, uint32_t *version)
{
    uint64_t *both = (uint64_t *)(void *)&record->flushes;
    uint64_t old = __atomic_load_n(both, __ATOMIC_RELAXED), new;

    do {
        if (old >> 32 & NV_LINE_LOCKED)
            return false;
        *version = (uint32_t)old + NV_LINE_VERSION;
        new = (old | (uint64_t)NV_LINE_LOCKED << 32) + NV_LINE_VERSION;
        if ((uint32_t) new < NV_LINE_VERSION) /* no carry into the neighbour */
            return false;
    } while (!__atomic_compare_exchange_n(both, &old, new, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return true;
}

/* By itself, with all that may stand in its way. */
static void pass_alone(const struct row *row, size_t number, uint32_t version)
{
    struct entry entry = {.map = row->map, .line = row->line + number, .version = version};

    copy_line(entry.words, row->view + number * LINE_BYTES);
    atomic_store_explicit(&row->first[number].hash, nv_line_hash(entry.words), memory_order_relaxed);
    settle(&entry, row->patience);
}

static void give_back(struct nv_line_record *record)
{
    atomic_fetch_and(&record->committed, ~NV_LINE_LOCKED);
}

/* Of a row that is locked: the lines that the file still has, up to `reach`, and that nobody holds. */
static size_t free_lines(const struct row *row)
{
    const struct nv_lines_header *header = row->map->header;
    uint64_t from = row->line * LINE_BYTES, to = from + row->count * LINE_BYTES;
    uint64_t reach = atomic_load_explicit(&header->reach_bytes, memory_order_acquire);

    if (atomic_load(&header->held_from) < to && from < atomic_load(&header->held_to))
        return 0;
    return reach >= to ? row->count : reach > from ? (size_t)((reach - from) / LINE_BYTES) : 0;
}

/* Commits the lines of the row, and unlocks them. */
static void settle_row(const struct row *row)
{
    size_t good = free_lines(row);
    char *durable = row->map->durable + row->line * LINE_BYTES;

    for (size_t i = 0; i < good; i++)
        copy_line(durable + i * LINE_BYTES, row->view + i * LINE_BYTES);
    for (size_t i = 0; i < good; i++)
        atomic_store_explicit(&row->first[i].committed, row->versions[i], memory_order_release);
    for (size_t i = good; i < row->count; i++)
        give_back(&row->first[i]);
    for (size_t i = good; i < row->count; i++)
        pass_alone(row, i, row->versions[i]);
}

/* As many lines as can be taken at once, of those given, and at least one. Returns how many. */
static size_t pass_row(struct row *row, size_t lines, uint16_t place)
{
    const char *durable = row->map->durable + row->line * LINE_BYTES;

    for (size_t i = 0; i < lines; i++) {
        __builtin_prefetch(&row->first[i], 1);
        __builtin_prefetch(durable + i * LINE_BYTES, 1);
    }
    for (row->count = 0; row->count < lines; row->count++) {
        if (!take(&row->first[row->count], &row->versions[row->count]))
            break;
        atomic_store_explicit(&row->first[row->count].flush_place, place, memory_order_relaxed);
    }
    settle_row(row);
    if (row->count != 0)
        return row->count;
    atomic_store_explicit(&row->first->flush_place, place, memory_order_relaxed);
    pass_alone(row, 0, atomic_fetch_add(&row->first->flushes, NV_LINE_VERSION) + NV_LINE_VERSION);
    return 1;
}

void nv_flight_pass(const struct nv_file_map *map, uint64_t offset, const void *view, size_t size_bytes, uint16_t place)
{
    struct nv_patience patience = {0};
    struct row row = {.map = map, .line = offset / LINE_BYTES, .view = view, .patience = &patience};

    for (size_t left = size_bytes / LINE_BYTES; left != 0;) {
        row.first = &map->lines[row.line];
        size_t passed = pass_row(&row, left < ROW_LINES ? left : ROW_LINES, place);

        row.line += passed;
        row.view += passed * LINE_BYTES;
        left -= passed;
    }
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
