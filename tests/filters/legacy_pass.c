/* SPDX-License-Identifier: MIT */
/*
 * A legacy file system filter that lets every request pass: it hears of file systems, attaches to each volume when it
 * is mounted and to those that are there, and counts flushes. Written as one would for Windows; compiled unchanged
 * against the headers for Windows sources, and against mingw's. Run by harness.c on real files.
 */
#include <ntifs.h>

#define LEGACY_TAG 'ygeL'

typedef struct _LEGACY_EXTENSION {
    PDEVICE_OBJECT AttachedTo;
    BOOLEAN IsVolume;
    LONG volatile Flushes;
} LEGACY_EXTENSION, *PLEGACY_EXTENSION;

/* What a completion routine is told. */
typedef struct _LEGACY_COMPLETION {
    KEVENT Event;
    LARGE_INTEGER Began;
} LEGACY_COMPLETION, *PLEGACY_COMPLETION;

#ifdef __cplusplus
extern "C" {
#endif

/* What the harness looks at. */
extern volatile LONG LegacyFlushesSeen;
extern volatile LONG LegacyOpensSeen;
extern volatile LONG LegacyMountsSeen;
volatile LONG LegacyFlushesSeen = 0;
volatile LONG LegacyOpensSeen = 0;
volatile LONG LegacyMountsSeen = 0;

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD LegacyUnload;
DRIVER_DISPATCH LegacyPassThrough;
DRIVER_DISPATCH LegacyCreate;
DRIVER_DISPATCH LegacyFlush;
DRIVER_DISPATCH LegacyFsControl;
VOID NTAPI LegacyFsNotification(PDEVICE_OBJECT DeviceObject, BOOLEAN FsActive);
IO_COMPLETION_ROUTINE LegacyFlushCompletion;
IO_COMPLETION_ROUTINE LegacyWaitCompletion;

#ifdef __cplusplus
}
#endif

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, LegacyUnload)
#pragma alloc_text(PAGE, LegacyFsNotification)
#pragma alloc_text(PAGE, LegacyFsControl)
#endif

static PDRIVER_OBJECT LegacyDriverObject;
static FAST_MUTEX LegacyLock;

