/* SPDX-License-Identifier: MIT */
/* The Microsoft dialect, each point once: what the headers say they translate does what it says. */
#define UNICODE
#include <windef.h>

#include "sources.h"

static __declspec(thread) int t_counter;
static __declspec(align(64)) BYTE g_buffer[64];
static const TCHAR g_text[] = TEXT("wide");

static __declspec(noinline) int __cdecl NoInline(int n)
{
    return n + 1;
}

FORCEINLINE int Bare(int n)
{
    return n + 1;
}

static FORCEINLINE int WithStatic(int n)
{
    return Bare(n);
}

static __forceinline BOOL IsAligned(_In_ const VOID *p, _In_ SIZE_T n)
{
    return ((ULONG_PTR)p % n) == 0;
}

typedef int(CALLBACK *STEP)(int);

_Check_return_ _Ret_range_(0, 1) static int WINAPI Unaligned(void)
{
    DWORD dwIn = 0x12345678, dwOut = 0;
    BYTE ab[8];

    RtlCopyMemory((VOID UNALIGNED *)(ab + 1), &dwIn, sizeof(dwIn));
    RtlMoveMemory(ab + 2, ab + 1, sizeof(dwIn));
    RtlCopyMemory(&dwOut, ab + 2, sizeof(dwOut));
    return dwOut == dwIn;
}

/* Returns 0, or the number of the first point that does not hold. */
int LanguageRun(int nArgument)
{
    unsigned __int64 ull = ~(unsigned __int64)0;
    STEP pfnStep = NoInline;
    BYTE ab[16];
    ULARGE_INTEGER uli;

    UNREFERENCED_PARAMETER(nArgument);
    t_counter++;
    uli.QuadPart = ull - 1;
    RtlFillMemory(ab, sizeof(ab), 0xa5);
    RtlSecureZeroMemory(ab + 8, 8);
    if (ull >> 63 != 1 || sizeof(__int16) != 2) {
        return 1;
    }
    if (!IsAligned(g_buffer, 64)) {
        return 2;
    }
    if (sizeof(g_text) != 5 * sizeof(WCHAR) || g_text[1] != L'i') {
        return 3;
    }
    if (WithStatic(1) != 2 || pfnStep(1) != 2) {
        return 4;
    }
    if (ab[7] != 0xa5 || ab[8] != 0 || RtlCompareMemory(ab, ab + 1, 15) != 7) {
        return 5;
    }
    if (uli.LowPart != 0xfffffffe || uli.HighPart != MAXDWORD || HIWORD(uli.LowPart) != 0xffff) {
        return 6;
    }
    if (!Unaligned()) {
        return 7;
    }
#ifndef __cplusplus
    if (min(1, 2) != 1 || max(1, 2) != 2) {
        return 8;
    }
#endif
    return t_counter == 1 ? 0 : 9;
}
