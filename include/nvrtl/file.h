/* SPDX-License-Identifier: MIT */
/*
 * Files the NT way: handles, opening, reading and writing, sections, and NtFlushBuffersFile.
 *
 * A request for a file passes the filters of its volume (<nvrtl/filter.h>) down to the driver, which calls Linux. What
 * the documentation leaves open is decided in docs/CHOICES.md. All functions may be called from any thread at any time.
 *
 * Names. \??\unix\abs\path (slashes serve too) is the file /abs/path; \??\Z:\ is /; NVRTL_DRIVES gives further letters.
 * \DosDevices\ is the same as \??\. Names are UTF-16, compared as Linux compares them: case counts.
 *
 * The Zw functions are the Nt functions, but for a caller inside a driver or a filter: for it they trust the pointers
 * they get and check no access.
 */
#ifndef NVRTL_FILE_H
#define NVRTL_FILE_H

#include <nvrtl/types.h>

NVRTL_BEGIN

/* -- counted strings and names of objects -- */

/* Lengths are in bytes; there need not be a NUL at the end. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWSTR Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;

/* Let DestinationString stand for the text at SourceString (NULL: no text), without a copy. At most 32766 WCHARs. */
static inline VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    const SIZE_T most = 0xfffe / sizeof(WCHAR) - 1;
    SIZE_T count = 0;

    while (SourceString && SourceString[count] && count < most) {
        count++;
    }
    DestinationString->Length = (USHORT)(count * sizeof(WCHAR));
    DestinationString->MaximumLength = SourceString ? (USHORT)((count + 1) * sizeof(WCHAR)) : (USHORT)0;
    DestinationString->Buffer = (PWSTR)SourceString;
}

