/* SPDX-License-Identifier: MIT */
/*
 * Minifilters: callbacks before and after a request for a file, ordered by altitude. They sit between the legacy
 * filters (<nvrtl/filter.h>) and the driver; names, types and values are those of fltkernel.h.
 */
#ifndef NVRTL_MINIFILTER_H
#define NVRTL_MINIFILTER_H

#include <nvrtl/filter.h>

NVRTL_BEGIN

typedef struct _FLT_FILTER *PFLT_FILTER;
typedef struct _FLT_INSTANCE *PFLT_INSTANCE;
typedef struct _FLT_VOLUME *PFLT_VOLUME;
typedef struct _KTRANSACTION *PKTRANSACTION;
typedef struct _FLT_NAME_CONTROL *PFLT_NAME_CONTROL;
typedef PVOID PFLT_CONTEXT;

/* What every callback is told of its place. */
typedef struct _FLT_RELATED_OBJECTS {
    const USHORT Size;
    const USHORT TransactionContext;
    const PFLT_FILTER Filter;
    const PFLT_VOLUME Volume;
    const PFLT_INSTANCE Instance;
    const PFILE_OBJECT FileObject;
    const PKTRANSACTION Transaction;
} FLT_RELATED_OBJECTS, *PFLT_RELATED_OBJECTS;
typedef const FLT_RELATED_OBJECTS *PCFLT_RELATED_OBJECTS;

/* -- a request, as a minifilter sees it -- */

typedef union _FLT_PARAMETERS {
    struct {
        PIO_SECURITY_CONTEXT SecurityContext;
        ULONG Options; /* the disposition is the top byte */
        USHORT FileAttributes;
        USHORT ShareAccess;
        ULONG EaLength;
        PVOID EaBuffer;
        LARGE_INTEGER AllocationSize;
    } Create;
    struct {
        ULONG Length; /* bytes */
        ULONG Key;
        LARGE_INTEGER ByteOffset;
        PVOID ReadBuffer;
        PMDL MdlAddress;
    } Read;
    struct {
        ULONG Length;
        ULONG Key;
        LARGE_INTEGER ByteOffset;
        PVOID WriteBuffer;
        PMDL MdlAddress;
    } Write;
    struct {
        ULONG Length;
        FILE_INFORMATION_CLASS FileInformationClass;
        PVOID InfoBuffer;
    } QueryFileInformation;
    struct {
        ULONG Length;
        FILE_INFORMATION_CLASS FileInformationClass;
        PFILE_OBJECT ParentOfTarget;
        __extension__ union {
            __extension__ struct {
                BOOLEAN ReplaceIfExists;
                BOOLEAN AdvanceOnly;
            };
            ULONG ClusterCount;
            HANDLE DeleteHandle;
        };
        PVOID InfoBuffer;
    } SetFileInformation;
    struct {
        ULONG Length;
        FS_INFORMATION_CLASS FsInformationClass;
        PVOID VolumeBuffer;
    } QueryVolumeInformation;
    struct {
        PVOID Argument1;
        PVOID Argument2;
        PVOID Argument3;
        PVOID Argument4;
        PVOID Argument5;
        LARGE_INTEGER Argument6;
    } Others;
} FLT_PARAMETERS, *PFLT_PARAMETERS;

typedef struct _FLT_IO_PARAMETER_BLOCK {
    ULONG IrpFlags; /* IRP_ */
    UCHAR MajorFunction;
    UCHAR MinorFunction;
    UCHAR OperationFlags; /* SL_ */
    UCHAR Reserved;
    PFILE_OBJECT TargetFileObject;
    PFLT_INSTANCE TargetInstance;
    FLT_PARAMETERS Parameters;
} FLT_IO_PARAMETER_BLOCK, *PFLT_IO_PARAMETER_BLOCK;

typedef ULONG FLT_CALLBACK_DATA_FLAGS;
#define FLTFL_CALLBACK_DATA_REISSUE_MASK 0x0000FFFF
#define FLTFL_CALLBACK_DATA_IRP_OPERATION 0x00000001
#define FLTFL_CALLBACK_DATA_FAST_IO_OPERATION 0x00000002
#define FLTFL_CALLBACK_DATA_FS_FILTER_OPERATION 0x00000004
#define FLTFL_CALLBACK_DATA_SYSTEM_BUFFER 0x00000008
#define FLTFL_CALLBACK_DATA_GENERATED_IO 0x00010000
#define FLTFL_CALLBACK_DATA_REISSUED_IO 0x00020000
#define FLTFL_CALLBACK_DATA_DRAINING_IO 0x00040000
#define FLTFL_CALLBACK_DATA_POST_OPERATION 0x00080000
#define FLTFL_CALLBACK_DATA_NEW_SYSTEM_BUFFER 0x00100000
#define FLTFL_CALLBACK_DATA_DIRTY 0x80000000

