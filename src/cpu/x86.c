/* SPDX-License-Identifier: MIT */
/*
 * Owns the tables of x86-64: three ways to write a line back, and one non-temporal copy and fill that all three use.
 * Chosen by choose.c.
 *
 * A line is stored either by non-temporal stores alone or by ordinary stores that are then written back: both on one
 * line cost three times as much. Non-temporal stores write aligned words of 4 and 8 bytes (movnti) and 16 (movntdq); so
 * a line of which the range takes a part that is no whole number of words gets ordinary stores. (Reading the word,
 * merging and storing it whole would undo what another thread stores to the neighbouring bytes.)
 */
#include "src/cpu/cpu.h"
#include "src/cpu/ranges.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <emmintrin.h>
#include <string.h>

#define LINE ((uintptr_t)64)

typedef void write_back_function(const void *address, size_t size_bytes);

/* Leaf 7 of CPUID: bit 23 of EBX is clflushopt, bit 24 clwb. */
static bool leaf7_ebx(unsigned bit)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx >> bit & 1u);
}

static bool supports_clwb(void)
{
    return leaf7_ebx(24);
}

static bool supports_clflushopt(void)
{
    return leaf7_ebx(23);
}

static bool supports_clflush(void)
{
    return true; /* part of x86-64 */
}

/* The three differ in one instruction; a macro keeps each loop free of an indirect call. */
#define DEFINE_WRITE_BACK(instruction)                                                                                 \
    static inline __attribute__((always_inline)) void line_##instruction(uintptr_t line)                               \
    {                                                                                                                  \
        __asm__ volatile(#instruction " %0" : "+m"(*(volatile char *)line) : : "memory");                              \
    }                                                                                                                  \
    static void write_back_##instruction(const void *address, size_t size_bytes)                                       \
    {                                                                                                                  \
        uintptr_t end = (uintptr_t)address + size_bytes;                                                               \
        for (uintptr_t line = (uintptr_t)address & ~(LINE - 1); line < end && size_bytes; line += LINE)                \
            line_##instruction(line);                                                                                  \
    }                                                                                                                  \
    static void write_back_ranges_##instruction(const NV_MEMORY_RANGE *ranges, size_t count)                           \
    {                                                                                                                  \
        nv_ranges_walk(ranges, count, line_##instruction);                                                             \
    }

DEFINE_WRITE_BACK(clwb)
DEFINE_WRITE_BACK(clflushopt)
DEFINE_WRITE_BACK(clflush)

static void fence(void)
{
    _mm_sfence();
}

static inline bool words_only(const char *destination, size_t size_bytes)
{
    return (((uintptr_t)destination | size_bytes) & 3) == 0;
}

static inline void store4(char *destination, const void *source)
{
    int word;
    memcpy(&word, source, sizeof(word));
    _mm_stream_si32((int *)(void *)destination, word);
}

static inline void store8(char *destination, const void *source)
{
    long long word;
    memcpy(&word, source, sizeof(word));
    _mm_stream_si64((long long *)(void *)destination, word);
}

/* A part of one line, or all of it. */
static inline void copy_part(char *destination, const char *source, size_t size_bytes, write_back_function *write_back)
{
    if (!words_only(destination, size_bytes)) {
        memcpy(destination, source, size_bytes);
        write_back(destination, size_bytes);
        return;
    }
    size_t done = 0;
    if (((uintptr_t)destination & 4) && size_bytes) {
        store4(destination, source);
        done = 4;
    }
    for (; done + 8 <= size_bytes; done += 8)
        store8(destination + done, source + done);
    if (done < size_bytes)
        store4(destination + done, source + done);
}

static inline void copy_line(char *destination, const char *source)
{
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)source);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(source + 16));
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(source + 32));
    __m128i d = _mm_loadu_si128((const __m128i *)(const void *)(source + 48));
    __m128i *to = (__m128i *)(void *)destination;
    _mm_stream_si128(to, a);
    _mm_stream_si128(to + 1, b);
    _mm_stream_si128(to + 2, c);
    _mm_stream_si128(to + 3, d);
}

/* How much of the range lies before the first whole line. */
static inline size_t head_bytes(const char *destination, size_t size_bytes)
{
    size_t head = (size_t)(-(uintptr_t)destination & (LINE - 1));
    return head < size_bytes ? head : size_bytes;
}

static inline __attribute__((always_inline)) void copy_by(char *destination, const char *source, size_t size_bytes,
                                                          write_back_function *write_back)
{
    uintptr_t distance = (uintptr_t)destination - (uintptr_t)source;
    if (distance < size_bytes || -distance < size_bytes) { /* they overlap */
        memmove(destination, source, size_bytes);
        write_back(destination, size_bytes);
        return;
    }
    size_t done = head_bytes(destination, size_bytes);
    if (done)
        copy_part(destination, source, done, write_back);
    for (; size_bytes - done >= LINE; done += LINE)
        copy_line(destination + done, source + done);
    if (done < size_bytes)
        copy_part(destination + done, source + done, size_bytes - done, write_back);
}

static inline void fill_part(char *destination, uint8_t value, size_t size_bytes, write_back_function *write_back)
{
    char line[LINE];
    memset(line, value, LINE);
    copy_part(destination, line, size_bytes, write_back);
}

static inline __attribute__((always_inline)) void fill_by(char *destination, uint8_t value, size_t size_bytes,
                                                          write_back_function *write_back)
{
    size_t done = head_bytes(destination, size_bytes);
    if (done)
        fill_part(destination, value, done, write_back);
    __m128i pattern = _mm_set1_epi8((char)value);
    for (; size_bytes - done >= LINE; done += LINE) {
        __m128i *to = (__m128i *)(void *)(destination + done);
        for (int i = 0; i < 4; i++)
            _mm_stream_si128(to + i, pattern);
    }
    if (done < size_bytes)
        fill_part(destination + done, value, size_bytes - done, write_back);
}

#define DEFINE_TABLE(instruction)                                                                                      \
    static void copy_##instruction(void *destination, const void *source, size_t size_bytes)                           \
    {                                                                                                                  \
        copy_by(destination, source, size_bytes, write_back_##instruction);                                            \
    }                                                                                                                  \
    static void fill_##instruction(void *destination, uint8_t value, size_t size_bytes)                                \
    {                                                                                                                  \
        fill_by(destination, value, size_bytes, write_back_##instruction);                                             \
    }                                                                                                                  \
    const struct nv_cpu nv_cpu_##instruction = {                                                                       \
        .name = #instruction,                                                                                          \
        .supported = supports_##instruction,                                                                           \
        .write_back = write_back_##instruction,                                                                        \
        .write_back_ranges = write_back_ranges_##instruction,                                                          \
        .fence = fence,                                                                                                \
        .copy = copy_##instruction,                                                                                    \
        .fill = fill_##instruction,                                                                                    \
    }

DEFINE_TABLE(clwb);
DEFINE_TABLE(clflushopt);
DEFINE_TABLE(clflush);

#else
typedef int nv_x86_is_not_built;
#endif