typedef struct _OBJECT_ATTRIBUTES {
    ULONG Length; /* sizeof(OBJECT_ATTRIBUTES) */
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

#define OBJ_INHERIT 0x00000002
#define OBJ_PERMANENT 0x00000010
#define OBJ_EXCLUSIVE 0x00000020
#define OBJ_CASE_INSENSITIVE 0x00000040
#define OBJ_OPENIF 0x00000080
#define OBJ_KERNEL_HANDLE 0x00000200
#define OBJ_VALID_ATTRIBUTES 0x00001ff2

#define InitializeObjectAttributes(p, name, attributes, root, security)                                                \
    do {                                                                                                               \
        (p)->Length = sizeof(OBJECT_ATTRIBUTES);                                                                       \
        (p)->RootDirectory = (root);                                                                                   \
        (p)->ObjectName = (name);                                                                                      \
        (p)->Attributes = (attributes);                                                                                \
        (p)->SecurityDescriptor = (security);                                                                          \
        (p)->SecurityQualityOfService = NULL;                                                                          \
    } while (0)

/* The outcome of a request. It is written when the request was made; a call that is refused before leaves it alone. */
typedef struct _IO_STATUS_BLOCK {
    __extension__ union {
        NTSTATUS Status;
        PVOID Pointer;
    };
    ULONG_PTR Information;
} IO_STATUS_BLOCK, *PIO_STATUS_BLOCK;

typedef VOID(NTAPI *PIO_APC_ROUTINE)(PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, ULONG Reserved);

#define NtCurrentProcess() ((HANDLE)(LONG_PTR)-1)
#define ZwCurrentProcess() NtCurrentProcess()
#define NtCurrentThread() ((HANDLE)(LONG_PTR)-2)
#define ZwCurrentThread() NtCurrentThread()

/* -- access, sharing, opening -- */

#define FILE_READ_DATA 0x0001
#define FILE_LIST_DIRECTORY 0x0001
#define FILE_WRITE_DATA 0x0002
#define FILE_ADD_FILE 0x0002
#define FILE_APPEND_DATA 0x0004
#define FILE_ADD_SUBDIRECTORY 0x0004
#define FILE_CREATE_PIPE_INSTANCE 0x0004
#define FILE_READ_EA 0x0008
#define FILE_WRITE_EA 0x0010
#define FILE_EXECUTE 0x0020
#define FILE_TRAVERSE 0x0020
#define FILE_DELETE_CHILD 0x0040
#define FILE_READ_ATTRIBUTES 0x0080
#define FILE_WRITE_ATTRIBUTES 0x0100
#define DELETE 0x00010000
#define READ_CONTROL 0x00020000
#define WRITE_DAC 0x00040000
#define WRITE_OWNER 0x00080000
#define SYNCHRONIZE 0x00100000
#define MAXIMUM_ALLOWED 0x02000000
#define GENERIC_ALL 0x10000000
#define GENERIC_EXECUTE 0x20000000
#define GENERIC_WRITE 0x40000000
#define GENERIC_READ ((ACCESS_MASK)0x80000000)
#define FILE_ALL_ACCESS 0x001F01FF
#define FILE_GENERIC_READ 0x00120089
#define FILE_GENERIC_WRITE 0x00120116
#define FILE_GENERIC_EXECUTE 0x001200A0

#define FILE_SHARE_READ 0x1
#define FILE_SHARE_WRITE 0x2
#define FILE_SHARE_DELETE 0x4
#define FILE_SHARE_VALID_FLAGS 0x7

/* Dispositions, and what IoStatusBlock->Information says of them afterwards. */
#define FILE_SUPERSEDE 0
#define FILE_OPEN 1
#define FILE_CREATE 2
#define FILE_OPEN_IF 3
#define FILE_OVERWRITE 4
#define FILE_OVERWRITE_IF 5
#define FILE_MAXIMUM_DISPOSITION 5
#define FILE_SUPERSEDED 0
#define FILE_OPENED 1
#define FILE_CREATED 2
#define FILE_OVERWRITTEN 3
#define FILE_EXISTS 4
#define FILE_DOES_NOT_EXIST 5

#define FILE_DIRECTORY_FILE 0x00000001
#define FILE_WRITE_THROUGH 0x00000002
#define FILE_SEQUENTIAL_ONLY 0x00000004
#define FILE_NO_INTERMEDIATE_BUFFERING 0x00000008
#define FILE_SYNCHRONOUS_IO_ALERT 0x00000010
#define FILE_SYNCHRONOUS_IO_NONALERT 0x00000020
#define FILE_NON_DIRECTORY_FILE 0x00000040
#define FILE_RANDOM_ACCESS 0x00000800
#define FILE_DELETE_ON_CLOSE 0x00001000
#define FILE_OPEN_BY_FILE_ID 0x00002000
#define FILE_OPEN_FOR_BACKUP_INTENT 0x00004000
#define FILE_OPEN_REPARSE_POINT 0x00200000
#define FILE_VALID_OPTION_FLAGS 0x00ffffff

#define FILE_ATTRIBUTE_READONLY 0x00000001
#define FILE_ATTRIBUTE_HIDDEN 0x00000002
#define FILE_ATTRIBUTE_SYSTEM 0x00000004
#define FILE_ATTRIBUTE_DIRECTORY 0x00000010
#define FILE_ATTRIBUTE_ARCHIVE 0x00000020
#define FILE_ATTRIBUTE_NORMAL 0x00000080
#define FILE_ATTRIBUTE_TEMPORARY 0x00000100
#define FILE_ATTRIBUTE_VALID_FLAGS 0x00007fb7

/* In the low half of a ByteOffset whose high half is -1. */
#define FILE_WRITE_TO_END_OF_FILE 0xffffffff
#define FILE_USE_FILE_POINTER_POSITION 0xfffffffe

/*
 * Open a file, a folder or a volume, or make a file or folder.
 *
 * DesiredAccess is what the handle may be used for; generic rights and MAXIMUM_ALLOWED are mapped. It is the handle's
 * own: a flush needs FILE_WRITE_DATA or FILE_APPEND_DATA, whatever the Unix descriptor behind it could do. ShareAccess
 * is what other handles of the file, in this process, may be opened for.
 *
 * CreateDisposition: FILE_OPEN and FILE_OVERWRITE want a file that exists, FILE_CREATE one that does not, the others
 * take either. FILE_OVERWRITE, FILE_OVERWRITE_IF and FILE_SUPERSEDE empty it; it stays the same file.
 *
 * CreateOptions:
 *
 *   FILE_DIRECTORY_FILE, FILE_NON_DIRECTORY_FILE   it has to be a folder, or has to be none
 *   FILE_SYNCHRONOUS_IO_(NON)ALERT  the handle has a position, and requests are made one after the other; without it
 *                                   requests name their offset. No request is ever pending, with it or without
 *   FILE_WRITE_THROUGH              each write is durable when it returns (O_DSYNC)
 *   FILE_NO_INTERMEDIATE_BUFFERING  O_DIRECT, where the file system has it; lengths and offsets are multiples of 512
 *   FILE_DELETE_ON_CLOSE            the file goes when its last handle in this process is closed
 *   FILE_OPEN_REPARSE_POINT         a symbolic link is refused, instead of followed
 *   others                          have no effect
 *
 * A volume is opened by a drive letter without a backslash behind it, or by a mount point with FILE_NON_DIRECTORY_FILE,
 * which no folder can be opened with.
 *
 * FileAttributes: FILE_ATTRIBUTE_READONLY makes a new file one that nobody may write to. AllocationSize has no effect.
 * There are no extended attributes: EaBuffer is NULL and EaLength 0. SecurityDescriptor, SecurityQualityOfService and
 * Attributes of ObjectAttributes have no effect, if they are valid; permissions are those of Linux, and its umask.
 *
 * The arguments are checked first, then the pointers, then the name. IoStatusBlock is written when the name is one:
 * Status as returned, and Information FILE_OPENED, FILE_CREATED, FILE_OVERWRITTEN, FILE_SUPERSEDED, FILE_EXISTS (a
 * collision), FILE_DOES_NOT_EXIST (a name that is not found), or 0.
 *
 * STATUS_SUCCESS                  *FileHandle is the handle, until NtClose.
 * STATUS_INVALID_PARAMETER        an unknown attribute, share mode, disposition or option; FILE_SYNCHRONOUS_IO_*
 *                                 without SYNCHRONIZE, or both of them; FILE_DELETE_ON_CLOSE without DELETE;
 *                                 FILE_DIRECTORY_FILE with other options than go with it, or a disposition that
 *                                 empties; FILE_NO_INTERMEDIATE_BUFFERING with FILE_APPEND_DATA; no ObjectAttributes,
 *                                 of another Length, with unknown Attributes, or without a name.
 * STATUS_ACCESS_VIOLATION         a pointer that may not be read or written.
 * STATUS_DATATYPE_MISALIGNMENT    ObjectAttributes is not aligned.
 * STATUS_EAS_NOT_SUPPORTED        EaBuffer or EaLength.
 * STATUS_ACCESS_DENIED            DesiredAccess is 0, or has bits without meaning; or the permissions do not allow it;
 *                                 or a volume is to be made.
 * STATUS_OBJECT_PATH_SYNTAX_BAD   the name does not begin with a backslash, or does, and is relative to RootDirectory.
 * STATUS_OBJECT_NAME_INVALID      "." or ".." in it, a NUL, half a pair of surrogates, an odd number of bytes; on a
 *                                 drive also what Windows does not allow in names; or links go round in a circle; or
 *                                 a separator ends the name of what is no folder.
 * STATUS_NAME_TOO_LONG            for Linux.
 * STATUS_OBJECT_PATH_NOT_FOUND    no such device, drive or folder on the way to the file; RootDirectory is no folder.
 * STATUS_OBJECT_NAME_NOT_FOUND    no such file.
 * STATUS_OBJECT_NAME_COLLISION    FILE_CREATE, and it exists; or it is a folder, and would be emptied.
 * STATUS_NOT_A_DIRECTORY, STATUS_FILE_IS_A_DIRECTORY  it is, or is not, what the options want.
 * STATUS_SHARING_VIOLATION        another handle's access and sharing do not go with these; or a program that runs.
 * STATUS_DELETE_PENDING           the file goes with its last handle.
 * STATUS_CANNOT_DELETE            FILE_DELETE_ON_CLOSE for a volume, or a file that nobody may write to.
 * STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH  RootDirectory is no live handle, or not one of a file.
 * STATUS_MEDIA_WRITE_PROTECTED    the file system is mounted for reading only.
 * STATUS_NOT_SUPPORTED            FILE_OPEN_BY_FILE_ID; FILE_OPEN_REPARSE_POINT of a symbolic link.
 * STATUS_TOO_MANY_OPENED_FILES    no descriptor is left.
 * STATUS_INSUFFICIENT_RESOURCES   no memory, or no handle is left.
 * Other failures                  of the system (STATUS_DISK_FULL, STATUS_IO_DEVICE_ERROR, ...).
 *
 * Source: Microsoft Learn, "NtCreateFile function (winternl.h)"; MS-FSA 2.1.5.1.
 */
NVRTL_API NTSTATUS NTAPI NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess,
                                      POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                                      PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess,
                                      ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength);
