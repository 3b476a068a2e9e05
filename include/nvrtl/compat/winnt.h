/* SPDX-License-Identifier: MIT */
/*
 * For programs: the basic types under their Windows names, and the non-volatile memory functions. Nothing of Win32 is
 * here (no CreateFile, no threads); a source that uses it in other places needs those places ported.
 */
#ifndef NVRTL_COMPAT_WINNT_H
#define NVRTL_COMPAT_WINNT_H

#include "nvrtl_basic.h"
#include <nvrtl/file.h>
#include <nvrtl/nvm.h>
#include <nvrtl/verifier.h>

typedef unsigned char BYTE, *PBYTE, *LPBYTE;
typedef uint16_t WORD, *PWORD, *LPWORD;
typedef ULONG DWORD, *PDWORD, *LPDWORD;
typedef ULONGLONG DWORDLONG, *PDWORDLONG;
typedef int BOOL, *PBOOL, *LPBOOL;
typedef int INT, *PINT, *LPINT;
typedef unsigned int UINT, *PUINT;
typedef float FLOAT, *PFLOAT;
typedef LONG HRESULT, *LPLONG;
typedef void *LPVOID;
typedef const void *LPCVOID;
typedef HANDLE *LPHANDLE;

#define WINAPI
#define WINAPIV
#define CALLBACK
#define APIENTRY
#define FAR
#define NEAR

#ifdef UNICODE
typedef WCHAR TCHAR, *PTCHAR;
typedef LPWSTR LPTSTR, PTSTR;
typedef LPCWSTR LPCTSTR, PCTSTR;
#define NVRTL_COMPAT_TEXT(quote) L##quote
#else
typedef CHAR TCHAR, *PTCHAR;
typedef LPSTR LPTSTR, PTSTR;
typedef LPCSTR LPCTSTR, PCTSTR;
#define NVRTL_COMPAT_TEXT(quote) quote
#endif
#define TEXT(quote) NVRTL_COMPAT_TEXT(quote)

#define DECLARE_HANDLE(name)                                                                                           \
    struct name##__ {                                                                                                  \
        int unused;                                                                                                    \
    };                                                                                                                 \
    typedef struct name##__ *name

#define INVALID_HANDLE_VALUE ((HANDLE)(LONG_PTR)-1)

#define CopyMemory RtlCopyMemory
#define MoveMemory RtlMoveMemory
#define FillMemory RtlFillMemory
#define ZeroMemory RtlZeroMemory
#define SecureZeroMemory RtlSecureZeroMemory

#define MAXBYTE 0xff
#define MAXWORD 0xffff
#define MAXDWORD 0xffffffff
#define MAKEWORD(low, high) ((WORD)(((BYTE)(low)) | ((WORD)((BYTE)(high))) << 8))
#define MAKELONG(low, high) ((LONG)(((WORD)(low)) | ((DWORD)((WORD)(high))) << 16))
#define LOWORD(l) ((WORD)((DWORD_PTR)(l)&0xffff))
#define HIWORD(l) ((WORD)((DWORD_PTR)(l) >> 16))
#define LOBYTE(w) ((BYTE)((DWORD_PTR)(w)&0xff))
#define HIBYTE(w) ((BYTE)((DWORD_PTR)(w) >> 8))

#if !defined(__cplusplus) && !defined(NOMINMAX)
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#endif

/* A property of a volume, as winnt.h has it: its files are mapped without a page cache. */
#define VOL_PROP_FL_DAX_VOLUME 0x00000001

#endif
