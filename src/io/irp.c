/* SPDX-License-Identifier: MIT */
/*
 * Owns IRPs: making them, sending them down the stack, and completing them on their way up. Called by drivers, and by
 * the stack for the requests of public functions.
 */
#include "src/io/irp.h"

#include "src/io/thread.h"
#include "src/os/os.h"

#include <stdlib.h>
#include <string.h>

void nv_irp_initialize(struct nv_irp *irp, enum nv_irp_kind kind, IO_STACK_LOCATION *room, struct nv_device **held,
                       CHAR count)
{
    *irp = (struct nv_irp){.kind = kind, .room = room, .held = held};
    irp->shown.Type = IO_TYPE_IRP;
    irp->shown.Size = (USHORT)(sizeof(IRP) + (size_t)count * sizeof(IO_STACK_LOCATION));
    irp->shown.StackCount = count;
    irp->shown.CurrentLocation = (CHAR)(count + 1);
    irp->shown.Tail.Overlay.CurrentStackLocation = room + 1 + count;
    memset(room, 0, (size_t)(count + 1) * sizeof(*room));
    memset(held, 0, (size_t)count * sizeof(struct nv_device *));
}

PIRP IoAllocateIrp(CHAR StackSize, BOOLEAN ChargeQuota)
{
    (void)ChargeQuota;
    if (StackSize <= 0 || StackSize > NV_IRP_LOCATIONS_MAX)
        return NULL;
    /* One location below, and one above, where whoever made the IRP may look before it is sent. */
    size_t room_bytes = ((size_t)StackSize + 2) * sizeof(IO_STACK_LOCATION);
    size_t held_bytes = (size_t)StackSize * sizeof(struct nv_device *);
    char *memory = nv_os->resize(NULL, sizeof(struct nv_irp) + room_bytes + held_bytes);
    if (!memory)
        return NULL;
    struct nv_irp *irp = (struct nv_irp *)(void *)memory;
    IO_STACK_LOCATION *room = (void *)(memory + sizeof(*irp));
    nv_irp_initialize(irp, NV_IRP_DRIVER, room, (void *)(memory + sizeof(*irp) + room_bytes), StackSize);
    memset(room + 1 + StackSize, 0, sizeof(*room));
    return &irp->shown;
}

/* One that is a public function's is not for a driver to free. */
VOID IoFreeIrp(PIRP Irp)
{
    if (nv_irp_of(Irp)->kind != NV_IRP_REQUEST)
        free(Irp);
}

VOID IoReuseIrp(PIRP Irp, NTSTATUS Status)
{
    struct nv_irp *irp = nv_irp_of(Irp);
    nv_irp_initialize(irp, irp->kind, irp->room, irp->held, Irp->StackCount);
    Irp->IoStatus.Status = Status;
}

/* -- down -- */

/* A call of the driver's code, for this device. */
static NTSTATUS dispatch(struct nv_device *device, PIRP irp, UCHAR major)
{
    PDRIVER_DISPATCH function = device->shown.DriverObject->MajorFunction[major];
    nv_device_reference(device);
    atomic_fetch_add(&device->holds, 1);
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_DISPATCH);
    NTSTATUS status = function(&device->shown, irp);
    nv_leave_driver(NV_INSIDE_DISPATCH, minifilter);
    nv_device_unhold(device);
    return status;
}

static NTSTATUS refuse(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

NTSTATUS nv_irp_send(struct nv_irp *irp, struct nv_device *device)
{
    int index = irp->shown.CurrentLocation - 2;
    if (index < 0) { /* more devices than the IRP has locations for: on Windows, a bug check */
        nv_device_unhold(device);
        return refuse(&irp->shown, STATUS_INVALID_DEVICE_REQUEST);
    }
    irp->shown.CurrentLocation--;
    PIO_STACK_LOCATION location = --irp->shown.Tail.Overlay.CurrentStackLocation;
    struct nv_device *before = irp->held[index]; /* it skips its location: the next one has that */
    location->DeviceObject = &device->shown;
    irp->held[index] = device;
    if (before)
        nv_device_unhold(before);
    if (location->MajorFunction > IRP_MJ_MAXIMUM_FUNCTION)
        return refuse(&irp->shown, STATUS_INVALID_DEVICE_REQUEST);
    return dispatch(device, &irp->shown, location->MajorFunction);
}

NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    return nv_irp_send(nv_irp_of(Irp), nv_device_hold(nv_device_of(DeviceObject)));
}

/* -- up -- */

static bool wants_to_know(UCHAR control, const IRP *irp)
{
    UCHAR how = NT_SUCCESS(irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR;
    return (control & how) || (irp->Cancel && (control & SL_INVOKE_ON_CANCEL));
}

static NTSTATUS call_routine(const IO_STACK_LOCATION *location, PIRP irp)
{
    bool is_top = irp->CurrentLocation > irp->StackCount;
    PDEVICE_OBJECT device = is_top ? NULL : IoGetCurrentIrpStackLocation(irp)->DeviceObject;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_DISPATCH);
    NTSTATUS status = location->CompletionRoutine(device, irp, location->Context);
    nv_leave_driver(NV_INSIDE_DISPATCH, minifilter);
    return status;
}

