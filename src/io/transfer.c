/* SPDX-License-Identifier: MIT */
/*
 * Owns NtReadFile and NtWriteFile: their checks, and the position of synchronous handles. The driver moves the bytes.
 */
#include "src/io/file.h"
#include "src/io/probe.h"
#include "src/io/status_block.h"
#include "src/io/thread.h"
#include "src/io/volume.h"

#include <nvrtl/status.h>

#define SECTOR 512 /* what lengths and offsets without intermediate buffering are multiples of */
#define AT_END (-1)
#define AT_POSITION (-2)

/* The arguments of both functions. */
struct transfer {
    HANDLE event;
    PIO_APC_ROUTINE apc;
    PIO_STATUS_BLOCK io;
    PVOID buffer;
    ULONG length;
    const LARGE_INTEGER *offset;
    UCHAR major;
    bool is_trusted;
};

static NTSTATUS probe(const struct transfer *transfer)
{
    NTSTATUS status = nv_probe_status_block(transfer->io);
    if (status == STATUS_SUCCESS && transfer->offset)
        status = nv_probe_read(transfer->offset, sizeof(*transfer->offset));
    if (status == STATUS_SUCCESS && !transfer->buffer && transfer->length)
        status = transfer->major == IRP_MJ_READ ? STATUS_ACCESS_VIOLATION : STATUS_INVALID_USER_BUFFER;
    return status;
}

/* There is nothing to be told later: all is done when the call returns. */
static NTSTATUS check_notice(const struct transfer *transfer)
{
    struct nv_object *object;
    ACCESS_MASK granted;
    if (transfer->apc)
        return STATUS_NOT_SUPPORTED;
    if (!transfer->event)
        return STATUS_SUCCESS;
    NTSTATUS status = nv_handle_reference(transfer->event, NULL, &object, &granted);
    if (status != STATUS_SUCCESS)
        return status;
    nv_object_release(object);
    return STATUS_OBJECT_TYPE_MISMATCH;
}

static NTSTATUS find_offset(const struct transfer *transfer, const struct nv_file *file, ACCESS_MASK granted,
                            LONGLONG *offset)
{
    bool is_synchronous = nv_file_is_synchronous(file);
    *offset = transfer->offset ? transfer->offset->QuadPart : AT_POSITION;
    if (file->is_stream)
        return STATUS_SUCCESS;
    if (*offset < AT_POSITION || (*offset == AT_END && transfer->major == IRP_MJ_READ) ||
        (*offset == AT_POSITION && !is_synchronous))
        return STATUS_INVALID_PARAMETER;
    if (transfer->major == IRP_MJ_WRITE && !(granted & FILE_WRITE_DATA))
        *offset = AT_END;
    return STATUS_SUCCESS;
}

static NTSTATUS check_alignment(const struct transfer *transfer, const struct nv_file *file, LONGLONG offset)
{
    if (!(file->options & FILE_NO_INTERMEDIATE_BUFFERING) || file->kind != NV_FILE_DATA)
        return STATUS_SUCCESS;
    bool is_aligned = transfer->length % SECTOR == 0 && (offset < 0 || offset % SECTOR == 0);
    return is_aligned ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/*
 * A synchronous handle serves one request at a time, for the sake of its position. A stream has none, and who reads
 * from it does not keep others from writing.
 */
static NTSTATUS send(struct nv_file *file, struct nv_request *request)
{
    bool has_position = nv_file_is_synchronous(file) && !file->is_stream;
    if (has_position)
        pthread_mutex_lock(&file->position_lock);
    NTSTATUS status = nv_volume_send(file->volume, request);
    if (has_position)
        pthread_mutex_unlock(&file->position_lock);
    return status;
}

static NTSTATUS move_bytes(const struct transfer *transfer, struct nv_file *file, ACCESS_MASK granted)
{
    struct nv_request request = {
        .major = transfer->major,
        .file = file,
        .of.transfer = {.buffer = transfer->buffer, .length = transfer->length},
    };
    NTSTATUS status = transfer->is_trusted ? STATUS_SUCCESS : probe(transfer);
    if (status == STATUS_SUCCESS)
        status = check_notice(transfer);
    if (status == STATUS_SUCCESS)
        status = find_offset(transfer, file, granted, &request.of.transfer.offset);
    if (status == STATUS_SUCCESS)
        status = check_alignment(transfer, file, request.of.transfer.offset);
    if (status != STATUS_SUCCESS)
        return status;
    status = send(file, &request);
    if (status == STATUS_ACCESS_VIOLATION || status == STATUS_INVALID_USER_BUFFER)
        return status; /* the buffer: as if it had been probed */
    nv_status_block_set(transfer->io, status, request.information);
    return status;
}

static NTSTATUS serve(HANDLE handle, const struct transfer *transfer, ACCESS_MASK needed)
{
    struct nv_file *file;
    ACCESS_MASK granted;
    NTSTATUS status = nv_file_reference(handle, &file, &granted);
    if (status != STATUS_SUCCESS)
        return status;
    if (transfer->is_trusted || (granted & needed))
        status = move_bytes(transfer, file, granted);
    else
        status = STATUS_ACCESS_DENIED;
    nv_file_release(file);
    return status;
}

#define READ(trusted)                                                                                                  \
    ((struct transfer){Event, ApcRoutine, IoStatusBlock, Buffer, Length, ByteOffset, IRP_MJ_READ, trusted})
#define WRITE(trusted)                                                                                                 \
    ((struct transfer){Event, ApcRoutine, IoStatusBlock, Buffer, Length, ByteOffset, IRP_MJ_WRITE, trusted})

NTSTATUS NtReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, ULONG *Key)
{
    (void)ApcContext;
    (void)Key;
    return serve(FileHandle, &READ(false), FILE_READ_DATA);
}

NTSTATUS ZwReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, ULONG *Key)
{
    (void)ApcContext;
    (void)Key;
    return serve(FileHandle, &READ(nv_io_is_trusted()), FILE_READ_DATA);
}

NTSTATUS NtWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, ULONG *Key)
{
    (void)ApcContext;
    (void)Key;
    return serve(FileHandle, &WRITE(false), FILE_WRITE_DATA | FILE_APPEND_DATA);
}

NTSTATUS ZwWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, ULONG *Key)
{
    (void)ApcContext;
    (void)Key;
    return serve(FileHandle, &WRITE(nv_io_is_trusted()), FILE_WRITE_DATA | FILE_APPEND_DATA);
}