typedef struct _FLT_CALLBACK_DATA {
    FLT_CALLBACK_DATA_FLAGS Flags;
    const PETHREAD Thread;
    const PFLT_IO_PARAMETER_BLOCK Iopb;
    IO_STATUS_BLOCK IoStatus;
    struct _FLT_TAG_DATA_BUFFER *TagData;
    __extension__ union {
        __extension__ struct {
            LIST_ENTRY QueueLinks;
            PVOID QueueContext[2];
        };
        PVOID FilterContext[4];
    };
    KPROCESSOR_MODE RequestorMode;
} FLT_CALLBACK_DATA, *PFLT_CALLBACK_DATA;

#define FLT_IS_IRP_OPERATION(Data) (((Data)->Flags & FLTFL_CALLBACK_DATA_IRP_OPERATION) != 0)
#define FLT_IS_FASTIO_OPERATION(Data) (((Data)->Flags & FLTFL_CALLBACK_DATA_FAST_IO_OPERATION) != 0)
#define FLT_IS_FS_FILTER_OPERATION(Data) (((Data)->Flags & FLTFL_CALLBACK_DATA_FS_FILTER_OPERATION) != 0)
#define FLT_IS_REISSUED_IO(Data) (((Data)->Flags & FLTFL_CALLBACK_DATA_REISSUED_IO) != 0)
#define FLT_IS_SYSTEM_BUFFER(Data) (((Data)->Flags & FLTFL_CALLBACK_DATA_SYSTEM_BUFFER) != 0)

/* -- callbacks of a request -- */

typedef enum _FLT_PREOP_CALLBACK_STATUS {
    FLT_PREOP_SUCCESS_WITH_CALLBACK, /* on, and call the post-operation callback */
    FLT_PREOP_SUCCESS_NO_CALLBACK,   /* on, and do not */
    FLT_PREOP_PENDING,               /* wait for FltCompletePendedPreOperation */
    FLT_PREOP_DISALLOW_FASTIO,       /* on, and do not: nothing here is fast I/O */
    FLT_PREOP_COMPLETE,              /* Data->IoStatus is the result; nothing below sees the request */
    FLT_PREOP_SYNCHRONIZE,           /* as with callback: it is always called by the same thread */
    FLT_PREOP_DISALLOW_FSFILTER_IO
} FLT_PREOP_CALLBACK_STATUS,
    *PFLT_PREOP_CALLBACK_STATUS;

typedef enum _FLT_POSTOP_CALLBACK_STATUS {
    FLT_POSTOP_FINISHED_PROCESSING,
    FLT_POSTOP_MORE_PROCESSING_REQUIRED, /* wait for FltCompletePendedPostOperation */
    FLT_POSTOP_DISALLOW_FSFILTER_IO
} FLT_POSTOP_CALLBACK_STATUS,
    *PFLT_POSTOP_CALLBACK_STATUS;

typedef ULONG FLT_POST_OPERATION_FLAGS;
#define FLTFL_POST_OPERATION_DRAINING 0x00000001

typedef FLT_PREOP_CALLBACK_STATUS(NTAPI *PFLT_PRE_OPERATION_CALLBACK)(PFLT_CALLBACK_DATA Data,
                                                                      PCFLT_RELATED_OBJECTS FltObjects,
                                                                      PVOID *CompletionContext);
typedef FLT_POSTOP_CALLBACK_STATUS(NTAPI *PFLT_POST_OPERATION_CALLBACK)(PFLT_CALLBACK_DATA Data,
                                                                        PCFLT_RELATED_OBJECTS FltObjects,
                                                                        PVOID CompletionContext,
                                                                        FLT_POST_OPERATION_FLAGS Flags);

typedef ULONG FLT_OPERATION_REGISTRATION_FLAGS;
#define FLTFL_OPERATION_REGISTRATION_SKIP_PAGING_IO 0x00000001
#define FLTFL_OPERATION_REGISTRATION_SKIP_CACHED_IO 0x00000002
#define FLTFL_OPERATION_REGISTRATION_SKIP_NON_DASD_IO 0x00000004
#define FLTFL_OPERATION_REGISTRATION_SKIP_NON_CACHED_NON_PAGING_IO 0x00000008

/* One major function that a filter wants to hear of. The table ends with IRP_MJ_OPERATION_END. */
typedef struct _FLT_OPERATION_REGISTRATION {
    UCHAR MajorFunction;
    FLT_OPERATION_REGISTRATION_FLAGS Flags;
    PFLT_PRE_OPERATION_CALLBACK PreOperation;
    PFLT_POST_OPERATION_CALLBACK PostOperation;
    PVOID Reserved1;
} FLT_OPERATION_REGISTRATION, *PFLT_OPERATION_REGISTRATION;

#define IRP_MJ_OPERATION_END ((UCHAR)0x80)

