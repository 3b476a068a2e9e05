/* SPDX-License-Identifier: MIT */
/*
 * Owns the tables of 64-bit POWER. Chosen by choose.c.
 *
 * dcbstps stores a block to persistent storage, phwsync waits for it; both came with Power ISA 3.1 (POWER10). Before
 * that there is dcbst, which stores to main storage; that this is persistent, no book of the architecture promises, so
 * its table is in force only when it is named.
 */
#include "src/cpu/cpu.h"
#include "src/cpu/ranges.h"

#if defined(__powerpc64__)

#include <string.h>
#include <sys/auxv.h>

#ifndef PPC_FEATURE2_ARCH_3_1
#define PPC_FEATURE2_ARCH_3_1 0x00040000
#endif

#define BLOCK_BYTES_MIN ((size_t)32) /* of any POWER; too small is only slower */

#define INSTRUCTION_dcbstps ".machine push\n\t.machine power10\n\tdcbstps 0, %0\n\t.machine pop"
#define INSTRUCTION_dcbst "dcbst 0, %0"

static bool supports_dcbstps(void)
{
    return (getauxval(AT_HWCAP2) & PPC_FEATURE2_ARCH_3_1) != 0;
}

static bool supports_dcbst(void)
{
    return true;
}

static size_t block_bytes(void)
{
    size_t told = getauxval(AT_DCACHEBSIZE);
    return told ? told : BLOCK_BYTES_MIN;
}

static void fence_dcbstps(void)
{
    __asm__ volatile(".machine push\n\t.machine power10\n\tphwsync\n\t.machine pop" : : : "memory");
}

static void fence_dcbst(void)
{
    __asm__ volatile("sync" : : : "memory");
}

#define DEFINE_TABLE(way, why_only_forced)                                                                             \
    static inline __attribute__((always_inline)) void blocks_##way(uintptr_t low, uintptr_t high, uintptr_t block)     \
    {                                                                                                                  \
        for (uintptr_t at = low & ~(block - 1); at < high; at += block)                                                \
            __asm__ volatile(INSTRUCTION_##way : : "r"(at) : "memory");                                                \
    }                                                                                                                  \
    static void write_back_##way(const void *address, size_t size_bytes)                                               \
    {                                                                                                                  \
        if (size_bytes)                                                                                                \
            blocks_##way((uintptr_t)address, (uintptr_t)address + size_bytes, block_bytes());                          \
    }                                                                                                                  \
    static void write_back_ranges_##way(const NV_MEMORY_RANGE *ranges, size_t count)                                   \
    {                                                                                                                  \
        nv_ranges_walk_lines(ranges, count, block_bytes(), blocks_##way);                                              \
    }                                                                                                                  \
    static void copy_##way(void *destination, const void *source, size_t size_bytes)                                   \
    {                                                                                                                  \
        memmove(destination, source, size_bytes);                                                                      \
        write_back_##way(destination, size_bytes);                                                                     \
    }                                                                                                                  \
    static void fill_##way(void *destination, uint8_t value, size_t size_bytes)                                        \
    {                                                                                                                  \
        memset(destination, value, size_bytes);                                                                        \
        write_back_##way(destination, size_bytes);                                                                     \
    }                                                                                                                  \
    const struct nv_cpu nv_cpu_##way = {                                                                               \
        .name = #way,                                                                                                  \
        .instruction = #way,                                                                                           \
        .only_forced = (why_only_forced),                                                                              \
        .supported = supports_##way,                                                                                   \
        .write_back = write_back_##way,                                                                                \
        .write_back_ranges = write_back_ranges_##way,                                                                  \
        .fence = fence_##way,                                                                                          \
        .copy = copy_##way,                                                                                            \
        .fill = fill_##way,                                                                                            \
    }

DEFINE_TABLE(dcbstps, NULL);
DEFINE_TABLE(dcbst, "main storage is not promised to be persistent");

#else
typedef int nv_ppc64_is_not_built;
#endif
