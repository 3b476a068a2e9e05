/* SPDX-License-Identifier: MIT */
/*
 * Owns NtQueryInformationFile, NtSetInformationFile and NtQueryVolumeInformationFile: their checks, and what the file
 * object itself knows. The driver knows the rest.
 */
#include "src/io/file.h"
#include "src/io/probe.h"
#include "src/io/thread.h"
#include "src/io/volume.h"

#include <nvrtl/status.h>
#include <string.h>

#define SECTOR 512
#define SETTABLE_MODE                                                                                                  \
    (FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY | FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)
#define SHOWN_MODE (SETTABLE_MODE | FILE_NO_INTERMEDIATE_BUFFERING | FILE_DELETE_ON_CLOSE)

/* What the file object answers without the driver. */
typedef NTSTATUS own_function(struct nv_file *file, void *buffer);

struct class
{
    ULONG number;
    ULONG size_bytes;    /* the least */
    ULONG alignment;     /* bytes */
    ACCESS_MASK access;  /* any of these; 0: none is needed */
    own_function *serve; /* NULL: the driver does */
};

/* The arguments of all three functions. */
struct question {
    HANDLE handle;
    PIO_STATUS_BLOCK io;
    PVOID buffer;
    ULONG length;
    ULONG class;
    UCHAR major;
    bool is_trusted;
};

static NTSTATUS tell_access(struct nv_file *file, void *buffer)
{
    FILE_ACCESS_INFORMATION answer = {file->object.granted};
    memcpy(buffer, &answer, sizeof(answer));
    return STATUS_SUCCESS;
}

static NTSTATUS tell_position(struct nv_file *file, void *buffer)
{
    pthread_mutex_lock(&file->position_lock);
    FILE_POSITION_INFORMATION answer = {file->shown.CurrentByteOffset};
    pthread_mutex_unlock(&file->position_lock);
    memcpy(buffer, &answer, sizeof(answer));
    return STATUS_SUCCESS;
}

static NTSTATUS tell_mode(struct nv_file *file, void *buffer)
{
    FILE_MODE_INFORMATION answer = {file->options & SHOWN_MODE};
    memcpy(buffer, &answer, sizeof(answer));
    return STATUS_SUCCESS;
}

static NTSTATUS set_position(struct nv_file *file, void *buffer)
{
    FILE_POSITION_INFORMATION wish;
    memcpy(&wish, buffer, sizeof(wish));
    LONGLONG offset = wish.CurrentByteOffset.QuadPart;
    if (offset < 0 || ((file->options & FILE_NO_INTERMEDIATE_BUFFERING) && offset % SECTOR))
        return STATUS_INVALID_PARAMETER;
    pthread_mutex_lock(&file->position_lock);
    file->shown.CurrentByteOffset.QuadPart = offset;
    pthread_mutex_unlock(&file->position_lock);
    return STATUS_SUCCESS;
}

/* A synchronous handle stays one, and one that is not never becomes one. */
static NTSTATUS set_mode(struct nv_file *file, void *buffer)
{
    const ULONG both = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;
    FILE_MODE_INFORMATION wish;
    memcpy(&wish, buffer, sizeof(wish));
    if ((wish.Mode & ~(ULONG)SETTABLE_MODE) || (wish.Mode & both) == both ||
        !(wish.Mode & both) != !nv_file_is_synchronous(file))
        return STATUS_INVALID_PARAMETER;
    pthread_mutex_lock(&file->position_lock);
    file->options = (file->options & ~(ULONG)SETTABLE_MODE) | wish.Mode;
    pthread_mutex_unlock(&file->position_lock);
    return STATUS_SUCCESS;
}

static const struct class queries[] = {
    {FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), 4, FILE_READ_ATTRIBUTES, NULL},
    {FileStandardInformation, sizeof(FILE_STANDARD_INFORMATION), 4, 0, NULL},
    {FileInternalInformation, sizeof(FILE_INTERNAL_INFORMATION), 4, 0, NULL},
    {FileAccessInformation, sizeof(FILE_ACCESS_INFORMATION), 4, 0, tell_access},
    {FilePositionInformation, sizeof(FILE_POSITION_INFORMATION), 4, FILE_READ_DATA | FILE_WRITE_DATA, tell_position},
    {FileModeInformation, sizeof(FILE_MODE_INFORMATION), 4, 0, tell_mode},
    {0},
};

