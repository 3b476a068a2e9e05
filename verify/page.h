/* SPDX-License-Identifier: MIT */
/* A page's record, and how it is changed: its lock, and what it says of its lines. Both sides use it. */
#ifndef NV_VERIFY_PAGE_H
#define NV_VERIFY_PAGE_H

#include "trace/patience.h"
#include "verify/ledger.h"

static inline void nv_page_lock(struct nv_page_record *page, struct nv_patience *patience)
{
    for (;;) {
        uint32_t word = atomic_load_explicit(&page->lock, memory_order_relaxed);

        if (__builtin_expect((word & NV_LOCKED) != 0, 0)) {
            nv_patience_wait(patience, &page->lock, word);
            continue;
        }
        patience->since_ns = 0;
        if (__builtin_expect(atomic_compare_exchange_weak(&page->lock, &word, (word | NV_LOCKED) + 2), 1))
            return;
    }
}

/* A record that was ever locked is never all zero again. */
static inline void nv_page_unlock(struct nv_page_record *page)
{
    uint32_t word = atomic_load_explicit(&page->lock, memory_order_relaxed) & ~NV_LOCKED;

    atomic_store_explicit(&page->lock, word != 0 ? word : 2, memory_order_release);
}

/*
 * Lock a page of the durable image, when the supervisor holds none of [from, to) in it. It is looked at whether it does
 * when the page is locked, not before (verify/ledger.h).
 */
static inline void nv_page_lock_unheld(const struct nv_lines_header *header, struct nv_page_record *page, uint64_t from,
                                       uint64_t to, struct nv_patience *patience)
{
    for (;;) {
        nv_page_lock(page, patience);
        if (__builtin_expect(atomic_load(&header->held_from) >= to || from >= atomic_load(&header->held_to), 1))
            return;
        nv_page_unlock(page);
        while (atomic_load(&header->held_from) < to && from < atomic_load(&header->held_to))
            nv_patience_yield(patience);
    }
}

/* `count` lines from `first` on, as a set. */
static inline uint64_t nv_page_set(size_t first, size_t count)
{
    return (NV_PAGE_ALL >> (NV_PAGE_LINES - count)) << first;
}

static inline void nv_page_own_one(const struct nv_page_record *page, uint64_t bit, struct nv_line_record *line)
{
    if ((atomic_load_explicit(&page->written, memory_order_relaxed) & bit) != 0)
        atomic_store_explicit(&line->write_place, atomic_load_explicit(&page->write_place, memory_order_relaxed),
                              memory_order_relaxed);
    if ((atomic_load_explicit(&page->whole, memory_order_relaxed) & bit) == 0)
        return;
    atomic_store_explicit(&line->flush_place, atomic_load_explicit(&page->flush_place, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&line->committed, atomic_load_explicit(&line->flushes, memory_order_relaxed),
                          memory_order_relaxed);
}

/* From now on these lines' records say all themselves. With the page locked. */
static inline void nv_page_own(struct nv_page_records *records, uint64_t lines)
{
    struct nv_page_record *page = &records->page;
    uint64_t whole = atomic_load_explicit(&page->whole, memory_order_relaxed);
    uint64_t written = atomic_load_explicit(&page->written, memory_order_relaxed);

    if (((whole | written) & lines) == 0)
        return;
    for (uint64_t left = (whole | written) & lines; left != 0; left &= left - 1)
        nv_page_own_one(page, left & -left, &records->lines[__builtin_ctzll(left)]);
    atomic_store_explicit(&page->whole, whole & ~lines, memory_order_relaxed);
    atomic_store_explicit(&page->written, written & ~lines, memory_order_relaxed);
}

/* These lines are being written. With the page locked. */
static inline void nv_page_note_write(struct nv_page_records *records, uint64_t lines, uint16_t place)
{
    if (lines == NV_PAGE_ALL) {
        atomic_store_explicit(&records->page.written, lines, memory_order_relaxed);
        atomic_store_explicit(&records->page.write_place, place, memory_order_relaxed);
        return;
    }
    nv_page_own(records, lines & atomic_load_explicit(&records->page.written, memory_order_relaxed));
    for (; lines != 0; lines &= lines - 1)
        atomic_store_explicit(&records->lines[__builtin_ctzll(lines)].write_place, place, memory_order_relaxed);
}

/* The same, whoever has the page; it is seldom that it must be locked for some of its lines. */
static inline void nv_page_write(struct nv_page_records *records, uint64_t lines, uint16_t place)
{
    struct nv_patience patience = {0};
    bool alone =
        lines != NV_PAGE_ALL && (atomic_load_explicit(&records->page.written, memory_order_relaxed) & lines) == 0;

    if (__builtin_expect(!alone, 0))
        nv_page_lock(&records->page, &patience);
    nv_page_note_write(records, lines, place);
    if (__builtin_expect(!alone, 0))
        nv_page_unlock(&records->page);
}

/* What is known of one line, its page's part included. */
static inline struct nv_line_record nv_page_line(const struct nv_page_records *records, size_t number)
{
    const struct nv_line_record *line = &records->lines[number];
    uint32_t passes = atomic_load_explicit(&records->page.passes, memory_order_relaxed);
    struct nv_line_record known = {0};

    atomic_init(&known.write_place, atomic_load_explicit(&line->write_place, memory_order_relaxed));
    atomic_init(&known.flush_place, atomic_load_explicit(&line->flush_place, memory_order_relaxed));
    atomic_init(&known.hash, atomic_load_explicit(&line->hash, memory_order_relaxed));
    atomic_init(&known.told, atomic_load_explicit(&line->told, memory_order_relaxed));
    atomic_init(&known.unnamed, atomic_load_explicit(&line->unnamed, memory_order_relaxed));
    atomic_init(&known.flushes, atomic_load_explicit(&line->flushes, memory_order_relaxed) + passes);
    atomic_init(&known.committed, atomic_load_explicit(&line->committed, memory_order_relaxed) + passes);
    nv_page_own_one(&records->page, (uint64_t)1 << number, &known);
    return known;
}

#endif
