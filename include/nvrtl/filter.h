/* SPDX-License-Identifier: MIT */
/*
 * The stack that a request for a file passes: IRPs, devices, drivers and legacy filters. Minifilters are in
 * <nvrtl/minifilter.h>; docs/FILTERS.md shows one of each.
 *
 * Only what a filter of flush, read, write, open and close may touch is here, with the names, types and values of
 * wdm.h, ntddk.h and ntifs.h; the layout of the structures is nvrtl's own.
 */
#ifndef NVRTL_FILTER_H
#define NVRTL_FILTER_H

#include <nvrtl/kernel.h>

NVRTL_BEGIN

/*
 * Major functions. Those of CREATE, CLOSE, READ, WRITE, QUERY_ and SET_INFORMATION, FLUSH_BUFFERS,
 * QUERY_VOLUME_INFORMATION and CLEANUP are sent for files, FILE_SYSTEM_CONTROL when a volume is first used; the others
 * never.
 */
#define IRP_MJ_CREATE 0x00
#define IRP_MJ_CREATE_NAMED_PIPE 0x01
#define IRP_MJ_CLOSE 0x02
#define IRP_MJ_READ 0x03
#define IRP_MJ_WRITE 0x04
#define IRP_MJ_QUERY_INFORMATION 0x05
#define IRP_MJ_SET_INFORMATION 0x06
#define IRP_MJ_QUERY_EA 0x07
#define IRP_MJ_SET_EA 0x08
#define IRP_MJ_FLUSH_BUFFERS 0x09
#define IRP_MJ_QUERY_VOLUME_INFORMATION 0x0a
#define IRP_MJ_SET_VOLUME_INFORMATION 0x0b
#define IRP_MJ_DIRECTORY_CONTROL 0x0c
#define IRP_MJ_FILE_SYSTEM_CONTROL 0x0d
#define IRP_MJ_DEVICE_CONTROL 0x0e
#define IRP_MJ_INTERNAL_DEVICE_CONTROL 0x0f
#define IRP_MJ_SHUTDOWN 0x10
#define IRP_MJ_LOCK_CONTROL 0x11
#define IRP_MJ_CLEANUP 0x12
#define IRP_MJ_CREATE_MAILSLOT 0x13
#define IRP_MJ_QUERY_SECURITY 0x14
#define IRP_MJ_SET_SECURITY 0x15
#define IRP_MJ_POWER 0x16
#define IRP_MJ_SYSTEM_CONTROL 0x17
#define IRP_MJ_DEVICE_CHANGE 0x18
#define IRP_MJ_QUERY_QUOTA 0x19
#define IRP_MJ_SET_QUOTA 0x1a
#define IRP_MJ_PNP 0x1b
#define IRP_MJ_MAXIMUM_FUNCTION 0x1b

/* Minor functions of a flush: one of them, not a mask. Not the numbers of FLUSH_FLAGS_*. */
#define IRP_MN_FLUSH_AND_PURGE 0x01
#define IRP_MN_FLUSH_DATA_ONLY 0x02
#define IRP_MN_FLUSH_NO_SYNC 0x03
#define IRP_MN_FLUSH_DATA_SYNC_ONLY 0x04

/* Minor functions of IRP_MJ_FILE_SYSTEM_CONTROL. */
#define IRP_MN_USER_FS_REQUEST 0x00
#define IRP_MN_MOUNT_VOLUME 0x01
#define IRP_MN_VERIFY_VOLUME 0x02
#define IRP_MN_LOAD_FILE_SYSTEM 0x03
#define IRP_MN_KERNEL_CALL 0x04

typedef struct _IRP IRP, *PIRP;
typedef struct _DEVICE_OBJECT DEVICE_OBJECT, *PDEVICE_OBJECT;
typedef struct _DRIVER_OBJECT DRIVER_OBJECT, *PDRIVER_OBJECT;
typedef struct _FILE_OBJECT FILE_OBJECT, *PFILE_OBJECT;
typedef struct _MDL *PMDL; /* of no request here: buffers are addresses */
typedef ULONG DEVICE_TYPE;
typedef SHORT CSHORT;