/*
 * Leaves the current location: whoever is above hears of it. False: it has taken the request back, which may be gone by
 * now.
 */
static bool pop(struct nv_irp *irp)
{
    PIO_STACK_LOCATION current = irp->shown.Tail.Overlay.CurrentStackLocation;
    IO_STACK_LOCATION location = *current;
    struct nv_device **held = &irp->held[irp->shown.CurrentLocation - 1];
    struct nv_device *device = *held;
    bool pending = location.Control & SL_PENDING_RETURNED;
    *held = NULL;
    memset(current, 0, sizeof(*current));
    irp->shown.PendingReturned = pending;
    irp->shown.CurrentLocation++;
    irp->shown.Tail.Overlay.CurrentStackLocation++;
    if (device)
        nv_device_unhold(device);
    if (location.CompletionRoutine && wants_to_know(location.Control, &irp->shown))
        return call_routine(&location, &irp->shown) != STATUS_MORE_PROCESSING_REQUIRED;
    if (pending && irp->shown.CurrentLocation <= irp->shown.StackCount)
        IoMarkIrpPending(&irp->shown);
    return true;
}

/* Whoever waits for it may free it as soon as the event is set. */
static void tell_the_maker(PIRP irp)
{
    PKEVENT event = irp->UserEvent;
    bool to_be_freed = nv_irp_of(irp)->kind == NV_IRP_SYNCHRONOUS;
    if (irp->UserIosb)
        *irp->UserIosb = irp->IoStatus;
    if (to_be_freed)
        free(irp);
    if (event)
        (void)KeSetEvent(event, IO_NO_INCREMENT, FALSE);
}

VOID IofCompleteRequest(PIRP Irp, CHAR PriorityBoost)
{
    struct nv_irp *irp = nv_irp_of(Irp);
    (void)PriorityBoost;
    while (Irp->CurrentLocation <= Irp->StackCount)
        if (!pop(irp))
            return;
    if (irp->kind == NV_IRP_REQUEST)
        (void)KeSetEvent(&irp->complete, IO_NO_INCREMENT, FALSE);
    else
        tell_the_maker(Irp);
}

NTSTATUS IoSetCompletionRoutineEx(PDEVICE_OBJECT DeviceObject, PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine,
                                  PVOID Context, BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel)
{
    (void)DeviceObject; /* it is held until the request is complete there, and so is its driver */
    IoSetCompletionRoutine(Irp, CompletionRoutine, Context, InvokeOnSuccess, InvokeOnError, InvokeOnCancel);
    return STATUS_SUCCESS;
}

/* -- requests that a driver makes -- */

static bool has_parameters(ULONG major, PVOID buffer)
{
    return major == IRP_MJ_FLUSH_BUFFERS || ((major == IRP_MJ_READ || major == IRP_MJ_WRITE) && buffer);
}

static PIRP build(ULONG major, PDEVICE_OBJECT device, PVOID buffer, ULONG length, PLARGE_INTEGER offset,
                  PIO_STATUS_BLOCK io)
{
    PIRP irp = has_parameters(major, buffer) ? IoAllocateIrp(device->StackSize, FALSE) : NULL;
    if (!irp)
        return NULL;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = (UCHAR)major;
    irp->UserIosb = io;
    irp->UserBuffer = buffer;
    irp->RequestorMode = KernelMode;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    if (major == IRP_MJ_FLUSH_BUFFERS)
        return irp;
    irp->Flags = major == IRP_MJ_READ ? IRP_READ_OPERATION : IRP_WRITE_OPERATION;
    next->Parameters.Read.Length = length; /* of a write, in the same place */
    next->Parameters.Read.ByteOffset.QuadPart = offset ? offset->QuadPart : 0;
    return irp;
}

PIRP IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                  PLARGE_INTEGER StartingOffset, PKEVENT Event, PIO_STATUS_BLOCK IoStatusBlock)
{
    PIRP irp = build(MajorFunction, DeviceObject, Buffer, Length, StartingOffset, IoStatusBlock);
    if (!irp)
        return NULL;
    nv_irp_of(irp)->kind = NV_IRP_SYNCHRONOUS;
    irp->UserEvent = Event;
    irp->Flags |= IRP_SYNCHRONOUS_API;
    return irp;
}

PIRP IoBuildAsynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                   PLARGE_INTEGER StartingOffset, PIO_STATUS_BLOCK IoStatusBlock)
{
    return build(MajorFunction, DeviceObject, Buffer, Length, StartingOffset, IoStatusBlock);
}