NVRTL_API NTSTATUS NTAPI ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess,
                                      POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                                      PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess,
                                      ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength);

/*
 * NtCreateFile with FILE_OPEN, and its statuses.
 *
 * Source: Microsoft Learn, "NtOpenFile function (winternl.h)".
 */
NVRTL_API NTSTATUS NTAPI NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions);
NVRTL_API NTSTATUS NTAPI ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions);

/*
 * Get a handle for an open descriptor: of a file, a folder, a pipe, a terminal, whatever it is. The descriptor stays
 * the caller's; the handle has a duplicate of it, with the access that is stated here (MAXIMUM_ALLOWED: all), and
 * shares all. It is a synchronous handle, whose position begins at 0 and is not the descriptor's.
 *
 * STATUS_SUCCESS                 *Handle is the handle, until NtClose.
 * STATUS_ACCESS_VIOLATION        Handle is NULL or may not be written.
 * STATUS_INVALID_HANDLE          Descriptor is not open.
 * STATUS_ACCESS_DENIED           DesiredAccess is 0, or has bits without meaning.
 * STATUS_SHARING_VIOLATION, STATUS_DELETE_PENDING  as NtCreateFile.
 * STATUS_TOO_MANY_OPENED_FILES   no descriptor is left.
 * STATUS_INSUFFICIENT_RESOURCES  no memory, or no handle is left.
 *
 * Source: nvrtl's own.
 */
NVRTL_API NTSTATUS NTAPI NvrtlHandleFromFd(int Descriptor, ACCESS_MASK DesiredAccess, PHANDLE Handle);

/*
 * Close a handle, of whatever it is. Nothing is flushed by it. The descriptor behind it is closed when no call uses it
 * any more, no section has it, and no filter has a reference.
 *
 * STATUS_SUCCESS         the handle is no longer valid, in any thread; NtCurrentProcess() and NtCurrentThread() are.
 * STATUS_INVALID_HANDLE  it was no live handle: NULL, garbage, closed already.
 *
 * Source: Microsoft Learn, "NtClose function (winternl.h)".
 */
NVRTL_API NTSTATUS NTAPI NtClose(HANDLE Handle);
NVRTL_API NTSTATUS NTAPI ZwClose(HANDLE Handle);

/*
 * Wait for the object of a handle. A file is never waited for: what was asked of it has been done.
 *
 * STATUS_SUCCESS               the wait is over.
 * STATUS_ACCESS_VIOLATION      Timeout may not be read.
 * STATUS_INVALID_HANDLE        no live handle.
 * STATUS_OBJECT_TYPE_MISMATCH  it cannot be waited for: a section, NtCurrentProcess(), NtCurrentThread().
 * STATUS_ACCESS_DENIED         the handle was opened without SYNCHRONIZE.
 *
 * Source: Microsoft Learn, "NtWaitForSingleObject function (winternl.h)".
 */
