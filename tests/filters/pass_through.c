/* SPDX-License-Identifier: MIT */
/*
 * A minifilter that lets every request pass, and counts flushes for each instance, written as one would for Windows.
 * Compiled unchanged against the headers for Windows sources; run by harness.c on real files.
 */
#include <dontuse.h>
#include <fltkernel.h>
#include <suppress.h>

#pragma prefast(disable : __WARNING_ENCODE_MEMBER_FUNCTION_POINTER, "Not valid for kernel mode drivers")

#define PASS_TAG 'ssaP'

typedef struct _PASS_INSTANCE_CONTEXT {
    PFLT_INSTANCE Instance;
    volatile LONG Flushes;
    volatile LONG Failures;
} PASS_INSTANCE_CONTEXT, *PPASS_INSTANCE_CONTEXT;

typedef struct _PASS_HANDLE_CONTEXT {
    FAST_MUTEX Lock;
    _Guarded_by_(Lock) ULONG Writes;
    UNICODE_STRING FinalComponent;
    WCHAR Buffer[64];
} PASS_HANDLE_CONTEXT, *PPASS_HANDLE_CONTEXT;

PFLT_FILTER PassFilterHandle = NULL;

/* What the harness looks at when the filter is gone. */
volatile LONG PassFlushesSeen = 0;
volatile LONG PassHandlesSeen = 0;
volatile LONG PassWritesSeen = 0;

EXTERN_C_START

DRIVER_INITIALIZE DriverEntry;

NTSTATUS FLTAPI PassInstanceSetup(_In_ PCFLT_RELATED_OBJECTS FltObjects, _In_ FLT_INSTANCE_SETUP_FLAGS Flags,
                                  _In_ DEVICE_TYPE VolumeDeviceType, _In_ FLT_FILESYSTEM_TYPE VolumeFilesystemType);

NTSTATUS FLTAPI PassInstanceQueryTeardown(_In_ PCFLT_RELATED_OBJECTS FltObjects,
                                          _In_ FLT_INSTANCE_QUERY_TEARDOWN_FLAGS Flags);

VOID FLTAPI PassInstanceTeardownStart(_In_ PCFLT_RELATED_OBJECTS FltObjects, _In_ FLT_INSTANCE_TEARDOWN_FLAGS Flags);

VOID FLTAPI PassInstanceTeardownComplete(_In_ PCFLT_RELATED_OBJECTS FltObjects, _In_ FLT_INSTANCE_TEARDOWN_FLAGS Flags);

NTSTATUS FLTAPI PassUnload(_In_ FLT_FILTER_UNLOAD_FLAGS Flags);

VOID FLTAPI PassContextCleanup(_In_ PFLT_CONTEXT Context, _In_ FLT_CONTEXT_TYPE ContextType);

FLT_POSTOP_CALLBACK_STATUS FLTAPI PassPostCreate(_Inout_ PFLT_CALLBACK_DATA Data, _In_ PCFLT_RELATED_OBJECTS FltObjects,
                                                 _In_opt_ PVOID CompletionContext, _In_ FLT_POST_OPERATION_FLAGS Flags);

FLT_PREOP_CALLBACK_STATUS FLTAPI PassPreOperation(_Inout_ PFLT_CALLBACK_DATA Data,
                                                  _In_ PCFLT_RELATED_OBJECTS FltObjects,
                                                  _Flt_CompletionContext_Outptr_ PVOID *CompletionContext);

FLT_POSTOP_CALLBACK_STATUS FLTAPI PassPostOperation(_Inout_ PFLT_CALLBACK_DATA Data,
                                                    _In_ PCFLT_RELATED_OBJECTS FltObjects,
                                                    _In_opt_ PVOID CompletionContext,
                                                    _In_ FLT_POST_OPERATION_FLAGS Flags);

