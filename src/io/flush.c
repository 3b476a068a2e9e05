/* SPDX-License-Identifier: MIT */
/* Owns NtFlushBuffersFile and its kin: checks, then a request to the volume. Called by programs and filters. */
#include "src/io/driver.h"
#include "src/io/entry.h"
#include "src/io/irql.h"
#include "src/io/probe.h"
#include "src/io/status_block.h"
#include "src/io/thread.h"
#include "src/io/volume.h"

#include <nvrtl/status.h>

#define NO_MINOR 0xff

/* FLUSH_FLAGS_* are one at a time; their IRP_MN_* have other numbers. */
static UCHAR minor_of(ULONG flags)
{
    static const UCHAR minors[] = {
        [0] = 0,
        [FLUSH_FLAGS_FILE_DATA_ONLY] = IRP_MN_FLUSH_DATA_ONLY,
        [FLUSH_FLAGS_NO_SYNC] = IRP_MN_FLUSH_NO_SYNC,
        [FLUSH_FLAGS_FILE_DATA_SYNC_ONLY] = IRP_MN_FLUSH_DATA_SYNC_ONLY,
        [FLUSH_FLAGS_FLUSH_AND_PURGE] = IRP_MN_FLUSH_AND_PURGE,
    };
    return flags & (flags - 1) || flags > FLUSH_FLAGS_FLUSH_AND_PURGE ? NO_MINOR : minors[flags];
}

/* Whoever may not write a file has nothing to flush. Of a pipe's rights, the bit of append means something else. */
static bool may_flush(const struct nv_file *file, ACCESS_MASK granted)
{
    ACCESS_MASK sufficient = file->kind == NV_FILE_PIPE ? FILE_WRITE_DATA : FILE_WRITE_DATA | FILE_APPEND_DATA;
    return granted & sufficient;
}

static NTSTATUS flush_file(struct nv_file *file, UCHAR minor, PIO_STATUS_BLOCK io)
{
    struct nv_request request = {.major = IRP_MJ_FLUSH_BUFFERS, .minor = minor, .file = file};
    NTSTATUS status = nv_volume_send(file->volume, &request);
    nv_status_block_set(io, status, request.information);
    return status;
}

static inline NTSTATUS flush(HANDLE handle, UCHAR minor, PIO_STATUS_BLOCK io, bool is_trusted)
{
    struct nv_file *file;
    ACCESS_MASK granted;
    NTSTATUS status = is_trusted ? STATUS_SUCCESS : nv_probe_status_block(io);
    if (NT_SUCCESS(status))
        status = nv_file_reference(handle, &file, &granted);
    if (!NT_SUCCESS(status))
        return status;
    if (!is_trusted && !may_flush(file, granted))
        status = STATUS_ACCESS_DENIED;
    else if (!nv_flush_is_for(file->kind, minor))
        status = STATUS_INVALID_PARAMETER;
    else
        status = flush_file(file, minor, io);
    nv_file_release(file);
    return status;
}

static UCHAR minor_of_call(ULONG flags, PVOID parameters, ULONG parameters_bytes)
{
    return parameters || parameters_bytes ? NO_MINOR : minor_of(flags);
}

#define BEGINS nv_flush_begins(__func__, __builtin_return_address(0))

NTSTATUS NtFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock)
{
    BEGINS;
    return flush(FileHandle, 0, IoStatusBlock, false);
}

NTSTATUS ZwFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock)
{
    BEGINS;
    return flush(FileHandle, 0, IoStatusBlock, nv_io_is_trusted());
}

NTSTATUS NtFlushBuffersFileEx(HANDLE FileHandle, ULONG Flags, PVOID Parameters, ULONG ParametersSize,
                              PIO_STATUS_BLOCK IoStatusBlock)
{
    BEGINS;
    return flush(FileHandle, minor_of_call(Flags, Parameters, ParametersSize), IoStatusBlock, false);
}

NTSTATUS ZwFlushBuffersFileEx(HANDLE FileHandle, ULONG Flags, PVOID Parameters, ULONG ParametersSize,
                              PIO_STATUS_BLOCK IoStatusBlock)
{
    BEGINS;
    return flush(FileHandle, minor_of_call(Flags, Parameters, ParametersSize), IoStatusBlock, nv_io_is_trusted());
}

NTSTATUS NvrtlForgetFileFailure(HANDLE FileHandle)
{
    struct nv_file *file;
    ACCESS_MASK granted;
    NTSTATUS status = nv_file_reference(FileHandle, &file, &granted);
    if (!NT_SUCCESS(status))
        return status;
    if (file->kind == NV_FILE_VOLUME)
        nv_backing_forget_on(nv_volume_mapped(file->volume, file->descriptor));
    else if (file->backing)
        nv_backing_forget(file->backing);
    nv_entry_forget(file);
    nv_file_release(file);
    return STATUS_SUCCESS;
}