NVRTL_API NTSTATUS NTAPI NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NVRTL_API NTSTATUS NTAPI ZwWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout);

/* -- reading and writing -- */

/*
 * Read up to Length bytes, from *ByteOffset on. A synchronous handle takes ByteOffset NULL, too, or its low half
 * FILE_USE_FILE_POINTER_POSITION (high half -1): from its position on, which every request moves behind what it read or
 * wrote. A pipe or terminal has no offsets: what is given is not looked at, and a read waits for data and returns what
 * there is. The request is done on return, whatever the handle: Event is NULL, or would have to be that of an event, of
 * which there are none with handles; ApcRoutine is NULL; ApcContext and Key have no effect.
 *
 * The handle is checked first, then its access, the pointers, and the rest. IoStatusBlock is written when the request
 * was made: Status as returned, and Information the number of bytes.
 *
 * STATUS_SUCCESS                 Information bytes were read: fewer than Length at the end of the file only.
 * STATUS_END_OF_FILE             *ByteOffset is at the end of the file or beyond, and Length is not 0.
 * STATUS_INVALID_HANDLE          no live handle (of FileHandle or Event).
 * STATUS_OBJECT_TYPE_MISMATCH    not the handle of a file; or Event is one of something else than an event.
 * STATUS_ACCESS_DENIED           the handle was opened without FILE_READ_DATA.
 * STATUS_ACCESS_VIOLATION        a pointer that may not be read or written.
 * STATUS_NOT_SUPPORTED           ApcRoutine.
 * STATUS_INVALID_PARAMETER       an offset below 0; no offset, for a handle that is not synchronous; or, for
 *                                FILE_NO_INTERMEDIATE_BUFFERING, an offset or length that is no multiple of 512, or a
 *                                buffer, offset or length that is not as the device wants it.
 * STATUS_INVALID_DEVICE_REQUEST  a folder or a volume.
 * STATUS_PIPE_BROKEN             nobody has the other end of the pipe open any more, and all was read.
 * Other failures                 of the system (STATUS_IO_DEVICE_ERROR, STATUS_VOLUME_DISMOUNTED, ...).
 *
 * Source: Microsoft Learn, "NtReadFile function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                    PLARGE_INTEGER ByteOffset, ULONG *Key);
NVRTL_API NTSTATUS NTAPI ZwReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                    PLARGE_INTEGER ByteOffset, ULONG *Key);

/*
 * Write Length bytes, to *ByteOffset on; the rest as NtReadFile. The low half FILE_WRITE_TO_END_OF_FILE (high half -1)
 * means behind the end of the file, wherever that is by then; so does every offset for a handle that has
 * FILE_APPEND_DATA and not FILE_WRITE_DATA. Nothing is durable by it, unless the handle has FILE_WRITE_THROUGH.
 *
 * STATUS_SUCCESS              all bytes were written.
 * STATUS_ACCESS_DENIED        the handle has neither FILE_WRITE_DATA nor FILE_APPEND_DATA; or the descriptor that it
 *                             was made from cannot write.
 * STATUS_INVALID_USER_BUFFER  Buffer may not be read. Some of it may have been written.
 * STATUS_DISK_FULL            no room is left, or the user's share of it. Information says how much was written.
 * STATUS_FILE_TOO_LARGE       for the file system, or the program's limit.
 * STATUS_PIPE_BROKEN          nobody has the other end of the pipe open any more. No signal is sent.
 * Other statuses              as NtReadFile; and with FILE_WRITE_THROUGH those of a flush.
 *
 * Source: Microsoft Learn, "NtWriteFile function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                     PLARGE_INTEGER ByteOffset, ULONG *Key);
NVRTL_API NTSTATUS NTAPI ZwWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                     PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                     PLARGE_INTEGER ByteOffset, ULONG *Key);

/* -- flushing -- */

/* Flags of NtFlushBuffersFileEx, one at a time; 0 is what NtFlushBuffersFile does. Not the numbers of IRP_MN_*. */
#define FLUSH_FLAGS_FILE_DATA_ONLY 0x00000001
#define FLUSH_FLAGS_NO_SYNC 0x00000002
#define FLUSH_FLAGS_FILE_DATA_SYNC_ONLY 0x00000004
#define FLUSH_FLAGS_FLUSH_AND_PURGE 0x00000008

/*
 * Make what was written to a file durable: its data, its metadata, and, the first time, its name, if it was created or
 * renamed by this process. On return everything that any handle or any view of the file had written before is on the
 * device, and the device has been made to flush. A handle of a folder: the folder's entries. A handle of a volume: the
 * whole file system. A pipe: returns when its reader has read all. A terminal: returns when the output is sent.
 *
 * The call is synchronous for every handle. Once a flush of a file has failed, by any handle or token, every later one
 * fails too, until NvrtlForgetFileFailure: Linux tells of a lost page only once. Calls are checked in this order: the
 * pointer, the handle, its type, its access. *IoStatusBlock is written when the request was made, and else left alone.
 *
 * STATUS_SUCCESS                done, and durable.
 * STATUS_ACCESS_VIOLATION       IoStatusBlock is NULL or may not be written.
 * STATUS_INVALID_HANDLE         no live handle.
 * STATUS_OBJECT_TYPE_MISMATCH   not the handle of a file.
 * STATUS_ACCESS_DENIED          the handle has neither FILE_WRITE_DATA nor FILE_APPEND_DATA (a folder: neither
 *                               FILE_ADD_FILE nor FILE_ADD_SUBDIRECTORY; a pipe: not FILE_WRITE_DATA).
 * STATUS_MEDIA_WRITE_PROTECTED  the file system is mounted for reading only.
 * STATUS_VOLUME_DISMOUNTED      the device is gone, or the file system was shut down.
 * STATUS_INVALID_DEVICE_REQUEST the object cannot be flushed (a socket, /dev/null).
 * STATUS_PIPE_BROKEN            the pipe's reader has gone while the call waited for it.
 * Other failures                the device did not take the data (STATUS_IO_DEVICE_ERROR, STATUS_DISK_FULL, ...).
 *
 * Source: Microsoft Learn, "NtFlushBuffersFile function (ntifs.h)"; MS-FSA 2.1.5.7.
 */
