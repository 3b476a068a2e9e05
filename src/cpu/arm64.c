/* SPDX-License-Identifier: MIT */
/* Owns the table of ARMv8.2 and later: dc cvap cleans a line to the point of persistence. Chosen by choose.c. */
#include "src/cpu/cpu.h"
#include "src/cpu/ranges.h"

#if defined(__aarch64__)

#include <string.h>
#include <sys/auxv.h>

#ifndef HWCAP_DCPOP
#define HWCAP_DCPOP (1ul << 16)
#endif

static bool supported(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_DCPOP) != 0;
}

static size_t line_bytes(void)
{
    uint64_t type;
    __asm__("mrs %0, ctr_el0" : "=r"(type));
    return (size_t)4 << ((type >> 16) & 15);
}

static void write_back(const void *address, size_t size_bytes)
{
    size_t line = line_bytes();
    uintptr_t end = (uintptr_t)address + size_bytes;
    for (uintptr_t at = (uintptr_t)address & ~(line - 1); at < end; at += line)
        __asm__ volatile("sys #3, c7, c12, #1, %0" : : "r"(at) : "memory"); /* dc cvap, for assemblers before 8.2 */
}

static void write_back_ranges(const NV_MEMORY_RANGE *ranges, size_t count)
{
    struct nv_interval done = {0, 0};
    for (size_t i = 0; i < count; i++) {
        if (ranges[i].Length == 0)
            continue;
        struct nv_interval lines = nv_ranges_take(&done, nv_ranges_lines(&ranges[i]));
        if (lines.low < lines.high)
            write_back((const void *)lines.low, lines.high - lines.low);
    }
}

static void fence(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

static void copy(void *destination, const void *source, size_t size_bytes)
{
    memmove(destination, source, size_bytes);
    write_back(destination, size_bytes);
}

static void fill(void *destination, uint8_t value, size_t size_bytes)
{
    memset(destination, value, size_bytes);
    write_back(destination, size_bytes);
}

const struct nv_cpu nv_cpu_dc_cvap = {
    .name = "dc-cvap",
    .instruction = "dc-cvap",
    .supported = supported,
    .write_back = write_back,
    .write_back_ranges = write_back_ranges,
    .fence = fence,
    .copy = copy,
    .fill = fill,
};

#else
typedef int nv_arm64_is_not_built;
#endif
