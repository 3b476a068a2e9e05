/* SPDX-License-Identifier: MIT */
/* The handle of a process: there is one, the pseudo-handle of this process. */
#ifndef NV_IO_PROCESS_H
#define NV_IO_PROCESS_H

#include "src/io/object.h"

#include <nvrtl/status.h>

/* STATUS_INVALID_HANDLE, or STATUS_OBJECT_TYPE_MISMATCH for the handle of something else. */
static inline NTSTATUS nv_process_check(HANDLE process)
{
    static const struct nv_object_type other = {.name = "Process"};
    struct nv_object *object;
    ACCESS_MASK granted;
    if (process == NtCurrentProcess())
        return STATUS_SUCCESS;
    return nv_handle_reference(process, &other, &object, &granted); /* no object is of this type */
}

#endif
