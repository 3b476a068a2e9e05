/* SPDX-License-Identifier: MIT */
/*
 * Owns the drivers of the process: how they come, go, and hear of file systems. Called by programs that bring drivers
 * in, and by the drivers themselves.
 */
#include "src/io/device.h"
#include "src/io/minifilter.h"
#include "src/io/stack.h"
#include "src/io/thread.h"
#include "src/os/os.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A routine that is told of file systems. */
struct listener {
    struct listener *next;
    PDRIVER_OBJECT driver;
    PDRIVER_FS_NOTIFICATION routine;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct nv_driver *drivers;
static struct listener *listeners;

/* -- driver objects -- */

static NTSTATUS refuse(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

/* A prefix and a name, as far as they fit. Names are ASCII, as a rule; what is not is told byte by byte. */
static UNICODE_STRING text_of(WCHAR *text, size_t room, const char *prefix, const char *name)
{
    size_t count = 0;
    for (; *prefix; prefix++)
        text[count++] = (WCHAR)*prefix;
    for (; *name && count < room; name++)
        text[count++] = (unsigned char)*name;
    return (UNICODE_STRING){(USHORT)(count * sizeof(WCHAR)), (USHORT)(count * sizeof(WCHAR)), text};
}

struct nv_driver *nv_driver_new(const char *name)
{
    struct nv_driver *driver = nv_os->resize(NULL, sizeof(*driver));
    if (!driver)
        return NULL;
    *driver = (struct nv_driver){.references = 1};
    driver->shown.Type = IO_TYPE_DRIVER;
    driver->shown.Size = sizeof(DRIVER_OBJECT);
    driver->shown.DriverExtension = &driver->extension;
    driver->extension.DriverObject = &driver->shown;
    driver->shown.DriverName = text_of(driver->name, sizeof(driver->name) / sizeof(WCHAR), "\\Driver\\", name);
    driver->extension.ServiceKeyName = driver->shown.DriverName;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->shown.MajorFunction[i] = refuse;
    return driver;
}

void nv_driver_reference(struct nv_driver *driver)
{
    atomic_fetch_add(&driver->references, 1);
}

void nv_driver_release(struct nv_driver *driver)
{
    if (atomic_fetch_sub(&driver->references, 1) != 1)
        return;
    free(driver->altitude.Buffer);
    free(driver);
}

/* -- hearing of file systems -- */

static struct listener **find_listener(PDRIVER_OBJECT driver, PDRIVER_FS_NOTIFICATION routine)
{
    struct listener **link = &listeners;
    while (*link && ((*link)->driver != driver || (routine && (*link)->routine != routine)))
        link = &(*link)->next;
    return link;
}

static NTSTATUS add_listener(PDRIVER_OBJECT driver, PDRIVER_FS_NOTIFICATION routine)
{
    struct listener *made = nv_os->resize(NULL, sizeof(*made));
    if (!made)
        return STATUS_INSUFFICIENT_RESOURCES;
    pthread_mutex_lock(&lock);
    struct listener **link = find_listener(driver, routine);
    bool is_new = !*link;
    if (is_new) {
        *made = (struct listener){.driver = driver, .routine = routine};
        *link = made;
    }
    pthread_mutex_unlock(&lock);
    if (!is_new)
        free(made);
    return is_new ? STATUS_SUCCESS : STATUS_DEVICE_ALREADY_ATTACHED;
}

/* NULL: all of the driver's. */
static void remove_listeners(PDRIVER_OBJECT driver, PDRIVER_FS_NOTIFICATION routine)
{
    pthread_mutex_lock(&lock);
    struct listener **link;
    while (*(link = find_listener(driver, routine))) {
        struct listener *gone = *link;
        *link = gone->next;
        free(gone);
    }
    pthread_mutex_unlock(&lock);
}

/* Volumes that nobody has attached to yet are to be found, too. */
static bool show_volumes(void)
{
    for (struct nv_volume *volume = nv_volume_next(NULL); volume; volume = nv_volume_next(volume))
        if (!nv_stack_base(volume))
            return false;
    return true;
}

NTSTATUS IoRegisterFsRegistrationChange(PDRIVER_OBJECT DriverObject, PDRIVER_FS_NOTIFICATION DriverNotificationRoutine)
{
    struct nv_device *control = nv_stack_control_device();
    if (!control || !show_volumes())
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = add_listener(DriverObject, DriverNotificationRoutine);
    if (!NT_SUCCESS(status))
        return status;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_DRIVER);
    DriverNotificationRoutine(&control->shown, TRUE);
    nv_leave_driver(NV_INSIDE_DRIVER, minifilter);
    return STATUS_SUCCESS;
}

VOID IoUnregisterFsRegistrationChange(PDRIVER_OBJECT DriverObject, PDRIVER_FS_NOTIFICATION DriverNotificationRoutine)
{
    remove_listeners(DriverObject, DriverNotificationRoutine);
}

/* -- coming and going -- */

static NTSTATUS set_altitude(struct nv_driver *driver, const char *altitude)
{
    size_t length = strlen(altitude);
    if (length >= UINT16_MAX / sizeof(WCHAR))
        return STATUS_INVALID_PARAMETER;
    WCHAR *text = nv_os->resize(NULL, (length + 1) * sizeof(WCHAR));
    if (!text)
        return STATUS_INSUFFICIENT_RESOURCES;
    driver->altitude = text_of(text, length, "", altitude);
    return nv_altitude_is_valid(&driver->altitude) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static NTSTATUS set_volume(struct nv_driver *driver, const char *path)
{
    struct statx answer;
    if (nv_os->statx(path, &answer) < 0)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    driver->volume = nv_volume_get(makedev(answer.stx_dev_major, answer.stx_dev_minor));
    return driver->volume ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS set_options(struct nv_driver *driver, const NVRTL_DRIVER_OPTIONS *options)
{
    NTSTATUS status = options->Altitude ? set_altitude(driver, options->Altitude) : STATUS_SUCCESS;
    if (NT_SUCCESS(status) && options->Volume)
        status = set_volume(driver, options->Volume);
    return status;
}

static NTSTATUS call_entry(struct nv_driver *driver, const char *name)
{
    WCHAR text[96];
    UNICODE_STRING path =
        text_of(text, sizeof(text) / sizeof(WCHAR), "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\", name);
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_DRIVER);
    NTSTATUS status = driver->shown.DriverInit(&driver->shown, &path);
    nv_leave_driver(NV_INSIDE_DRIVER, minifilter);
    nv_device_end_initializing(driver);
    return status;
}

static NTSTATUS call_add_device(struct nv_driver *driver)
{
    struct nv_device *base = driver->volume && driver->extension.AddDevice ? nv_stack_base(driver->volume) : NULL;
    if (!base)
        return driver->volume && driver->extension.AddDevice ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_DRIVER);
    NTSTATUS status = driver->extension.AddDevice(&driver->shown, &base->shown);
    nv_leave_driver(NV_INSIDE_DRIVER, minifilter);
    return status;
}

/* What it has left behind, it leaves behind no longer. */
static void clear_away(struct nv_driver *driver)
{
    remove_listeners(&driver->shown, NULL);
    nv_minifilters_remove(driver);
    nv_device_remove_all(driver);
}

static void add(struct nv_driver *driver)
{
    pthread_mutex_lock(&lock);
    driver->next = drivers;
    drivers = driver;
    pthread_mutex_unlock(&lock);
}

NTSTATUS NvrtlLoadDriverEx(PDRIVER_INITIALIZE DriverEntry, const NVRTL_DRIVER_OPTIONS *Options,
                           PDRIVER_OBJECT *DriverObject)
{
    static const NVRTL_DRIVER_OPTIONS none;
    const NVRTL_DRIVER_OPTIONS *options = Options ? Options : &none;
    const char *name = options->Name ? options->Name : "driver";
    if (!DriverEntry || !DriverObject)
        return STATUS_INVALID_PARAMETER;
    struct nv_driver *driver = nv_driver_new(name);
    if (!driver)
        return STATUS_INSUFFICIENT_RESOURCES;
    driver->shown.DriverInit = DriverEntry;
    NTSTATUS status = set_options(driver, options);
    if (NT_SUCCESS(status))
        status = call_entry(driver, name);
    if (NT_SUCCESS(status))
        status = call_add_device(driver);
    if (NT_SUCCESS(status)) {
        add(driver);
        *DriverObject = &driver->shown;
        return status;
    }
    clear_away(driver);
    nv_driver_release(driver);
    return status;
}

NTSTATUS NvrtlLoadDriver(PDRIVER_INITIALIZE DriverEntry, const CHAR *Volume, PDRIVER_OBJECT *DriverObject)
{
    NVRTL_DRIVER_OPTIONS options = {.Volume = Volume};
    return NvrtlLoadDriverEx(DriverEntry, &options, DriverObject);
}

/* Takes it out of the list, so that one thread alone unloads it. */
static struct nv_driver *take(PDRIVER_OBJECT shown)
{
    pthread_mutex_lock(&lock);
    struct nv_driver **link = &drivers;
    while (*link && &(*link)->shown != shown)
        link = &(*link)->next;
    struct nv_driver *driver = *link;
    if (driver)
        *link = driver->next;
    pthread_mutex_unlock(&lock);
    return driver;
}

NTSTATUS NvrtlUnloadDriver(PDRIVER_OBJECT DriverObject)
{
    struct nv_driver *driver = take(DriverObject);
    if (!driver)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = nv_minifilters_unload(driver);
    bool has_routine = driver->shown.DriverUnload;
    if (status == STATUS_NOT_FOUND)
        status = has_routine ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
    if (!NT_SUCCESS(status)) {
        add(driver);
        return status;
    }
    if (has_routine) {
        uint32_t minifilter = nv_enter_driver(NV_INSIDE_DRIVER);
        driver->shown.DriverUnload(&driver->shown);
        nv_leave_driver(NV_INSIDE_DRIVER, minifilter);
    }
    clear_away(driver);
    nv_driver_release(driver);
    return STATUS_SUCCESS;
}

/* -- fork -- */

void nv_drivers_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void nv_drivers_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}
