/* SPDX-License-Identifier: MIT */
/*
 * Owns the devices and how they are attached to each other. Called by drivers, and by the stack, which holds a device
 * for as long as a request is there.
 */
#include "src/io/device.h"

#include "src/io/park.h"
#include "src/io/stack.h"
#include "src/io/thread.h"
#include "src/os/os.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of how devices hang together, and of their drivers' lists */

static struct nv_device *devices; /* all of them */

/* -- references and holds -- */

void nv_device_reference(struct nv_device *device)
{
    atomic_fetch_add(&device->references, 1);
}

static void take_out(struct nv_device *device)
{
    pthread_mutex_lock(&lock);
    struct nv_device **link = &devices;
    while (*link != device)
        link = &(*link)->next;
    *link = device->next;
    pthread_mutex_unlock(&lock);
}

void nv_device_release(struct nv_device *device)
{
    while (device && atomic_fetch_sub(&device->references, 1) == 1) {
        struct nv_device *lower = device->lower;
        take_out(device);
        nv_driver_release(nv_driver_of(device->shown.DriverObject));
        free(device);
        device = lower;
    }
}

static void hold(struct nv_device *device)
{
    nv_device_reference(device);
    atomic_fetch_add(&device->holds, 1);
}

void nv_device_unhold(struct nv_device *device)
{
    if (atomic_fetch_sub(&device->holds, 1) == 1 && atomic_load(&device->detached)) {
        nv_park_lock(device);
        nv_park_release_all(device);
        nv_park_unlock(device);
    }
    nv_device_release(device);
}

static struct nv_device *hold_lower(struct nv_device *device)
{
    pthread_mutex_lock(&lock);
    struct nv_device *lower = device->lower;
    if (lower)
        hold(lower);
    pthread_mutex_unlock(&lock);
    return lower;
}

struct nv_device *nv_device_hold(struct nv_device *device)
{
    hold(device);
    while (atomic_load(&device->detached)) {
        struct nv_device *lower = hold_lower(device);
        if (!lower)
            break;
        nv_device_unhold(device);
        device = lower;
    }
    return device;
}

/* Under the lock. */
static struct nv_device *top_of(struct nv_device *device)
{
    while (device->shown.AttachedDevice)
        device = nv_device_of(device->shown.AttachedDevice);
    return device;
}

bool nv_device_has_upper(struct nv_device *device)
{
    pthread_mutex_lock(&lock);
    bool has = device->shown.AttachedDevice;
    pthread_mutex_unlock(&lock);
    return has;
}

struct nv_device *nv_device_hold_top(struct nv_device *device)
{
    pthread_mutex_lock(&lock);
    struct nv_device *top = top_of(device);
    hold(top);
    pthread_mutex_unlock(&lock);
    return top;
}

/*
 * Until nobody holds it. A thread that is inside a driver for some request may be the one who holds it, or be waited
 * for by who does: it does not wait, and the device's memory stays until it is held no more.
 */
static void wait_until_unheld(struct nv_device *device)
{
    if (nv_io_thread.requests)
        return;
    nv_park_lock(device);
    while (atomic_load(&device->holds))
        (void)nv_park_wait(device, NULL);
    nv_park_unlock(device);
}

/* -- making and deleting -- */

static void add_to_driver(struct nv_device *device)
{
    PDRIVER_OBJECT driver = device->shown.DriverObject;
    pthread_mutex_lock(&lock);
    device->shown.NextDevice = driver->DeviceObject;
    driver->DeviceObject = &device->shown;
    device->next = devices;
    devices = device;
    pthread_mutex_unlock(&lock);
}

NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                        DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                        PDEVICE_OBJECT *DeviceObject)
{
    size_t size_bytes = sizeof(struct nv_device) + DeviceExtensionSize;
    (void)DeviceName;
    *DeviceObject = NULL;
    struct nv_device *device = nv_os->resize(NULL, size_bytes);
    if (!device)
        return STATUS_INSUFFICIENT_RESOURCES;
    memset(device, 0, size_bytes);
    device->shown = (DEVICE_OBJECT){
        .Type = IO_TYPE_DEVICE,
        .Size = (USHORT)(sizeof(DEVICE_OBJECT) + DeviceExtensionSize),
        .DriverObject = DriverObject,
        .Flags = DO_DEVICE_INITIALIZING | (Exclusive ? DO_EXCLUSIVE : 0),
        .Characteristics = DeviceCharacteristics,
        .DeviceExtension = DeviceExtensionSize ? device->extension : NULL,
        .DeviceType = DeviceType,
        .StackSize = 1,
        .SectorSize = 512,
    };
    atomic_init(&device->references, 1);
    nv_driver_reference(nv_driver_of(DriverObject));
    add_to_driver(device);
    *DeviceObject = &device->shown;
    return STATUS_SUCCESS;
}

VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    pthread_mutex_lock(&lock);
    PDEVICE_OBJECT *link = &DeviceObject->DriverObject->DeviceObject;
    while (*link && *link != DeviceObject)
        link = &(*link)->NextDevice;
    bool found = *link;
    if (found)
        *link = DeviceObject->NextDevice;
    pthread_mutex_unlock(&lock);
    if (found)
        nv_device_release(nv_device_of(DeviceObject));
}

/* -- attaching -- */

/* Under the lock. */
static NTSTATUS attach(struct nv_device *source, struct nv_device *target, PDEVICE_OBJECT *attached_to)
{
    struct nv_device *top = top_of(target);
    if (top == source || top->shown.Flags & DO_DEVICE_INITIALIZING || top->shown.StackSize >= NV_STACK_SIZE_MAX)
        return STATUS_NO_SUCH_DEVICE;
    nv_device_reference(top);
    nv_device_reference(source); /* both know of each other */
    source->lower = top;
    source->volume = top->volume;
    source->shown.StackSize = (CHAR)(top->shown.StackSize + 1);
    source->shown.AlignmentRequirement = top->shown.AlignmentRequirement;
    source->shown.SectorSize = top->shown.SectorSize;
    atomic_store(&source->detached, false);
    *attached_to = &top->shown; /* before a request can come */
    top->shown.AttachedDevice = &source->shown;
    return STATUS_SUCCESS;
}

NTSTATUS IoAttachDeviceToDeviceStackSafe(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice,
                                         PDEVICE_OBJECT *AttachedToDeviceObject)
{
    struct nv_device *source = nv_device_of(SourceDevice);
    pthread_mutex_lock(&lock);
    struct nv_device *before = source->lower;
    NTSTATUS status = attach(source, nv_device_of(TargetDevice), AttachedToDeviceObject);
    if (NT_SUCCESS(status) && source->volume)
        nv_stack_attached(source->volume);
    pthread_mutex_unlock(&lock);
    if (NT_SUCCESS(status))
        nv_device_release(before);
    return status;
}

PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice)
{
    PDEVICE_OBJECT attached_to = NULL;
    NTSTATUS status = IoAttachDeviceToDeviceStackSafe(SourceDevice, TargetDevice, &attached_to);
    return NT_SUCCESS(status) ? attached_to : NULL;
}

/* Under the lock: takes what was attached to the target out of the stack, which closes above it. */
static struct nv_device *detach(struct nv_device *target)
{
    struct nv_device *below = target;
    while (atomic_load(&below->detached))
        below = below->lower;
    struct nv_device *source = nv_device_of(below->shown.AttachedDevice);
    if (!source || source->lower != target)
        return NULL;
    below->shown.AttachedDevice = source->shown.AttachedDevice;
    source->shown.AttachedDevice = NULL;
    atomic_store(&source->detached, true);
    if (source->volume)
        nv_stack_detached(source->volume);
    return source;
}

VOID IoDetachDevice(PDEVICE_OBJECT TargetDevice)
{
    pthread_mutex_lock(&lock);
    struct nv_device *source = detach(nv_device_of(TargetDevice));
    pthread_mutex_unlock(&lock);
    if (!source)
        return;
    wait_until_unheld(source);
    nv_device_release(source);
}