FLT_PREOP_CALLBACK_STATUS FLTAPI PassPreOperationNoPost(_Inout_ PFLT_CALLBACK_DATA Data,
                                                        _In_ PCFLT_RELATED_OBJECTS FltObjects,
                                                        _Flt_CompletionContext_Outptr_ PVOID *CompletionContext);

EXTERN_C_END

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, PassUnload)
#pragma alloc_text(PAGE, PassInstanceSetup)
#pragma alloc_text(PAGE, PassInstanceQueryTeardown)
#pragma alloc_text(PAGE, PassInstanceTeardownStart)
#pragma alloc_text(PAGE, PassInstanceTeardownComplete)
#endif

CONST FLT_CONTEXT_REGISTRATION PassContexts[] = {

    {FLT_INSTANCE_CONTEXT, 0, PassContextCleanup, sizeof(PASS_INSTANCE_CONTEXT), PASS_TAG},

    {FLT_STREAMHANDLE_CONTEXT, 0, PassContextCleanup, sizeof(PASS_HANDLE_CONTEXT), PASS_TAG},

    {FLT_CONTEXT_END}};

CONST FLT_OPERATION_REGISTRATION PassCallbacks[] = {

    {IRP_MJ_CREATE, 0, NULL, PassPostCreate},
    {IRP_MJ_CREATE_NAMED_PIPE, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_CLOSE, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_READ, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_WRITE, FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO, PassPreOperation, PassPostOperation},
    {IRP_MJ_QUERY_INFORMATION, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_SET_INFORMATION, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_FLUSH_BUFFERS, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_QUERY_VOLUME_INFORMATION, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_DIRECTORY_CONTROL, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_SHUTDOWN, 0, PassPreOperationNoPost, NULL},
    {IRP_MJ_CLEANUP, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_NETWORK_QUERY_OPEN, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_MDL_READ, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_VOLUME_MOUNT, 0, PassPreOperation, PassPostOperation},
    {IRP_MJ_VOLUME_DISMOUNT, 0, PassPreOperation, PassPostOperation},

    {IRP_MJ_OPERATION_END}};

CONST FLT_REGISTRATION PassRegistration = {

    sizeof(FLT_REGISTRATION),
    FLT_REGISTRATION_VERSION,
    0,

    PassContexts,
    PassCallbacks,

    PassUnload,

    PassInstanceSetup,
    PassInstanceQueryTeardown,
    PassInstanceTeardownStart,
    PassInstanceTeardownComplete,

    NULL,
    NULL,
    NULL};

_Use_decl_annotations_ NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);

    ExInitializeDriverRuntime(DrvRtPoolNxOptIn);
    KdPrintEx((DPFLTR_IHVDRIVER_ID, DPFLTR_TRACE_LEVEL, "PassThrough!DriverEntry\n"));

    Status = FltRegisterFilter(DriverObject, &PassRegistration, &PassFilterHandle);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = FltStartFiltering(PassFilterHandle);
    if (!NT_SUCCESS(Status)) {
        FltUnregisterFilter(PassFilterHandle);
    }
    return Status;
}

_Use_decl_annotations_ NTSTATUS FLTAPI PassUnload(FLT_FILTER_UNLOAD_FLAGS Flags)
{
    PAGED_CODE();

    UNREFERENCED_PARAMETER(Flags);

    FltUnregisterFilter(PassFilterHandle);
    return STATUS_SUCCESS;
}

_Use_decl_annotations_ VOID FLTAPI PassContextCleanup(PFLT_CONTEXT Context, FLT_CONTEXT_TYPE ContextType)
{
    switch (ContextType) {
    case FLT_INSTANCE_CONTEXT:
        InterlockedExchangeAdd(&PassFlushesSeen, ((PPASS_INSTANCE_CONTEXT)Context)->Flushes);
        break;
    case FLT_STREAMHANDLE_CONTEXT:
        InterlockedIncrement(&PassHandlesSeen);
        InterlockedExchangeAdd(&PassWritesSeen, (LONG)((PPASS_HANDLE_CONTEXT)Context)->Writes);
        break;
    default:
        NT_ASSERT(FALSE);
    }
}