NVRTL_API NTSTATUS NTAPI NtFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);
NVRTL_API NTSTATUS NTAPI ZwFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);

/*
 * NtFlushBuffersFile, or less of it. Flags is one of:
 *
 *   0                                as NtFlushBuffersFile
 *   FLUSH_FLAGS_FILE_DATA_ONLY       the data is handed to the device, which is not made to flush: not durable
 *   FLUSH_FLAGS_NO_SYNC              data and metadata, as above; here they are durable, since Linux has no lesser call
 *   FLUSH_FLAGS_FILE_DATA_SYNC_ONLY  data and what is needed to read it (fdatasync): durable; no new name
 *   FLUSH_FLAGS_FLUSH_AND_PURGE      as 0, then the file's clean pages are dropped from the page cache
 *
 * A volume takes 0 only; a folder takes neither FILE_DATA_SYNC_ONLY nor FLUSH_AND_PURGE. Parameters is NULL and
 * ParametersSize 0.
 *
 * STATUS_INVALID_PARAMETER  Flags is none of these, or not for such a handle, or there are parameters. Checked last.
 * Other statuses            as NtFlushBuffersFile.
 *
 * Source: Microsoft Learn, "NtFlushBuffersFileEx function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtFlushBuffersFileEx(HANDLE FileHandle, ULONG Flags, PVOID Parameters, ULONG ParametersSize,
                                              PIO_STATUS_BLOCK IoStatusBlock);
NVRTL_API NTSTATUS NTAPI ZwFlushBuffersFileEx(HANDLE FileHandle, ULONG Flags, PVOID Parameters, ULONG ParametersSize,
                                              PIO_STATUS_BLOCK IoStatusBlock);

/*
 * Take a file out of its failed state, for all its handles and tokens: the program has written the data again, or does
 * not need it. For a handle of a volume: the volume, and every file of it.
 *
 * STATUS_SUCCESS               no failure of the file is remembered now.
 * STATUS_INVALID_HANDLE        no live handle.
 * STATUS_OBJECT_TYPE_MISMATCH  not the handle of a file.
 *
 * Source: nvrtl's own. See NvrtlForgetFailure.
 */
NVRTL_API NTSTATUS NTAPI NvrtlForgetFileFailure(HANDLE FileHandle);

/* -- information -- */

typedef enum _FILE_INFORMATION_CLASS {
    FileBasicInformation = 4,
    FileStandardInformation = 5,
    FileInternalInformation = 6,
    FileAccessInformation = 8,
    FileRenameInformation = 10,
    FileDispositionInformation = 13,
    FilePositionInformation = 14,
    FileModeInformation = 16,
    FileAllocationInformation = 19,
    FileEndOfFileInformation = 20
} FILE_INFORMATION_CLASS,
    *PFILE_INFORMATION_CLASS;

typedef struct _FILE_BASIC_INFORMATION {
    LARGE_INTEGER CreationTime; /* 100 ns since 1601 */
    LARGE_INTEGER LastAccessTime;
    LARGE_INTEGER LastWriteTime;
    LARGE_INTEGER ChangeTime;
    ULONG FileAttributes;
} FILE_BASIC_INFORMATION, *PFILE_BASIC_INFORMATION;

typedef struct _FILE_STANDARD_INFORMATION {
    LARGE_INTEGER AllocationSize; /* bytes */
    LARGE_INTEGER EndOfFile;      /* bytes */
    ULONG NumberOfLinks;
    BOOLEAN DeletePending;
    BOOLEAN Directory;
} FILE_STANDARD_INFORMATION, *PFILE_STANDARD_INFORMATION;

typedef struct _FILE_INTERNAL_INFORMATION {
    LARGE_INTEGER IndexNumber;
} FILE_INTERNAL_INFORMATION, *PFILE_INTERNAL_INFORMATION;

typedef struct _FILE_ACCESS_INFORMATION {
    ACCESS_MASK AccessFlags;
} FILE_ACCESS_INFORMATION, *PFILE_ACCESS_INFORMATION;

typedef struct _FILE_RENAME_INFORMATION {
    BOOLEAN ReplaceIfExists;
    HANDLE RootDirectory;
    ULONG FileNameLength; /* bytes */
    WCHAR FileName[1];
} FILE_RENAME_INFORMATION, *PFILE_RENAME_INFORMATION;

