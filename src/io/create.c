/* SPDX-License-Identifier: MIT */
/*
 * Owns NtCreateFile, NtOpenFile and NvrtlHandleFromFd: their checks, and the request to open. Called by programs; the
 * driver does the opening.
 */
#include "src/io/file.h"
#include "src/io/path.h"
#include "src/io/probe.h"
#include "src/io/thread.h"
#include "src/io/volume.h"
#include "src/os/os.h"

#include <fcntl.h>
#include <nvrtl/status.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#define OPTION_COMPLETE_IF_OPLOCKED 0x00000100
#define OPTION_NO_EA_KNOWLEDGE 0x00000200
#define OPTION_NO_COMPRESSION 0x00008000
#define OPTION_FREE_SPACE_QUERY 0x00800000

#define SYNCHRONOUS (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)

/* What goes together with FILE_DIRECTORY_FILE. */
#define OPTIONS_OF_DIRECTORIES                                                                                         \
    (FILE_DIRECTORY_FILE | FILE_WRITE_THROUGH | SYNCHRONOUS | OPTION_COMPLETE_IF_OPLOCKED | OPTION_NO_EA_KNOWLEDGE |   \
     FILE_DELETE_ON_CLOSE | FILE_OPEN_BY_FILE_ID | FILE_OPEN_FOR_BACKUP_INTENT | OPTION_NO_COMPRESSION |               \
     FILE_OPEN_REPARSE_POINT | OPTION_FREE_SPACE_QUERY)

/* Rights that there are none of, as MS-FSA has it; and that to the audit list, which Linux has not. */
#define ACCESS_WITHOUT_MEANING 0x0DE0FE00

/* The arguments of NtCreateFile that say what to do. */
struct wishes {
    PHANDLE handle;
    ACCESS_MASK access;
    POBJECT_ATTRIBUTES attributes;
    PIO_STATUS_BLOCK io;
    PLARGE_INTEGER allocation_size;
    ULONG file_attributes;
    ULONG share;
    ULONG disposition;
    ULONG options;
    PVOID ea;
    ULONG ea_length;
};

static bool is_for_directories(const struct wishes *wishes)
{
    return !(wishes->options & ~(ULONG)OPTIONS_OF_DIRECTORIES) &&
           (wishes->disposition == FILE_CREATE || wishes->disposition == FILE_OPEN ||
            wishes->disposition == FILE_OPEN_IF);
}

