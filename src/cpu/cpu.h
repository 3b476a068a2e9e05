/* SPDX-License-Identifier: MIT */
/*
 * How this CPU makes stores durable: one const table for each way, one of them in force. The cpu-cache engine calls it.
 *
 * Nothing is durable before the fence. Lines are of 64 bytes for all callers; a table knows its CPU's own.
 */
#ifndef NV_CPU_H
#define NV_CPU_H

#include <nvrtl/nvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nv_cpu {
    const char *name;
    const char *instruction; /* that writes a line back */
    /* Why it is in force only when NVRTL_CPU names it; NULL: it may be chosen. */
    const char *only_forced;
    bool (*supported)(void);
    /* Begin to write the lines of the range back to memory. NULL: no instruction of this CPU can, at user level. */
    void (*write_back)(const void *address, size_t size_bytes);
    /* Likewise the lines of all ranges; none twice in a row, as far as that is cheap. NULL where write_back is. */
    void (*write_back_ranges)(const NV_MEMORY_RANGE *ranges, size_t count);
    /* Wait for the write-backs and non-temporal stores of this thread. */
    void (*fence)(void);
    /* Store and begin to write back, in one: no byte outside the range is written. The ranges of copy may overlap. */
    void (*copy)(void *destination, const void *source, size_t size_bytes);
    void (*fill)(void *destination, uint8_t value, size_t size_bytes);
};

/* The table in force. Written once, by nv_cpu_choose. */
extern const struct nv_cpu *nv_cpu;

/* Every table of this build, the best first; ends with NULL. */
extern const struct nv_cpu *const nv_cpu_list[];

/* Puts the best supported table in force, or the one that NVRTL_CPU names. Called while the library is loaded. */
void nv_cpu_choose(void);

/* Likewise, but none that writes lines back by one of these instructions. The list ends with NULL. */
void nv_cpu_choose_without(const char *const *instructions);

/* The tables, by CPU family. */
extern const struct nv_cpu nv_cpu_clwb_avx512_clzero;
extern const struct nv_cpu nv_cpu_clwb_avx512;
extern const struct nv_cpu nv_cpu_clwb_clzero;
extern const struct nv_cpu nv_cpu_clwb;
extern const struct nv_cpu nv_cpu_clflushopt;
extern const struct nv_cpu nv_cpu_clflush;
extern const struct nv_cpu nv_cpu_dc_cvap;
extern const struct nv_cpu nv_cpu_dc_cvap_zva;
extern const struct nv_cpu nv_cpu_dc_cvap_stnp;
extern const struct nv_cpu nv_cpu_dc_cvac;
extern const struct nv_cpu nv_cpu_dc_cvac_zva;
extern const struct nv_cpu nv_cpu_dc_cvac_stnp;
extern const struct nv_cpu nv_cpu_dcbstps;
extern const struct nv_cpu nv_cpu_dcbst;
extern const struct nv_cpu nv_cpu_generic;

#endif
