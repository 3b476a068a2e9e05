/* SPDX-License-Identifier: MIT */
/*
 * Owns the layout of shadows (blocks of a page with locks, and the pages that they are for), the comparison with what a
 * file holds, and the events that tell of it. Called by the verifier in the program, and by the supervisor.
 */
#include "trace/shadow.h"
#include "trace/patience.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define LINE NV_SHADOW_LINE_BYTES
#define PAGE NV_SHADOW_PAGE_BYTES
#define LOCKS_BYTES PAGE /* a word for each page of a block */
#define BLOCK_BYTES (LOCKS_BYTES / sizeof(uint32_t) * PAGE)
#define LOCK_STEP 2u /* a lock's word is another each time */

uint64_t nv_shadow_memory_bytes(uint64_t file_bytes)
{
    uint64_t pages = (file_bytes + PAGE - 1) / PAGE * PAGE;

    return pages + (pages + BLOCK_BYTES - 1) / BLOCK_BYTES * LOCKS_BYTES;
}

static char *block_of(const struct nv_shadow *shadow, uint64_t offset)
{
    return shadow->memory + offset / BLOCK_BYTES * (LOCKS_BYTES + BLOCK_BYTES);
}

static char *at(const struct nv_shadow *shadow, uint64_t offset)
{
    return block_of(shadow, offset) + LOCKS_BYTES + offset % BLOCK_BYTES;
}

static _Atomic uint32_t *lock_of(const struct nv_shadow *shadow, uint64_t offset)
{
    return (_Atomic uint32_t *)(void *)block_of(shadow, offset) + offset % BLOCK_BYTES / PAGE;
}

static uint64_t memory_bytes(const struct nv_shadow *shadow)
{
    return nv_shadow_memory_bytes(shadow->bytes);
}

