/* SPDX-License-Identifier: MIT */
/*
 * Owns the limit: the same work by the bare instructions, without a token, a check or a call. The cases of memory.c,
 * ranges.c and threads.c set nvrtl beside it.
 */
#include "bench/machine/parts.h"

#if defined(__x86_64__)

#include "src/cpu/cpu.h"

#include <emmintrin.h>
#include <string.h>

static inline void stream(char *to, const char *from)
{
    _mm_stream_si128((__m128i *)(void *)to, _mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline void copy(char *to, const char *from, size_t size_bytes)
{
    if (size_bytes == 8) {
        long long word;
        memcpy(&word, from, sizeof word);
        _mm_stream_si64((long long *)(void *)to, word);
        return;
    }
    size_t i = 0;
    for (; i + 64 <= size_bytes; i += 64)
        for (size_t k = i; k < i + 64; k += 16)
            stream(to + k, from + k);
    for (; i < size_bytes; i += 16)
        stream(to + i, from + i);
}

static inline void fill(char *to, char value, size_t size_bytes)
{
    if (size_bytes == 8) {
        _mm_stream_si64((long long *)(void *)to, 0x0101010101010101LL * value);
        return;
    }
    __m128i pattern = _mm_set1_epi8(value), *at = (__m128i *)(void *)to;
    for (; size_bytes >= NV_BENCH_LINE; size_bytes -= NV_BENCH_LINE, at += 4) {
        _mm_stream_si128(at, pattern);
        _mm_stream_si128(at + 1, pattern);
        _mm_stream_si128(at + 2, pattern);
        _mm_stream_si128(at + 3, pattern);
    }
    for (; size_bytes; size_bytes -= 16)
        _mm_stream_si128(at++, pattern);
}

static bool write_bare(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        copy(batch->at[i], batch->data, batch->size_bytes);
        _mm_sfence();
    }
    return true;
}

static bool fill_bare(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        fill(batch->at[i], 0, batch->size_bytes);
        _mm_sfence();
    }
    return true;
}

static bool drain_bare(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        _mm_sfence();
    return true;
}

#define WRITE_BACK(instruction, line) __asm__ volatile(instruction " %0" : "+m"(*(volatile char *)(line)) : : "memory")

#define DEFINE_BODIES(name)                                                                                            \
    static bool flush_##name(const struct nv_bench_batch *batch)                                                       \
    {                                                                                                                  \
        for (size_t i = 0; i < batch->count; i++) {                                                                    \
            WRITE_BACK(#name, batch->at[i]);                                                                           \
            _mm_sfence();                                                                                              \
        }                                                                                                              \
        return true;                                                                                                   \
    }                                                                                                                  \
    static bool store_and_flush_##name(const struct nv_bench_batch *batch)                                             \
    {                                                                                                                  \
        for (size_t i = 0; i < batch->count; i++) {                                                                    \
            *(volatile uint64_t *)(void *)batch->at[i] = i;                                                            \
            WRITE_BACK(#name, batch->at[i]);                                                                           \
            _mm_sfence();                                                                                              \
        }                                                                                                              \
        return true;                                                                                                   \
    }                                                                                                                  \
    static void ranges_of_one_##name(const NV_MEMORY_RANGE *ranges)                                                    \
    {                                                                                                                  \
        for (size_t i = 0; i < NV_BENCH_RANGES; i++) {                                                                 \
            uintptr_t start = (uintptr_t)ranges[i].BaseAddress & ~(uintptr_t)(NV_BENCH_LINE - 1);                      \
            uintptr_t end = (uintptr_t)ranges[i].BaseAddress + ranges[i].Length;                                       \
            for (; start < end; start += NV_BENCH_LINE)                                                                \
                WRITE_BACK(#name, start);                                                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static bool ranges_##name(const struct nv_bench_batch *batch)                                                      \
    {                                                                                                                  \
        for (size_t i = 0; i < batch->count; i++) {                                                                    \
            ranges_of_one_##name(batch->ranges + i * NV_BENCH_RANGES);                                                 \
            _mm_sfence();                                                                                              \
        }                                                                                                              \
        return true;                                                                                                   \
    }                                                                                                                  \
    static const struct nv_bench_bare bare_##name = {write_bare,    fill_bare, flush_##name, store_and_flush_##name,   \
                                                     ranges_##name, drain_bare}

DEFINE_BODIES(clwb);
DEFINE_BODIES(clflushopt);
DEFINE_BODIES(clflush);

struct nv_bench_bare nv_bench_bare_bodies(void)
{
    if (nv_cpu_clwb.supported())
        return bare_clwb;
    return nv_cpu_clflushopt.supported() ? bare_clflushopt : bare_clflush;
}

#else

struct nv_bench_bare nv_bench_bare_bodies(void)
{
    return (struct nv_bench_bare){0};
}

#endif
