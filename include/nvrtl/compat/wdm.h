/* SPDX-License-Identifier: MIT */
/*
 * For sources in the style of a driver: the NT types, the non-volatile memory functions, IRPs, devices and drivers,
 * events, locks and pools, and the macros of a driver's source. All of it runs in user mode, at PASSIVE_LEVEL.
 */
#ifndef NVRTL_COMPAT_WDM_H
#define NVRTL_COMPAT_WDM_H

#include "ntdef.h"
#include "ntstatus.h"
#include "nvrtl_fast_io.h"
#include "nvrtl_interlocked.h"
#include <nvrtl/filter.h>
#include <nvrtl/nvm.h>
#include <nvrtl/verifier.h>

#define NTKERNELAPI
#define NTHALAPI
#define POINTER_ALIGNMENT

#define PAGE_SIZE 0x1000
#define PAGE_SHIFT 12
#define ROUND_TO_SIZE(length, alignment) (((ULONG_PTR)(length) + (alignment)-1) & ~((ULONG_PTR)(alignment)-1))
#define ROUND_TO_PAGES(size) ROUND_TO_SIZE((size), PAGE_SIZE)

#if !defined(__cplusplus) && !defined(NOMINMAX)
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#endif

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
#define ASSERTMSG(message, e) NT_ASSERT(e)
#define NT_ASSERTMSG(message, e) NT_ASSERT(e)
#define NT_VERIFY(e) ((e) ? TRUE : FALSE)

/* For DbgPrintEx. */
#define DPFLTR_FLTMGR_ID 75
#define DPFLTR_IHVDRIVER_ID 77
#define DPFLTR_ERROR_LEVEL 0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL 2
#define DPFLTR_INFO_LEVEL 3

/* Memory may not be executed here anyway. */
#define DrvRtPoolNxOptIn 1
#define ExInitializeDriverRuntime(flags) ((void)(flags))

/* Strings that the compiler makes. */
#define DECLARE_CONST_UNICODE_STRING(name, text)                                                                       \
    static const WCHAR name##_buffer[] = text;                                                                         \
    static const UNICODE_STRING name = RTL_CONSTANT_STRING(name##_buffer)
#define DECLARE_UNICODE_STRING_SIZE(name, characters)                                                                  \
    WCHAR name##_buffer[characters];                                                                                   \
    UNICODE_STRING name = {0, (characters) * sizeof(WCHAR), name##_buffer}

#endif
