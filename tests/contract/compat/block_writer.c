/* SPDX-License-Identifier: MIT */
/*
 * The write path of a disk benchmark as it is written for Windows: one token over the whole mapped file, then for each
 * block a copy and a flush of it, drained or not. Only the harness (harness.c) knows that this is Linux.
 */
#define WIN32_NO_STATUS
#include <windef.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>

#include "sources.h"

#pragma warning(push)
#pragma warning(disable : 4100 4201)

typedef enum _FlushMode { FlushModeDrain, FlushModeNoDrain } FlushMode;

typedef struct _Target {
    PVOID pvToken;
    PBYTE pbView;
    UINT64 ullFileSize;
    DWORD dwBlockSize;
    FlushMode flushMode;
} Target, *PTarget;

C_ASSERT(FIELD_OFFSET(Target, ullFileSize) == 16);

static BOOL WINAPI OpenTarget(_Out_ PTarget pTarget, _In_reads_bytes_(cbView) LPVOID pvView, _In_ DWORD64 cbView,
                              _In_ DWORD dwBlockSize, _In_ FlushMode flushMode)
{
    NTSTATUS status;

    RtlZeroMemory(pTarget, sizeof(*pTarget));
    pTarget->pbView = (PBYTE)pvView;
    pTarget->ullFileSize = cbView;
    pTarget->dwBlockSize = dwBlockSize;
    pTarget->flushMode = flushMode;
    status = (NTSTATUS)RtlGetNonVolatileToken(pvView, (SIZE_T)cbView, &pTarget->pvToken);
    return NT_SUCCESS(status) ? TRUE : FALSE;
}

_Success_(return != FALSE) static BOOL WriteBlock(_Inout_ PTarget pTarget, _In_ LARGE_INTEGER liOffset,
                                                  _In_reads_bytes_(pTarget->dwBlockSize) LPCVOID pvBuffer)
{
    PBYTE pbBlock = pTarget->pbView + liOffset.QuadPart;
    ULONG ulFlags = (pTarget->flushMode == FlushModeNoDrain) ? FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN : 0;

    if (liOffset.HighPart < 0 || (ULONGLONG)liOffset.QuadPart + pTarget->dwBlockSize > pTarget->ullFileSize) {
        return FALSE;
    }
    RtlCopyMemory(pbBlock, pvBuffer, pTarget->dwBlockSize);
    return RtlFlushNonVolatileMemory(pTarget->pvToken, pbBlock, pTarget->dwBlockSize, ulFlags) == STATUS_SUCCESS;
}

/* Writes every block of the view, last one first. Returns how many were written. */
int WINAPI BlockWriterRun(LPVOID pvView, size_t cbView, int fNoDrain)
{
    BYTE abBuffer[4096];
    Target target;
    LARGE_INTEGER liOffset;
    int nWritten = 0;

    if (!OpenTarget(&target, pvView, (DWORD64)cbView, sizeof(abBuffer), fNoDrain ? FlushModeNoDrain : FlushModeDrain)) {
        return -1;
    }
    for (liOffset.QuadPart = (LONGLONG)(cbView - sizeof(abBuffer)); liOffset.QuadPart >= 0;
         liOffset.QuadPart -= (LONGLONG)sizeof(abBuffer)) {
        RtlFillMemory(abBuffer, sizeof(abBuffer), LOBYTE(liOffset.LowPart / sizeof(abBuffer)));
        if (WriteBlock(&target, liOffset, abBuffer)) {
            nWritten++;
        }
    }
    if (fNoDrain && RtlDrainNonVolatileFlush(target.pvToken) != STATUS_SUCCESS) {
        nWritten = -1;
    }
    if (RtlFreeNonVolatileToken(target.pvToken) != STATUS_SUCCESS) {
        nWritten = -1;
    }
    return nWritten;
}

#pragma warning(pop)