/* What a completion routine returns to let the request go on upwards. */
#define STATUS_CONTINUE_COMPLETION STATUS_SUCCESS

/* What a driver consists of. */
typedef NTSTATUS NTAPI DRIVER_INITIALIZE(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
typedef VOID NTAPI DRIVER_UNLOAD(PDRIVER_OBJECT DriverObject);
typedef NTSTATUS NTAPI DRIVER_ADD_DEVICE(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject);
typedef NTSTATUS NTAPI DRIVER_DISPATCH(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef VOID NTAPI DRIVER_CANCEL(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef NTSTATUS NTAPI IO_COMPLETION_ROUTINE(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context);
typedef VOID NTAPI DRIVER_FS_NOTIFICATION(PDEVICE_OBJECT DeviceObject, BOOLEAN FsActive);
typedef DRIVER_INITIALIZE *PDRIVER_INITIALIZE;
typedef DRIVER_UNLOAD *PDRIVER_UNLOAD;
typedef DRIVER_ADD_DEVICE *PDRIVER_ADD_DEVICE;
typedef DRIVER_DISPATCH *PDRIVER_DISPATCH;
typedef DRIVER_CANCEL *PDRIVER_CANCEL;
typedef IO_COMPLETION_ROUTINE *PIO_COMPLETION_ROUTINE;
typedef DRIVER_FS_NOTIFICATION *PDRIVER_FS_NOTIFICATION;

/* -- volumes, devices, drivers -- */

#define IO_TYPE_DEVICE 3
#define IO_TYPE_DRIVER 4
#define IO_TYPE_FILE 5
#define IO_TYPE_IRP 6
#define IO_TYPE_VPB 10

#define FILE_DEVICE_DISK 0x00000007
#define FILE_DEVICE_DISK_FILE_SYSTEM 0x00000008
#define FILE_DEVICE_FILE_SYSTEM 0x00000009
#define FILE_DEVICE_NETWORK_FILE_SYSTEM 0x00000014
#define FILE_DEVICE_UNKNOWN 0x00000022

#define FILE_REMOVABLE_MEDIA 0x00000001
#define FILE_READ_ONLY_DEVICE 0x00000002
#define FILE_REMOTE_DEVICE 0x00000010
#define FILE_DEVICE_IS_MOUNTED 0x00000020
#define FILE_DEVICE_SECURE_OPEN 0x00000100

#define DO_VERIFY_VOLUME 0x00000002
#define DO_BUFFERED_IO 0x00000004
#define DO_EXCLUSIVE 0x00000008
#define DO_DIRECT_IO 0x00000010
#define DO_DEVICE_INITIALIZING 0x00000080

#define VPB_MOUNTED 0x0001

/* Joins a mounted volume's device and the device it is mounted from. */
typedef struct _VPB {
    CSHORT Type;
    CSHORT Size;
    USHORT Flags;
    USHORT VolumeLabelLength; /* bytes */
    PDEVICE_OBJECT DeviceObject;
    PDEVICE_OBJECT RealDevice;
    ULONG SerialNumber;
    ULONG ReferenceCount;
    WCHAR VolumeLabel[32];
} VPB, *PVPB;

struct _DEVICE_OBJECT {
    CSHORT Type;
    USHORT Size; /* bytes, with the extension */
    LONG ReferenceCount;
    PDRIVER_OBJECT DriverObject;
    PDEVICE_OBJECT NextDevice;     /* of the same driver */
    PDEVICE_OBJECT AttachedDevice; /* the one above this */
    PIRP CurrentIrp;
    ULONG Flags;           /* DO_ */
    ULONG Characteristics; /* FILE_ */
    PVPB Vpb;
    PVOID DeviceExtension;
    DEVICE_TYPE DeviceType; /* FILE_DEVICE_ */
    CHAR StackSize;         /* stack locations of an IRP for this device */
    ULONG AlignmentRequirement;
    USHORT SectorSize; /* bytes */
};

typedef struct _DRIVER_EXTENSION {
    PDRIVER_OBJECT DriverObject;
    PDRIVER_ADD_DEVICE AddDevice;
    ULONG Count;
    UNICODE_STRING ServiceKeyName;
} DRIVER_EXTENSION, *PDRIVER_EXTENSION;

struct _FAST_IO_DISPATCH;

struct _DRIVER_OBJECT {
    CSHORT Type;
    CSHORT Size;
    PDEVICE_OBJECT DeviceObject; /* the first of its devices */
    ULONG Flags;
    PDRIVER_EXTENSION DriverExtension;
    UNICODE_STRING DriverName;
    struct _FAST_IO_DISPATCH *FastIoDispatch; /* never called: every request is an IRP */
    PDRIVER_INITIALIZE DriverInit;
    PDRIVER_UNLOAD DriverUnload;
    PDRIVER_DISPATCH MajorFunction[IRP_MJ_MAXIMUM_FUNCTION + 1];
};

/* -- open files -- */

#define FO_FILE_OPEN 0x00000001
#define FO_SYNCHRONOUS_IO 0x00000002
#define FO_ALERTABLE_IO 0x00000004
#define FO_NO_INTERMEDIATE_BUFFERING 0x00000008
#define FO_WRITE_THROUGH 0x00000010
#define FO_SEQUENTIAL_ONLY 0x00000020
#define FO_NAMED_PIPE 0x00000080
#define FO_STREAM_FILE 0x00000100
#define FO_DIRECT_DEVICE_OPEN 0x00000800
#define FO_FILE_MODIFIED 0x00001000
#define FO_CLEANUP_COMPLETE 0x00004000
#define FO_TEMPORARY_FILE 0x00008000
#define FO_DELETE_ON_CLOSE 0x00010000
#define FO_OPENED_CASE_SENSITIVE 0x00020000
#define FO_HANDLE_CREATED 0x00040000
#define FO_RANDOM_ACCESS 0x00100000
#define FO_VOLUME_OPEN 0x00400000

typedef struct _SECTION_OBJECT_POINTERS {
    PVOID DataSectionObject;
    PVOID SharedCacheMap;
    PVOID ImageSectionObject;
} SECTION_OBJECT_POINTERS, *PSECTION_OBJECT_POINTERS;

/* An open file, as filters see it. */
struct _FILE_OBJECT {
    CSHORT Type;
    CSHORT Size;
    PDEVICE_OBJECT DeviceObject; /* the volume's */
    PVPB Vpb;
    PVOID FsContext; /* the same for all file objects of one file */
    PVOID FsContext2;
    PSECTION_OBJECT_POINTERS SectionObjectPointer;
    PVOID PrivateCacheMap;
    NTSTATUS FinalStatus;
    PFILE_OBJECT RelatedFileObject;
    BOOLEAN LockOperation;
    BOOLEAN DeletePending;
    BOOLEAN ReadAccess;
    BOOLEAN WriteAccess;
    BOOLEAN DeleteAccess;
    BOOLEAN SharedRead;
    BOOLEAN SharedWrite;
    BOOLEAN SharedDelete;
    ULONG Flags;             /* FO_ */
    UNICODE_STRING FileName; /* the path as it was opened, from / on, with backslashes; empty: unknown */
    LARGE_INTEGER CurrentByteOffset;
};

/* -- requests -- */

/* Of an IRP. */
#define IRP_NOCACHE 0x00000001
#define IRP_PAGING_IO 0x00000002
#define IRP_SYNCHRONOUS_API 0x00000004
#define IRP_ASSOCIATED_IRP 0x00000008
#define IRP_BUFFERED_IO 0x00000010
#define IRP_DEALLOCATE_BUFFER 0x00000020
#define IRP_INPUT_OPERATION 0x00000040
#define IRP_SYNCHRONOUS_PAGING_IO 0x00000040
#define IRP_CREATE_OPERATION 0x00000080
#define IRP_READ_OPERATION 0x00000100
#define IRP_WRITE_OPERATION 0x00000200
#define IRP_CLOSE_OPERATION 0x00000400
#define IRP_DEFER_IO_COMPLETION 0x00000800

/* Of a stack location. */
#define SL_FORCE_ASYNCHRONOUS 0x01
#define SL_FORCE_ACCESS_CHECK 0x01
#define SL_OPEN_PAGING_FILE 0x02
#define SL_OPEN_TARGET_DIRECTORY 0x04
#define SL_CASE_SENSITIVE 0x80
#define SL_KEY_SPECIFIED 0x01
#define SL_OVERRIDE_VERIFY_VOLUME 0x02
#define SL_WRITE_THROUGH 0x04

/* Of its Control. */
#define SL_PENDING_RETURNED 0x01
#define SL_ERROR_RETURNED 0x02
#define SL_INVOKE_ON_CANCEL 0x20
#define SL_INVOKE_ON_SUCCESS 0x40
#define SL_INVOKE_ON_ERROR 0x80

typedef struct _SECURITY_QUALITY_OF_SERVICE *PSECURITY_QUALITY_OF_SERVICE;
typedef struct _ACCESS_STATE *PACCESS_STATE;

typedef struct _IO_SECURITY_CONTEXT {
    PSECURITY_QUALITY_OF_SERVICE SecurityQos;
    PACCESS_STATE AccessState;
    ACCESS_MASK DesiredAccess;
    ULONG FullCreateOptions;
} IO_SECURITY_CONTEXT, *PIO_SECURITY_CONTEXT;

/* What one driver of the stack is asked to do. */
typedef struct _IO_STACK_LOCATION {
    UCHAR MajorFunction;
    UCHAR MinorFunction;
    UCHAR Flags;
    UCHAR Control;
    union {
        struct {
            PIO_SECURITY_CONTEXT SecurityContext;
            ULONG Options; /* the disposition is the top byte */
            USHORT FileAttributes;
            USHORT ShareAccess;
            ULONG EaLength;
        } Create;
        struct {
            ULONG Length; /* bytes */
            ULONG Key;
            ULONG Flags;
            LARGE_INTEGER ByteOffset;
        } Read; /* into Irp->UserBuffer */
        struct {
            ULONG Length;
            ULONG Key;
            ULONG Flags;
            LARGE_INTEGER ByteOffset;
        } Write; /* from Irp->UserBuffer */
        struct {
            ULONG Length;
            FILE_INFORMATION_CLASS FileInformationClass;
        } QueryFile; /* into Irp->AssociatedIrp.SystemBuffer */
        struct {
            ULONG Length;
            FILE_INFORMATION_CLASS FileInformationClass;
            PFILE_OBJECT FileObject;
            __extension__ union {
                __extension__ struct {
                    BOOLEAN ReplaceIfExists;
                    BOOLEAN AdvanceOnly;
                };
                ULONG ClusterCount;
                HANDLE DeleteHandle;
            };
        } SetFile; /* from Irp->AssociatedIrp.SystemBuffer */
        struct {
            ULONG Length;
            FS_INFORMATION_CLASS FsInformationClass;
        } QueryVolume; /* into Irp->AssociatedIrp.SystemBuffer */
        struct {
            ULONG OutputBufferLength;
            ULONG InputBufferLength;
            ULONG FsControlCode;
            PVOID Type3InputBuffer;
        } FileSystemControl;
        struct {
            PVPB Vpb;
            PDEVICE_OBJECT DeviceObject;
        } MountVolume;
        struct {
            PVOID Argument1;
            PVOID Argument2;
            PVOID Argument3;
            PVOID Argument4;
        } Others;
    } Parameters;
    PDEVICE_OBJECT DeviceObject;
    PFILE_OBJECT FileObject;
    PIO_COMPLETION_ROUTINE CompletionRoutine; /* of the driver above */
    PVOID Context;                            /* of CompletionRoutine */
} IO_STACK_LOCATION, *PIO_STACK_LOCATION;

struct _IRP {
    CSHORT Type;
    USHORT Size;
    PMDL MdlAddress; /* NULL */
    ULONG Flags;     /* IRP_ */
    union {
        PIRP MasterIrp;
        LONG IrpCount;
        PVOID SystemBuffer;
    } AssociatedIrp;
    LIST_ENTRY ThreadListEntry;
    IO_STATUS_BLOCK IoStatus;
    KPROCESSOR_MODE RequestorMode;
    BOOLEAN PendingReturned;
    CHAR StackCount;
    CHAR CurrentLocation;
    BOOLEAN Cancel;
    KIRQL CancelIrql;
    PIO_STATUS_BLOCK UserIosb;
    PKEVENT UserEvent;
    PDRIVER_CANCEL CancelRoutine;
    PVOID UserBuffer;
    union {
        struct {
            PVOID DriverContext[4];
            PETHREAD Thread;
            CHAR *AuxiliaryBuffer;
            LIST_ENTRY ListEntry;
            PIO_STACK_LOCATION CurrentStackLocation;
            PFILE_OBJECT OriginalFileObject;
        } Overlay;
        PVOID CompletionKey;
    } Tail;
};

/* -- an IRP's way down: what a driver does with the request that it got -- */

/* The stack location of the driver that has the IRP, and of the one it will send it to. Source of these: Microsoft
 * Learn, "I/O Stack Locations". */
static inline PIO_STACK_LOCATION NTAPI IoGetCurrentIrpStackLocation(PIRP Irp)
{
    return Irp->Tail.Overlay.CurrentStackLocation;
}

static inline PIO_STACK_LOCATION NTAPI IoGetNextIrpStackLocation(PIRP Irp)
{
    return Irp->Tail.Overlay.CurrentStackLocation - 1;
}

/* Give the next driver the same parameters, in its own location; then a completion routine may be set. */
static inline VOID NTAPI IoCopyCurrentIrpStackLocationToNext(PIRP Irp)
{
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(Irp);
    *next = *IoGetCurrentIrpStackLocation(Irp);
    next->Control = 0;
    next->CompletionRoutine = NULL;
    next->Context = NULL;
}

/* Give the next driver this very location: the caller will not hear of the end of the request. */
static inline VOID NTAPI IoSkipCurrentIrpStackLocation(PIRP Irp)
{
    Irp->CurrentLocation++;
    Irp->Tail.Overlay.CurrentStackLocation++;
}

/* Take a location for the driver that made the IRP, where it keeps its own parameters. */
static inline VOID NTAPI IoSetNextIrpStackLocation(PIRP Irp)
{
    Irp->CurrentLocation--;
    Irp->Tail.Overlay.CurrentStackLocation--;
}

/* Say that the dispatch routine returns STATUS_PENDING, and that the request is completed later. */
static inline VOID NTAPI IoMarkIrpPending(PIRP Irp)
{
    IoGetCurrentIrpStackLocation(Irp)->Control |= SL_PENDING_RETURNED;
}

/*
 * Have CompletionRoutine called when the drivers below have completed the request, in whatever thread that is. It gives
 * STATUS_MORE_PROCESSING_REQUIRED to take the request back, anything else to let it go on upwards; in that case it
 * calls IoMarkIrpPending if Irp->PendingReturned.
 */
static inline VOID NTAPI IoSetCompletionRoutine(PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine, PVOID Context,
                                                BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel)
{
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(Irp);
    next->CompletionRoutine = CompletionRoutine;
    next->Context = Context;
    next->Control = (UCHAR)((InvokeOnSuccess ? SL_INVOKE_ON_SUCCESS : 0) | (InvokeOnError ? SL_INVOKE_ON_ERROR : 0) |
                            (InvokeOnCancel ? SL_INVOKE_ON_CANCEL : 0));
}

/* The same. STATUS_SUCCESS. Source: Microsoft Learn, "IoSetCompletionRoutineEx function (wdm.h)". */
NVRTL_API NTSTATUS NTAPI IoSetCompletionRoutineEx(PDEVICE_OBJECT DeviceObject, PIRP Irp,
                                                  PIO_COMPLETION_ROUTINE CompletionRoutine, PVOID Context,
                                                  BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError,
                                                  BOOLEAN InvokeOnCancel);

/*
 * Send the IRP to the device's driver; from then on it is the driver's. A device that was detached in the meantime is
 * passed by. What the dispatch routine returned: STATUS_PENDING when the request will be completed later.
 *
 * STATUS_INVALID_DEVICE_REQUEST  the IRP has no stack location left (it was completed so), or no driver serves it.
 *
 * Source: Microsoft Learn, "IofCallDriver function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp);
#define IoCallDriver(DeviceObject, Irp) IofCallDriver((DeviceObject), (Irp))

/*
 * Complete the request with Irp->IoStatus: those above hear of it by their completion routines, then the caller's wait
 * ends. The IRP is the driver's no more.
 *
 * Source: Microsoft Learn, "IofCompleteRequest function (wdm.h)".
 */
NVRTL_API VOID NTAPI IofCompleteRequest(PIRP Irp, CHAR PriorityBoost);
#define IoCompleteRequest(Irp, PriorityBoost) IofCompleteRequest((Irp), (PriorityBoost))

/* -- requests that a driver makes -- */

/*
 * Make an IRP with so many stack locations, at most 100: as many as the StackSize of the device that it will be sent
 * to, and one more for a driver that calls IoSetNextIrpStackLocation. A completion routine takes it back and frees it.
 * NULL: no memory, or StackSize is not positive. IoReuseIrp makes it a new one again, with that status.
 *
 * Source: Microsoft Learn, "IoAllocateIrp function (wdm.h)" and the pages beside it.
 */
NVRTL_API PIRP NTAPI IoAllocateIrp(CHAR StackSize, BOOLEAN ChargeQuota);
NVRTL_API VOID NTAPI IoFreeIrp(PIRP Irp);
NVRTL_API VOID NTAPI IoReuseIrp(PIRP Irp, NTSTATUS Status);

/*
 * Make an IRP for IRP_MJ_FLUSH_BUFFERS, IRP_MJ_READ or IRP_MJ_WRITE. The caller sets the FileObject of its next stack
 * location, sends it, and waits for Event where it gets STATUS_PENDING; IoStatusBlock is then filled, and the IRP is
 * gone. The asynchronous one is as if by IoAllocateIrp. NULL: no memory, another major function, or no Buffer to read
 * or write.
 *
 * Source: Microsoft Learn, "IoBuildSynchronousFsdRequest function (wdm.h)", "IoBuildAsynchronousFsdRequest ...".
 */
NVRTL_API PIRP NTAPI IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer,
                                                  ULONG Length, PLARGE_INTEGER StartingOffset, PKEVENT Event,
                                                  PIO_STATUS_BLOCK IoStatusBlock);
NVRTL_API PIRP NTAPI IoBuildAsynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer,
                                                   ULONG Length, PLARGE_INTEGER StartingOffset,
                                                   PIO_STATUS_BLOCK IoStatusBlock);

/* -- devices -- */

/*
 * Make a device of the driver, with an extension of zeroes. The name is not kept. The flag DO_DEVICE_INITIALIZING is
 * the driver's to clear, once it has attached the device; for those made by DriverEntry that is done when it returns.
 *
 * STATUS_SUCCESS                 *DeviceObject is the device.
 * STATUS_INSUFFICIENT_RESOURCES  no memory; *DeviceObject is NULL.
 *
 * Source: Microsoft Learn, "IoCreateDevice function (wdm.h)".
 */
NVRTL_API NTSTATUS NTAPI IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize,
                                        PUNICODE_STRING DeviceName, DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics,
                                        BOOLEAN Exclusive, PDEVICE_OBJECT *DeviceObject);

