/* SPDX-License-Identifier: MIT */
/*
 * Owns the requests that minifilters make: they go to the instances below the caller's, and to the driver. Called by
 * minifilters.
 */
#include "src/io/driver.h"
#include "src/io/irql.h"
#include "src/io/minifilter.h"

#define PLACE __builtin_return_address(0)

/* The minor function of each flush type; the types are bits, of which one may be set. */
static NTSTATUS minor_of(ULONG type, UCHAR *minor)
{
    static const struct {
        ULONG type;
        UCHAR minor;
    } types[] = {
        {0, 0},
        {FLT_FLUSH_TYPE_FLUSH_AND_PURGE, IRP_MN_FLUSH_AND_PURGE},
        {FLT_FLUSH_TYPE_FILE_DATA_ONLY, IRP_MN_FLUSH_DATA_ONLY},
        {FLT_FLUSH_TYPE_NO_SYNC, IRP_MN_FLUSH_NO_SYNC},
        {FLT_FLUSH_TYPE_DATA_SYNC_ONLY, IRP_MN_FLUSH_DATA_SYNC_ONLY},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].type == type) {
            *minor = types[i].minor;
            return STATUS_SUCCESS;
        }
    return STATUS_INVALID_PARAMETER;
}

static NTSTATUS flush(PFLT_INSTANCE instance, PFILE_OBJECT file, ULONG type, const char *function, const void *place)
{
    struct nv_request request = {.major = IRP_MJ_FLUSH_BUFFERS, .file = nv_file_of(file)};
    nv_filter_flush_begins(function, place);
    NTSTATUS status = minor_of(type, &request.minor);
    if (NT_SUCCESS(status) && !nv_flush_is_for(request.file->kind, request.minor))
        status = STATUS_INVALID_PARAMETER;
    return NT_SUCCESS(status) ? nv_minifilters_serve_below(instance, &request) : status;
}

NTSTATUS FltFlushBuffers(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject)
{
    return flush(Instance, FileObject, 0, __func__, PLACE);
}

NTSTATUS FltFlushBuffers2(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, ULONG FlushType,
                          PFLT_CALLBACK_DATA CallbackData)
{
    (void)CallbackData;
    return flush(Instance, FileObject, FlushType, __func__, PLACE);
}

/* NULL: from the file object's own position on. */
static LONGLONG offset_of(PLARGE_INTEGER offset)
{
    const LARGE_INTEGER position = {.u = {FILE_USE_FILE_POINTER_POSITION, -1}};
    return offset ? offset->QuadPart : position.QuadPart;
}

static NTSTATUS transfer(PFLT_INSTANCE instance, struct nv_request *request, ULONG *bytes)
{
    NTSTATUS status = nv_minifilters_serve_below(instance, request);
    if (bytes)
        *bytes = (ULONG)request->information;
    return status;
}

NTSTATUS FltReadFile(PFLT_INSTANCE InitiatingInstance, PFILE_OBJECT FileObject, PLARGE_INTEGER ByteOffset, ULONG Length,
                     PVOID Buffer, FLT_IO_OPERATION_FLAGS Flags, ULONG *BytesRead,
                     PFLT_COMPLETED_ASYNC_IO_CALLBACK CallbackRoutine, PVOID CallbackContext)
{
    struct nv_request request = {
        .major = IRP_MJ_READ,
        .file = nv_file_of(FileObject),
        .of.transfer = {.buffer = Buffer, .length = Length, .offset = offset_of(ByteOffset)},
    };
    (void)Flags;
    (void)CallbackContext;
    return CallbackRoutine ? STATUS_NOT_SUPPORTED : transfer(InitiatingInstance, &request, BytesRead);
}

NTSTATUS FltWriteFile(PFLT_INSTANCE InitiatingInstance, PFILE_OBJECT FileObject, PLARGE_INTEGER ByteOffset,
                      ULONG Length, PVOID Buffer, FLT_IO_OPERATION_FLAGS Flags, ULONG *BytesWritten,
                      PFLT_COMPLETED_ASYNC_IO_CALLBACK CallbackRoutine, PVOID CallbackContext)
{
    struct nv_request request = {
        .major = IRP_MJ_WRITE,
        .file = nv_file_of(FileObject),
        .of.transfer = {.buffer = Buffer, .length = Length, .offset = offset_of(ByteOffset)},
    };
    (void)Flags;
    (void)CallbackContext;
    return CallbackRoutine ? STATUS_NOT_SUPPORTED : transfer(InitiatingInstance, &request, BytesWritten);
}

NTSTATUS FltQueryInformationFile(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, PVOID FileInformation, ULONG Length,
                                 FILE_INFORMATION_CLASS FileInformationClass, ULONG *LengthReturned)
{
    struct nv_request request = {
        .major = IRP_MJ_QUERY_INFORMATION,
        .file = nv_file_of(FileObject),
        .of.information = {.class = (ULONG)FileInformationClass, .buffer = FileInformation, .length = Length},
    };
    return transfer(Instance, &request, LengthReturned);
}

NTSTATUS FltSetInformationFile(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, PVOID FileInformation, ULONG Length,
                               FILE_INFORMATION_CLASS FileInformationClass)
{
    struct nv_request request = {
        .major = IRP_MJ_SET_INFORMATION,
        .file = nv_file_of(FileObject),
        .of.information = {.class = (ULONG)FileInformationClass, .buffer = FileInformation, .length = Length},
    };
    return transfer(Instance, &request, NULL);
}
