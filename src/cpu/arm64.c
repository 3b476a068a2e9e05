/* SPDX-License-Identifier: MIT */
/*
 * Owns the tables of AArch64: two ways to clean a line, and three to store. Chosen by choose.c.
 *
 * dc cvap cleans to the point of persistence, and is there where the kernel says so (HWCAP_DCPOP). dc cvac cleans to
 * the point of coherency, where no cache of any CPU holds the line any more; that this point is persistent, neither the
 * architecture nor the kernel promises. So its tables are in force only when they are named.
 *
 * All stores are ordinary ones to the cache, also stnp, which is but a hint; every line is cleaned behind them, as
 * Linux does (arch_wb_cache_pmem). glibc has a memcpy and a memset for each CPU, of which memset zeroes with dc zva by
 * itself: the table of these two comes first until another is measured to be better.
 */
#include "src/cpu/cpu.h"
#include "src/cpu/ranges.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>
#include <sys/auxv.h>

#ifndef HWCAP_DCPOP
#define HWCAP_DCPOP (1ul << 16)
#endif

#define LINE ((size_t)64) /* that stnp stores at once */
#define NOT_PERSISTENT "the point of coherency is not promised to be persistent"

/* dc cvap by its number: assemblers know the name from ARMv8.2 on. */
#define INSTRUCTION_cvap "sys #3, c7, c12, #1, %0"
#define INSTRUCTION_cvac "dc cvac, %0"

static bool supports_cvap(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_DCPOP) != 0;
}

static bool supports_cvac(void)
{
    return true; /* part of AArch64, and Linux allows it to programs */
}

static size_t register_field(uint64_t value, unsigned shift)
{
    return (size_t)(value >> shift & 15);
}

/* The smallest line of all data caches: CTR_EL0 tells the logarithm of its words. */
static inline size_t line_bytes(void)
{
    uint64_t type;
    __asm__("mrs %0, ctr_el0" : "=r"(type));
    return (size_t)4 << register_field(type, 16);
}

/* What dc zva clears at once, bytes; 0 where programs may not use it. */
static inline size_t zero_bytes(void)
{
    uint64_t identity;
    __asm__("mrs %0, dczid_el0" : "=r"(identity));
    return identity & 16 ? 0 : (size_t)4 << register_field(identity, 0);
}

