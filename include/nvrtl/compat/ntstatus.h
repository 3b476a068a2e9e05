/* SPDX-License-Identifier: MIT */
/* The status codes, under the name that sources for Windows include. */
#ifndef NVRTL_COMPAT_NTSTATUS_H
#define NVRTL_COMPAT_NTSTATUS_H

#include "nvrtl_basic.h"
#include <nvrtl/status.h>

#endif
