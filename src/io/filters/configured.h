/* SPDX-License-Identifier: MIT */
/* The filters that come with the library, as NVRTL_FILTERS wishes for them. */
#ifndef NV_IO_FILTERS_CONFIGURED_H
#define NV_IO_FILTERS_CONFIGURED_H

#include <nvrtl/types.h>

/*
 * Loads them, once. STATUS_INVALID_PARAMETER: the wish cannot be understood, or a file it names cannot be opened; so it
 * is at every call from then on.
 */
NTSTATUS nv_configured_filters_start(void);

#endif
