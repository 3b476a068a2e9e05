/* SPDX-License-Identifier: MIT */
/* Owns what NVRTL_FILTERS says. Called when a volume is used for the first time. */
#include "src/io/filters/configured.h"

#include <nvrtl/status.h>

NTSTATUS nv_configured_filters_start(void)
{
    return STATUS_SUCCESS;
}
