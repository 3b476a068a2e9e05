/* SPDX-License-Identifier: MIT */
/*
 * A persistent log as a driver would keep it: annotated, with NTSTATUS all the way, records named by UNICODE_STRING. A
 * record is made durable before the header that counts it.
 */
#include <ntddk.h>

#include "sources.h"

#define LOG_SIGNATURE 0x474f4c4eul
#define LOG_CAPACITY 16
#define LOG_NAME_CHARS 12

typedef struct DECLSPEC_ALIGN(64) _LOG_RECORD {
    ULONG NameLength;
    WCHAR Name[LOG_NAME_CHARS];
    LARGE_INTEGER Value;
    UCHAR Reserved[24];
} LOG_RECORD, *PLOG_RECORD;

typedef struct _LOG_AREA {
    ULONG Signature;
    volatile ULONG Count;
    DECLSPEC_ALIGN(64) LOG_RECORD Records[LOG_CAPACITY];
} LOG_AREA, *PLOG_AREA;

C_ASSERT(sizeof(LOG_RECORD) == 64);
C_ASSERT(FIELD_OFFSET(LOG_AREA, Records) == 64);

typedef struct _LOG_DEVICE {
    PVOID Token;
    _Guarded_by_(Token) PLOG_AREA Area;
    SIZE_T AreaBytes;
} LOG_DEVICE, *PLOG_DEVICE;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(PAGE, LogOpen)
#endif

_IRQL_requires_max_(APC_LEVEL) _Must_inspect_result_ NTSTATUS
    LogOpen(_Out_ PLOG_DEVICE Device, _Inout_updates_bytes_(AreaBytes) PVOID Area, _In_ SIZE_T AreaBytes);

_IRQL_requires_max_(DISPATCH_LEVEL) _Must_inspect_result_ NTSTATUS
    LogAppend(_Inout_ PLOG_DEVICE Device, _In_ PCUNICODE_STRING Name, _In_ __int64 Value, _Out_opt_ PULONG Index);

FORCEINLINE BOOLEAN LogpFits(_In_ PCUNICODE_STRING Name)
{
    return (BOOLEAN)(Name->Length <= LOG_NAME_CHARS * sizeof(WCHAR));
}

_Use_decl_annotations_ NTSTATUS LogOpen(PLOG_DEVICE Device, PVOID Area, SIZE_T AreaBytes)
{
    NTSTATUS Status;

    PAGED_CODE();

    RtlZeroMemory(Device, sizeof(*Device));
    if (AreaBytes < sizeof(LOG_AREA)) {
        return STATUS_INVALID_PARAMETER;
    }
    Status = RtlGetNonVolatileToken(Area, AreaBytes, &Device->Token);
    if (!NT_SUCCESS(Status)) {
        KdPrint(("no token: %08x\n", Status));
        return Status;
    }
    Device->Area = (PLOG_AREA)Area;
    Device->AreaBytes = AreaBytes;
    if (Device->Area->Signature == LOG_SIGNATURE) {
        return STATUS_SUCCESS;
    }
    Status = RtlFillNonVolatileMemory(Device->Token, Device->Area, sizeof(LOG_AREA), 0, FILL_NV_MEMORY_FLAG_PERSIST);
    if (NT_SUCCESS(Status)) {
        ULONG Signature = LOG_SIGNATURE;

        Status = RtlWriteNonVolatileMemory(Device->Token, &Device->Area->Signature, &Signature, sizeof(Signature),
                                           WRITE_NV_MEMORY_FLAG_FLUSH);
    }
    return Status;
}

_Use_decl_annotations_ NTSTATUS LogAppend(PLOG_DEVICE Device, PCUNICODE_STRING Name, __int64 Value, PULONG Index)
{
    PLOG_RECORD Record;
    NV_MEMORY_RANGE Ranges[2];
    NTSTATUS Status;

    NT_ASSERT(Device->Token != NULL);
    if (!LogpFits(Name)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (Device->Area->Count == RTL_NUMBER_OF(Device->Area->Records)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Record = &Device->Area->Records[Device->Area->Count];
    Record->NameLength = Name->Length;
    RtlCopyMemory(Record->Name, Name->Buffer, Name->Length);
    Record->Value.QuadPart = Value;

    Ranges[0].BaseAddress = Record->Name;
    Ranges[0].Length = sizeof(Record->Name);
    Ranges[1].BaseAddress = Record;
    Ranges[1].Length = sizeof(*Record);
    Status = RtlFlushNonVolatileMemoryRanges(Device->Token, Ranges, RTL_NUMBER_OF(Ranges), 0);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    if (ARGUMENT_PRESENT(Index)) {
        *Index = Device->Area->Count;
    }
    Device->Area->Count++;
    return RtlFlushNonVolatileMemory(Device->Token, (PVOID)&Device->Area->Count, sizeof(ULONG), 0);
}

/* Opens the log in View and appends two records. Returns the number of records in it, or -1. */
int LogDriverRun(PVOID View, size_t ViewBytes)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"first");
    LOG_DEVICE Device;
    ULONG Index = 0;

    if (!NT_SUCCESS(LogOpen(&Device, View, ViewBytes))) {
        return -1;
    }
    if (!NT_SUCCESS(LogAppend(&Device, &Name, 1, NULL))) {
        return -1;
    }
    RtlInitUnicodeString(&Name, L"second");
    if (Name.Length != 12 || Name.MaximumLength != 14 || !NT_SUCCESS(LogAppend(&Device, &Name, -2, &Index))) {
        return -1;
    }
    if (CONTAINING_RECORD(&Device.Area->Records[Index].Value, LOG_RECORD, Value)->Value.HighPart != -1 ||
        !RtlEqualMemory(Device.Area->Records[Index].Name, L"second", 12)) {
        return -1;
    }
    if (RtlFreeNonVolatileToken(Device.Token) != STATUS_SUCCESS) {
        return -1;
    }
    return (int)Index + 1;
}
