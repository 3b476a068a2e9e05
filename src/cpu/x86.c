/* SPDX-License-Identifier: MIT */
/*
 * Owns the tables of x86-64: three ways to write a line back, and non-temporal copies and fills. Chosen by choose.c.
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
#include <immintrin.h>
#include <string.h>

#define LINE ((uintptr_t)64)

typedef void write_back_function(const void *address, size_t size_bytes);
/* Whole, aligned lines, size_bytes of them in all, by non-temporal stores. */
typedef void copy_lines_function(char *destination, const char *source, size_t size_bytes);
typedef void fill_lines_function(char *destination, uint8_t value, size_t size_bytes);

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

/* Of the CPU, and of the system, which must save the registers. */
static bool has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") != 0;
}

/* Leaf 8000_0008: bit 0 of EBX. It clears a line of 64 bytes on all CPUs that have it. */
static bool has_clzero(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx) && (ebx & 1u);
}

static bool supports_clwb_avx512(void)
{
    return supports_clwb() && has_avx512();
}

static bool supports_clwb_clzero(void)
{
    return supports_clwb() && has_clzero();
}

static bool supports_clwb_avx512_clzero(void)
{
    return supports_clwb_avx512() && has_clzero();
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

/* -- whole lines -- */

static void copy_lines_sse2(char *destination, const char *source, size_t size_bytes)
{
    for (const char *end = source + size_bytes; source < end; source += LINE, destination += LINE) {
        const __m128i *from = (const __m128i *)(const void *)source;
        __m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
        __m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);
        __m128i *to = (__m128i *)(void *)destination;
        _mm_stream_si128(to, a);
        _mm_stream_si128(to + 1, b);
        _mm_stream_si128(to + 2, c);
        _mm_stream_si128(to + 3, d);
    }
}

static void fill_lines_sse2(char *destination, uint8_t value, size_t size_bytes)
{
    __m128i pattern = _mm_set1_epi8((char)value);
    for (char *end = destination + size_bytes; destination < end; destination += LINE)
        for (int i = 0; i < 4; i++)
            _mm_stream_si128((__m128i *)(void *)destination + i, pattern);
}

#define AVX512 __attribute__((target("avx512f"))) static

/*
 * A line in one store cannot be written in parts. On an idle machine that is worth nothing; where others use the memory
 * as well, 5 to 30 %. Four lines at a time win half a percent over one, eight lose four.
 */
AVX512 void copy_lines_avx512(char *destination, const char *source, size_t size_bytes)
{
    size_t done = 0;
    for (; done + 4 * LINE <= size_bytes; done += 4 * LINE) {
        const __m512i *from = (const __m512i *)(const void *)(source + done);
        __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + 1);
        __m512i c = _mm512_loadu_si512(from + 2), d = _mm512_loadu_si512(from + 3);
        __m512i *to = (__m512i *)(void *)(destination + done);
        _mm512_stream_si512(to, a);
        _mm512_stream_si512(to + 1, b);
        _mm512_stream_si512(to + 2, c);
        _mm512_stream_si512(to + 3, d);
    }
    for (; done < size_bytes; done += LINE)
        _mm512_stream_si512((__m512i *)(void *)(destination + done), _mm512_loadu_si512(source + done));
}

AVX512 void fill_lines_avx512(char *destination, uint8_t value, size_t size_bytes)
{
    __m512i pattern = _mm512_set1_epi32((int)(value * 0x01010101u));
    for (size_t done = 0; done < size_bytes; done += LINE)
        _mm512_stream_si512((__m512i *)(void *)(destination + done), pattern);
}

/* Ordered and combined as a non-temporal store. */
static void zero_lines(char *destination, size_t size_bytes)
{
    for (char *end = destination + size_bytes; destination < end; destination += LINE)
        __asm__ volatile(".byte 0x0f, 0x01, 0xfc" : : "a"(destination) : "memory"); /* clzero */
}

#define CLZERO_BYTES_MIN ((size_t)2048)

#define DEFINE_FILL_LINES_CLZERO(width)                                                                                \
    static void fill_lines_##width##_clzero(char *destination, uint8_t value, size_t size_bytes)                       \
    {                                                                                                                  \
        if (value == 0 && size_bytes >= CLZERO_BYTES_MIN)                                                              \
            zero_lines(destination, size_bytes);                                                                       \
        else                                                                                                           \
            fill_lines_##width(destination, value, size_bytes);                                                        \
    }

DEFINE_FILL_LINES_CLZERO(sse2)
DEFINE_FILL_LINES_CLZERO(avx512)

/* -- any range: its ends and its lines -- */

/* How much of the range lies before the first whole line. */
static inline size_t head_bytes(const char *destination, size_t size_bytes)
{
    size_t head = (size_t)(-(uintptr_t)destination & (LINE - 1));
    return head < size_bytes ? head : size_bytes;
}

static inline __attribute__((always_inline)) void copy_by(char *destination, const char *source, size_t size_bytes,
                                                          write_back_function *write_back,
                                                          copy_lines_function *copy_lines)
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
    size_t whole = (size_bytes - done) & ~(LINE - 1);
    if (whole)
        copy_lines(destination + done, source + done, whole);
    done += whole;
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
                                                          write_back_function *write_back,
                                                          fill_lines_function *fill_lines)
{
    size_t done = head_bytes(destination, size_bytes);
    if (done)
        fill_part(destination, value, done, write_back);
    size_t whole = (size_bytes - done) & ~(LINE - 1);
    if (whole)
        fill_lines(destination + done, value, whole);
    done += whole;
    if (done < size_bytes)
        fill_part(destination + done, value, size_bytes - done, write_back);
}

/* `table` is one of choose.c's; `width` and `zeroing` name what copies and fills whole lines. */
#define DEFINE_TABLE(table, table_name, by, width, zeroing)                                                            \
    static void copy_##table(void *destination, const void *source, size_t size_bytes)                                 \
    {                                                                                                                  \
        copy_by(destination, source, size_bytes, write_back_##by, copy_lines_##width);                                 \
    }                                                                                                                  \
    static void fill_##table(void *destination, uint8_t value, size_t size_bytes)                                      \
    {                                                                                                                  \
        fill_by(destination, value, size_bytes, write_back_##by, fill_lines_##zeroing);                                \
    }                                                                                                                  \
    const struct nv_cpu nv_cpu_##table = {                                                                             \
        .name = (table_name),                                                                                          \
        .instruction = #by,                                                                                            \
        .supported = supports_##table,                                                                                 \
        .write_back = write_back_##by,                                                                                 \
        .write_back_ranges = write_back_ranges_##by,                                                                   \
        .fence = fence,                                                                                                \
        .copy = copy_##table,                                                                                          \
        .fill = fill_##table,                                                                                          \
    }

DEFINE_TABLE(clwb_avx512_clzero, "clwb-avx512-clzero", clwb, avx512, avx512_clzero);
DEFINE_TABLE(clwb_avx512, "clwb-avx512", clwb, avx512, avx512);
DEFINE_TABLE(clwb_clzero, "clwb-clzero", clwb, sse2, sse2_clzero);
DEFINE_TABLE(clwb, "clwb", clwb, sse2, sse2);
DEFINE_TABLE(clflushopt, "clflushopt", clflushopt, sse2, sse2);
DEFINE_TABLE(clflush, "clflush", clflush, sse2, sse2);

#else
typedef int nv_x86_is_not_built;
#endif
