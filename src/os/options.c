/* SPDX-License-Identifier: MIT */
/*
 * Owns the names of the environment options. Called by whatever an option changes, when the library is loaded.
 */
#include "src/os/os.h"

static const char *const names[NV_OPTION_COUNT] = {
    [NV_OPTION_DOMAIN] = "NVRTL_DOMAIN",
    [NV_OPTION_CPU] = "NVRTL_CPU",
    [NV_OPTION_VERIFIER] = "NVRTL_VERIFIER",
    [NV_OPTION_VERIFIER_PATH] = "NVRTL_VERIFIER_PATH",
    [NV_OPTION_FILTERS] = "NVRTL_FILTERS",
    [NV_OPTION_DRIVES] = "NVRTL_DRIVES",
    [NV_OPTION_PMEM_IS_PMEM_FORCE] = "PMEM_IS_PMEM_FORCE",
    [NV_OPTION_PMEM_NO_FLUSH] = "PMEM_NO_FLUSH",
    [NV_OPTION_PMEM_NO_CLWB] = "PMEM_NO_CLWB",
    [NV_OPTION_PMEM_NO_CLFLUSHOPT] = "PMEM_NO_CLFLUSHOPT",
    [NV_OPTION_PMEM_NO_MOVNT] = "PMEM_NO_MOVNT",
    [NV_OPTION_PMEM_MOVNT_THRESHOLD] = "PMEM_MOVNT_THRESHOLD",
    [NV_OPTION_PMEM_MMAP_HINT] = "PMEM_MMAP_HINT",
    [NV_OPTION_PMEM_ABORT] = "NVRTL_PMEM_ABORT",
};

const char *nv_option(enum nv_option option)
{
    return nv_os->environment(names[option]);
}