/* What else a table may name; none of them ever comes. */
#define IRP_MJ_ACQUIRE_FOR_SECTION_SYNCHRONIZATION ((UCHAR)-1)
#define IRP_MJ_RELEASE_FOR_SECTION_SYNCHRONIZATION ((UCHAR)-2)
#define IRP_MJ_ACQUIRE_FOR_MOD_WRITE ((UCHAR)-3)
#define IRP_MJ_RELEASE_FOR_MOD_WRITE ((UCHAR)-4)
#define IRP_MJ_ACQUIRE_FOR_CC_FLUSH ((UCHAR)-5)
#define IRP_MJ_RELEASE_FOR_CC_FLUSH ((UCHAR)-6)
#define IRP_MJ_FAST_IO_CHECK_IF_POSSIBLE ((UCHAR)-13)
#define IRP_MJ_NETWORK_QUERY_OPEN ((UCHAR)-14)
#define IRP_MJ_MDL_READ ((UCHAR)-15)
#define IRP_MJ_MDL_READ_COMPLETE ((UCHAR)-16)
#define IRP_MJ_PREPARE_MDL_WRITE ((UCHAR)-17)
#define IRP_MJ_MDL_WRITE_COMPLETE ((UCHAR)-18)
#define IRP_MJ_VOLUME_MOUNT ((UCHAR)-19)
#define IRP_MJ_VOLUME_DISMOUNT ((UCHAR)-20)

/* -- contexts: a filter's memory, attached to a volume, an instance, or an open file -- */

typedef USHORT FLT_CONTEXT_TYPE;
#define FLT_VOLUME_CONTEXT 0x0001
#define FLT_INSTANCE_CONTEXT 0x0002
#define FLT_FILE_CONTEXT 0x0004
#define FLT_STREAM_CONTEXT 0x0008
#define FLT_STREAMHANDLE_CONTEXT 0x0010
#define FLT_TRANSACTION_CONTEXT 0x0020
#define FLT_SECTION_CONTEXT 0x0040
#define FLT_ALL_CONTEXTS 0x007f
#define FLT_CONTEXT_END 0xffff
#define FLT_VARIABLE_SIZED_CONTEXTS ((SIZE_T)-1)

typedef VOID(NTAPI *PFLT_CONTEXT_CLEANUP_CALLBACK)(PFLT_CONTEXT Context, FLT_CONTEXT_TYPE ContextType);
typedef PVOID(NTAPI *PFLT_CONTEXT_ALLOCATE_CALLBACK)(POOL_TYPE PoolType, SIZE_T Size, FLT_CONTEXT_TYPE ContextType);
typedef VOID(NTAPI *PFLT_CONTEXT_FREE_CALLBACK)(PVOID Pool, FLT_CONTEXT_TYPE ContextType);

typedef USHORT FLT_CONTEXT_REGISTRATION_FLAGS;
#define FLTFL_CONTEXT_REGISTRATION_NO_EXACT_SIZE_MATCH 0x0001

/* One kind of context that a filter uses. The table ends with FLT_CONTEXT_END. */
typedef struct _FLT_CONTEXT_REGISTRATION {
    FLT_CONTEXT_TYPE ContextType;
    FLT_CONTEXT_REGISTRATION_FLAGS Flags;
    PFLT_CONTEXT_CLEANUP_CALLBACK ContextCleanupCallback;
    SIZE_T Size; /* bytes */
    ULONG PoolTag;
    PFLT_CONTEXT_ALLOCATE_CALLBACK ContextAllocateCallback;
    PFLT_CONTEXT_FREE_CALLBACK ContextFreeCallback;
    PVOID Reserved1;
} FLT_CONTEXT_REGISTRATION, *PFLT_CONTEXT_REGISTRATION;

typedef enum _FLT_SET_CONTEXT_OPERATION {
    FLT_SET_CONTEXT_REPLACE_IF_EXISTS,
    FLT_SET_CONTEXT_KEEP_IF_EXISTS
} FLT_SET_CONTEXT_OPERATION,
    *PFLT_SET_CONTEXT_OPERATION;

/* -- a filter, and its instances: one on each volume it is attached to -- */

typedef ULONG FLT_INSTANCE_SETUP_FLAGS;
#define FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT 0x00000001
#define FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT 0x00000002
#define FLTFL_INSTANCE_SETUP_NEWLY_MOUNTED_VOLUME 0x00000004
#define FLTFL_INSTANCE_SETUP_DETACHED_VOLUME 0x00000008

typedef ULONG FLT_INSTANCE_QUERY_TEARDOWN_FLAGS;

typedef ULONG FLT_INSTANCE_TEARDOWN_FLAGS;
#define FLTFL_INSTANCE_TEARDOWN_MANUAL 0x00000001
#define FLTFL_INSTANCE_TEARDOWN_FILTER_UNLOAD 0x00000002
#define FLTFL_INSTANCE_TEARDOWN_MANDATORY_FILTER_UNLOAD 0x00000004
#define FLTFL_INSTANCE_TEARDOWN_VOLUME_DISMOUNT 0x00000008
#define FLTFL_INSTANCE_TEARDOWN_INTERNAL_ERROR 0x00000010

