/* SPDX-License-Identifier: MIT */
/*
 * Owns the names that minifilters ask for: of files, of volumes, of major functions. Called by minifilters. A file's
 * name begins with its volume's, and that is the same for all: so it is a name that NtCreateFile takes.
 */
#include "src/io/file.h"
#include "src/io/minifilter.h"
#include "src/io/stack.h"
#include "src/os/os.h"

#include <stdlib.h>
#include <string.h>

#define BACKSLASH ((WCHAR)'\\')

static const WCHAR volume_text[] = {'\\', '?', '?', '\\', 'u', 'n', 'i', 'x'};

struct name {
    FLT_FILE_NAME_INFORMATION shown; /* first: a filter's pointer to it is one to this */
    _Atomic uint32_t references;
    WCHAR text[];
};

static struct name *name_of(PFLT_FILE_NAME_INFORMATION shown)
{
    return (struct name *)shown;
}

static NTSTATUS make(const UNICODE_STRING *path, FLT_FILE_NAME_OPTIONS format, PFLT_FILE_NAME_INFORMATION *shown)
{
    size_t length = sizeof(volume_text) + path->Length;
    if (length > UINT16_MAX)
        return STATUS_NAME_TOO_LONG;
    struct name *name = nv_os->resize(NULL, sizeof(*name) + length);
    if (!name)
        return STATUS_INSUFFICIENT_RESOURCES;
    *name = (struct name){.references = 1};
    memcpy(name->text, volume_text, sizeof(volume_text));
    memcpy((char *)name->text + sizeof(volume_text), path->Buffer, path->Length);
    name->shown.Size = sizeof(name->shown);
    name->shown.Format = format;
    name->shown.Name = (UNICODE_STRING){(USHORT)length, (USHORT)length, name->text};
    name->shown.Volume = (UNICODE_STRING){sizeof(volume_text), sizeof(volume_text), name->text};
    *shown = &name->shown;
    return STATUS_SUCCESS;
}

NTSTATUS FltGetFileNameInformationUnsafe(PFILE_OBJECT FileObject, PFLT_INSTANCE Instance,
                                         FLT_FILE_NAME_OPTIONS NameOptions,
                                         PFLT_FILE_NAME_INFORMATION *FileNameInformation)
{
    FLT_FILE_NAME_OPTIONS format = NameOptions & 0xff;
    (void)Instance;
    *FileNameInformation = NULL;
    if (!FileObject || !FileObject->FileName.Length)
        return STATUS_FLT_INVALID_NAME_REQUEST;
    if (format != FLT_FILE_NAME_NORMALIZED && format != FLT_FILE_NAME_OPENED)
        return format == FLT_FILE_NAME_SHORT ? STATUS_FLT_INVALID_NAME_REQUEST : STATUS_INVALID_PARAMETER;
    return make(&FileObject->FileName, format, FileNameInformation);
}

NTSTATUS FltGetFileNameInformation(PFLT_CALLBACK_DATA CallbackData, FLT_FILE_NAME_OPTIONS NameOptions,
                                   PFLT_FILE_NAME_INFORMATION *FileNameInformation)
{
    return FltGetFileNameInformationUnsafe(CallbackData->Iopb->TargetFileObject, CallbackData->Iopb->TargetInstance,
                                           NameOptions, FileNameInformation);
}

VOID FltReferenceFileNameInformation(PFLT_FILE_NAME_INFORMATION FileNameInformation)
{
    atomic_fetch_add(&name_of(FileNameInformation)->references, 1);
}

VOID FltReleaseFileNameInformation(PFLT_FILE_NAME_INFORMATION FileNameInformation)
{
    if (atomic_fetch_sub(&name_of(FileNameInformation)->references, 1) == 1)
        free(name_of(FileNameInformation));
}

/* The part of a string from one character to before another. */
static UNICODE_STRING part(PCUNICODE_STRING string, size_t from, size_t to)
{
    USHORT length = (USHORT)((to - from) * sizeof(WCHAR));
    return (UNICODE_STRING){length, length, string->Buffer + from};
}

/* The place behind the last such character, from `least` on; or 0: there is none. */
static size_t behind_last(PCUNICODE_STRING string, size_t least, WCHAR character)
{
    size_t place = string->Length / sizeof(WCHAR);
    while (place > least && string->Buffer[place - 1] != character)
        place--;
    return place > least ? place : 0;
}

NTSTATUS FltParseFileNameInformation(PFLT_FILE_NAME_INFORMATION FileNameInformation)
{
    PCUNICODE_STRING name = &FileNameInformation->Name;
    size_t volume = FileNameInformation->Volume.Length / sizeof(WCHAR);
    size_t end = name->Length / sizeof(WCHAR);
    size_t final = behind_last(name, volume, BACKSLASH);
    if (!final)
        final = volume;
    size_t extension = behind_last(name, final, (WCHAR)'.');
    FileNameInformation->ParentDir = part(name, volume, final);
    FileNameInformation->FinalComponent = part(name, final, end);
    FileNameInformation->Extension = extension ? part(name, extension, end) : part(name, end, end);
    FileNameInformation->Stream = part(name, end, end);
    FileNameInformation->NamesParsed = FLTFL_FILE_NAME_PARSED_FINAL_COMPONENT | FLTFL_FILE_NAME_PARSED_EXTENSION |
                                       FLTFL_FILE_NAME_PARSED_STREAM | FLTFL_FILE_NAME_PARSED_PARENT_DIR;
    return STATUS_SUCCESS;
}

