/* SPDX-License-Identifier: MIT */
/* Speaks to the Microsoft tools alone; sources for Windows include it. */
#ifndef NVRTL_COMPAT_DONTUSE_H
#define NVRTL_COMPAT_DONTUSE_H

#endif
