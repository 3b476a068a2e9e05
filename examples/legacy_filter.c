/* SPDX-License-Identifier: MIT */
/*
 * A legacy filter that makes every write durable: behind each it sends a flush of its own to the device below. Usage:
 * legacy_filter FILE
 */
#include <nvrtl/nvrtl.h>
#include <stdio.h>

struct extension {
    PDEVICE_OBJECT lower; /* where requests go from here */
};

static int flushes;

static NTSTATUS flush(PDEVICE_OBJECT lower, PFILE_OBJECT file)
{
    IO_STATUS_BLOCK io;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, lower, NULL, 0, NULL, &event, &io);
    if (!irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    IoGetNextIrpStackLocation(irp)->FileObject = file;
    if (IoCallDriver(lower, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    flushes++;
    return io.Status;
}

static NTSTATUS NTAPI take_back(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    (void)device;
    (void)irp;
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED; /* the request is the dispatch routine's again */
}

static NTSTATUS NTAPI write_and_flush(PDEVICE_OBJECT device, PIRP irp)
{
    PDEVICE_OBJECT lower = ((struct extension *)device->DeviceExtension)->lower;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, take_back, &event, TRUE, TRUE, TRUE);
    (void)IoCallDriver(lower, irp);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    NTSTATUS status = irp->IoStatus.Status;
    if (NT_SUCCESS(status))
        status = irp->IoStatus.Status = flush(lower, IoGetCurrentIrpStackLocation(irp)->FileObject);
    IoCompleteRequest(irp, IO_DISK_INCREMENT);
    return status;
}

static NTSTATUS NTAPI pass_on(PDEVICE_OBJECT device, PIRP irp)
{
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(((struct extension *)device->DeviceExtension)->lower, irp);
}

static NTSTATUS NTAPI add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT volume)
{
    PDEVICE_OBJECT device;
    NTSTATUS status = IoCreateDevice(driver, sizeof(struct extension), NULL, volume->DeviceType, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    status = IoAttachDeviceToDeviceStackSafe(device, volume, &((struct extension *)device->DeviceExtension)->lower);
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return status;
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    IoDetachDevice(((struct extension *)driver->DeviceObject->DeviceExtension)->lower);
    IoDeleteDevice(driver->DeviceObject);
}

static NTSTATUS NTAPI driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
    (void)registry_path;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->MajorFunction[i] = pass_on;
    driver->MajorFunction[IRP_MJ_WRITE] = write_and_flush;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

int main(int argc, char **argv)
{
    IO_STATUS_BLOCK io;
    PDRIVER_OBJECT driver;
    HANDLE file;
    LARGE_INTEGER offset = {.QuadPart = 0};
    char text[] = "hello";
    FILE *opened = argc == 2 ? fopen(argv[1], "w") : NULL;
    if (!opened || NvrtlLoadDriver(driver_entry, argv[1], &driver) != STATUS_SUCCESS ||
        NvrtlHandleFromFd(fileno(opened), FILE_GENERIC_WRITE, &file) != STATUS_SUCCESS)
        return 1;
    for (; offset.QuadPart < 10; offset.QuadPart += 5)
        if (NtWriteFile(file, NULL, NULL, NULL, &io, text, 5, &offset, NULL) != STATUS_SUCCESS)
            return 1;
    printf("%d writes are durable\n", flushes);
    NtClose(file);
    NvrtlUnloadDriver(driver);
    return 0;
}