/* -- volumes -- */

NTSTATUS FltGetVolumeName(PFLT_VOLUME Volume, PUNICODE_STRING VolumeName, ULONG *BufferSizeNeeded)
{
    const UNICODE_STRING name = {sizeof(volume_text), sizeof(volume_text), (PWSTR)volume_text};
    (void)Volume;
    if (BufferSizeNeeded)
        *BufferSizeNeeded = name.Length;
    if (!VolumeName || VolumeName->MaximumLength < name.Length)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyUnicodeString(VolumeName, &name);
    return STATUS_SUCCESS;
}

NTSTATUS FltGetVolumeFromFileObject(PFLT_FILTER Filter, PFILE_OBJECT FileObject, PFLT_VOLUME *RetVolume)
{
    (void)Filter;
    *RetVolume = (PFLT_VOLUME)nv_file_of(FileObject)->volume;
    return *RetVolume ? STATUS_SUCCESS : STATUS_FLT_VOLUME_NOT_FOUND;
}

NTSTATUS FltGetDeviceObject(PFLT_VOLUME Volume, PDEVICE_OBJECT *DeviceObject)
{
    struct nv_device *base = nv_stack_base((struct nv_volume *)Volume);
    *DeviceObject = (PDEVICE_OBJECT)base;
    if (!base)
        return STATUS_FLT_NO_DEVICE_OBJECT;
    nv_device_reference(base);
    return STATUS_SUCCESS;
}

/* -- major functions -- */

const CHAR *FltGetIrpName(UCHAR IrpMajorCode)
{
    static const char *const names[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
        [IRP_MJ_CREATE] = "IRP_MJ_CREATE",
        [IRP_MJ_CREATE_NAMED_PIPE] = "IRP_MJ_CREATE_NAMED_PIPE",
        [IRP_MJ_CLOSE] = "IRP_MJ_CLOSE",
        [IRP_MJ_READ] = "IRP_MJ_READ",
        [IRP_MJ_WRITE] = "IRP_MJ_WRITE",
        [IRP_MJ_QUERY_INFORMATION] = "IRP_MJ_QUERY_INFORMATION",
        [IRP_MJ_SET_INFORMATION] = "IRP_MJ_SET_INFORMATION",
        [IRP_MJ_QUERY_EA] = "IRP_MJ_QUERY_EA",
        [IRP_MJ_SET_EA] = "IRP_MJ_SET_EA",
        [IRP_MJ_FLUSH_BUFFERS] = "IRP_MJ_FLUSH_BUFFERS",
        [IRP_MJ_QUERY_VOLUME_INFORMATION] = "IRP_MJ_QUERY_VOLUME_INFORMATION",
        [IRP_MJ_SET_VOLUME_INFORMATION] = "IRP_MJ_SET_VOLUME_INFORMATION",
        [IRP_MJ_DIRECTORY_CONTROL] = "IRP_MJ_DIRECTORY_CONTROL",
        [IRP_MJ_FILE_SYSTEM_CONTROL] = "IRP_MJ_FILE_SYSTEM_CONTROL",
        [IRP_MJ_DEVICE_CONTROL] = "IRP_MJ_DEVICE_CONTROL",
        [IRP_MJ_INTERNAL_DEVICE_CONTROL] = "IRP_MJ_INTERNAL_DEVICE_CONTROL",
        [IRP_MJ_SHUTDOWN] = "IRP_MJ_SHUTDOWN",
        [IRP_MJ_LOCK_CONTROL] = "IRP_MJ_LOCK_CONTROL",
        [IRP_MJ_CLEANUP] = "IRP_MJ_CLEANUP",
        [IRP_MJ_CREATE_MAILSLOT] = "IRP_MJ_CREATE_MAILSLOT",
        [IRP_MJ_QUERY_SECURITY] = "IRP_MJ_QUERY_SECURITY",
        [IRP_MJ_SET_SECURITY] = "IRP_MJ_SET_SECURITY",
        [IRP_MJ_POWER] = "IRP_MJ_POWER",
        [IRP_MJ_SYSTEM_CONTROL] = "IRP_MJ_SYSTEM_CONTROL",
        [IRP_MJ_DEVICE_CHANGE] = "IRP_MJ_DEVICE_CHANGE",
        [IRP_MJ_QUERY_QUOTA] = "IRP_MJ_QUERY_QUOTA",
        [IRP_MJ_SET_QUOTA] = "IRP_MJ_SET_QUOTA",
        [IRP_MJ_PNP] = "IRP_MJ_PNP",
    };
    return IrpMajorCode <= IRP_MJ_MAXIMUM_FUNCTION ? names[IrpMajorCode] : "IRP_MJ_UNKNOWN";
}