typedef ULONG FLT_FILTER_UNLOAD_FLAGS;
#define FLTFL_FILTER_UNLOAD_MANDATORY 0x00000001

typedef enum _FLT_FILESYSTEM_TYPE {
    FLT_FSTYPE_UNKNOWN = 0,
    FLT_FSTYPE_RAW = 1,
    FLT_FSTYPE_NTFS = 2,
    FLT_FSTYPE_FAT = 3
} FLT_FILESYSTEM_TYPE,
    *PFLT_FILESYSTEM_TYPE;

typedef NTSTATUS(NTAPI *PFLT_FILTER_UNLOAD_CALLBACK)(FLT_FILTER_UNLOAD_FLAGS Flags);
typedef NTSTATUS(NTAPI *PFLT_INSTANCE_SETUP_CALLBACK)(PCFLT_RELATED_OBJECTS FltObjects, FLT_INSTANCE_SETUP_FLAGS Flags,
                                                      DEVICE_TYPE VolumeDeviceType,
                                                      FLT_FILESYSTEM_TYPE VolumeFilesystemType);
typedef NTSTATUS(NTAPI *PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK)(PCFLT_RELATED_OBJECTS FltObjects,
                                                               FLT_INSTANCE_QUERY_TEARDOWN_FLAGS Flags);
typedef VOID(NTAPI *PFLT_INSTANCE_TEARDOWN_CALLBACK)(PCFLT_RELATED_OBJECTS FltObjects,
                                                     FLT_INSTANCE_TEARDOWN_FLAGS Reason);
/* Never called here; the members of FLT_REGISTRATION for them are taken and kept. */
typedef PVOID PFLT_GENERATE_FILE_NAME, PFLT_NORMALIZE_NAME_COMPONENT, PFLT_NORMALIZE_CONTEXT_CLEANUP,
    PFLT_TRANSACTION_NOTIFICATION_CALLBACK, PFLT_NORMALIZE_NAME_COMPONENT_EX,
    PFLT_SECTION_CONFLICT_NOTIFICATION_CALLBACK;

typedef ULONG FLT_REGISTRATION_FLAGS;
#define FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP 0x00000001
#define FLTFL_REGISTRATION_SUPPORT_NPFS_MSFS 0x00000002
#define FLTFL_REGISTRATION_SUPPORT_DAX_VOLUME 0x00000004

#define FLT_REGISTRATION_VERSION_0200 0x0200
#define FLT_REGISTRATION_VERSION_0201 0x0201
#define FLT_REGISTRATION_VERSION_0202 0x0202
#define FLT_REGISTRATION_VERSION_0203 0x0203
#define FLT_REGISTRATION_VERSION FLT_REGISTRATION_VERSION_0203

typedef struct _FLT_REGISTRATION {
    USHORT Size; /* sizeof(FLT_REGISTRATION) */
    USHORT Version;
    FLT_REGISTRATION_FLAGS Flags;
    const FLT_CONTEXT_REGISTRATION *ContextRegistration;
    const FLT_OPERATION_REGISTRATION *OperationRegistration;
    PFLT_FILTER_UNLOAD_CALLBACK FilterUnloadCallback;
    PFLT_INSTANCE_SETUP_CALLBACK InstanceSetupCallback;
    PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK InstanceQueryTeardownCallback;
    PFLT_INSTANCE_TEARDOWN_CALLBACK InstanceTeardownStartCallback;
    PFLT_INSTANCE_TEARDOWN_CALLBACK InstanceTeardownCompleteCallback;
    PFLT_GENERATE_FILE_NAME GenerateFileNameCallback;
    PFLT_NORMALIZE_NAME_COMPONENT NormalizeNameComponentCallback;
    PFLT_NORMALIZE_CONTEXT_CLEANUP NormalizeContextCleanupCallback;
    PFLT_TRANSACTION_NOTIFICATION_CALLBACK TransactionNotificationCallback;
    PFLT_NORMALIZE_NAME_COMPONENT_EX NormalizeNameComponentExCallback;
    PFLT_SECTION_CONFLICT_NOTIFICATION_CALLBACK SectionNotificationCallback;
} FLT_REGISTRATION, *PFLT_REGISTRATION;

/* -- names -- */

typedef ULONG FLT_FILE_NAME_OPTIONS;
#define FLT_FILE_NAME_NORMALIZED 0x00000001
#define FLT_FILE_NAME_OPENED 0x00000002
#define FLT_FILE_NAME_SHORT 0x00000003
#define FLT_FILE_NAME_QUERY_DEFAULT 0x00000100
#define FLT_FILE_NAME_QUERY_CACHE_ONLY 0x00000200
#define FLT_FILE_NAME_QUERY_FILESYSTEM_ONLY 0x00000300
#define FLT_FILE_NAME_QUERY_ALWAYS_ALLOW_CACHE_LOOKUP 0x00000400

