/* SPDX-License-Identifier: MIT */
/* Owns what can be done with handles of every kind: NtClose and NtWaitForSingleObject. Called by programs. */
#include "src/io/object.h"
#include "src/io/probe.h"
#include "src/io/thread.h"

#include <nvrtl/status.h>

NTSTATUS NtClose(HANDLE Handle)
{
    return nv_handle_close(Handle);
}

NTSTATUS ZwClose(HANDLE Handle)
{
    return nv_handle_close(Handle);
}

static NTSTATUS wait(HANDLE handle, bool alertable, const LARGE_INTEGER *timeout, bool is_trusted)
{
    struct nv_object *object;
    ACCESS_MASK granted;
    NTSTATUS status = STATUS_SUCCESS;
    if (timeout && !is_trusted)
        status = nv_probe_read(timeout, sizeof(*timeout));
    if (status == STATUS_SUCCESS)
        status = nv_handle_reference(handle, NULL, &object, &granted);
    if (status != STATUS_SUCCESS)
        return status;
    if (!object->type->wait)
        status = STATUS_OBJECT_TYPE_MISMATCH;
    else if (!is_trusted && !(granted & SYNCHRONIZE))
        status = STATUS_ACCESS_DENIED;
    else
        status = object->type->wait(object, alertable, timeout);
    nv_object_release(object);
    return status;
}

NTSTATUS NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    return wait(Handle, Alertable, Timeout, false);
}

NTSTATUS ZwWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    return wait(Handle, Alertable, Timeout, nv_io_is_trusted());
}