static const struct class settings[] = {
    {FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), 4, FILE_WRITE_ATTRIBUTES, NULL},
    {FileRenameInformation, sizeof(FILE_RENAME_INFORMATION), 4, DELETE, NULL},
    {FileDispositionInformation, sizeof(FILE_DISPOSITION_INFORMATION), 1, DELETE, NULL},
    {FilePositionInformation, sizeof(FILE_POSITION_INFORMATION), 4, FILE_READ_DATA | FILE_WRITE_DATA, set_position},
    {FileModeInformation, sizeof(FILE_MODE_INFORMATION), 4, 0, set_mode},
    {FileAllocationInformation, sizeof(FILE_ALLOCATION_INFORMATION), 4, FILE_WRITE_DATA, NULL},
    {FileEndOfFileInformation, sizeof(FILE_END_OF_FILE_INFORMATION), 4, FILE_WRITE_DATA, NULL},
    {0},
};

static const struct class volume_queries[] = {
    {FileFsAttributeInformation, sizeof(FILE_FS_ATTRIBUTE_INFORMATION), 4, 0, NULL},
    {0},
};

static const struct class *find(const struct class *classes, ULONG number)
{
    while (classes->number && classes->number != number)
        classes++;
    return classes->number ? classes : NULL;
}

static NTSTATUS probe(const struct question *question, const struct class *class)
{
    uintptr_t io = (uintptr_t)question->io, buffer = (uintptr_t)question->buffer;
    if (!io || !buffer)
        return STATUS_ACCESS_VIOLATION;
    if (io % sizeof(ULONG) || buffer % class->alignment)
        return STATUS_DATATYPE_MISALIGNMENT;
    NTSTATUS status = nv_probe_status_block(question->io);
    if (status != STATUS_SUCCESS)
        return status;
    return question->major == IRP_MJ_SET_INFORMATION ? nv_probe_read(question->buffer, question->length)
                                                     : nv_probe_write(question->buffer, question->length);
}

static NTSTATUS ask(const struct question *question, const struct class *class, struct nv_file *file)
{
    struct nv_request request = {
        .major = question->major,
        .file = file,
        .of.information = {.class = question->class, .buffer = question->buffer, .length = question->length},
    };
    NTSTATUS status;
    if (class->serve) {
        status = class->serve(file, question->buffer);
        if (question->major != IRP_MJ_SET_INFORMATION && status == STATUS_SUCCESS)
            request.information = class->size_bytes;
    } else {
        status = nv_volume_send(file->volume, &request);
    }
    question->io->Status = status;
    question->io->Information = request.information;
    return status;
}

static NTSTATUS serve(const struct question *question, const struct class *classes)
{
    struct nv_file *file;
    ACCESS_MASK granted;
    const struct class *class = find(classes, question->class);
    if (!class)
        return STATUS_INVALID_INFO_CLASS;
    if (question->length < class->size_bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    NTSTATUS status = question->is_trusted ? STATUS_SUCCESS : probe(question, class);
    if (status == STATUS_SUCCESS)
        status = nv_file_reference(question->handle, &file, &granted);
    if (status != STATUS_SUCCESS)
        return status;
    if (question->is_trusted || !class->access || (granted & class->access))
        status = ask(question, class, file);
    else
        status = STATUS_ACCESS_DENIED;
    nv_file_release(file);
    return status;
}

#define QUESTION(buffer, class, major, trusted)                                                                        \
    &(struct question)                                                                                                 \
    {                                                                                                                  \
        FileHandle, IoStatusBlock, buffer, Length, (ULONG)(class), major, trusted                                      \
    }

NTSTATUS NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                FILE_INFORMATION_CLASS FileInformationClass)
{
    return serve(QUESTION(FileInformation, FileInformationClass, IRP_MJ_QUERY_INFORMATION, false), queries);
}

NTSTATUS ZwQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                FILE_INFORMATION_CLASS FileInformationClass)
{
    return serve(QUESTION(FileInformation, FileInformationClass, IRP_MJ_QUERY_INFORMATION, nv_io_is_trusted()),
                 queries);
}

NTSTATUS NtSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                              FILE_INFORMATION_CLASS FileInformationClass)
{
    return serve(QUESTION(FileInformation, FileInformationClass, IRP_MJ_SET_INFORMATION, false), settings);
}

NTSTATUS ZwSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                              FILE_INFORMATION_CLASS FileInformationClass)
{
    return serve(QUESTION(FileInformation, FileInformationClass, IRP_MJ_SET_INFORMATION, nv_io_is_trusted()), settings);
}

NTSTATUS NtQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                      ULONG Length, FS_INFORMATION_CLASS FsInformationClass)
{
    return serve(QUESTION(FsInformation, FsInformationClass, IRP_MJ_QUERY_VOLUME_INFORMATION, false), volume_queries);
}

NTSTATUS ZwQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                      ULONG Length, FS_INFORMATION_CLASS FsInformationClass)
{
    return serve(QUESTION(FsInformation, FsInformationClass, IRP_MJ_QUERY_VOLUME_INFORMATION, nv_io_is_trusted()),
                 volume_queries);
}
