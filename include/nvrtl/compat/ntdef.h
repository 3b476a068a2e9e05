/* SPDX-License-Identifier: MIT */
/* The types of the NT interface itself: those of <nvrtl/file.h>, and counted strings of bytes. */
#ifndef NVRTL_COMPAT_NTDEF_H
#define NVRTL_COMPAT_NTDEF_H

#include "nvrtl_basic.h"
#include <nvrtl/file.h>

#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif

typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING;

#define UNICODE_NULL ((WCHAR)0)

#ifdef __cplusplus
/* A literal is const in C++, and Buffer is not. */
extern "C++" {
static inline PWSTR NvrtlCompatBuffer(PCWSTR text)
{
    return const_cast<PWSTR>(text);
}
static inline PSTR NvrtlCompatBuffer(PCSTR text)
{
    return const_cast<PSTR>(text);
}
}
#else
#define NvrtlCompatBuffer(text) ((PVOID)(text))
#endif

/* Initialises a UNICODE_STRING or an ANSI_STRING from a literal. */
#define RTL_CONSTANT_STRING(s)                                                                                         \
    {                                                                                                                  \
        sizeof(s) - sizeof((s)[0]), sizeof(s), NvrtlCompatBuffer(s)                                                    \
    }

#endif