_Use_decl_annotations_ NTSTATUS FLTAPI PassInstanceSetup(PCFLT_RELATED_OBJECTS FltObjects,
                                                         FLT_INSTANCE_SETUP_FLAGS Flags, DEVICE_TYPE VolumeDeviceType,
                                                         FLT_FILESYSTEM_TYPE VolumeFilesystemType)
{
    PPASS_INSTANCE_CONTEXT Context;
    NTSTATUS Status;

    PAGED_CODE();

    UNREFERENCED_PARAMETER(Flags);
    UNREFERENCED_PARAMETER(VolumeFilesystemType);

    FLT_ASSERT(FltObjects->Filter == PassFilterHandle);
    if (VolumeDeviceType == FILE_DEVICE_NETWORK_FILE_SYSTEM) {
        return STATUS_FLT_DO_NOT_ATTACH;
    }
    Status = FltAllocateContext(FltObjects->Filter, FLT_INSTANCE_CONTEXT, sizeof(PASS_INSTANCE_CONTEXT), NonPagedPoolNx,
                                (PFLT_CONTEXT *)&Context);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    RtlZeroMemory(Context, sizeof(PASS_INSTANCE_CONTEXT));
    Context->Instance = FltObjects->Instance;
    Status = FltSetInstanceContext(FltObjects->Instance, FLT_SET_CONTEXT_KEEP_IF_EXISTS, Context, NULL);
    FltReleaseContext(Context);
    return Status;
}

_Use_decl_annotations_ NTSTATUS FLTAPI PassInstanceQueryTeardown(PCFLT_RELATED_OBJECTS FltObjects,
                                                                 FLT_INSTANCE_QUERY_TEARDOWN_FLAGS Flags)
{
    PAGED_CODE();

    UNREFERENCED_PARAMETER(FltObjects);
    UNREFERENCED_PARAMETER(Flags);
    return STATUS_SUCCESS;
}

_Use_decl_annotations_ VOID FLTAPI PassInstanceTeardownStart(PCFLT_RELATED_OBJECTS FltObjects,
                                                             FLT_INSTANCE_TEARDOWN_FLAGS Flags)
{
    PAGED_CODE();

    UNREFERENCED_PARAMETER(FltObjects);
    UNREFERENCED_PARAMETER(Flags);
}

_Use_decl_annotations_ VOID FLTAPI PassInstanceTeardownComplete(PCFLT_RELATED_OBJECTS FltObjects,
                                                                FLT_INSTANCE_TEARDOWN_FLAGS Flags)
{
    PAGED_CODE();

    UNREFERENCED_PARAMETER(FltObjects);
    UNREFERENCED_PARAMETER(Flags);
}

