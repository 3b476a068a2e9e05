/* SPDX-License-Identifier: MIT */
/*
 * For sources in the style of a driver: the NT types, the non-volatile memory functions, IRQLs and the debugging
 * macros. All of it runs in user mode, at PASSIVE_LEVEL. Driver and device objects come with the file plane.
 */
#ifndef NVRTL_COMPAT_WDM_H
#define NVRTL_COMPAT_WDM_H

#include "ntdef.h"
#include "ntstatus.h"
#include <nvrtl/nvm.h>
#include <nvrtl/verifier.h>

typedef UCHAR KIRQL, *PKIRQL;

#define PASSIVE_LEVEL 0
#define LOW_LEVEL 0
#define APC_LEVEL 1
#define DISPATCH_LEVEL 2

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

/* The flush request, and its minor functions: one of them, not a mask. Not the numbers of FLUSH_FLAGS_*. */
#define IRP_MJ_FLUSH_BUFFERS 0x09
#define IRP_MN_FLUSH_AND_PURGE 0x01
#define IRP_MN_FLUSH_DATA_ONLY 0x02
#define IRP_MN_FLUSH_NO_SYNC 0x03
#define IRP_MN_FLUSH_DATA_SYNC_ONLY 0x04
#define SL_FORCE_ASYNCHRONOUS 0x01

#endif