/*
 * Delete a device that was detached before. Its memory goes with its last reference, and with the last request there.
 *
 * Source: Microsoft Learn, "IoDeleteDevice function (wdm.h)".
 */
NVRTL_API VOID NTAPI IoDeleteDevice(PDEVICE_OBJECT DeviceObject);

/*
 * Attach a device above all others of the stack that TargetDevice is in: from now on, new requests come to it first.
 * *AttachedToDeviceObject, set before any comes, is where it sends them on to. IoAttachDeviceToDeviceStack returns
 * that, or NULL.
 *
 * STATUS_SUCCESS         it is attached.
 * STATUS_NO_SUCH_DEVICE  the highest device there is being initialised, or has too many below it.
 *
 * Source: Microsoft Learn, "IoAttachDeviceToDeviceStackSafe function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI IoAttachDeviceToDeviceStackSafe(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice,
                                                         PDEVICE_OBJECT *AttachedToDeviceObject);
NVRTL_API PDEVICE_OBJECT NTAPI IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice);

/*
 * Detach what is attached to TargetDevice. New requests pass it by, also those from devices above it; those in flight
 * are waited for, unless the caller is inside one.
 *
 * Source: Microsoft Learn, "IoDetachDevice function (wdm.h)".
 */
NVRTL_API VOID NTAPI IoDetachDevice(PDEVICE_OBJECT TargetDevice);

