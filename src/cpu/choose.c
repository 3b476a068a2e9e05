/* SPDX-License-Identifier: MIT */
/*
 * Owns the order of the CPU tables and the choice among them. Called by the library's constructor (not by an ifunc
 * resolver: those run before AddressSanitizer does).
 */
#include "src/cpu/cpu.h"

#include "src/os/os.h"

#include <string.h>

const struct nv_cpu *const nv_cpu_list[] = {
#if defined(__x86_64__)
    /* clwb leaves the line in the cache; clflushopt evicts it; clflush waits for each */
    &nv_cpu_clwb_avx512_clzero,
    &nv_cpu_clwb_avx512,
    &nv_cpu_clwb_clzero,
    &nv_cpu_clwb,
    &nv_cpu_clflushopt,
    &nv_cpu_clflush,
#elif defined(__aarch64__)
    &nv_cpu_dc_cvap,      &nv_cpu_dc_cvap_zva,
    &nv_cpu_dc_cvap_stnp, &nv_cpu_dc_cvac,
    &nv_cpu_dc_cvac_zva,  &nv_cpu_dc_cvac_stnp,
#elif defined(__powerpc64__)
    &nv_cpu_dcbstps,
    &nv_cpu_dcbst,
#endif
    &nv_cpu_generic,
    NULL,
};

const struct nv_cpu *nv_cpu = &nv_cpu_generic;

static bool has(const char *const *list, const char *text)
{
    while (*list && strcmp(*list, text) != 0)
        list++;
    return *list != NULL;
}

static bool is_meant(const struct nv_cpu *cpu, const char *name, const char *const *without)
{
    return (name ? strcmp(cpu->name, name) == 0 : !cpu->only_forced) && !has(without, cpu->instruction);
}

/* The first that is supported, of those with the name, or, without a name, of those that may be chosen. */
static const struct nv_cpu *best(const char *name, const char *const *without)
{
    for (const struct nv_cpu *const *entry = nv_cpu_list; *entry; entry++)
        if (is_meant(*entry, name, without) && (*entry)->supported())
            return *entry;
    return NULL;
}

void nv_cpu_choose_without(const char *const *instructions)
{
    const char *forced = nv_option(NV_OPTION_CPU);
    const struct nv_cpu *chosen = forced ? best(forced, instructions) : NULL;
    nv_cpu = chosen ? chosen : best(NULL, instructions);
}

void nv_cpu_choose(void)
{
    nv_cpu_choose_without((const char *const[]){NULL});
}