#define DEFINE_WRITE_BACK(way)                                                                                         \
    static inline __attribute__((always_inline)) void lines_##way(uintptr_t low, uintptr_t high, uintptr_t line)       \
    {                                                                                                                  \
        for (uintptr_t at = low & ~(line - 1); at < high; at += line)                                                  \
            __asm__ volatile(INSTRUCTION_##way : : "r"(at) : "memory");                                                \
    }                                                                                                                  \
    static void write_back_##way(const void *address, size_t size_bytes)                                               \
    {                                                                                                                  \
        if (size_bytes)                                                                                                \
            lines_##way((uintptr_t)address, (uintptr_t)address + size_bytes, line_bytes());                            \
    }                                                                                                                  \
    static void write_back_ranges_##way(const NV_MEMORY_RANGE *ranges, size_t count)                                   \
    {                                                                                                                  \
        nv_ranges_walk_lines(ranges, count, line_bytes(), lines_##way);                                                \
    }

DEFINE_WRITE_BACK(cvap)
DEFINE_WRITE_BACK(cvac)

/*
 * Cache maintenance is complete only after a dsb for loads and stores (one for stores alone does not wait for it), and
 * what lies behind the point of persistence is in no inner or outer domain: so sy, as in Linux.
 */
static void fence(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

/* -- stores -- */

static void copy_libc(char *destination, const char *source, size_t size_bytes)
{
    memmove(destination, source, size_bytes);
}

static void fill_libc(char *destination, uint8_t value, size_t size_bytes)
{
    memset(destination, value, size_bytes);
}

/* How much of the range lies before the first whole block. */
static inline size_t head_bytes(const char *destination, size_t size_bytes, size_t block_bytes)
{
    size_t head = (size_t)(-(uintptr_t)destination & (block_bytes - 1));
    return head < size_bytes ? head : size_bytes;
}

static inline void stnp(char *destination, uint8x16_t first, uint8x16_t second)
{
    __asm__ volatile("stnp %q1, %q2, [%0]" : : "r"(destination), "w"(first), "w"(second) : "memory");
}

static void copy_stnp(char *destination, const char *source, size_t size_bytes)
{
    uintptr_t distance = (uintptr_t)destination - (uintptr_t)source;
    if (distance < size_bytes || -distance < size_bytes) { /* they overlap */
        memmove(destination, source, size_bytes);
        return;
    }
    size_t done = head_bytes(destination, size_bytes, LINE);
    memcpy(destination, source, done);
    for (; done + LINE <= size_bytes; done += LINE) {
        const uint8_t *from = (const uint8_t *)source + done;
        stnp(destination + done, vld1q_u8(from), vld1q_u8(from + 16));
        stnp(destination + done + 32, vld1q_u8(from + 32), vld1q_u8(from + 48));
    }
    memcpy(destination + done, source + done, size_bytes - done);
}

static void fill_stnp(char *destination, uint8_t value, size_t size_bytes)
{
    uint8x16_t pattern = vdupq_n_u8(value);
    size_t done = head_bytes(destination, size_bytes, LINE);
    memset(destination, value, done);
    for (; done + LINE <= size_bytes; done += LINE) {
        stnp(destination + done, pattern, pattern);
        stnp(destination + done + 32, pattern, pattern);
    }
    memset(destination + done, value, size_bytes - done);
}

static void copy_zva(char *destination, const char *source, size_t size_bytes)
{
    memmove(destination, source, size_bytes);
}

static void fill_zva(char *destination, uint8_t value, size_t size_bytes)
{
    size_t block = zero_bytes();
    size_t done = value == 0 ? head_bytes(destination, size_bytes, block) : 0;
    memset(destination, value, done);
    for (; value == 0 && done + block <= size_bytes; done += block)
        __asm__ volatile("dc zva, %0" : : "r"(destination + done) : "memory");
    memset(destination + done, value, size_bytes - done);
}

static bool has_libc(void)
{
    return true;
}

static bool has_stnp(void)
{
    return true; /* part of AArch64 */
}

static bool has_zva(void)
{
    return zero_bytes() != 0;
}

#define DEFINE_TABLE(table, table_name, way, store, why_only_forced)                                                   \
    static bool supported_##table(void)                                                                                \
    {                                                                                                                  \
        return supports_##way() && has_##store();                                                                      \
    }                                                                                                                  \
    static void copy_##table(void *destination, const void *source, size_t size_bytes)                                 \
    {                                                                                                                  \
        copy_##store(destination, source, size_bytes);                                                                 \
        write_back_##way(destination, size_bytes);                                                                     \
    }                                                                                                                  \
    static void fill_##table(void *destination, uint8_t value, size_t size_bytes)                                      \
    {                                                                                                                  \
        fill_##store(destination, value, size_bytes);                                                                  \
        write_back_##way(destination, size_bytes);                                                                     \
    }                                                                                                                  \
    const struct nv_cpu nv_cpu_##table = {                                                                             \
        .name = (table_name),                                                                                          \
        .instruction = "dc-" #way,                                                                                     \
        .only_forced = (why_only_forced),                                                                              \
        .supported = supported_##table,                                                                                \
        .write_back = write_back_##way,                                                                                \
        .write_back_ranges = write_back_ranges_##way,                                                                  \
        .fence = fence,                                                                                                \
        .copy = copy_##table,                                                                                          \
        .fill = fill_##table,                                                                                          \
    }

DEFINE_TABLE(dc_cvap, "dc-cvap", cvap, libc, NULL);
DEFINE_TABLE(dc_cvap_zva, "dc-cvap-zva", cvap, zva, NULL);
DEFINE_TABLE(dc_cvap_stnp, "dc-cvap-stnp", cvap, stnp, NULL);
DEFINE_TABLE(dc_cvac, "dc-cvac", cvac, libc, NOT_PERSISTENT);
DEFINE_TABLE(dc_cvac_zva, "dc-cvac-zva", cvac, zva, NOT_PERSISTENT);
DEFINE_TABLE(dc_cvac_stnp, "dc-cvac-stnp", cvac, stnp, NOT_PERSISTENT);

#else
typedef int nv_arm64_is_not_built;
#endif