typedef USHORT FLT_FILE_NAME_PARSED_FLAGS;
#define FLTFL_FILE_NAME_PARSED_FINAL_COMPONENT 0x0001
#define FLTFL_FILE_NAME_PARSED_EXTENSION 0x0002
#define FLTFL_FILE_NAME_PARSED_STREAM 0x0004
#define FLTFL_FILE_NAME_PARSED_PARENT_DIR 0x0008

/* A file's name, and its parts: they point into Name. */
typedef struct _FLT_FILE_NAME_INFORMATION {
    USHORT Size;
    FLT_FILE_NAME_PARSED_FLAGS NamesParsed;
    FLT_FILE_NAME_OPTIONS Format;
    UNICODE_STRING Name;
    UNICODE_STRING Volume;
    UNICODE_STRING Share;
    UNICODE_STRING Extension;
    UNICODE_STRING Stream;
    UNICODE_STRING FinalComponent;
    UNICODE_STRING ParentDir;
} FLT_FILE_NAME_INFORMATION, *PFLT_FILE_NAME_INFORMATION;

/* -- flushing, reading, writing -- */

/* Of FltFlushBuffers2: one of them, or 0. Not the numbers of FLUSH_FLAGS_*, nor of IRP_MN_FLUSH_*. */
#define FLT_FLUSH_TYPE_FLUSH_AND_PURGE 0x00000001
#define FLT_FLUSH_TYPE_FILE_DATA_ONLY 0x00000002
#define FLT_FLUSH_TYPE_NO_SYNC 0x00000004
#define FLT_FLUSH_TYPE_DATA_SYNC_ONLY 0x00000008

typedef ULONG FLT_IO_OPERATION_FLAGS;
#define FLTFL_IO_OPERATION_NON_CACHED 0x00000001
#define FLTFL_IO_OPERATION_PAGING 0x00000002
#define FLTFL_IO_OPERATION_DO_NOT_UPDATE_BYTE_OFFSET 0x00000004

typedef VOID(NTAPI *PFLT_COMPLETED_ASYNC_IO_CALLBACK)(PFLT_CALLBACK_DATA CallbackData, PFLT_CONTEXT Context);

/* -- registering, and volumes -- */

/*
 * Register a minifilter. Its altitude is that which its driver was loaded with (NvrtlLoadDriverEx), or the next whole
 * number above all others. The registration's tables are used for as long as the filter is registered.
 *
 * STATUS_SUCCESS                           *RetFilter is the filter.
 * STATUS_INVALID_PARAMETER                 the registration has another size or version.
 * STATUS_FLT_INVALID_CONTEXT_REGISTRATION  a context's type is none, or it has one of two callbacks for its memory.
 * STATUS_INSUFFICIENT_RESOURCES            no memory.
 *
 * Source: Microsoft Learn, "FltRegisterFilter function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltRegisterFilter(PDRIVER_OBJECT Driver, const FLT_REGISTRATION *Registration,
                                           PFLT_FILTER *RetFilter);

/*
 * Have an instance of the filter attached to every volume that its driver hears of, and to those to come, when their
 * first file is opened. InstanceSetupCallback may refuse each of them.
 *
 * STATUS_SUCCESS                 done.
 * STATUS_INSUFFICIENT_RESOURCES  there was no memory for one of them.
 *
 * Source: Microsoft Learn, "FltStartFiltering function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltStartFiltering(PFLT_FILTER Filter);

/*
 * Unregister a filter, as its FilterUnloadCallback does: its instances are torn down, and requests that they may have
 * are waited for, unless the caller is inside one. No callback is called afterwards.
 *
 * Source: Microsoft Learn, "FltUnregisterFilter function (fltkernel.h)".
 */
NVRTL_API VOID NTAPI FltUnregisterFilter(PFLT_FILTER Filter);