/*
 * The highest device of the stack; the lowest; the one below this (NULL: none). All but IoGetAttachedDevice take a
 * reference, for ObDereferenceObject.
 *
 * Source: Microsoft Learn, "IoGetAttachedDeviceReference function (ntifs.h)" and the pages beside it.
 */
NVRTL_API PDEVICE_OBJECT NTAPI IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject);
NVRTL_API PDEVICE_OBJECT NTAPI IoGetAttachedDeviceReference(PDEVICE_OBJECT DeviceObject);
NVRTL_API PDEVICE_OBJECT NTAPI IoGetDeviceAttachmentBaseRef(PDEVICE_OBJECT DeviceObject);
NVRTL_API PDEVICE_OBJECT NTAPI IoGetLowerDeviceObject(PDEVICE_OBJECT DeviceObject);

/*
 * Where requests for a file go first; and the device of its file system, below all filters. NULL: no memory for one.
 *
 * Source: Microsoft Learn, "IoGetRelatedDeviceObject function (ntifs.h)", "IoGetBaseFileSystemDeviceObject ...".
 */
NVRTL_API PDEVICE_OBJECT NTAPI IoGetRelatedDeviceObject(PFILE_OBJECT FileObject);
NVRTL_API PDEVICE_OBJECT NTAPI IoGetBaseFileSystemDeviceObject(PFILE_OBJECT FileObject);