typedef struct _FILE_DISPOSITION_INFORMATION {
    BOOLEAN DeleteFile;
} FILE_DISPOSITION_INFORMATION, *PFILE_DISPOSITION_INFORMATION;

typedef struct _FILE_POSITION_INFORMATION {
    LARGE_INTEGER CurrentByteOffset;
} FILE_POSITION_INFORMATION, *PFILE_POSITION_INFORMATION;

typedef struct _FILE_MODE_INFORMATION {
    ULONG Mode;
} FILE_MODE_INFORMATION, *PFILE_MODE_INFORMATION;

typedef struct _FILE_ALLOCATION_INFORMATION {
    LARGE_INTEGER AllocationSize;
} FILE_ALLOCATION_INFORMATION, *PFILE_ALLOCATION_INFORMATION;

typedef struct _FILE_END_OF_FILE_INFORMATION {
    LARGE_INTEGER EndOfFile;
} FILE_END_OF_FILE_INFORMATION, *PFILE_END_OF_FILE_INFORMATION;

typedef enum _FSINFOCLASS { FileFsAttributeInformation = 5 } FS_INFORMATION_CLASS, *PFS_INFORMATION_CLASS;

typedef struct _FILE_FS_ATTRIBUTE_INFORMATION {
    ULONG FileSystemAttributes;
    LONG MaximumComponentNameLength;
    ULONG FileSystemNameLength; /* bytes */
    WCHAR FileSystemName[1];
} FILE_FS_ATTRIBUTE_INFORMATION, *PFILE_FS_ATTRIBUTE_INFORMATION;

#define FILE_CASE_SENSITIVE_SEARCH 0x00000001
#define FILE_CASE_PRESERVED_NAMES 0x00000002
#define FILE_UNICODE_ON_DISK 0x00000004
#define FILE_SUPPORTS_SPARSE_FILES 0x00000040
#define FILE_READ_ONLY_VOLUME 0x00080000
#define FILE_DAX_VOLUME 0x20000000

/*
 * Ask about a file. FileInformation, of Length bytes, gets the structure of the class:
 *
 *   FileBasicInformation     times, and FILE_ATTRIBUTE_READONLY if nobody may write; needs FILE_READ_ATTRIBUTES
 *   FileStandardInformation  size, room, links, whether it is to be deleted, whether it is a folder
 *   FileInternalInformation  the inode
 *   FileAccessInformation    what the handle may be used for
 *   FilePositionInformation  its position; needs FILE_READ_DATA or FILE_WRITE_DATA
 *   FileModeInformation      those of its options that say how requests are made
 *
 * The class is checked first, then Length, the pointers, the handle and its access. IoStatusBlock is written when the
 * request was made; Information is the number of bytes in FileInformation.
 *
 * STATUS_SUCCESS                FileInformation is filled.
 * STATUS_INVALID_INFO_CLASS     none of these.
 * STATUS_INFO_LENGTH_MISMATCH   Length is less than the structure.
 * STATUS_ACCESS_VIOLATION       IoStatusBlock or FileInformation is NULL or may not be written.
 * STATUS_DATATYPE_MISALIGNMENT  one of them is no multiple of 4 (a structure that is one BOOLEAN may lie anywhere).
 * STATUS_INVALID_HANDLE         no live handle.
 * STATUS_OBJECT_TYPE_MISMATCH   not the handle of a file.
 * STATUS_ACCESS_DENIED          the handle lacks the access.
 * Other failures                of the system.
 *
 * Source: Microsoft Learn, "NtQueryInformationFile function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock,
                                                PVOID FileInformation, ULONG Length,
                                                FILE_INFORMATION_CLASS FileInformationClass);
NVRTL_API NTSTATUS NTAPI ZwQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock,
                                                PVOID FileInformation, ULONG Length,
                                                FILE_INFORMATION_CLASS FileInformationClass);

/*
 * Change something of a file, or of its handle:
 *
 *   FileBasicInformation        LastAccessTime, LastWriteTime (0, -1, -2: as they are), and FILE_ATTRIBUTE_READONLY
 *                               (FileAttributes 0: as it is); the rest has no effect. Needs FILE_WRITE_ATTRIBUTES
 *   FileRenameInformation       a new name: a full one, one relative to RootDirectory, or one without any separator, in
 *                               the same folder. Needs DELETE
 *   FileDispositionInformation  whether the file goes with its last handle in this process. Needs DELETE
 *   FilePositionInformation     the position of the handle; needs FILE_READ_DATA or FILE_WRITE_DATA
 *   FileModeInformation         FILE_WRITE_THROUGH, on or off; FILE_SEQUENTIAL_ONLY has no effect
 *   FileAllocationInformation   room for so many bytes, or fewer bytes; needs FILE_WRITE_DATA
 *   FileEndOfFileInformation    the size; needs FILE_WRITE_DATA
 *
 * Nothing is durable by it: the first flush behind it makes the new name, or size, so. The statuses are those of
 * NtQueryInformationFile, where FileInformation is read instead of written, and:
 *
 * STATUS_INVALID_PARAMETER       a time, offset or size below 0; unknown attributes or modes; FILE_ATTRIBUTE_DIRECTORY
 *                                of what is none; a synchronous handle that would be no more, or the other way round; a
 *                                position without intermediate buffering that is no multiple of 512; the size of what
 *                                is no file; the name of a volume; FileNameLength beyond Length.
 * STATUS_ACCESS_DENIED           the permissions do not allow it; or a renamed file would replace one that is open by a
 *                                handle, that nobody may write to, or a folder.
 * STATUS_OBJECT_NAME_COLLISION   a renamed file would replace one, without ReplaceIfExists.
 * STATUS_NOT_SAME_DEVICE         a file cannot be renamed into another file system.
 * STATUS_CANNOT_DELETE           a volume, a file that nobody may write to, or one that has no name any more.
 * STATUS_DIRECTORY_NOT_EMPTY     a folder that is to be deleted.
 * STATUS_DISK_FULL               there is no such room.
 * Statuses of names              as NtCreateFile.
 *
 * Source: Microsoft Learn, "NtSetInformationFile function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                              ULONG Length, FILE_INFORMATION_CLASS FileInformationClass);
NVRTL_API NTSTATUS NTAPI ZwSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                              ULONG Length, FILE_INFORMATION_CLASS FileInformationClass);

/*
 * Ask about the file system that a file is in. The one class is FileFsAttributeInformation: FILE_DAX_VOLUME tells that
 * the file, or with the mount option dax every file, is mapped without a page cache; FILE_READ_ONLY_VOLUME that it is
 * mounted for reading only. FileSystemName is Linux's: "ext4", "xfs".
 *
 * The checks and statuses are those of NtQueryInformationFile, and:
 *
 * STATUS_BUFFER_OVERFLOW  there is no room for all of the name: FileSystemNameLength bytes of it are there.
 *
 * Source: Microsoft Learn, "NtQueryVolumeInformationFile function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock,
                                                      PVOID FsInformation, ULONG Length,
                                                      FS_INFORMATION_CLASS FsInformationClass);
NVRTL_API NTSTATUS NTAPI ZwQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock,
                                                      PVOID FsInformation, ULONG Length,
                                                      FS_INFORMATION_CLASS FsInformationClass);

/* -- sections -- */