/*
 * Attach an instance to a volume, at the filter's altitude or another one (NULL: the filter's); it has one reference
 * more, for FltObjectDereference. InstanceName NULL: the altitude is its name.
 *
 * STATUS_SUCCESS                           it is attached. RetInstance may be NULL.
 * STATUS_INVALID_PARAMETER                 Altitude is no decimal number.
 * STATUS_FLT_INSTANCE_ALTITUDE_COLLISION   another instance has that altitude there.
 * STATUS_FLT_INSTANCE_NAME_COLLISION       the filter has an instance of that name there.
 * STATUS_FLT_DELETING_OBJECT               the filter is being unregistered.
 * STATUS_INSUFFICIENT_RESOURCES            no memory.
 * Other statuses                           what InstanceSetupCallback returned.
 *
 * Source: Microsoft Learn, "FltAttachVolumeAtAltitude function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltAttachVolume(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING InstanceName,
                                         PFLT_INSTANCE *RetInstance);
NVRTL_API NTSTATUS NTAPI FltAttachVolumeAtAltitude(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING Altitude,
                                                   PCUNICODE_STRING InstanceName, PFLT_INSTANCE *RetInstance);

/*
 * Detach an instance (InstanceName NULL: any of the filter's there), if InstanceQueryTeardownCallback agrees.
 *
 * STATUS_SUCCESS                 it is detached.
 * STATUS_FLT_INSTANCE_NOT_FOUND  there is none.
 * STATUS_FLT_DO_NOT_DETACH       the filter has no such callback.
 * STATUS_FLT_DELETING_OBJECT     another thread is detaching it.
 * Other statuses                 what the callback returned.
 *
 * Source: Microsoft Learn, "FltDetachVolume function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltDetachVolume(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING InstanceName);

/*
 * Find a volume, a filter, an instance; each with a reference (that of a volume is none, as volumes stay).
 *
 * STATUS_FLT_VOLUME_NOT_FOUND    the file is on no volume: a pipe, for example.
 * STATUS_FLT_INSTANCE_NOT_FOUND  there is none of that name.
 *
 * Source: Microsoft Learn, "FltGetVolumeFromInstance function (fltkernel.h)" and the pages beside it.
 */
NVRTL_API NTSTATUS NTAPI FltGetVolumeFromInstance(PFLT_INSTANCE Instance, PFLT_VOLUME *RetVolume);
NVRTL_API NTSTATUS NTAPI FltGetVolumeFromFileObject(PFLT_FILTER Filter, PFILE_OBJECT FileObject,
                                                    PFLT_VOLUME *RetVolume);
NVRTL_API NTSTATUS NTAPI FltGetFilterFromInstance(PFLT_INSTANCE Instance, PFLT_FILTER *RetFilter);
NVRTL_API NTSTATUS NTAPI FltGetVolumeInstanceFromName(PFLT_FILTER Filter, PFLT_VOLUME Volume,
                                                      PCUNICODE_STRING InstanceName, PFLT_INSTANCE *RetInstance);

/*
 * The device of the volume's file system, with a reference. STATUS_FLT_NO_DEVICE_OBJECT: no memory for one.
 *
 * Source: Microsoft Learn, "FltGetDeviceObject function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltGetDeviceObject(PFLT_VOLUME Volume, PDEVICE_OBJECT *DeviceObject);

/*
 * The volume's name: \??\unix, for all of them, as the names of their files begin with it.
 *
 * STATUS_BUFFER_TOO_SMALL  VolumeName is NULL or too short; *BufferSizeNeeded, if asked for, is how long it must be.
 *
 * Source: Microsoft Learn, "FltGetVolumeName function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltGetVolumeName(PFLT_VOLUME Volume, PUNICODE_STRING VolumeName, ULONG *BufferSizeNeeded);

/*
 * Take and give back a reference to a filter, an instance or a volume. STATUS_FLT_DELETING_OBJECT: it is none of them,
 * or a filter that was unregistered.
 *
 * Source: Microsoft Learn, "FltObjectReference function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltObjectReference(PVOID FltObject);
NVRTL_API VOID NTAPI FltObjectDereference(PVOID FltObject);

/* -- what a filter says of a request that it has -- */

/*
 * Let a request go on for which the callback had returned FLT_PREOP_PENDING: as if it had returned CallbackStatus, and
 * Context were what it left in *CompletionContext. From any thread; the request goes on in the one that made it.
 *
 * Source: Microsoft Learn, "FltCompletePendedPreOperation function (fltkernel.h)".
 */
NVRTL_API VOID NTAPI FltCompletePendedPreOperation(PFLT_CALLBACK_DATA CallbackData,
                                                   FLT_PREOP_CALLBACK_STATUS CallbackStatus, PVOID Context);

/* Likewise for one with FLT_POSTOP_MORE_PROCESSING_REQUIRED. */
NVRTL_API VOID NTAPI FltCompletePendedPostOperation(PFLT_CALLBACK_DATA CallbackData);

/* Call the callback, at once: it is always safe here. TRUE. */
NVRTL_API BOOLEAN NTAPI FltDoCompletionProcessingWhenSafe(PFLT_CALLBACK_DATA Data, PCFLT_RELATED_OBJECTS FltObjects,
                                                          PVOID CompletionContext, FLT_POST_OPERATION_FLAGS Flags,
                                                          PFLT_POST_OPERATION_CALLBACK SafePostCallback,
                                                          FLT_POSTOP_CALLBACK_STATUS *RetPostOperationStatus);

/*
 * Say that Data->Iopb was changed: those below see the change, this filter and those above do not. Without it the
 * change is lost.
 *
 * Source: Microsoft Learn, "FltSetCallbackDataDirty function (fltkernel.h)".
 */
NVRTL_API VOID NTAPI FltSetCallbackDataDirty(PFLT_CALLBACK_DATA Data);
NVRTL_API VOID NTAPI FltClearCallbackDataDirty(PFLT_CALLBACK_DATA Data);
NVRTL_API BOOLEAN NTAPI FltIsCallbackDataDirty(PFLT_CALLBACK_DATA Data);

