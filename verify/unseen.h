/* SPDX-License-Identifier: MIT */
/*
 * Bytes that changed though neither a hook nor the interface told of a store there: counted where lines come into the
 * durable image, with their page locked.
 */
#ifndef NV_VERIFY_UNSEEN_H
#define NV_VERIFY_UNSEEN_H

#include "verify/ledger.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A bit for each byte of two lines that differs. Somebody may be storing to either. */
__attribute__((no_sanitize("thread"))) static inline uint64_t nv_unseen_difference(const void *left, const void *right)
{
    uint64_t difference = 0;

#ifdef __SSE2__
    for (int i = 0; i < 4; i++) {
        __m128i equal =
            _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i_u *)left + i), _mm_loadu_si128((const __m128i_u *)right + i));

        difference |= (uint64_t)(~(uint32_t)_mm_movemask_epi8(equal) & 0xffff) << (16 * i);
    }
#else
    for (int i = 0; i < 64; i++)
        difference |= (uint64_t)(((const char *)left)[i] != ((const char *)right)[i]) << i;
#endif
    return difference;
}

/*
 * A line is about to be durable as `flushed`; the interface itself has written the bytes `written`. `is_last`: nothing
 * newer is in flight, and what was told so far is done with.
 */
static inline void nv_unseen_look(struct nv_page_records *page, size_t number, const void *durable, const void *flushed,
                                  uint64_t written, bool is_last)
{
    struct nv_line_record *line = &page->lines[number];
    uint64_t difference = nv_unseen_difference(durable, flushed);
    uint64_t told = written | atomic_load(&line->unnamed) | atomic_load(&line->told);

    if ((difference & ~told) != 0)
        atomic_fetch_add(&page->page.unseen_bytes, (uint64_t)__builtin_popcountll(difference & ~told));
    if (is_last && atomic_load_explicit(&line->told, memory_order_relaxed) != 0)
        atomic_store_explicit(&line->told, 0, memory_order_relaxed);
}

/* These lines are durable as the interface wrote them. Of a whole page nothing is left then that was told. */
static inline void nv_unseen_none(struct nv_page_records *page, uint64_t lines)
{
    uint64_t told = atomic_load(&page->page.unnamed), left = 0;

    for (uint64_t of = told & lines; of != 0; of &= of - 1) {
        struct nv_line_record *line = &page->lines[__builtin_ctzll(of)];

        atomic_store_explicit(&line->told, 0, memory_order_relaxed);
        left |= atomic_load(&line->unnamed) != 0 ? of & -of : 0;
    }
    if (lines == NV_PAGE_ALL && (told & ~left) != 0)
        atomic_fetch_and(&page->page.unnamed, ~(told & ~left));
}

#endif
