/* SPDX-License-Identifier: MIT */
/*
 * What the Microsoft compiler knows and GCC and Clang do not: keywords, calling conventions, __declspec. Included by
 * every header of this folder; sources never include it themselves.
 */
#ifndef NVRTL_COMPAT_LANGUAGE_H
#define NVRTL_COMPAT_LANGUAGE_H

#if __SIZEOF_WCHAR_T__ != 2
#error "compile with $(pkg-config --cflags nvrtl-compat): these headers need -fshort-wchar, since a WCHAR has 2 bytes"
#endif

/*
 * Sized integers. __int64 is long, not long long, so that it is the type of LONGLONG here too. C++'s own headers may
 * say "long long" next to it; the two have the same size, but printf tells them apart.
 */
#ifndef __int64
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long
#endif

/* Calling conventions and pointer modes: there is one of each on 64-bit Linux. */
#undef __cdecl
#undef __stdcall
#undef __fastcall
#undef __vectorcall
#define __cdecl
#define __stdcall
#define __fastcall
#define __vectorcall
#define __ptr32
#define __ptr64
#define __unaligned
#define __w64
#define _cdecl
#define _stdcall

#define __noop(...) ((void)0)
#define __assume(e) ((void)0)
#define __pragma(x)
#define __debugbreak() __builtin_trap()

/*
 * Inline always. No `static` is part of it, since sources write it both with and without; so (in C) the address of a
 * function that is only FORCEINLINE cannot be taken: the linker says so.
 */
#ifndef __forceinline
#define __forceinline __inline__ __attribute__((__always_inline__))
#endif

/*
 * __declspec(x) becomes NVRTL_DECLSPEC_x. What changes the program (align, thread, noreturn) is translated, what speaks
 * to the Microsoft tools is swallowed; an unknown one is an error that names it, never a silently different layout.
 */
#undef __declspec
#define __declspec(x) NVRTL_DECLSPEC_##x
#define NVRTL_DECLSPEC_align(n) __attribute__((__aligned__(n)))
#define NVRTL_DECLSPEC_allocate(s)
#define NVRTL_DECLSPEC_allocator
#define NVRTL_DECLSPEC_code_seg(s)
#define NVRTL_DECLSPEC_deprecated __attribute__((__deprecated__))
#define NVRTL_DECLSPEC_dllexport __attribute__((__visibility__("default")))
#define NVRTL_DECLSPEC_dllimport
#define NVRTL_DECLSPEC_empty_bases
#define NVRTL_DECLSPEC_guard(x)
#define NVRTL_DECLSPEC_naked __attribute__((__naked__))
#define NVRTL_DECLSPEC_no_sanitize_address __attribute__((__no_sanitize_address__))
#define NVRTL_DECLSPEC_noalias
#define NVRTL_DECLSPEC_noinline __attribute__((__noinline__))
#define NVRTL_DECLSPEC_noreturn __attribute__((__noreturn__))
#define NVRTL_DECLSPEC_nothrow __attribute__((__nothrow__))
#define NVRTL_DECLSPEC_novtable
#define NVRTL_DECLSPEC_restrict __attribute__((__malloc__))
#define NVRTL_DECLSPEC_safebuffers
#define NVRTL_DECLSPEC_selectany __attribute__((__weak__))
#define NVRTL_DECLSPEC_spectre(x)
#define NVRTL_DECLSPEC_thread __thread
#define NVRTL_DECLSPEC_uuid(x)

#endif
