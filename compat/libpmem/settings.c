/* SPDX-License-Identifier: MIT */
/* Owns the settings, and the choice of the CPU's table that some of them make. Called by region.c's constructor. */
#include "compat/libpmem/settings.h"

#include "src/cpu/cpu.h"
#include "src/os/os.h"

#include <stdlib.h>
#include <string.h>

struct nv_pmem_settings nv_pmem_settings;

static bool is(enum nv_option option, const char *value)
{
    const char *text = nv_option(option);
    return text && strcmp(text, value) == 0;
}

/* Zero when it is not set, or no number. */
static uint64_t number(enum nv_option option, int base)
{
    const char *text = nv_option(option);
    return text && *text != '-' ? strtoull(text, NULL, base) : 0;
}

static void avoid_instructions(void)
{
    const char *avoided[3] = {NULL};
    size_t count = 0;
    if (is(NV_OPTION_PMEM_NO_CLWB, "1"))
        avoided[count++] = "clwb";
    if (is(NV_OPTION_PMEM_NO_CLFLUSHOPT, "1"))
        avoided[count++] = "clflushopt";
    if (count)
        nv_cpu_choose_without(avoided);
}

void nv_pmem_settings_read(void)
{
    nv_pmem_settings = (struct nv_pmem_settings){
        .never_flush = is(NV_OPTION_PMEM_NO_FLUSH, "1"),
        .always_flush = is(NV_OPTION_PMEM_NO_FLUSH, "0"),
        .no_movnt = is(NV_OPTION_PMEM_NO_MOVNT, "1"),
        .abort = is(NV_OPTION_PMEM_ABORT, "1"),
        .movnt_threshold = number(NV_OPTION_PMEM_MOVNT_THRESHOLD, 10),
        .hint = number(NV_OPTION_PMEM_MMAP_HINT, 16),
    };
    if (nv_pmem_settings.no_movnt)
        nv_pmem_settings.movnt_threshold = SIZE_MAX;
    avoid_instructions();
}

enum nv_pmem_force nv_pmem_force(void)
{
    if (is(NV_OPTION_PMEM_IS_PMEM_FORCE, "0"))
        return NV_PMEM_NEVER;
    return is(NV_OPTION_PMEM_IS_PMEM_FORCE, "1") ? NV_PMEM_ALWAYS : NV_PMEM_ASK;
}
