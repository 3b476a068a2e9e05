/* SPDX-License-Identifier: MIT */
/*
 * Owns the bottom of each volume's stack, and the way that a request takes through it. Called by volume.c for volumes
 * that somebody has attached to, and when a volume is used for the first time.
 */
#include "src/io/stack.h"

#include "src/io/file.h"
#include "src/io/filters/configured.h"
#include "src/io/irp.h"
#include "src/io/minifilter.h"
#include "src/io/parameters.h"
#include "src/io/thread.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what is made once, and of what FILE_OBJECTs show */
static struct nv_driver *file_system;
static struct nv_driver *disk;
static struct nv_device *control;

/* -- the devices -- */

/* Of a volume's disk. */
struct disk_extension {
    VPB vpb;
};

static NTSTATUS finish(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/*
 * Whatever the stack made of a public function's request, what only the library knows of it is as it was; and the
 * driver may have changed that.
 */
static NTSTATUS serve_volume(struct nv_device *device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    struct nv_request *original = nv_irp_of(irp)->request;
    struct nv_request request = {.major = location->MajorFunction};
    if (!location->FileObject)
        return finish(irp, STATUS_INVALID_PARAMETER, 0);
    if (original && original->major == location->MajorFunction)
        request = *original;
    nv_parameters_from_irp(&request, irp, location);
    NTSTATUS status = nv_minifilters_serve(device->volume, &request, irp->RequestorMode);
    if (original && original->major == request.major)
        *original = request;
    return finish(irp, status, request.information);
}

static NTSTATUS serve_control(PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    if (location->MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL || location->MinorFunction != IRP_MN_MOUNT_VOLUME)
        return finish(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    struct nv_device *real = nv_device_of(location->Parameters.MountVolume.DeviceObject);
    struct nv_device *base = nv_stack_base(real->volume);
    return finish(irp, base ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES, 0);
}

static NTSTATUS serve(PDEVICE_OBJECT device, PIRP irp)
{
    return nv_device_of(device)->volume ? serve_volume(nv_device_of(device), irp) : serve_control(irp);
}

/* Under the lock. */
static struct nv_driver *driver(struct nv_driver **made, const char *name)
{
    if (!*made)
        *made = nv_driver_new(name);
    return *made;
}

/* Under the lock. */
static struct nv_driver *file_system_driver(void)
{
    if (file_system || !driver(&file_system, "nvrtl"))
        return file_system;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        file_system->shown.MajorFunction[i] = serve;
    return file_system;
}

/* Under the lock. */
static struct nv_device *make_device(struct nv_driver *of, ULONG extension_bytes, DEVICE_TYPE type)
{
    PDEVICE_OBJECT shown = NULL;
    if (of)
        (void)IoCreateDevice(&of->shown, extension_bytes, NULL, type, 0, FALSE, &shown);
    if (shown)
        shown->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return nv_device_of(shown);
}

struct nv_device *nv_stack_control_device(void)
{
    pthread_mutex_lock(&lock);
    if (!control)
        control = make_device(file_system_driver(), 0, FILE_DEVICE_DISK_FILE_SYSTEM);
    pthread_mutex_unlock(&lock);
    return control;
}

/* Under the lock: the disk, and what joins it and the volume. */
static struct nv_device *make_disk(struct nv_volume *volume)
{
    struct nv_device *made = make_device(driver(&disk, "disk"), sizeof(struct disk_extension), FILE_DEVICE_DISK);
    if (!made)
        return NULL;
    struct disk_extension *extension = made->shown.DeviceExtension;
    extension->vpb = (VPB){.Type = IO_TYPE_VPB, .Size = sizeof(VPB), .RealDevice = &made->shown};
    made->shown.Vpb = &extension->vpb;
    made->volume = volume;
    return made;
}

/* Under the lock. */
static struct nv_device *disk_of(struct nv_volume *volume)
{
    if (!volume->disk)
        volume->disk = (PDEVICE_OBJECT)make_disk(volume);
    return nv_device_of(volume->disk);
}

struct nv_device *nv_stack_base(struct nv_volume *volume)
{
    pthread_mutex_lock(&lock);
    struct nv_device *real = volume->shown ? NULL : disk_of(volume);
    struct nv_device *base = real ? make_device(file_system_driver(), 0, FILE_DEVICE_DISK_FILE_SYSTEM) : NULL;
    if (base) {
        base->volume = volume;
        real->shown.Vpb->DeviceObject = &base->shown;
        real->shown.Vpb->Flags |= VPB_MOUNTED;
        volume->shown = &base->shown;
    }
    base = nv_device_of(volume->shown);
    pthread_mutex_unlock(&lock);
    return base;
}

PDEVICE_OBJECT IoGetBaseFileSystemDeviceObject(PFILE_OBJECT FileObject)
{
    return (PDEVICE_OBJECT)nv_stack_base(nv_file_of(FileObject)->volume);
}

PDEVICE_OBJECT IoGetRelatedDeviceObject(PFILE_OBJECT FileObject)
{
    PDEVICE_OBJECT base = IoGetBaseFileSystemDeviceObject(FileObject);
    return base ? IoGetAttachedDevice(base) : NULL;
}

/* -- requests -- */

/* Filters that were attached after a file was opened find its device, too. */
static void show_device(struct nv_file *file, const struct nv_volume *volume)
{
    if (__atomic_load_n(&file->shown.DeviceObject, __ATOMIC_ACQUIRE))
        return;
    pthread_mutex_lock(&lock);
    if (!file->shown.DeviceObject) {
        file->shown.Vpb = volume->disk->Vpb;
        __atomic_store_n(&file->shown.DeviceObject, volume->shown, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&lock);
}

/* Of who called the public function. */
static KPROCESSOR_MODE mode(void)
{
    return nv_io_thread.kernel ? KernelMode : UserMode;
}

/* As an IRP, which lies here until it is complete. */
static NTSTATUS send(struct nv_device *top, struct nv_request *request)
{
    IO_STACK_LOCATION room[NV_STACK_SIZE_MAX + 1];
    struct nv_device *held[NV_STACK_SIZE_MAX];
    struct nv_irp irp;
    IO_SECURITY_CONTEXT security;
    nv_irp_initialize(&irp, NV_IRP_REQUEST, room, held, top->shown.StackSize);
    irp.request = request;
    irp.shown.RequestorMode = mode();
    irp.shown.Tail.Overlay.Thread = PsGetCurrentThread();
    KeInitializeEvent(&irp.complete, NotificationEvent, FALSE);
    nv_parameters_to_irp(request, &irp.shown, IoGetNextIrpStackLocation(&irp.shown), &security);
    (void)nv_irp_send(&irp, top);
    (void)KeWaitForSingleObject(&irp.complete, Executive, KernelMode, FALSE, NULL);
    request->information = irp.shown.IoStatus.Information;
    return irp.shown.IoStatus.Status;
}

NTSTATUS nv_stack_serve(struct nv_request *request)
{
    struct nv_volume *volume = request->file->volume;
    struct nv_device *base = nv_device_of(volume->shown);
    struct nv_device *top = nv_device_hold_top(base);
    NTSTATUS status;
    show_device(request->file, volume);
    if (top == base) {
        nv_device_unhold(top);
        status = nv_minifilters_serve(volume, request, mode());
    } else
        status = send(top, request);
    if (request->major == IRP_MJ_CLOSE)
        nv_contexts_close(request->file);
    /* Nobody waits for what a filter says is pending after its end. */
    return status == STATUS_PENDING ? STATUS_UNSUCCESSFUL : status;
}

/* -- volumes -- */

static pthread_mutex_t attachments_lock = PTHREAD_MUTEX_INITIALIZER; /* taken last */

static void count(struct nv_volume *volume, int more)
{
    pthread_mutex_lock(&attachments_lock);
    volume->attached = (uint32_t)((int)volume->attached + more);
    if (!volume->refused)
        atomic_store_explicit(&volume->serve, volume->attached ? nv_stack_serve : nv_driver_serve,
                              memory_order_release);
    pthread_mutex_unlock(&attachments_lock);
}

void nv_stack_attached(struct nv_volume *volume)
{
    count(volume, 1);
}

void nv_stack_detached(struct nv_volume *volume)
{
    count(volume, -1);
}

static bool is_watched(void)
{
    pthread_mutex_lock(&lock);
    bool watched = control && nv_device_has_upper(control);
    pthread_mutex_unlock(&lock);
    return watched;
}

/* Tells the legacy filters that are attached to the control device. */
static NTSTATUS send_mount(struct nv_volume *volume)
{
    IO_STACK_LOCATION room[NV_STACK_SIZE_MAX + 1];
    struct nv_device *held[NV_STACK_SIZE_MAX];
    struct nv_irp irp;
    struct nv_device *top = nv_device_hold_top(control);
    pthread_mutex_lock(&lock);
    struct nv_device *real = disk_of(volume);
    pthread_mutex_unlock(&lock);
    if (!real) {
        nv_device_unhold(top);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    nv_irp_initialize(&irp, NV_IRP_REQUEST, room, held, top->shown.StackSize);
    KeInitializeEvent(&irp.complete, NotificationEvent, FALSE);
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(&irp.shown);
    next->MajorFunction = IRP_MJ_FILE_SYSTEM_CONTROL;
    next->MinorFunction = IRP_MN_MOUNT_VOLUME;
    next->Parameters.MountVolume.Vpb = real->shown.Vpb;
    next->Parameters.MountVolume.DeviceObject = &real->shown;
    (void)nv_irp_send(&irp, top);
    (void)KeWaitForSingleObject(&irp.complete, Executive, KernelMode, FALSE, NULL);
    return irp.shown.IoStatus.Status;
}

/* A volume whose filters could not be understood: nothing is to pass them by. */
static NTSTATUS refuse(struct nv_request *request)
{
    bool ends = request->major == IRP_MJ_CLEANUP || request->major == IRP_MJ_CLOSE;
    return ends ? nv_driver_serve(request) : STATUS_INVALID_PARAMETER;
}

static void refuse_all(struct nv_volume *volume)
{
    pthread_mutex_lock(&attachments_lock);
    volume->refused = true;
    atomic_store_explicit(&volume->serve, refuse, memory_order_release);
    pthread_mutex_unlock(&attachments_lock);
}

/* What legacy filters make of it is not asked: a volume that is there is mounted. */
NTSTATUS nv_stack_mount(struct nv_volume *volume)
{
    NTSTATUS status = nv_configured_filters_start();
    if (status == STATUS_INVALID_PARAMETER) {
        refuse_all(volume);
        return STATUS_SUCCESS;
    }
    if (NT_SUCCESS(status))
        status = nv_minifilters_mounted(volume);
    if (NT_SUCCESS(status) && is_watched() && send_mount(volume) == STATUS_INSUFFICIENT_RESOURCES)
        status = STATUS_INSUFFICIENT_RESOURCES;
    return status;
}

/* -- fork -- */

void nv_stack_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_stack_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

void nv_attachments_before_fork(void)
{
    pthread_mutex_lock(&attachments_lock);
}

void nv_attachments_after_fork(void)
{
    pthread_mutex_unlock(&attachments_lock);
}
