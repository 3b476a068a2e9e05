/* SPDX-License-Identifier: MIT */
/*
 * Owns the references to objects that drivers have pointers to: file objects, devices and drivers. Called by drivers
 * and filters. What a pointer points to tells by its first member what it is.
 */
#include "src/io/device.h"
#include "src/io/file.h"

static CSHORT type_of(PVOID object)
{
    return *(CSHORT *)object;
}

VOID ObReferenceObject(PVOID Object)
{
    switch (type_of(Object)) {
    case IO_TYPE_FILE:
        nv_object_reference(&nv_file_of(Object)->object);
        break;
    case IO_TYPE_DEVICE:
        nv_device_reference(nv_device_of(Object));
        break;
    case IO_TYPE_DRIVER:
        nv_driver_reference(nv_driver_of(Object));
        break;
    default:
        break;
    }
}

VOID ObDereferenceObject(PVOID Object)
{
    switch (type_of(Object)) {
    case IO_TYPE_FILE:
        nv_object_release(&nv_file_of(Object)->object);
        break;
    case IO_TYPE_DEVICE:
        nv_device_release(nv_device_of(Object));
        break;
    case IO_TYPE_DRIVER:
        nv_driver_release(nv_driver_of(Object));
        break;
    default:
        break;
    }
}

static POBJECT_TYPE file_type = (POBJECT_TYPE)&nv_file_type;

POBJECT_TYPE *NTAPI NvrtlFileObjectType(VOID)
{
    return &file_type;
}

NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                   KPROCESSOR_MODE AccessMode, PVOID *Object,
                                   POBJECT_HANDLE_INFORMATION HandleInformation)
{
    struct nv_file *file;
    ACCESS_MASK granted;
    *Object = NULL;
    if (ObjectType && ObjectType != file_type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    NTSTATUS status = nv_file_reference(Handle, &file, &granted);
    if (!NT_SUCCESS(status))
        return status;
    if (AccessMode != KernelMode && (granted & DesiredAccess) != DesiredAccess) {
        nv_file_release(file);
        return STATUS_ACCESS_DENIED;
    }
    if (HandleInformation)
        *HandleInformation = (OBJECT_HANDLE_INFORMATION){.GrantedAccess = granted};
    *Object = &file->shown;
    return STATUS_SUCCESS;
}
