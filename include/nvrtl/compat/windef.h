/* SPDX-License-Identifier: MIT */
/* The names that programs for Windows use for the basic types (BYTE, DWORD, LPVOID). Drivers have no such names. */
#ifndef NVRTL_COMPAT_WINDEF_H
#define NVRTL_COMPAT_WINDEF_H

#include "winnt.h"

#endif