/*
 * List a driver's devices, each with a reference. DeviceObjectListSize is in bytes.
 *
 * STATUS_SUCCESS           they are in the list, *ActualNumberDeviceObjects of them.
 * STATUS_BUFFER_TOO_SMALL  they are so many more, and none is in the list.
 *
 * Source: Microsoft Learn, "IoEnumerateDeviceObjectList function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI IoEnumerateDeviceObjectList(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT *DeviceObjectList,
                                                     ULONG DeviceObjectListSize, ULONG *ActualNumberDeviceObjects);

/*
 * Hear of file systems. There is one: the routine is called with its control device and TRUE before this returns. A
 * filter attaches to that, and sees IRP_MJ_FILE_SYSTEM_CONTROL with IRP_MN_MOUNT_VOLUME for each volume, when its first
 * file is opened: once it is complete, Parameters.MountVolume.Vpb->DeviceObject is the volume's device. Those that are
 * mounted already are the devices of the control device's driver (IoEnumerateDeviceObjectList).
 *
 * STATUS_SUCCESS                   it hears of them.
 * STATUS_DEVICE_ALREADY_ATTACHED   the driver has registered this routine before.
 * STATUS_INSUFFICIENT_RESOURCES    no memory.
 *
 * Source: Microsoft Learn, "IoRegisterFsRegistrationChange function (ntifs.h)".
 */