static BOOLEAN NTAPI LegacyFastIoCheckIfPossible(PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset, ULONG Length,
                                                 BOOLEAN Wait, ULONG LockKey, BOOLEAN CheckForReadOperation,
                                                 PIO_STATUS_BLOCK IoStatus, PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_OBJECT Next = ((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->AttachedTo;
    PFAST_IO_DISPATCH Table = Next->DriverObject->FastIoDispatch;

    if (Table != NULL && Table->FastIoCheckIfPossible != NULL) {
        return Table->FastIoCheckIfPossible(FileObject, FileOffset, Length, Wait, LockKey, CheckForReadOperation,
                                            IoStatus, Next);
    }
    return FALSE;
}

static VOID NTAPI LegacyFastIoDetachDevice(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice)
{
    IoDetachDevice(TargetDevice);
    IoDeleteDevice(SourceDevice);
}

/* Attaches a new device to Target, unless the driver has one there. */
static NTSTATUS LegacyAttach(PDEVICE_OBJECT Target, BOOLEAN IsVolume)
{
    PLEGACY_EXTENSION Extension;
    PDEVICE_OBJECT Device;
    PDEVICE_OBJECT Current;
    NTSTATUS Status = STATUS_SUCCESS;

    ExAcquireFastMutex(&LegacyLock);
    Current = IoGetAttachedDeviceReference(Target);
    while (Current != NULL) {
        PDEVICE_OBJECT Lower = IoGetLowerDeviceObject(Current);
        BOOLEAN IsMine = (BOOLEAN)(Current->DriverObject == LegacyDriverObject);

        ObDereferenceObject(Current);
        Current = Lower;
        if (IsMine) {
            Status = STATUS_DEVICE_ALREADY_ATTACHED;
        }
    }
    if (NT_SUCCESS(Status)) {
        Status =
            IoCreateDevice(LegacyDriverObject, sizeof(LEGACY_EXTENSION), NULL, Target->DeviceType, 0, FALSE, &Device);
    }
    if (NT_SUCCESS(Status)) {
        Extension = (PLEGACY_EXTENSION)Device->DeviceExtension;
        RtlZeroMemory(Extension, sizeof(LEGACY_EXTENSION));
        Extension->IsVolume = IsVolume;
        Device->Flags |= Target->Flags & (DO_BUFFERED_IO | DO_DIRECT_IO);
        Device->Characteristics |= Target->Characteristics & FILE_DEVICE_SECURE_OPEN;
        Status = IoAttachDeviceToDeviceStackSafe(Device, Target, &Extension->AttachedTo);
        if (NT_SUCCESS(Status)) {
            Device->Flags &= ~DO_DEVICE_INITIALIZING;
        } else {
            IoDeleteDevice(Device);
        }
    }
    ExReleaseFastMutex(&LegacyLock);
    return Status;
}

/* Volumes that were mounted before the filter came. */
static VOID LegacyAttachToMounted(PDEVICE_OBJECT Control)
{
    PDEVICE_OBJECT *List;
    ULONG Count = 0;
    ULONG Index;

    if (IoEnumerateDeviceObjectList(Control->DriverObject, NULL, 0, &Count) != STATUS_BUFFER_TOO_SMALL) {
        return;
    }
    Count += 8; /* some may come meanwhile */
    List = (PDEVICE_OBJECT *)ExAllocatePoolWithTag(NonPagedPoolNx, Count * sizeof(PDEVICE_OBJECT), LEGACY_TAG);
    if (List == NULL) {
        return;
    }
    if (NT_SUCCESS(IoEnumerateDeviceObjectList(Control->DriverObject, List, Count * sizeof(PDEVICE_OBJECT), &Count))) {
        for (Index = 0; Index < Count; Index++) {
            if (List[Index] != Control && List[Index]->DeviceType == Control->DeviceType) {
                (VOID) LegacyAttach(List[Index], TRUE);
            }
            ObDereferenceObject(List[Index]);
        }
    }
    ExFreePoolWithTag(List, LEGACY_TAG);
}

VOID NTAPI LegacyFsNotification(PDEVICE_OBJECT DeviceObject, BOOLEAN FsActive)
{
    PAGED_CODE();

    if (!FsActive) {
        return;
    }
    if (NT_SUCCESS(LegacyAttach(DeviceObject, FALSE))) {
        LegacyAttachToMounted(DeviceObject);
    }
}

NTSTATUS NTAPI LegacyPassThrough(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->AttachedTo, Irp);
}

NTSTATUS NTAPI LegacyWaitCompletion(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Irp);

    KeSetEvent(&((PLEGACY_COMPLETION)Context)->Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Sends the request on, and has it back. */
static NTSTATUS LegacyForwardAndWait(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    LEGACY_COMPLETION Completion;

    KeInitializeEvent(&Completion.Event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, LegacyWaitCompletion, &Completion, TRUE, TRUE, TRUE);
    if (IoCallDriver(((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->AttachedTo, Irp) == STATUS_PENDING) {
        KeWaitForSingleObject(&Completion.Event, Executive, KernelMode, FALSE, NULL);
    }
    return Irp->IoStatus.Status;
}

NTSTATUS NTAPI LegacyCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION IrpSp = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status;

    if (!((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->IsVolume) {
        return LegacyPassThrough(DeviceObject, Irp);
    }
    Status = LegacyForwardAndWait(DeviceObject, Irp);
    if (NT_SUCCESS(Status) && IrpSp->FileObject->FileName.Length != 0) {
        InterlockedIncrement(&LegacyOpensSeen);
    }
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

NTSTATUS NTAPI LegacyFlushCompletion(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);

    if (Irp->PendingReturned) {
        IoMarkIrpPending(Irp);
    }
    if (NT_SUCCESS(Irp->IoStatus.Status)) {
        InterlockedIncrement(&((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->Flushes);
        InterlockedIncrement(&LegacyFlushesSeen);
    }
    return STATUS_CONTINUE_COMPLETION;
}

NTSTATUS NTAPI LegacyFlush(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, LegacyFlushCompletion, NULL, TRUE, TRUE, TRUE);
    return IoCallDriver(((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->AttachedTo, Irp);
}

/* A volume is mounted when the request comes back. */
NTSTATUS NTAPI LegacyFsControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION IrpSp = IoGetCurrentIrpStackLocation(Irp);
    PDEVICE_OBJECT RealDevice;
    NTSTATUS Status;

    PAGED_CODE();

    if (IrpSp->MinorFunction != IRP_MN_MOUNT_VOLUME || ((PLEGACY_EXTENSION)DeviceObject->DeviceExtension)->IsVolume) {
        return LegacyPassThrough(DeviceObject, Irp);
    }
    RealDevice = IrpSp->Parameters.MountVolume.Vpb->RealDevice;
    Status = LegacyForwardAndWait(DeviceObject, Irp);
    if (NT_SUCCESS(Status) && NT_SUCCESS(LegacyAttach(RealDevice->Vpb->DeviceObject, TRUE))) {
        InterlockedIncrement(&LegacyMountsSeen);
    }
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

VOID NTAPI LegacyUnload(PDRIVER_OBJECT DriverObject)
{
    PDEVICE_OBJECT Device;

    PAGED_CODE();

    IoUnregisterFsRegistrationChange(DriverObject, LegacyFsNotification);
    while ((Device = DriverObject->DeviceObject) != NULL) {
        IoDetachDevice(((PLEGACY_EXTENSION)Device->DeviceExtension)->AttachedTo);
        IoDeleteDevice(Device);
    }
    if (DriverObject->FastIoDispatch != NULL) {
        ExFreePoolWithTag(DriverObject->FastIoDispatch, LEGACY_TAG);
        DriverObject->FastIoDispatch = NULL;
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PFAST_IO_DISPATCH Table;
    NTSTATUS Status;
    ULONG Index;

    UNREFERENCED_PARAMETER(RegistryPath);

    LegacyDriverObject = DriverObject;
    ExInitializeFastMutex(&LegacyLock);
    for (Index = 0; Index <= IRP_MJ_MAXIMUM_FUNCTION; Index++) {
        DriverObject->MajorFunction[Index] = LegacyPassThrough;
    }
    DriverObject->MajorFunction[IRP_MJ_CREATE] = LegacyCreate;
    DriverObject->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = LegacyFlush;
    DriverObject->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] = LegacyFsControl;
    DriverObject->DriverUnload = LegacyUnload;

    Table = (PFAST_IO_DISPATCH)ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(FAST_IO_DISPATCH), LEGACY_TAG);
    if (Table == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Table, sizeof(FAST_IO_DISPATCH));
    Table->SizeOfFastIoDispatch = sizeof(FAST_IO_DISPATCH);
    Table->FastIoCheckIfPossible = LegacyFastIoCheckIfPossible;
    Table->FastIoDetachDevice = LegacyFastIoDetachDevice;
    DriverObject->FastIoDispatch = Table;

    Status = IoRegisterFsRegistrationChange(DriverObject, LegacyFsNotification);
    if (!NT_SUCCESS(Status)) {
        DriverObject->FastIoDispatch = NULL;
        ExFreePoolWithTag(Table, LEGACY_TAG);
        KdPrint(("legacy filter: no notification, %08x\n", Status));
    }
    return Status;
}
