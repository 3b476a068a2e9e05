/* SPDX-License-Identifier: MIT */
/*
 * The types and macros that programs (winnt.h) and drivers (ntdef.h) have in common. Sources never include this header
 * themselves.
 */
#ifndef NVRTL_COMPAT_BASIC_H
#define NVRTL_COMPAT_BASIC_H

#include <stddef.h>
#include <string.h>

#include "nvrtl_language.h"
#include "sal.h"
#include <nvrtl/status.h>
#include <nvrtl/types.h>

#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef CONST
#define CONST const
#endif
#define UNALIGNED64
#define FORCEINLINE __forceinline
#define CFORCEINLINE __forceinline
#define NTSYSAPI
#define NTSYSCALLAPI
#define NTAPI_INLINE NTAPI
#define FASTCALL
#define RESTRICTED_POINTER
#define POINTER_32
#define POINTER_64

#define DECLSPEC_ALIGN(n) __attribute__((__aligned__(n)))
#define DECLSPEC_CACHEALIGN DECLSPEC_ALIGN(64)
#define DECLSPEC_EXPORT __attribute__((__visibility__("default")))
#define DECLSPEC_IMPORT
#define DECLSPEC_NOINLINE __attribute__((__noinline__))
#define DECLSPEC_NORETURN __attribute__((__noreturn__))
#define DECLSPEC_NOTHROW __attribute__((__nothrow__))
#define DECLSPEC_SELECTANY __attribute__((__weak__))

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define EXTERN_C_START extern "C" {
#define EXTERN_C_END }
#define C_ASSERT(e) static_assert(e, #e)
#else
#define EXTERN_C extern
#define EXTERN_C_START
#define EXTERN_C_END
#define C_ASSERT(e) _Static_assert(e, #e)
#endif

/* Integers of a given size. */
typedef int8_t INT8, *PINT8;
typedef int16_t INT16, *PINT16;
typedef int32_t INT32, *PINT32, LONG32, *PLONG32;
typedef LONGLONG INT64, *PINT64, LONG64, *PLONG64;
typedef uint8_t UINT8, *PUINT8;
typedef uint16_t UINT16, *PUINT16;
typedef uint32_t UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32, *PDWORD32;
typedef ULONGLONG UINT64, *PUINT64, ULONG64, *PULONG64, DWORD64, *PDWORD64;
typedef LONG_PTR INT_PTR, *PINT_PTR, *PLONG_PTR, SSIZE_T, *PSSIZE_T;
typedef ULONG_PTR UINT_PTR, *PUINT_PTR, DWORD_PTR, *PDWORD_PTR, *PULONG_PTR, *PSIZE_T, KAFFINITY;

/* Characters and strings. WCHAR is wchar_t, so that L"text" is a WCHAR array; libc's wide functions do not take it. */
typedef wchar_t *LPWCH, *PWCH, *NWPSTR, *LPWSTR;
typedef const wchar_t *LPCWCH, *PCWCH, *LPCWSTR, *PCWCHAR;
typedef CHAR *PCHAR, *LPCH, *PCH, *NPSTR, *LPSTR, *PSTR, *PSZ;
typedef const CHAR *LPCCH, *PCCH, *LPCSTR, *PCSTR, *PCSZ;

/* Pointers to, and further names of, the types of <nvrtl/types.h>. */
typedef UCHAR *PUCHAR;
typedef SHORT *PSHORT;
typedef USHORT *PUSHORT;
typedef LONG *PLONG;
typedef ULONG *PULONG, LOGICAL, *PLOGICAL;
typedef LONGLONG *PLONGLONG;
typedef ULONGLONG *PULONGLONG;
typedef BOOLEAN *PBOOLEAN;
typedef NTSTATUS *PNTSTATUS;
typedef const void *PCVOID;
typedef char CCHAR, *PCCHAR;

typedef union _ULARGE_INTEGER {
    __extension__ struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

/* Names of anonymous members: C11 and C++ have such members. */
#define DUMMYUNIONNAME
#define DUMMYSTRUCTNAME

/* Memory. The arguments are those of the C functions, but for RtlFillMemory, whose last two are the other way round. */
#define RtlCopyMemory(destination, source, length) memcpy((destination), (source), (length))
#define RtlMoveMemory(destination, source, length) memmove((destination), (source), (length))
#define RtlFillMemory(destination, length, fill) memset((destination), (fill), (length))
#define RtlZeroMemory(destination, length) memset((destination), 0, (length))
#define RtlEqualMemory(a, b, length) (!memcmp((a), (b), (length)))

/* How many bytes are equal from the start on. */
static inline SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
    const UCHAR *a = (const UCHAR *)Source1;
    const UCHAR *b = (const UCHAR *)Source2;
    SIZE_T same = 0;

    while (same < Length && a[same] == b[same]) {
        same++;
    }
    return same;
}

/* Zeroes that the compiler does not take away. */
static inline PVOID RtlSecureZeroMemory(PVOID Pointer, SIZE_T Size)
{
    memset(Pointer, 0, Size);
    __asm__ __volatile__("" : : "r"(Pointer) : "memory");
    return Pointer;
}

#define UNREFERENCED_PARAMETER(p) ((void)(p))
#define DBG_UNREFERENCED_PARAMETER(p) ((void)(p))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(v) ((void)(v))

#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define UFIELD_OFFSET(type, field) ((ULONG)offsetof(type, field))
#define CONTAINING_RECORD(address, type, field) ((type *)((PCHAR)(address)-offsetof(type, field)))
#define RTL_FIELD_SIZE(type, field) (sizeof(((type *)0)->field))
#define RTL_SIZEOF_THROUGH_FIELD(type, field) (offsetof(type, field) + RTL_FIELD_SIZE(type, field))
#define RTL_CONTAINS_FIELD(structure, size, field)                                                                     \
    (((PCHAR)(&(structure)->field) + sizeof((structure)->field)) <= ((PCHAR)(structure)) + (size))
#define RTL_NUMBER_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ARRAYSIZE(a) RTL_NUMBER_OF(a)
#define TYPE_ALIGNMENT(t) __alignof__(t)

#define ANYSIZE_ARRAY 1
#define MINCHAR 0x80
#define MAXCHAR 0x7f
#define MAXUCHAR 0xff
#define MINSHORT 0x8000
#define MAXSHORT 0x7fff
#define MAXUSHORT 0xffff
#define MINLONG 0x80000000
#define MAXLONG 0x7fffffff
#define MAXULONG 0xffffffff

/* An optional argument was given. */
#define ARGUMENT_PRESENT(p) ((p) != NULL)

#ifndef NT_SUCCESS
#define NT_SUCCESS(status) (((NTSTATUS)(status)) >= 0)
#endif
#ifndef NT_INFORMATION
#define NT_INFORMATION(status) ((((ULONG)(status)) >> 30) == 1)
#endif
#ifndef NT_WARNING
#define NT_WARNING(status) ((((ULONG)(status)) >> 30) == 2)
#endif
#ifndef NT_ERROR
#define NT_ERROR(status) ((((ULONG)(status)) >> 30) == 3)
#endif

#endif
