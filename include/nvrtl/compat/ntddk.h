/* SPDX-License-Identifier: MIT */
/* For sources in the style of a driver: what wdm.h has. */
#ifndef NVRTL_COMPAT_NTDDK_H
#define NVRTL_COMPAT_NTDDK_H

#include "wdm.h"

#endif