/* Under the lock: the driver's first device, with a reference, and out of its stack. */
static struct nv_device *take_first(PDRIVER_OBJECT driver)
{
    struct nv_device *device = nv_device_of(driver->DeviceObject);
    if (!device)
        return NULL;
    nv_device_reference(device);
    if (device->lower && !atomic_load(&device->detached))
        nv_device_release(detach(device->lower)); /* another reference is held */
    return device;
}

void nv_device_remove_all(struct nv_driver *driver)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        struct nv_device *device = take_first(&driver->shown);
        pthread_mutex_unlock(&lock);
        if (!device)
            return;
        if (device->lower)
            wait_until_unheld(device);
        IoDeleteDevice(&device->shown);
        nv_device_release(device);
    }
}

void nv_device_end_initializing(struct nv_driver *driver)
{
    pthread_mutex_lock(&lock);
    for (PDEVICE_OBJECT device = driver->shown.DeviceObject; device; device = device->NextDevice)
        device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    pthread_mutex_unlock(&lock);
}

/* -- finding each other -- */

static PDEVICE_OBJECT referenced(struct nv_device *device)
{
    nv_device_reference(device);
    return &device->shown;
}

PDEVICE_OBJECT IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject)
{
    pthread_mutex_lock(&lock);
    struct nv_device *top = top_of(nv_device_of(DeviceObject));
    pthread_mutex_unlock(&lock);
    return &top->shown;
}

PDEVICE_OBJECT IoGetAttachedDeviceReference(PDEVICE_OBJECT DeviceObject)
{
    pthread_mutex_lock(&lock);
    PDEVICE_OBJECT top = referenced(top_of(nv_device_of(DeviceObject)));
    pthread_mutex_unlock(&lock);
    return top;
}

/* Under the lock: what it is attached to now. One below that was detached is not in the stack any more. */
static struct nv_device *lower_of(struct nv_device *device)
{
    if (atomic_load(&device->detached))
        return NULL;
    struct nv_device *lower = device->lower;
    while (lower && atomic_load(&lower->detached))
        lower = lower->lower;
    return lower;
}

PDEVICE_OBJECT IoGetLowerDeviceObject(PDEVICE_OBJECT DeviceObject)
{
    pthread_mutex_lock(&lock);
    struct nv_device *lower = lower_of(nv_device_of(DeviceObject));
    PDEVICE_OBJECT shown = lower ? referenced(lower) : NULL;
    pthread_mutex_unlock(&lock);
    return shown;
}

PDEVICE_OBJECT IoGetDeviceAttachmentBaseRef(PDEVICE_OBJECT DeviceObject)
{
    pthread_mutex_lock(&lock);
    struct nv_device *base = nv_device_of(DeviceObject);
    for (struct nv_device *lower = lower_of(base); lower; lower = lower_of(base))
        base = lower;
    PDEVICE_OBJECT shown = referenced(base);
    pthread_mutex_unlock(&lock);
    return shown;
}

/* ActualNumberDeviceObjects counts them even when the list has no room for all. */
NTSTATUS IoEnumerateDeviceObjectList(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT *DeviceObjectList,
                                     ULONG DeviceObjectListSize, ULONG *ActualNumberDeviceObjects)
{
    ULONG room = DeviceObjectListSize / (ULONG)sizeof(PDEVICE_OBJECT);
    ULONG count = 0;
    pthread_mutex_lock(&lock);
    for (PDEVICE_OBJECT device = DriverObject->DeviceObject; device; device = device->NextDevice)
        count++;
    *ActualNumberDeviceObjects = count;
    if (DeviceObjectList && count <= room)
        for (PDEVICE_OBJECT device = DriverObject->DeviceObject; device; device = device->NextDevice)
            *DeviceObjectList++ = referenced(nv_device_of(device));
    pthread_mutex_unlock(&lock);
    return count <= room ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

/* -- fork -- */

void nv_device_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

/* A thread that forks inside a driver may hold any of them: then all stay as they are. */
void nv_device_after_fork(bool in_child)
{
    for (struct nv_device *device = devices; in_child && !nv_io_thread.requests && device; device = device->next)
        atomic_store(&device->holds, 0);
    pthread_mutex_unlock(&lock);
}