NVRTL_API NTSTATUS NTAPI IoRegisterFsRegistrationChange(PDRIVER_OBJECT DriverObject,
                                                        PDRIVER_FS_NOTIFICATION DriverNotificationRoutine);
NVRTL_API VOID NTAPI IoUnregisterFsRegistrationChange(PDRIVER_OBJECT DriverObject,
                                                      PDRIVER_FS_NOTIFICATION DriverNotificationRoutine);

/* -- bringing drivers in -- */

/* What else may be said of a driver. Texts are UTF-8; NULL where nothing is said. */
typedef struct _NVRTL_DRIVER_OPTIONS {
    const CHAR *Volume;   /* a path: the driver hears of the volume of that file or folder only; NULL: of all */
    const CHAR *Name;     /* of DriverObject and its registry path, cut at 32 characters; NULL: "driver" */
    const CHAR *Altitude; /* of its minifilter, a decimal number; NULL: above all that are there */
} NVRTL_DRIVER_OPTIONS, *PNVRTL_DRIVER_OPTIONS;

/*
 * Bring a driver into this process: call its DriverEntry, and, where it has set one and Volume is given, its AddDevice
 * routine with the volume's highest device. A driver that is to see a volume attaches to it there, or hears of it by
 * IoRegisterFsRegistrationChange, or by FltStartFiltering. Volume: as in NVRTL_DRIVER_OPTIONS.
 *
 * STATUS_SUCCESS                 *DriverObject is the driver, until NvrtlUnloadDriver.
 * STATUS_INVALID_PARAMETER       DriverEntry or DriverObject is NULL, or the altitude is no number.
 * STATUS_OBJECT_NAME_NOT_FOUND   there is nothing at Volume (or what else keeps it from being looked at).
 * STATUS_INSUFFICIENT_RESOURCES  no memory.
 * Other statuses                 what DriverEntry or AddDevice returned; the driver is not loaded.
 *
 * Source: nvrtl's own.
 */
NVRTL_API NTSTATUS NTAPI NvrtlLoadDriver(PDRIVER_INITIALIZE DriverEntry, const CHAR *Volume,
                                         PDRIVER_OBJECT *DriverObject);
NVRTL_API NTSTATUS NTAPI NvrtlLoadDriverEx(PDRIVER_INITIALIZE DriverEntry, const NVRTL_DRIVER_OPTIONS *Options,
                                           PDRIVER_OBJECT *DriverObject);

/*
 * Unload a driver: call its DriverUnload, or its minifilter's FilterUnloadCallback, and delete what devices it left.
 *
 * STATUS_SUCCESS                 it is gone, and called no more.
 * STATUS_INVALID_PARAMETER       DriverObject is no loaded driver.
 * STATUS_INVALID_DEVICE_REQUEST  it has no way to be unloaded, and stays.
 * Other statuses                 its FilterUnloadCallback refused.
 *
 * Source: nvrtl's own.
 */
NVRTL_API NTSTATUS NTAPI NvrtlUnloadDriver(PDRIVER_OBJECT DriverObject);

NVRTL_END

#endif