#define SECTION_QUERY 0x0001
#define SECTION_MAP_WRITE 0x0002
#define SECTION_MAP_READ 0x0004
#define SECTION_MAP_EXECUTE 0x0008
#define SECTION_EXTEND_SIZE 0x0010
#define SECTION_ALL_ACCESS 0x000F001F

#define PAGE_NOACCESS 0x01
#define PAGE_READONLY 0x02
#define PAGE_READWRITE 0x04
#define PAGE_WRITECOPY 0x08
#define PAGE_EXECUTE 0x10
#define PAGE_EXECUTE_READ 0x20
#define PAGE_EXECUTE_READWRITE 0x40
#define PAGE_EXECUTE_WRITECOPY 0x80

#define SEC_FILE 0x00800000
#define SEC_IMAGE 0x01000000
#define SEC_RESERVE 0x04000000
#define SEC_COMMIT 0x08000000
#define SEC_NOCACHE 0x10000000
#define SEC_LARGE_PAGES 0x80000000

#define MEM_COMMIT 0x00001000
#define MEM_RESERVE 0x00002000

typedef enum _SECTION_INHERIT { ViewShare = 1, ViewUnmap = 2 } SECTION_INHERIT;

/*
 * Make a section: what views of a file are mapped from. FileHandle NULL makes one of memory, MaximumSize bytes of it.
 *
 * MaximumSize NULL or 0 means the file's size. A file that is smaller is extended, if SectionPageProtection lets it be
 * written. SectionPageProtection asks this of the file's handle: FILE_READ_DATA; for PAGE_READWRITE FILE_WRITE_DATA,
 * too; for PAGE_EXECUTE* FILE_EXECUTE. AllocationAttributes is SEC_COMMIT or SEC_RESERVE, which are the same here, and
 * may have SEC_NOCACHE, which changes nothing. The section keeps the file open; closing the section's handle leaves its
 * views alone. ObjectAttributes may be NULL; a section has no name.
 *
 * STATUS_SUCCESS                    *SectionHandle is the section, with the access in DesiredAccess.
 * STATUS_ACCESS_VIOLATION           a pointer that may not be read or written.
 * STATUS_INVALID_PARAMETER          AllocationAttributes; or memory of no size, or of more than there can be.
 * STATUS_INVALID_PAGE_PROTECTION    SectionPageProtection is none, or PAGE_NOACCESS.
 * STATUS_INVALID_HANDLE             no live handle.
 * STATUS_OBJECT_TYPE_MISMATCH       not the handle of a file.
 * STATUS_ACCESS_DENIED              the file's handle lacks what SectionPageProtection asks for.
 * STATUS_INVALID_FILE_FOR_SECTION   a folder, a volume, a device or a pipe; any file, with SEC_IMAGE.
 * STATUS_MAPPED_FILE_SIZE_ZERO      the file is empty, and MaximumSize does not say otherwise.
 * STATUS_SECTION_TOO_BIG            MaximumSize is more than the file has, and it may not be written; or more than any.
 * STATUS_OBJECT_NAME_INVALID        ObjectAttributes has a name.
 * STATUS_INSUFFICIENT_RESOURCES     no memory, or no handle is left.
 * Other failures                    the file could not be extended (STATUS_DISK_FULL, ...).
 *
 * Source: Microsoft Learn, "NtCreateSection function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess,
                                         POBJECT_ATTRIBUTES ObjectAttributes, PLARGE_INTEGER MaximumSize,
                                         ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle);
NVRTL_API NTSTATUS NTAPI ZwCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess,
                                         POBJECT_ATTRIBUTES ObjectAttributes, PLARGE_INTEGER MaximumSize,
                                         ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle);

/*
 * Map a view of a section into this process: an ordinary shared mapping (PAGE_WRITECOPY: a private one), which
 * RtlGetNonVolatileToken takes if it may be written. On persistent memory it is mapped with MAP_SYNC.
 *
 * *BaseAddress NULL: anywhere. *SectionOffset (NULL: 0) and *BaseAddress are multiples of 64 KiB; *ViewSize 0 means to
 * the section's end. All three are set to what was mapped; *ViewSize to whole pages. A child of fork() has the view,
 * whatever InheritDisposition says: it is a copy of this process, and no new one. ZeroBits, CommitSize and
 * AllocationType may be anything that Windows takes there, and change nothing.
 *
 * STATUS_SUCCESS                  the view is there, until NtUnmapViewOfSection.
 * STATUS_ACCESS_VIOLATION         a pointer that may not be read or written.
 * STATUS_INVALID_HANDLE           no live handle; ProcessHandle is not NtCurrentProcess().
 * STATUS_OBJECT_TYPE_MISMATCH     not the handle of a section (of a process).
 * STATUS_ACCESS_DENIED            the section's handle lacks SECTION_MAP_READ, _WRITE or _EXECUTE for this protection.
 * STATUS_INVALID_PAGE_PROTECTION  Win32Protect is none.
 * STATUS_SECTION_PROTECTION       it allows what the section's own protection does not.
 * STATUS_INVALID_PARAMETER_4      ZeroBits is more than 21.
 * STATUS_INVALID_PARAMETER_8      InheritDisposition is neither ViewShare nor ViewUnmap.
 * STATUS_INVALID_PARAMETER_9      AllocationType has MEM_COMMIT or MEM_RESERVE.
 * STATUS_MAPPED_ALIGNMENT         *SectionOffset or *BaseAddress is no multiple of 64 KiB.
 * STATUS_INVALID_PARAMETER        *SectionOffset is past the section's end.
 * STATUS_INVALID_VIEW_SIZE        the view would be.
 * STATUS_CONFLICTING_ADDRESSES    something is mapped at *BaseAddress, or *BaseAddress is no address for mappings.
 * STATUS_INSUFFICIENT_RESOURCES   no memory, or no address space.
 *
 * Source: Microsoft Learn, "ZwMapViewOfSection function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress,
                                            ULONG_PTR ZeroBits, SIZE_T CommitSize, PLARGE_INTEGER SectionOffset,
                                            SIZE_T *ViewSize, SECTION_INHERIT InheritDisposition, ULONG AllocationType,
                                            ULONG Win32Protect);
NVRTL_API NTSTATUS NTAPI ZwMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress,
                                            ULONG_PTR ZeroBits, SIZE_T CommitSize, PLARGE_INTEGER SectionOffset,
                                            SIZE_T *ViewSize, SECTION_INHERIT InheritDisposition, ULONG AllocationType,
                                            ULONG Win32Protect);

/*
 * Unmap the view that BaseAddress lies in, at its start or anywhere inside. Nothing is flushed by it, and nothing that
 * was written is lost but by a power failure. Tokens of the view are no longer of use, and are still to be freed.
 *
 * STATUS_SUCCESS               the whole view is gone.
 * STATUS_INVALID_HANDLE        ProcessHandle is not NtCurrentProcess().
 * STATUS_OBJECT_TYPE_MISMATCH  it is the handle of something else.
 * STATUS_NOT_MAPPED_VIEW       no view is there.
 *
 * Source: Microsoft Learn, "ZwUnmapViewOfSection function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress);
NVRTL_API NTSTATUS NTAPI ZwUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress);

/*
 * Write a range of a view back to its file. Windows starts the writing, and leaves the device's own cache and the
 * file's metadata to NtFlushBuffersFile; here the range is durable on return.
 *
 * *RegionSize 0 means to the end of the view. *BaseAddress is rounded down and *RegionSize up to whole pages, and both
 * are set so. A failure stays with the file, as that of a flush does.
 *
 * STATUS_SUCCESS               *IoStatusBlock says so too.
 * STATUS_ACCESS_VIOLATION      a pointer that may not be read or written.
 * STATUS_INVALID_HANDLE        ProcessHandle is not NtCurrentProcess().
 * STATUS_OBJECT_TYPE_MISMATCH  it is the handle of something else.
 * STATUS_NOT_MAPPED_VIEW       no view is at *BaseAddress.
 * STATUS_INVALID_PARAMETER_2   the range goes beyond the view.
 * Other failures               as NtFlushBuffersFile; *IoStatusBlock has the same status.
 *
 * Source: Microsoft Learn, "ZwFlushVirtualMemory function (ntifs.h)", "FlushViewOfFile function (memoryapi.h)".
 */
NVRTL_API NTSTATUS NTAPI NtFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, SIZE_T *RegionSize,
                                              PIO_STATUS_BLOCK IoStatus);
NVRTL_API NTSTATUS NTAPI ZwFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, SIZE_T *RegionSize,
                                              PIO_STATUS_BLOCK IoStatus);

NVRTL_END

#endif
