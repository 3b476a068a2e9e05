/* SPDX-License-Identifier: MIT */
/*
 * Owns the names of the environment options. Called by whatever an option changes, once, while the library is loaded.
 */
#include "src/os/os.h"

static const char *const names[NV_OPTION_COUNT] = {
    [NV_OPTION_DOMAIN] = "NVRTL_DOMAIN",     [NV_OPTION_CPU] = "NVRTL_CPU",
    [NV_OPTION_VERIFIER] = "NVRTL_VERIFIER", [NV_OPTION_VERIFIER_PATH] = "NVRTL_VERIFIER_PATH",
    [NV_OPTION_DRIVES] = "NVRTL_DRIVES",
};

const char *nv_option(enum nv_option option)
{
    return nv_os->environment(names[option]);
}
