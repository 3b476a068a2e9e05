/* SPDX-License-Identifier: MIT */
/* Speaks to the Microsoft tools alone; sources for Windows include it. */
#ifndef NVRTL_COMPAT_SUPPRESS_H
#define NVRTL_COMPAT_SUPPRESS_H

#endif