bool nv_shadow_open(struct nv_shadow *shadow, int descriptor)
{
    uint64_t block = LOCKS_BYTES + BLOCK_BYTES, bytes, rest;
    struct stat status;
    void *memory;

    *shadow = (struct nv_shadow){0};
    if (fstat(descriptor, &status))
        return false;
    bytes = (uint64_t)status.st_size;
    rest = bytes % block;
    shadow->bytes = bytes / block * BLOCK_BYTES + (rest > LOCKS_BYTES ? rest - LOCKS_BYTES : 0);
    if (!shadow->bytes)
        return true;
    memory = mmap(NULL, memory_bytes(shadow), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (memory == MAP_FAILED) {
        shadow->bytes = 0;
        return false;
    }
    shadow->memory = memory;
    return true;
}

void nv_shadow_close(struct nv_shadow *shadow)
{
    if (shadow->memory)
        munmap(shadow->memory, memory_bytes(shadow));
    *shadow = (struct nv_shadow){0};
}

/* -- locks -- */

static void lock(_Atomic uint32_t *word)
{
    struct nv_patience patience = {0};
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);

    for (;;) {
        if (old & NV_LOCKED) {
            nv_patience_wait(&patience, word, old);
            old = atomic_load_explicit(word, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(word, &old, (old + LOCK_STEP) | NV_LOCKED,
                                                         memory_order_acquire, memory_order_relaxed)) {
            return;
        }
    }
}

static void unlock(_Atomic uint32_t *word)
{
    atomic_fetch_and_explicit(word, ~NV_LOCKED, memory_order_release);
}

/* Cut off what lies behind the shadow. */
static uint64_t end_of(const struct nv_shadow *shadow, uint64_t offset, uint64_t length)
{
    if (offset >= shadow->bytes)
        return offset;
    return length < shadow->bytes - offset ? offset + length : shadow->bytes;
}

void nv_shadow_hold(const struct nv_shadow *shadow, uint64_t from, uint64_t to)
{
    uint64_t end = to > from ? end_of(shadow, from, to - from) : from;

    for (uint64_t page = from / PAGE * PAGE; page < end; page += PAGE)
        lock(lock_of(shadow, page));
}

void nv_shadow_let_go(const struct nv_shadow *shadow, uint64_t from, uint64_t to)
{
    uint64_t end = to > from ? end_of(shadow, from, to - from) : from;

    for (uint64_t page = from / PAGE * PAGE; page < end; page += PAGE)
        unlock(lock_of(shadow, page));
}

/* The next piece of [*offset, end) that lies in one block: its length, and *offset moves behind it. */
static uint64_t piece(uint64_t *offset, uint64_t end)
{
    uint64_t block_end = (*offset / BLOCK_BYTES + 1) * BLOCK_BYTES, from = *offset;

    *offset = end < block_end ? end : block_end;
    return *offset - from;
}

void nv_shadow_set(const struct nv_shadow *shadow, uint64_t offset, const void *bytes, uint64_t length)
{
    uint64_t end = end_of(shadow, offset, length), from = offset;

    while (offset < end) {
        uint64_t start = offset, size = piece(&offset, end);

        memcpy(at(shadow, start), (const char *)bytes + (start - from), size);
    }
}

void nv_shadow_zero(const struct nv_shadow *shadow, uint64_t offset, uint64_t length)
{
    uint64_t end = end_of(shadow, offset, length);

    while (offset < end) {
        uint64_t start = offset, size = piece(&offset, end), whole = (start + PAGE - 1) / PAGE * PAGE;
        uint64_t head = whole - start < size ? whole - start : size, pages = (size - head) / PAGE * PAGE;

        memset(at(shadow, start), 0, head);
        if (pages && madvise(at(shadow, start + head), pages, MADV_REMOVE))
            memset(at(shadow, start + head), 0, pages);
        memset(at(shadow, start + head + pages), 0, size - head - pages);
    }
}

/* -- comparing and telling -- */

/*
 * The program may be writing there, as it may be while a CPU writes the line back: no aligned word is torn, and the
 * race is none of ours.
 */
__attribute__((no_sanitize("thread"))) static void read_words(uint64_t *to, const void *from, uint64_t length)
{
    const volatile uint64_t *words = from;

    for (uint64_t i = 0; i < length / sizeof *to; i++)
        to[i] = words[i];
}

/* Words where there are any. */
__attribute__((no_sanitize("thread"))) static void read_bytes(char *to, const void *from, uint64_t length)
{
    const volatile char *bytes = from;

    while (length && (uintptr_t)bytes % sizeof(uint64_t)) {
        *to++ = *bytes++;
        length--;
    }
    for (; length >= sizeof(uint64_t); length -= sizeof(uint64_t)) {
        uint64_t word = *(const volatile uint64_t *)(const volatile void *)bytes;

        memcpy(to, &word, sizeof word);
        to += sizeof word;
        bytes += sizeof word;
    }
    while (length--)
        *to++ = *bytes++;
}

__attribute__((no_sanitize("thread"))) static bool same_words(const void *left, const void *right, uint64_t length)
{
    const volatile uint64_t *a = left, *b = right;
    uint64_t difference = 0;

    for (uint64_t i = 0; i < length / sizeof *a && !difference; i += 8)
        for (uint64_t k = i; k < i + 8; k++)
            difference |= a[k] ^ b[k];
    return !difference;
}

static struct nv_trace_event *begin(const struct nv_teller *teller, uint16_t kind, uint64_t offset, uint64_t length)
{
    struct nv_trace_event *event = nv_log_begin(teller->log, (uint32_t)length);

    if (!event)
        return NULL;
    event->kind = kind;
    event->flags = teller->flags;
    event->thread = teller->thread;
    event->place = teller->place;
    event->object = teller->object;
    event->offset = offset;
    return event;
}

static void tell_lines(const struct nv_shadow *shadow, const struct nv_teller *teller, uint64_t offset,
                       const void *content, uint64_t length)
{
    struct nv_trace_event *event = begin(teller, NV_TRACE_CHANGED, offset, length);

    memcpy(at(shadow, offset), content, length);
    if (!event)
        return;
    memcpy(nv_trace_payload(event), content, length);
    nv_log_commit(event);
}

/* Within a page, which is locked. Units that lie side by side are told together. */
static void tell_page(const struct nv_shadow *shadow, const struct nv_teller *teller, uint64_t offset, const void *view,
                      uint64_t length)
{
    uint64_t content[PAGE / sizeof(uint64_t)], unit = teller->unit_bytes ? teller->unit_bytes : LINE;
    const char *bytes = (const char *)content;

    read_words(content, view, length);
    for (uint64_t i = 0; i < length;) {
        uint64_t from = i;

        while (i < length && !same_words(at(shadow, offset + i), bytes + i, unit))
            i += unit;
        if (i > from)
            tell_lines(shadow, teller, offset + from, bytes + from, i - from);
        else
            i += unit;
    }
}

/* All of it is as it was told, and nobody told anything meanwhile: then the page need not be locked. */
static bool is_told(const struct nv_shadow *shadow, uint64_t offset, const void *view, uint64_t length)
{
    _Atomic uint32_t *word = lock_of(shadow, offset);
    uint32_t before = atomic_load_explicit(word, memory_order_acquire);

    if ((before & NV_LOCKED) || !same_words(at(shadow, offset), view, length))
        return false;
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(word, memory_order_relaxed) == before;
}

void nv_shadow_tell_changes(const struct nv_shadow *shadow, const struct nv_teller *teller, uint64_t offset,
                            const void *view, uint64_t length)
{
    uint64_t end = end_of(shadow, offset, length);
    const char *from = view;

    while (offset < end) {
        uint64_t next = (offset / PAGE + 1) * PAGE, size = (next < end ? next : end) - offset;

        if (!is_told(shadow, offset, from, size)) {
            lock(lock_of(shadow, offset));
            tell_page(shadow, teller, offset, from, size);
            unlock(lock_of(shadow, offset));
        }
        offset += size;
        from += size;
    }
}

/* Whether the bytes, which are locked, are otherwise than they were told. */
__attribute__((no_sanitize("thread"))) static bool is_news(const struct nv_shadow *shadow, uint64_t offset,
                                                           const void *view, uint64_t length)
{
    const volatile char *bytes = view;

    for (uint64_t i = 0; i < length; i++)
        if (bytes[i] != *at(shadow, offset + i))
            return true;
    return false;
}

bool nv_shadow_tell_store(const struct nv_shadow *shadow, const struct nv_teller *teller, uint64_t offset,
                          const void *view, uint64_t length, bool news)
{
    uint64_t end = end_of(shadow, offset, length);
    struct nv_trace_event *event = NULL;

    length = end - offset;
    if (!length)
        return false;
    nv_shadow_hold(shadow, offset, end);
    if (!news || is_news(shadow, offset, view, length))
        event = begin(teller, NV_TRACE_STORE, offset, length);
    if (event) {
        read_bytes(nv_trace_payload(event), view, length);
        nv_shadow_set(shadow, offset, nv_trace_payload(event), length);
        nv_log_commit(event);
    }
    nv_shadow_let_go(shadow, offset, end);
    return event != NULL;
}