static NTSTATUS check_wishes(const struct wishes *wishes)
{
    ULONG options = wishes->options;
    bool is_wrong =
        (wishes->file_attributes & ~(ULONG)FILE_ATTRIBUTE_VALID_FLAGS) ||
        (wishes->share & ~(ULONG)FILE_SHARE_VALID_FLAGS) || wishes->disposition > FILE_MAXIMUM_DISPOSITION ||
        (options & ~(ULONG)FILE_VALID_OPTION_FLAGS) ||
        ((options & SYNCHRONOUS) && !(wishes->access & (SYNCHRONIZE | MAXIMUM_ALLOWED | 0xF0000000))) ||
        ((options & FILE_DELETE_ON_CLOSE) && !(wishes->access & (DELETE | MAXIMUM_ALLOWED | GENERIC_ALL))) ||
        (options & SYNCHRONOUS) == SYNCHRONOUS || ((options & FILE_DIRECTORY_FILE) && !is_for_directories(wishes)) ||
        ((options & FILE_NO_INTERMEDIATE_BUFFERING) && (wishes->access & FILE_APPEND_DATA));
    return is_wrong ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

static NTSTATUS probe(const struct wishes *wishes)
{
    NTSTATUS status = nv_probe_write(wishes->handle, sizeof(HANDLE));
    if (status == STATUS_SUCCESS)
        status = nv_probe_status_block(wishes->io);
    if (status == STATUS_SUCCESS && wishes->allocation_size)
        status = nv_probe_read(wishes->allocation_size, sizeof(LARGE_INTEGER));
    if (status == STATUS_SUCCESS && wishes->ea)
        status = nv_probe_read(wishes->ea, wishes->ea_length);
    if (status == STATUS_SUCCESS && wishes->attributes && (uintptr_t)wishes->attributes % sizeof(ULONG))
        status = STATUS_DATATYPE_MISALIGNMENT;
    if (status == STATUS_SUCCESS && wishes->attributes)
        status = nv_probe_read(wishes->attributes, sizeof(OBJECT_ATTRIBUTES));
    return status;
}

static NTSTATUS find_path(const struct wishes *wishes, bool is_trusted, struct nv_path *path)
{
    if (!wishes->attributes)
        return STATUS_INVALID_PARAMETER;
    OBJECT_ATTRIBUTES attributes = *wishes->attributes;
    if (attributes.Length != sizeof(attributes) || (attributes.Attributes & ~(ULONG)OBJ_VALID_ATTRIBUTES))
        return STATUS_INVALID_PARAMETER;
    return nv_path_parse(&attributes, is_trusted, path);
}

static ACCESS_MASK map_generic(ACCESS_MASK access)
{
    static const struct {
        ACCESS_MASK generic;
        ACCESS_MASK rights;
    } map[] = {
        {GENERIC_READ, FILE_GENERIC_READ},
        {GENERIC_WRITE, FILE_GENERIC_WRITE},
        {GENERIC_EXECUTE, FILE_GENERIC_EXECUTE},
        {GENERIC_ALL, FILE_ALL_ACCESS},
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        if (access & map[i].generic)
            access = (access & ~map[i].generic) | map[i].rights;
    return access;
}

/* The file system that the path leads to, or its parent folder. STATUS_OBJECT_PATH_NOT_FOUND, or that of a failure. */
static NTSTATUS find_volume(const struct nv_path *path, struct nv_volume **volume)
{
    struct statx facts;
    char parent[NV_PATH_BYTES];
    int root = nv_path_root(path);
    int error = nv_os->statx_at(root, path->text, 0, STATX_TYPE, &facts);
    if (error < 0) {
        nv_path_parent(path, parent);
        error = nv_os->statx_at(root, parent, 0, STATX_TYPE, &facts);
    }
    if (error < 0) {
        NTSTATUS status = nv_os_path_status(error);
        return status == STATUS_OBJECT_NAME_NOT_FOUND ? STATUS_OBJECT_PATH_NOT_FOUND : status;
    }
    *volume = nv_volume_get(makedev(facts.stx_dev_major, facts.stx_dev_minor));
    return *volume ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static void show(struct nv_file *file, const struct nv_path *path, ACCESS_MASK access, ULONG share)
{
    if (path && !path->is_volume)
        file->shown.FileName = nv_path_name(path->root, path->text, &file->name);
    file->shown.ReadAccess = (access & (FILE_READ_DATA | FILE_EXECUTE)) != 0;
    file->shown.WriteAccess = (access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
    file->shown.DeleteAccess = (access & DELETE) != 0;
    file->shown.SharedRead = (share & FILE_SHARE_READ) != 0;
    file->shown.SharedWrite = (share & FILE_SHARE_WRITE) != 0;
    file->shown.SharedDelete = (share & FILE_SHARE_DELETE) != 0;
}

/* Makes a file object, and has the driver open it. */
static NTSTATUS open_file(struct nv_request *request, struct nv_volume *volume, HANDLE *handle)
{
    struct nv_file *file;
    NTSTATUS status = nv_file_new(&file);
    if (status != STATUS_SUCCESS)
        return status;
    file->volume = volume;
    file->options = request->of.create.options;
    file->share = request->of.create.share;
    request->file = file;
    show(file, request->of.create.path, request->of.create.access, file->share);
    status = nv_volume_send(volume, request);
    if (!NT_SUCCESS(status)) {
        nv_file_release(file);
        return status;
    }
    *handle = nv_handle_open(&file->object, request->of.create.access);
    return status;
}

static NTSTATUS open_path(const struct wishes *wishes, const struct nv_path *path, IO_STATUS_BLOCK *io, HANDLE *handle)
{
    struct nv_volume *volume = NULL;
    struct nv_request request = {
        .major = IRP_MJ_CREATE,
        .of.create = {.access = map_generic(wishes->access),
                      .disposition = wishes->disposition,
                      .options = wishes->options,
                      .attributes = (USHORT)wishes->file_attributes,
                      .share = (USHORT)wishes->share,
                      .path = path,
                      .descriptor = -1},
    };
    NTSTATUS status = find_volume(path, &volume);
    if (status == STATUS_SUCCESS)
        status = open_file(&request, volume, handle);
    io->Status = status;
    io->Information = request.information;
    return status;
}

static NTSTATUS create(const struct wishes *wishes, bool is_trusted)
{
    struct nv_path path;
    IO_STATUS_BLOCK io = {0};
    HANDLE handle = NULL;
    NTSTATUS status = check_wishes(wishes);
    if (status == STATUS_SUCCESS && !is_trusted)
        status = probe(wishes);
    if (status != STATUS_SUCCESS)
        return status;
    if (wishes->ea || wishes->ea_length)
        return STATUS_EAS_NOT_SUPPORTED;
    if (wishes->access == 0 || (wishes->access & ACCESS_WITHOUT_MEANING))
        return STATUS_ACCESS_DENIED;
    status = find_path(wishes, is_trusted, &path);
    if (status != STATUS_SUCCESS)
        return status;
    status = open_path(wishes, &path, &io, &handle);
    nv_path_end(&path);
    *wishes->io = io;
    if (NT_SUCCESS(status))
        *wishes->handle = handle;
    return status;
}

NTSTATUS NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                      ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength)
{
    struct wishes wishes = {FileHandle,     DesiredAccess,  ObjectAttributes, IoStatusBlock,
                            AllocationSize, FileAttributes, ShareAccess,      CreateDisposition,
                            CreateOptions,  EaBuffer,       EaLength};
    return create(&wishes, false);
}

NTSTATUS ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                      PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                      ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength)
{
    struct wishes wishes = {FileHandle,     DesiredAccess,  ObjectAttributes, IoStatusBlock,
                            AllocationSize, FileAttributes, ShareAccess,      CreateDisposition,
                            CreateOptions,  EaBuffer,       EaLength};
    return create(&wishes, nv_io_is_trusted());
}

NTSTATUS NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
    return NtCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN,
                        OpenOptions, NULL, 0);
}

