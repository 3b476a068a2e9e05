/* SPDX-License-Identifier: MIT */
/* The NT types that the interface is written in, with the sizes they have on 64-bit Windows. */
#ifndef NVRTL_TYPES_H
#define NVRTL_TYPES_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__LP64__)
#error "nvrtl is for 64-bit systems, as the interface is on Windows"
#endif

#ifdef __cplusplus
#define NVRTL_BEGIN extern "C" {
#define NVRTL_END }
#else
#define NVRTL_BEGIN
#define NVRTL_END
#endif

/* Marks what the shared library exports; everything else is hidden. */
#define NVRTL_API __attribute__((visibility("default")))

#ifndef NTAPI
#define NTAPI
#endif
#ifndef UNALIGNED
#define UNALIGNED
#endif
#ifndef VOID
#define VOID void
#endif

typedef int32_t NTSTATUS;
typedef void *PVOID;
typedef char CHAR;
typedef unsigned char UCHAR;
typedef unsigned char BOOLEAN;
typedef int16_t SHORT;
typedef uint16_t USHORT;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef uintptr_t ULONG_PTR;
typedef intptr_t LONG_PTR;
typedef ULONG_PTR SIZE_T;
typedef PVOID HANDLE, *PHANDLE;
typedef ULONG ACCESS_MASK, *PACCESS_MASK;

/* A UTF-16 code unit. wchar_t with -fshort-wchar, so that L"text" serves; else u"text" does. */
#if __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR, *PWCHAR, *PWSTR;
typedef const wchar_t *PCWSTR;
#elif defined(__cplusplus)
typedef char16_t WCHAR, *PWCHAR, *PWSTR;
typedef const char16_t *PCWSTR;
#else
typedef __CHAR16_TYPE__ WCHAR, *PWCHAR, *PWSTR;
typedef const __CHAR16_TYPE__ *PCWSTR;
#endif

typedef union _LARGE_INTEGER {
    __extension__ struct {
        ULONG LowPart;
        LONG HighPart;
    };
    struct {
        ULONG LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

#ifndef TRUE
#define TRUE 1
#define FALSE 0
#endif

#endif