/* Each open file gets a context with the last part of its name. */
_Use_decl_annotations_ FLT_POSTOP_CALLBACK_STATUS FLTAPI PassPostCreate(PFLT_CALLBACK_DATA Data,
                                                                        PCFLT_RELATED_OBJECTS FltObjects,
                                                                        PVOID CompletionContext,
                                                                        FLT_POST_OPERATION_FLAGS Flags)
{
    PFLT_FILE_NAME_INFORMATION NameInfo;
    PPASS_HANDLE_CONTEXT Context;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(CompletionContext);

    if (!NT_SUCCESS(Data->IoStatus.Status) || Data->IoStatus.Status == STATUS_REPARSE ||
        FlagOn(Flags, FLTFL_POST_OPERATION_DRAINING)) {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    Status = FltAllocateContext(FltObjects->Filter, FLT_STREAMHANDLE_CONTEXT, sizeof(PASS_HANDLE_CONTEXT),
                                NonPagedPoolNx, (PFLT_CONTEXT *)&Context);
    if (!NT_SUCCESS(Status)) {
        return FLT_POSTOP_FINISHED_PROCESSING;
    }
    ExInitializeFastMutex(&Context->Lock);
    Context->Writes = 0;
    RtlInitEmptyUnicodeString(&Context->FinalComponent, Context->Buffer, sizeof(Context->Buffer));

    Status = FltGetFileNameInformation(Data, FLT_FILE_NAME_NORMALIZED | FLT_FILE_NAME_QUERY_DEFAULT, &NameInfo);
    if (NT_SUCCESS(Status)) {
        Status = FltParseFileNameInformation(NameInfo);
        if (NT_SUCCESS(Status)) {
            RtlCopyUnicodeString(&Context->FinalComponent, &NameInfo->FinalComponent);
        }
        FltReleaseFileNameInformation(NameInfo);
    }
    (VOID) FltSetStreamHandleContext(FltObjects->Instance, FltObjects->FileObject, FLT_SET_CONTEXT_KEEP_IF_EXISTS,
                                     Context, NULL);
    FltReleaseContext(Context);
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static VOID PassCountWrite(_In_ PCFLT_RELATED_OBJECTS FltObjects)
{
    PPASS_HANDLE_CONTEXT Context;

    if (!NT_SUCCESS(
            FltGetStreamHandleContext(FltObjects->Instance, FltObjects->FileObject, (PFLT_CONTEXT *)&Context))) {
        return;
    }
    ExAcquireFastMutex(&Context->Lock);
    Context->Writes++;
    ExReleaseFastMutex(&Context->Lock);
    FltReleaseContext(Context);
}

_Use_decl_annotations_ FLT_PREOP_CALLBACK_STATUS FLTAPI PassPreOperation(PFLT_CALLBACK_DATA Data,
                                                                         PCFLT_RELATED_OBJECTS FltObjects,
                                                                         PVOID *CompletionContext)
{
    PPASS_INSTANCE_CONTEXT Context;

    if (Data->Iopb->MajorFunction == IRP_MJ_WRITE) {
        PassCountWrite(FltObjects);
    }
    if (Data->Iopb->MajorFunction != IRP_MJ_FLUSH_BUFFERS) {
        return FLT_PREOP_SUCCESS_WITH_CALLBACK;
    }
    if (!NT_SUCCESS(FltGetInstanceContext(FltObjects->Instance, (PFLT_CONTEXT *)&Context))) {
        return FLT_PREOP_SUCCESS_NO_CALLBACK;
    }
    InterlockedIncrement(&Context->Flushes);
    *CompletionContext = Context; /* the reference goes with it */
    return FLT_PREOP_SYNCHRONIZE;
}

_Use_decl_annotations_ FLT_POSTOP_CALLBACK_STATUS FLTAPI PassPostOperation(PFLT_CALLBACK_DATA Data,
                                                                           PCFLT_RELATED_OBJECTS FltObjects,
                                                                           PVOID CompletionContext,
                                                                           FLT_POST_OPERATION_FLAGS Flags)
{
    PPASS_INSTANCE_CONTEXT Context = (PPASS_INSTANCE_CONTEXT)CompletionContext;

    UNREFERENCED_PARAMETER(FltObjects);
    UNREFERENCED_PARAMETER(Flags);

    if (Context != NULL) {
        if (!NT_SUCCESS(Data->IoStatus.Status)) {
            InterlockedIncrement(&Context->Failures);
        }
        FltReleaseContext(Context);
    }
    return FLT_POSTOP_FINISHED_PROCESSING;
}

_Use_decl_annotations_ FLT_PREOP_CALLBACK_STATUS FLTAPI PassPreOperationNoPost(PFLT_CALLBACK_DATA Data,
                                                                               PCFLT_RELATED_OBJECTS FltObjects,
                                                                               PVOID *CompletionContext)
{
    UNREFERENCED_PARAMETER(Data);
    UNREFERENCED_PARAMETER(FltObjects);
    UNREFERENCED_PARAMETER(CompletionContext);
    return FLT_PREOP_SUCCESS_NO_CALLBACK;
}
