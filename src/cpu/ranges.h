/* SPDX-License-Identifier: MIT */
/*
 * The walk over a list of ranges, inline, so that each CPU's table has one with its own instruction in it.
 *
 * A second write-back of a line that is still in flight costs forty times one that has long landed. Neighbouring ranges
 * share lines, so the lines just written are kept as a running interval, and a range gives only what sticks out of it.
 * Sorting the ranges first would cost more than it could save.
 *
 * How many lines a range gives cannot be predicted; where ranges lie close together, a wrong guess costs more than the
 * write-back. There the lines are listed without a branch, and written back from the list.
 */
#ifndef NV_CPU_RANGES_H
#define NV_CPU_RANGES_H

#include <nvrtl/nvm.h>
#include <stddef.h>
#include <stdint.h>

#define NV_RANGES_LINE ((uintptr_t)64)
#define NV_RANGES_CHUNK ((size_t)32)      /* ranges that are looked at together */
#define NV_RANGES_NEAR ((uintptr_t)16384) /* from the first to the last of a chunk: they are close together */
#define NV_RANGES_SHORT ((size_t)256)     /* bytes; listed without a branch */
#define NV_RANGES_SHORT_LINES ((size_t)5) /* that such a range has at most */
#define NV_RANGES_INLINE static inline __attribute__((always_inline))

/* Whole lines, [low, high). */
struct nv_interval {
    uintptr_t low;
    uintptr_t high;
};

typedef void nv_write_back_line(uintptr_t line);
typedef void nv_write_back_lines(uintptr_t low, uintptr_t high, uintptr_t line_bytes);

NV_RANGES_INLINE struct nv_interval nv_ranges_lines(const NV_MEMORY_RANGE *range, uintptr_t line_bytes)
{
    uintptr_t start = (uintptr_t)range->BaseAddress;
    return (struct nv_interval){start & ~(line_bytes - 1),
                                (start + range->Length + line_bytes - 1) & ~(line_bytes - 1)};
}

/* The lines of a range that are not among those just done, which they join. The range is not empty. */
NV_RANGES_INLINE struct nv_interval nv_ranges_take(struct nv_interval *done, struct nv_interval lines)
{
    if (lines.low - done->low > done->high - done->low) { /* begins outside, by one unsigned comparison */
        *done = lines;
        return lines;
    }
    uintptr_t first = done->high;
    done->high = lines.high > first ? lines.high : first;
    return (struct nv_interval){first, done->high};
}

NV_RANGES_INLINE void nv_ranges_each(struct nv_interval *done, const NV_MEMORY_RANGE *range, nv_write_back_line *line)
{
    if (range->Length == 0)
        return;
    struct nv_interval lines = nv_ranges_take(done, nv_ranges_lines(range, NV_RANGES_LINE));
    for (uintptr_t at = lines.low; at < lines.high; at += NV_RANGES_LINE)
        line(at);
}

/* Appends the lines to a list that has room for a short range's. Returns how many count; the others are overwritten. */
NV_RANGES_INLINE size_t nv_ranges_list(uintptr_t *list, struct nv_interval lines)
{
    typedef uintptr_t pair __attribute__((vector_size(2 * sizeof(uintptr_t)), aligned(sizeof(uintptr_t)), may_alias));
    pair first = {lines.low, lines.low};
    pair *to = (pair *)(void *)list;
    to[0] = first + (pair){0, NV_RANGES_LINE};
    to[1] = first + (pair){2 * NV_RANGES_LINE, 3 * NV_RANGES_LINE};
    list[4] = lines.low + 4 * NV_RANGES_LINE;
    return (lines.high - lines.low) / NV_RANGES_LINE;
}

NV_RANGES_INLINE void nv_ranges_near(struct nv_interval *done, const NV_MEMORY_RANGE *ranges, size_t count,
                                     nv_write_back_line *line)
{
    uintptr_t list[NV_RANGES_CHUNK * NV_RANGES_SHORT_LINES];
    size_t listed = 0;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_expect(ranges[i].Length - 1 < NV_RANGES_SHORT, 1))
            listed += nv_ranges_list(list + listed, nv_ranges_take(done, nv_ranges_lines(&ranges[i], NV_RANGES_LINE)));
        else
            nv_ranges_each(done, &ranges[i], line);
    }
    for (size_t i = 0; i < listed; i++)
        line(list[i]);
}

NV_RANGES_INLINE void nv_ranges_walk(const NV_MEMORY_RANGE *ranges, size_t count, nv_write_back_line *line)
{
    struct nv_interval done = {0, 0};
    for (; count >= NV_RANGES_CHUNK; ranges += NV_RANGES_CHUNK, count -= NV_RANGES_CHUNK) {
        uintptr_t from = (uintptr_t)ranges[0].BaseAddress;
        uintptr_t to = (uintptr_t)ranges[NV_RANGES_CHUNK - 1].BaseAddress;
        if (to - from + NV_RANGES_NEAR < 2 * NV_RANGES_NEAR)
            nv_ranges_near(&done, ranges, NV_RANGES_CHUNK, line);
        else
            for (size_t i = 0; i < NV_RANGES_CHUNK; i++)
                nv_ranges_each(&done, &ranges[i], line);
    }
    for (size_t i = 0; i < count; i++)
        nv_ranges_each(&done, &ranges[i], line);
}

/* For CPUs whose lines are of another size. */
NV_RANGES_INLINE void nv_ranges_walk_lines(const NV_MEMORY_RANGE *ranges, size_t count, uintptr_t line_bytes,
                                           nv_write_back_lines *write_back)
{
    struct nv_interval done = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].Length == 0)
            continue;
        struct nv_interval lines = nv_ranges_take(&done, nv_ranges_lines(&ranges[i], line_bytes));
        write_back(lines.low, lines.high, line_bytes);
    }
}

#endif
