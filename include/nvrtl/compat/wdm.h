/* SPDX-License-Identifier: MIT */
/*
 * For sources in the style of a driver: the NT types, the non-volatile memory functions, IRQLs and the debugging
 * macros. All of it runs in user mode, at PASSIVE_LEVEL. Driver and device objects come with the file plane.
 */
#ifndef NVRTL_COMPAT_WDM_H
#define NVRTL_COMPAT_WDM_H

#include "ntdef.h"
#include "ntstatus.h"
#include <nvrtl/filter.h>
#include <nvrtl/nvm.h>
#include <nvrtl/verifier.h>

/* As in a free build, unless DBG is set. */
#define PAGED_CODE() ((void)0)
#define PAGED_CODE_LOCKED() ((void)0)
#define KdPrint(arguments) ((void)0)
#define KdPrintEx(arguments) ((void)0)
#if defined(DBG) && DBG
#define NT_ASSERT(e) ((e) ? (void)0 : __builtin_trap())
#else
#define NT_ASSERT(e) ((void)sizeof(!(e)))
#endif
#ifndef ASSERT
#define ASSERT(e) NT_ASSERT(e)
#endif
#define NT_ASSERTMSG(message, e) NT_ASSERT(e)

#endif