/* TRUE: whoever made the request waits for it. Source: Microsoft Learn, "FltIsOperationSynchronous ...". */
NVRTL_API BOOLEAN NTAPI FltIsOperationSynchronous(PFLT_CALLBACK_DATA CallbackData);

/* The name of a major function: "IRP_MJ_CREATE". Source: Microsoft Learn, "FltGetIrpName function (fltkernel.h)". */
NVRTL_API const CHAR *NTAPI FltGetIrpName(UCHAR IrpMajorCode);

/* -- requests that a filter makes: for the instances below it, and the driver -- */

/*
 * Flush the file. Type 0 is what FltFlushBuffers does; the others are FLT_FLUSH_TYPE_, one at a time. At PASSIVE_LEVEL,
 * outside of guarded regions: anything else is the finding wrong-irql of a verified run.
 *
 * STATUS_SUCCESS                durable, as far as the type says so.
 * STATUS_INVALID_PARAMETER      another type, or one that a volume or directory is not flushed with.
 * STATUS_MEDIA_WRITE_PROTECTED  the volume is read-only.
 * STATUS_VOLUME_DISMOUNTED      the volume is gone.
 * Other statuses                as NtFlushBuffersFileEx, or what a filter below said.
 *
 * Source: Microsoft Learn, "FltFlushBuffers function (fltkernel.h)", "FltFlushBuffers2 function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltFlushBuffers(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject);
NVRTL_API NTSTATUS NTAPI FltFlushBuffers2(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, ULONG FlushType,
                                          PFLT_CALLBACK_DATA CallbackData);

/*
 * Read, write, query and set; a ByteOffset of NULL is the file object's position. With a callback routine:
 * STATUS_NOT_SUPPORTED. Other statuses as the Nt functions have them.
 *
 * Source: Microsoft Learn, "FltReadFile function (fltkernel.h)" and the pages beside it.
 */
NVRTL_API NTSTATUS NTAPI FltReadFile(PFLT_INSTANCE InitiatingInstance, PFILE_OBJECT FileObject,
                                     PLARGE_INTEGER ByteOffset, ULONG Length, PVOID Buffer,
                                     FLT_IO_OPERATION_FLAGS Flags, ULONG *BytesRead,
                                     PFLT_COMPLETED_ASYNC_IO_CALLBACK CallbackRoutine, PVOID CallbackContext);
NVRTL_API NTSTATUS NTAPI FltWriteFile(PFLT_INSTANCE InitiatingInstance, PFILE_OBJECT FileObject,
                                      PLARGE_INTEGER ByteOffset, ULONG Length, PVOID Buffer,
                                      FLT_IO_OPERATION_FLAGS Flags, ULONG *BytesWritten,
                                      PFLT_COMPLETED_ASYNC_IO_CALLBACK CallbackRoutine, PVOID CallbackContext);
NVRTL_API NTSTATUS NTAPI FltQueryInformationFile(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, PVOID FileInformation,
                                                 ULONG Length, FILE_INFORMATION_CLASS FileInformationClass,
                                                 ULONG *LengthReturned);
NVRTL_API NTSTATUS NTAPI FltSetInformationFile(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject, PVOID FileInformation,
                                               ULONG Length, FILE_INFORMATION_CLASS FileInformationClass);

/* -- contexts -- */

/*
 * Make a context of a type and size that the filter has registered, with one reference, its content not initialised;
 * and take and give back references. It goes with the last one, after its cleanup callback.
 *
 * STATUS_SUCCESS                              *ReturnedContext is the context.
 * STATUS_FLT_CONTEXT_ALLOCATION_NOT_FOUND     nothing of that type and size is registered.
 * STATUS_INSUFFICIENT_RESOURCES               no memory.
 *
 * Source: Microsoft Learn, "FltAllocateContext function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltAllocateContext(PFLT_FILTER Filter, FLT_CONTEXT_TYPE ContextType, SIZE_T ContextSize,
                                            POOL_TYPE PoolType, PFLT_CONTEXT *ReturnedContext);
NVRTL_API VOID NTAPI FltReferenceContext(PFLT_CONTEXT Context);
NVRTL_API VOID NTAPI FltReleaseContext(PFLT_CONTEXT Context);

/* Detach a context from what it is attached to, if it is. Source: Microsoft Learn, "FltDeleteContext ...". */
NVRTL_API VOID NTAPI FltDeleteContext(PFLT_CONTEXT Context);