NTSTATUS ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions)
{
    return ZwCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN,
                        OpenOptions, NULL, 0);
}

/* -- descriptors -- */

/* The path of what is open, where it has one that can be named. */
static const struct nv_path *path_of_descriptor(int descriptor, struct nv_path *path)
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    ssize_t length = nv_os->readlink(link, path->text, sizeof(path->text) - 1);
    if (length <= 0 || path->text[0] != '/')
        return NULL;
    path->text[length] = '\0';
    return path;
}

static NTSTATUS wrap(int descriptor, ACCESS_MASK access, HANDLE *handle)
{
    struct statx facts;
    struct nv_path path = {.root = NULL};
    struct nv_request request = {
        .major = IRP_MJ_CREATE,
        .of.create = {.access = map_generic(access),
                      .disposition = FILE_OPEN,
                      .options = FILE_SYNCHRONOUS_IO_NONALERT,
                      .share = FILE_SHARE_VALID_FLAGS,
                      .descriptor = descriptor},
    };
    int error = nv_os->statx_at(descriptor, "", AT_EMPTY_PATH, STATX_TYPE, &facts);
    NTSTATUS status = error < 0 ? nv_os_path_status(error) : STATUS_INSUFFICIENT_RESOURCES;
    struct nv_volume *volume = error < 0 ? NULL : nv_volume_get(makedev(facts.stx_dev_major, facts.stx_dev_minor));
    if (volume) {
        request.of.create.path = path_of_descriptor(descriptor, &path);
        status = open_file(&request, volume, handle);
    }
    if (request.of.create.descriptor >= 0)
        nv_os->close(descriptor);
    return status;
}

NTSTATUS NvrtlHandleFromFd(int Descriptor, ACCESS_MASK DesiredAccess, PHANDLE Handle)
{
    HANDLE handle = NULL;
    NTSTATUS status = nv_probe_write(Handle, sizeof(*Handle));
    if (status != STATUS_SUCCESS)
        return status;
    if (DesiredAccess == 0 || (DesiredAccess & ACCESS_WITHOUT_MEANING))
        return STATUS_ACCESS_DENIED;
    int descriptor = nv_os->duplicate(Descriptor);
    if (descriptor < 0)
        return nv_os_path_status(descriptor);
    status = wrap(descriptor, DesiredAccess, &handle);
    if (NT_SUCCESS(status))
        *Handle = handle;
    return status;
}
