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
    &nv_cpu_dc_cvap,
#endif
    &nv_cpu_generic,
    NULL,
};

const struct nv_cpu *nv_cpu = &nv_cpu_generic;

static const struct nv_cpu *best(const char *name)
{
    for (const struct nv_cpu *const *entry = nv_cpu_list; *entry; entry++)
        if ((!name || strcmp((*entry)->name, name) == 0) && (*entry)->supported())
            return *entry;
    return NULL;
}

void nv_cpu_choose(void)
{
    const char *forced = nv_option(NV_OPTION_CPU);
    const struct nv_cpu *chosen = forced ? best(forced) : NULL;
    nv_cpu = chosen ? chosen : best(NULL);
}
