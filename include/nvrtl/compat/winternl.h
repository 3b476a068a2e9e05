/* SPDX-License-Identifier: MIT */
/* For programs that use the NT interface from user mode: the names of winnt.h and the types of ntdef.h together. */
#ifndef NVRTL_COMPAT_WINTERNL_H
#define NVRTL_COMPAT_WINTERNL_H

#include "ntdef.h"
#include "winnt.h"

#endif