/*
 * Attach a context to a volume (one for each filter), an instance, or an open file (one for each instance), with a
 * reference of its own. OldContext, if not NULL, gets the one that was there, with a reference. Those of a file go when
 * it is closed, the others when the instance is torn down or the filter unregistered.
 *
 * STATUS_SUCCESS                      it is attached; one that was there is not any more.
 * STATUS_FLT_CONTEXT_ALREADY_DEFINED  one was there, and stays (FLT_SET_CONTEXT_KEEP_IF_EXISTS).
 * STATUS_FLT_CONTEXT_ALREADY_LINKED   NewContext is attached to something.
 * STATUS_FLT_DELETING_OBJECT          the instance is being torn down, the filter unregistered.
 * STATUS_NOT_SUPPORTED                the file is not open yet.
 *
 * Source: Microsoft Learn, "FltSetStreamHandleContext function (fltkernel.h)" and the pages beside it.
 */
NVRTL_API NTSTATUS NTAPI FltSetVolumeContext(PFLT_VOLUME Volume, FLT_SET_CONTEXT_OPERATION Operation,
                                             PFLT_CONTEXT NewContext, PFLT_CONTEXT *OldContext);
NVRTL_API NTSTATUS NTAPI FltSetInstanceContext(PFLT_INSTANCE Instance, FLT_SET_CONTEXT_OPERATION Operation,
                                               PFLT_CONTEXT NewContext, PFLT_CONTEXT *OldContext);
NVRTL_API NTSTATUS NTAPI FltSetStreamHandleContext(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject,
                                                   FLT_SET_CONTEXT_OPERATION Operation, PFLT_CONTEXT NewContext,
                                                   PFLT_CONTEXT *OldContext);

/* Get what is attached, with a reference. STATUS_NOT_FOUND: nothing, and *Context is NULL. */
NVRTL_API NTSTATUS NTAPI FltGetVolumeContext(PFLT_FILTER Filter, PFLT_VOLUME Volume, PFLT_CONTEXT *Context);
NVRTL_API NTSTATUS NTAPI FltGetInstanceContext(PFLT_INSTANCE Instance, PFLT_CONTEXT *Context);
NVRTL_API NTSTATUS NTAPI FltGetStreamHandleContext(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject,
                                                   PFLT_CONTEXT *Context);

/* Detach what is attached; OldContext, if not NULL, gets it, with a reference. STATUS_NOT_FOUND: nothing was. */
NVRTL_API NTSTATUS NTAPI FltDeleteVolumeContext(PFLT_FILTER Filter, PFLT_VOLUME Volume, PFLT_CONTEXT *OldContext);
NVRTL_API NTSTATUS NTAPI FltDeleteInstanceContext(PFLT_INSTANCE Instance, PFLT_CONTEXT *OldContext);
NVRTL_API NTSTATUS NTAPI FltDeleteStreamHandleContext(PFLT_INSTANCE Instance, PFILE_OBJECT FileObject,
                                                      PFLT_CONTEXT *OldContext);

/* Whether contexts can be attached to the file (never), or to the open file (once it is open). */
NVRTL_API BOOLEAN NTAPI FltSupportsStreamContexts(PFILE_OBJECT FileObject);
NVRTL_API BOOLEAN NTAPI FltSupportsStreamHandleContexts(PFILE_OBJECT FileObject);

/* -- names of files -- */

/*
 * Get the name that the file was opened by, with a reference: \??\unix and the path from / on, with backslashes. It is
 * the same for NORMALIZED and OPENED: links are as they were given.
 *
 * STATUS_SUCCESS                   *FileNameInformation is the name; Volume is set, the other parts by parsing.
 * STATUS_FLT_INVALID_NAME_REQUEST  the file has no name (it was opened by a descriptor), or a short one was asked for.
 * STATUS_INVALID_PARAMETER         no format was asked for.
 * STATUS_INSUFFICIENT_RESOURCES    no memory.
 *
 * Source: Microsoft Learn, "FltGetFileNameInformation function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltGetFileNameInformation(PFLT_CALLBACK_DATA CallbackData, FLT_FILE_NAME_OPTIONS NameOptions,
                                                   PFLT_FILE_NAME_INFORMATION *FileNameInformation);
NVRTL_API NTSTATUS NTAPI FltGetFileNameInformationUnsafe(PFILE_OBJECT FileObject, PFLT_INSTANCE Instance,
                                                         FLT_FILE_NAME_OPTIONS NameOptions,
                                                         PFLT_FILE_NAME_INFORMATION *FileNameInformation);
NVRTL_API VOID NTAPI FltReferenceFileNameInformation(PFLT_FILE_NAME_INFORMATION FileNameInformation);
NVRTL_API VOID NTAPI FltReleaseFileNameInformation(PFLT_FILE_NAME_INFORMATION FileNameInformation);

/*
 * Tell the parts of a name: the parent with its separators, the last component, and what follows its last dot.
 * STATUS_SUCCESS.
 *
 * Source: Microsoft Learn, "FltParseFileNameInformation function (fltkernel.h)".
 */
NVRTL_API NTSTATUS NTAPI FltParseFileNameInformation(PFLT_FILE_NAME_INFORMATION FileNameInformation);

NVRTL_END

#endif
