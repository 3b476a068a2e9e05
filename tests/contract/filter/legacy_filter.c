/* SPDX-License-Identifier: MIT */
/* Owns the legacy filter of tests, and their journal. Linked into the tests of this folder. */
#include "tests/contract/filter/legacy_filter.h"

#include <pthread.h>
#include <string.h>

struct extension {
    struct legacy_filter *filter;
};

static struct legacy_filter *loading; /* DriverEntry is told nothing else */

struct legacy_filter *legacy_filter_of(PDEVICE_OBJECT device)
{
    return ((struct extension *)device->DeviceExtension)->filter;
}

NTSTATUS legacy_filter_skip(PDEVICE_OBJECT device, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(legacy_filter_of(device)->lower, irp);
}

static NTSTATUS NTAPI wake(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    (void)device;
    if (irp->PendingReturned)
        KeSetEvent(context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

NTSTATUS legacy_filter_forward(PDEVICE_OBJECT device, PIRP irp)
{
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, wake, &event, TRUE, TRUE, TRUE);
    if (IoCallDriver(legacy_filter_of(device)->lower, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    return irp->IoStatus.Status;
}

NTSTATUS legacy_filter_complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    struct legacy_filter *filter = legacy_filter_of(device);
    bool flushes = IoGetCurrentIrpStackLocation(irp)->MajorFunction == IRP_MJ_FLUSH_BUFFERS;
    PDRIVER_DISPATCH function = flushes ? filter->dispatch : filter->others;
    return function ? function(device, irp) : legacy_filter_skip(device, irp);
}

static NTSTATUS NTAPI add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    PDEVICE_OBJECT device;
    NTSTATUS status =
        IoCreateDevice(driver, sizeof(struct extension), NULL, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    ((struct extension *)device->DeviceExtension)->filter = loading;
    loading->device = device;
    status = IoAttachDeviceToDeviceStackSafe(device, physical, &loading->lower);
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    if (!NT_SUCCESS(status))
        IoDeleteDevice(device);
    return status;
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    struct legacy_filter *filter = legacy_filter_of(driver->DeviceObject);
    IoDetachDevice(filter->lower);
    IoDeleteDevice(filter->device);
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
    (void)registry_path;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->MajorFunction[i] = dispatch;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

NTSTATUS legacy_filter_try(struct legacy_filter *filter)
{
    loading = filter;
    return NvrtlLoadDriver(entry, ".", &filter->driver);
}

void legacy_filter_load(struct legacy_filter *filter)
{
    assert_status(legacy_filter_try(filter), STATUS_SUCCESS);
}

void legacy_filter_unload(struct legacy_filter *filter)
{
    assert_status(NvrtlUnloadDriver(filter->driver), STATUS_SUCCESS);
}

static char journal[4096];
static char copy[sizeof(journal)];
static size_t used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void journal_write(char character)
{
    pthread_mutex_lock(&lock);
    if (used < sizeof(journal) - 1)
        journal[used++] = character;
    pthread_mutex_unlock(&lock);
}

const char *journal_read(void)
{
    pthread_mutex_lock(&lock);
    memcpy(copy, journal, used);
    copy[used] = '\0';
    used = 0;
    pthread_mutex_unlock(&lock);
    return copy;
}
