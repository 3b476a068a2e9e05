/* SPDX-License-Identifier: MIT */
/* Legacy filters on real files: what they see of requests, and what they can do with them. */
#include "tests/contract/filter/legacy_filter.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static HANDLE file;

static NTSTATUS flush(void)
{
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    NTSTATUS status = NtFlushBuffersFile(file, &io);
    assert_status(io.Status, status);
    return status;
}

/* -- one filter -- */

static NTSTATUS NTAPI look(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    FILE_OBJECT *opened = location->FileObject;
    bool right = location->DeviceObject == device && irp->RequestorMode == UserMode && opened->WriteAccess &&
                 opened->DeviceObject == IoGetBaseFileSystemDeviceObject(opened) &&
                 IoGetRelatedDeviceObject(opened) == device && irp->StackCount == device->StackSize;
    journal_write(right ? (char)('0' + location->MinorFunction) : 'x');
    return legacy_filter_skip(device, irp);
}

/* Each kind of flush comes as its own minor function. */
static void sees_flushes(void **state)
{
    (void)state;
    struct legacy_filter filter = {.dispatch = look};
    IO_STATUS_BLOCK io;
    legacy_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_status(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_ONLY, NULL, 0, &io), STATUS_SUCCESS);
    assert_status(NtFlushBuffersFileEx(file, FLUSH_FLAGS_NO_SYNC, NULL, 0, &io), STATUS_SUCCESS);
    assert_status(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, &io), STATUS_SUCCESS);
    assert_status(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FLUSH_AND_PURGE, NULL, 0, &io), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "02341");
    legacy_filter_unload(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
}

static NTSTATUS NTAPI note_major(PDEVICE_OBJECT device, PIRP irp)
{
    static const char names[] = {[IRP_MJ_CREATE] = 'C', [IRP_MJ_CLEANUP] = 'u', [IRP_MJ_CLOSE] = 'c'};
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    UCHAR major = location->MajorFunction;
    if (major < sizeof(names) && names[major])
        journal_write(names[major]);
    if (major == IRP_MJ_CREATE && (location->Parameters.Create.Options >> 24 != FILE_OPEN ||
                                   location->Parameters.Create.SecurityContext->DesiredAccess != RW))
        journal_write('x');
    return legacy_filter_skip(device, irp);
}

static void sees_the_life_of_a_file(void **state)
{
    (void)state;
    struct legacy_filter filter = {.others = note_major};
    HANDLE other;
    IO_STATUS_BLOCK io;
    legacy_filter_load(&filter);
    assert_status(nt_create(&other, RW, "file", &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_status(nt_create(&other, RW, "none", &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_string_equal(journal_read(), "CucC");
    legacy_filter_unload(&filter);
}

static NTSTATUS NTAPI deny(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    return legacy_filter_complete(irp, STATUS_DISK_FULL, 7);
}

static void completes_itself(void **state)
{
    (void)state;
    struct legacy_filter filter = {.dispatch = deny};
    IO_STATUS_BLOCK io;
    legacy_filter_load(&filter);
    assert_status(NtFlushBuffersFile(file, &io), STATUS_DISK_FULL);
    assert_status(io.Status, STATUS_DISK_FULL);
    assert_int_equal(io.Information, 7);
    legacy_filter_unload(&filter);
}

static NTSTATUS NTAPI deny_create(PDEVICE_OBJECT device, PIRP irp)
{
    NTSTATUS status = legacy_filter_forward(device, irp);
    if (IoGetCurrentIrpStackLocation(irp)->MajorFunction == IRP_MJ_CREATE)
        status = STATUS_ACCESS_DENIED;
    return legacy_filter_complete(irp, status, irp->IoStatus.Information);
}

/* What the driver opened, and a filter refused afterwards, is closed. */
static void refuses_an_open_file(void **state)
{
    (void)state;
    struct legacy_filter filter = {.others = deny_create};
    HANDLE other;
    IO_STATUS_BLOCK io;
    legacy_filter_load(&filter);
    size_t before = descriptors();
    assert_status(nt_create(&other, RW, "file", &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS), STATUS_ACCESS_DENIED);
    assert_int_equal(descriptors(), before);
    legacy_filter_unload(&filter);
}

static NTSTATUS NTAPI to_data_only(PDEVICE_OBJECT device, PIRP irp)
{
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoGetNextIrpStackLocation(irp)->MinorFunction = IRP_MN_FLUSH_DATA_ONLY;
    return IoCallDriver(legacy_filter_of(device)->lower, irp);
}

/* What a filter changes in the next location is what those below see. */
static void changes_parameters(void **state)
{
    (void)state;
    struct legacy_filter below = {.dispatch = look}, above = {.dispatch = to_data_only};
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "x"); /* look expects to be the highest */
    legacy_filter_unload(&above);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "0");
    legacy_filter_unload(&below);
}

/* -- completion routines -- */

static NTSTATUS NTAPI note_up(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    if (device != legacy_filter_of(device)->device || context != legacy_filter_of(device))
        journal_write('x');
    if (irp->PendingReturned)
        IoMarkIrpPending(irp);
    journal_write((char)(legacy_filter_of(device)->name + 'a' - 'A'));
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI note_down(PDEVICE_OBJECT device, PIRP irp)
{
    journal_write(legacy_filter_of(device)->name);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, note_up, legacy_filter_of(device), TRUE, TRUE, TRUE);
    return IoCallDriver(legacy_filter_of(device)->lower, irp);
}

static void routines_run_on_the_way_up(void **state)
{
    (void)state;
    struct legacy_filter filters[] = {{'A', .dispatch = note_down}, {'B'}, {'C', .dispatch = note_down}};
    for (int i = 0; i < 3; i++)
        legacy_filter_load(&filters[i]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "CAac");
    for (int i = 0; i < 3; i++) /* the lowest first */
        legacy_filter_unload(&filters[i]);
}

static NTSTATUS NTAPI note_letter(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    (void)device;
    (void)irp;
    journal_write(*(const char *)context);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI asks_for_failures(PDEVICE_OBJECT device, PIRP irp)
{
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, note_letter, (PVOID) "f", FALSE, TRUE, FALSE);
    return IoCallDriver(legacy_filter_of(device)->lower, irp);
}

static NTSTATUS NTAPI asks_for_successes(PDEVICE_OBJECT device, PIRP irp)
{
    IoCopyCurrentIrpStackLocationToNext(irp);
    assert_status(IoSetCompletionRoutineEx(device, irp, note_letter, (PVOID) "s", TRUE, FALSE, FALSE), STATUS_SUCCESS);
    return IoCallDriver(legacy_filter_of(device)->lower, irp);
}

static void routines_as_they_were_asked_for(void **state)
{
    (void)state;
    struct legacy_filter bottom = {0}, failures = {.dispatch = asks_for_failures},
                         successes = {.dispatch = asks_for_successes};
    legacy_filter_load(&bottom);
    legacy_filter_load(&failures);
    legacy_filter_load(&successes);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "s");
    bottom.dispatch = deny;
    assert_status(flush(), STATUS_DISK_FULL);
    assert_string_equal(journal_read(), "f");
    legacy_filter_unload(&successes);
    legacy_filter_unload(&failures);
    legacy_filter_unload(&bottom);
}

static NTSTATUS NTAPI fail_on_the_way_up(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    (void)device;
    (void)context;
    if (irp->PendingReturned)
        IoMarkIrpPending(irp);
    irp->IoStatus.Status = STATUS_IO_DEVICE_ERROR;
    return STATUS_CONTINUE_COMPLETION;
}

static NTSTATUS NTAPI fails_afterwards(PDEVICE_OBJECT device, PIRP irp)
{
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, fail_on_the_way_up, NULL, TRUE, TRUE, TRUE);
    return IoCallDriver(legacy_filter_of(device)->lower, irp);
}

static NTSTATUS NTAPI twice(PDEVICE_OBJECT device, PIRP irp)
{
    (void)legacy_filter_forward(device, irp);
    return legacy_filter_complete(irp, legacy_filter_forward(device, irp), irp->IoStatus.Information);
}

/* A request that was taken back may be sent again, and completed with another status. */
static void takes_back(void **state)
{
    (void)state;
    struct legacy_filter below = {'A', .dispatch = note_down}, above = {.dispatch = twice};
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "AaAa");
    above.dispatch = fails_afterwards;
    assert_status(flush(), STATUS_IO_DEVICE_ERROR);
    assert_string_equal(journal_read(), "Aa");
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

/* -- pending -- */

struct pended {
    PDEVICE_OBJECT device;
    PIRP irp;
    bool complete; /* rather than pass on */
    pthread_t thread;
};

static void *go_on(void *argument)
{
    struct pended *pended = argument;
    if (pended->complete)
        (void)legacy_filter_complete(pended->irp, STATUS_CANCELLED, 3);
    else
        (void)legacy_filter_skip(pended->device, pended->irp);
    return NULL;
}

static NTSTATUS NTAPI pend(PDEVICE_OBJECT device, PIRP irp)
{
    struct pended *pended = legacy_filter_of(device)->context;
    IoMarkIrpPending(irp);
    pended->device = device;
    pended->irp = irp;
    return pthread_create(&pended->thread, NULL, go_on, pended) == 0 ? STATUS_PENDING : STATUS_UNSUCCESSFUL;
}

/* The caller of a synchronous function waits, whoever completes the request. */
static void pends_and_completes_in_another_thread(void **state)
{
    (void)state;
    struct pended pended = {.complete = true};
    struct legacy_filter below = {.dispatch = pend, .context = &pended}, above = {'B', .dispatch = note_down};
    IO_STATUS_BLOCK io;
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(NtFlushBuffersFile(file, &io), STATUS_CANCELLED);
    assert_int_equal(io.Information, 3);
    pthread_join(pended.thread, NULL);
    assert_string_equal(journal_read(), "Bb");

    pended.complete = false;
    assert_status(flush(), STATUS_SUCCESS);
    pthread_join(pended.thread, NULL);
    assert_string_equal(journal_read(), "Bb");
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

static void changes_the_status_of_what_is_pending(void **state)
{
    (void)state;
    struct pended pended = {.complete = false};
    struct legacy_filter below = {.dispatch = pend, .context = &pended}, above = {.dispatch = fails_afterwards};
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_IO_DEVICE_ERROR);
    pthread_join(pended.thread, NULL);
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

static NTSTATUS NTAPI forwards(PDEVICE_OBJECT device, PIRP irp)
{
    NTSTATUS status = legacy_filter_forward(device, irp);
    journal_write(irp->PendingReturned ? 'p' : '-');
    return legacy_filter_complete(irp, status, irp->IoStatus.Information);
}

static void forwards_what_is_pending(void **state)
{
    (void)state;
    struct pended pended = {.complete = true};
    struct legacy_filter below = {.dispatch = pend, .context = &pended}, above = {.dispatch = forwards};
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_CANCELLED);
    pthread_join(pended.thread, NULL);
    assert_string_equal(journal_read(), "p");
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

/* -- requests of its own -- */

static NTSTATUS NTAPI flush_synchronously(PDEVICE_OBJECT device, PIRP irp)
{
    PDEVICE_OBJECT lower = legacy_filter_of(device)->lower;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP own = IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, lower, NULL, 0, NULL, &event, &io);
    if (!own)
        return legacy_filter_complete(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    IoGetNextIrpStackLocation(own)->FileObject = IoGetCurrentIrpStackLocation(irp)->FileObject;
    NTSTATUS status = IoCallDriver(lower, own);
    if (status == STATUS_PENDING) {
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        status = io.Status;
    }
    journal_write(io.Status == status && KeReadStateEvent(&event) ? 'i' : 'x');
    return legacy_filter_complete(irp, status, 0);
}

static void flushes_by_its_own_request(void **state)
{
    (void)state;
    struct pended pended = {.complete = true};
    struct legacy_filter below = {'A', .dispatch = note_down, .context = &pended},
                         above = {.dispatch = flush_synchronously};
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "Aai");
    below.dispatch = pend;
    assert_status(flush(), STATUS_CANCELLED);
    pthread_join(pended.thread, NULL);
    assert_string_equal(journal_read(), "i");
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

static NTSTATUS NTAPI free_own(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    PIRP original = context;
    journal_write(device == NULL ? 'n' : 'x');
    NTSTATUS status = irp->IoStatus.Status;
    IoFreeIrp(irp);
    (void)legacy_filter_complete(original, status, 0);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS NTAPI flush_asynchronously(PDEVICE_OBJECT device, PIRP irp)
{
    PDEVICE_OBJECT lower = legacy_filter_of(device)->lower;
    PIRP own = IoAllocateIrp(lower->StackSize, FALSE);
    if (!own)
        return legacy_filter_complete(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(own);
    next->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
    next->MinorFunction = IRP_MN_FLUSH_DATA_SYNC_ONLY;
    next->FileObject = IoGetCurrentIrpStackLocation(irp)->FileObject;
    IoSetCompletionRoutine(own, free_own, irp, TRUE, TRUE, TRUE);
    IoMarkIrpPending(irp);
    (void)IoCallDriver(lower, own);
    return STATUS_PENDING;
}

static void flushes_by_an_allocated_request(void **state)
{
    (void)state;
    struct pended pended = {.complete = false};
    struct legacy_filter below = {'A', .dispatch = note_down, .context = &pended},
                         above = {.dispatch = flush_asynchronously};
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "Aan");
    below.dispatch = pend;
    assert_status(flush(), STATUS_SUCCESS);
    pthread_join(pended.thread, NULL);
    assert_string_equal(journal_read(), "n");
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

static NTSTATUS NTAPI flush_without_a_file(PDEVICE_OBJECT device, PIRP irp)
{
    IO_STATUS_BLOCK io;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP own =
        IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, legacy_filter_of(device)->lower, NULL, 0, NULL, &event, &io);
    (void)IoCallDriver(legacy_filter_of(device)->lower, own);
    return legacy_filter_complete(irp, io.Status, 0);
}

static NTSTATUS NTAPI too_few_locations(PDEVICE_OBJECT device, PIRP irp)
{
    PDEVICE_OBJECT lower = legacy_filter_of(device)->lower;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    PIRP own = IoAllocateIrp(1, FALSE); /* the lower device has another below it */
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(own);
    next->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
    next->FileObject = IoGetCurrentIrpStackLocation(irp)->FileObject;
    own->UserIosb = &io;
    (void)IoCallDriver(lower, own);
    IoFreeIrp(own);
    return legacy_filter_complete(irp, io.Status, 0);
}

/* What would be a bug check on Windows is a status. */
static void requests_that_are_not_right(void **state)
{
    (void)state;
    struct legacy_filter below = {'A', .dispatch = note_down}, above = {.dispatch = flush_without_a_file};
    KEVENT event;
    IO_STATUS_BLOCK io;
    legacy_filter_load(&below);
    legacy_filter_load(&above);
    assert_status(flush(), STATUS_INVALID_PARAMETER);
    above.dispatch = too_few_locations;
    assert_status(flush(), STATUS_INVALID_DEVICE_REQUEST);
    (void)journal_read();
    assert_null(IoBuildSynchronousFsdRequest(IRP_MJ_CREATE, below.device, NULL, 0, NULL, &event, &io));
    assert_null(IoBuildSynchronousFsdRequest(IRP_MJ_READ, below.device, NULL, 0, NULL, &event, &io));
    assert_null(IoAllocateIrp(0, FALSE));
    legacy_filter_unload(&above);
    legacy_filter_unload(&below);
}

static bool nested;

static NTSTATUS NTAPI flush_by_handle(PDEVICE_OBJECT device, PIRP irp)
{
    IO_STATUS_BLOCK io;
    if (nested) {
        journal_write(irp->RequestorMode == KernelMode ? 'k' : 'x');
        return legacy_filter_skip(device, irp);
    }
    nested = true;
    NTSTATUS status = ZwFlushBuffersFile(legacy_filter_of(device)->context, &io);
    nested = false;
    journal_write('.');
    return legacy_filter_complete(irp, status, 0);
}

/* A Zw function called by a filter enters at the top, and checks no access: the handle may only read. */
static void calls_zw_functions(void **state)
{
    (void)state;
    HANDLE read_only = nt_open("file", FILE_READ_DATA);
    struct legacy_filter filter = {.dispatch = flush_by_handle, .context = read_only};
    IO_STATUS_BLOCK io;
    legacy_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "k.");
    assert_status(ZwFlushBuffersFile(read_only, &io), STATUS_ACCESS_DENIED);
    legacy_filter_unload(&filter);
    assert_status(NtClose(read_only), STATUS_SUCCESS);
}

/* -- coming and going -- */

static KEVENT entered, leave;

static NTSTATUS NTAPI stay(PDEVICE_OBJECT device, PIRP irp)
{
    KeSetEvent(&entered, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&leave, Executive, KernelMode, FALSE, NULL);
    journal_write('L');
    return legacy_filter_skip(device, irp);
}

static void *flush_in_thread(void *result)
{
    IO_STATUS_BLOCK io;
    *(NTSTATUS *)result = NtFlushBuffersFile(file, &io);
    return NULL;
}

static void *unload_in_thread(void *filter)
{
    (void)NvrtlUnloadDriver(((struct legacy_filter *)filter)->driver);
    journal_write('U');
    return NULL;
}

static bool is_attached(PDEVICE_OBJECT device, FILE_OBJECT *opened)
{
    PDEVICE_OBJECT base = IoGetBaseFileSystemDeviceObject(opened);
    PDEVICE_OBJECT top = IoGetAttachedDeviceReference(base);
    bool is = top == device;
    ObDereferenceObject(top);
    return is;
}

/* Requests in flight are waited for; new ones pass by meanwhile. */
static void unloads_while_a_request_is_there(void **state)
{
    (void)state;
    struct legacy_filter filter = {.dispatch = stay};
    pthread_t flusher, unloader;
    NTSTATUS status = STATUS_PENDING;
    PVOID opened;
    KeInitializeEvent(&entered, SynchronizationEvent, FALSE);
    KeInitializeEvent(&leave, SynchronizationEvent, FALSE);
    assert_status(ObReferenceObjectByHandle(file, 0, *IoFileObjectType, KernelMode, &opened, NULL), STATUS_SUCCESS);
    legacy_filter_load(&filter);
    assert_int_equal(pthread_create(&flusher, NULL, flush_in_thread, &status), 0);
    KeWaitForSingleObject(&entered, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(pthread_create(&unloader, NULL, unload_in_thread, &filter), 0);
    while (is_attached(filter.device, opened))
        sched_yield();
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
    KeSetEvent(&leave, IO_NO_INCREMENT, FALSE);
    pthread_join(flusher, NULL);
    pthread_join(unloader, NULL);
    assert_status(status, STATUS_SUCCESS);
    assert_string_equal(journal_read(), "LU");
    ObDereferenceObject(opened);
}

/* A filter may go from under another one, which sends its requests to it still. */
static void goes_from_the_middle(void **state)
{
    (void)state;
    struct legacy_filter filters[] = {
        {'A', .dispatch = note_down}, {'B', .dispatch = note_down}, {'C', .dispatch = note_down}};
    for (int i = 0; i < 3; i++)
        legacy_filter_load(&filters[i]);
    PDEVICE_OBJECT middle = filters[1].device;
    legacy_filter_unload(&filters[1]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "CAac");
    assert_ptr_equal(filters[2].lower, middle); /* alive, as it is pointed to */
    PDEVICE_OBJECT lower = IoGetLowerDeviceObject(filters[2].device);
    assert_ptr_equal(lower, filters[0].device);
    ObDereferenceObject(lower);
    legacy_filter_unload(&filters[0]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "Cc");
    legacy_filter_unload(&filters[2]);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
}

static NTSTATUS NTAPI detach_itself(PDEVICE_OBJECT device, PIRP irp)
{
    PDEVICE_OBJECT lower = legacy_filter_of(device)->lower;
    IoDetachDevice(lower);
    IoDeleteDevice(device);
    IoSkipCurrentIrpStackLocation(irp);
    journal_write('d');
    return IoCallDriver(lower, irp);
}

static VOID NTAPI unload_nothing(PDRIVER_OBJECT driver)
{
    journal_write(driver->DeviceObject ? 'x' : 'U');
}

/* From inside a request there is no waiting; the device's memory outlives the request. */
static void detaches_inside_a_request(void **state)
{
    (void)state;
    struct legacy_filter filter = {.dispatch = detach_itself};
    legacy_filter_load(&filter);
    assert_status(flush(), STATUS_SUCCESS);
    assert_status(flush(), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "d");
    filter.driver->DriverUnload = NULL;
    assert_status(NvrtlUnloadDriver(filter.driver), STATUS_INVALID_DEVICE_REQUEST);
    filter.driver->DriverUnload = unload_nothing;
    assert_status(NvrtlUnloadDriver(filter.driver), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "U");
    assert_status(NvrtlUnloadDriver(filter.driver), STATUS_INVALID_PARAMETER);
}

/* -- drivers -- */

static NTSTATUS NTAPI note_names(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    static const WCHAR wanted[] = u"\\Driver\\Sample";
    static const WCHAR service[] = u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Sample";
    bool right = driver->DriverName.Length == sizeof(wanted) - sizeof(WCHAR) &&
                 memcmp(driver->DriverName.Buffer, wanted, driver->DriverName.Length) == 0 &&
                 path->Length == sizeof(service) - sizeof(WCHAR) && memcmp(path->Buffer, service, path->Length) == 0;
    journal_write(right ? 'n' : 'x');
    return STATUS_NO_SUCH_DEVICE;
}

static NTSTATUS NTAPI leave_a_device(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    (void)path;
    driver->DriverUnload = unload_nothing;
    return IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}

static void drivers_come_and_go(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = NULL;
    NVRTL_DRIVER_OPTIONS options = {.Name = "Sample"};
    assert_status(NvrtlLoadDriverEx(note_names, &options, &driver), STATUS_NO_SUCH_DEVICE);
    assert_null(driver);
    assert_status(NvrtlLoadDriver(NULL, NULL, &driver), STATUS_INVALID_PARAMETER);
    assert_status(NvrtlLoadDriver(note_names, "./none/there", &driver), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_string_equal(journal_read(), "n");
    options.Altitude = "12x";
    assert_status(NvrtlLoadDriverEx(note_names, &options, &driver), STATUS_INVALID_PARAMETER);
    assert_status(NvrtlLoadDriverEx(leave_a_device, NULL, &driver), STATUS_SUCCESS);
    assert_non_null(driver->DeviceObject);
    assert_false(driver->DeviceObject->Flags & DO_DEVICE_INITIALIZING);
    assert_null(driver->DeviceObject->DeviceExtension);
    assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS); /* and what is left is deleted */
    assert_string_equal(journal_read(), "x");
}

/* -- hearing of volumes -- */

static PDEVICE_OBJECT control, above_control, lower_control;
static PDRIVER_OBJECT watcher;

static VOID NTAPI hear(PDEVICE_OBJECT device, BOOLEAN active)
{
    control = device;
    journal_write(active && device->DeviceType == FILE_DEVICE_DISK_FILE_SYSTEM ? 'h' : 'x');
    if (!NT_SUCCESS(IoCreateDevice(watcher, 0, NULL, device->DeviceType, 0, FALSE, &above_control)))
        journal_write('x');
    lower_control = IoAttachDeviceToDeviceStack(above_control, device);
    above_control->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
}

static NTSTATUS NTAPI take_back(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    (void)device;
    (void)irp;
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* The volume's device is there once the request has come back. */
static NTSTATUS NTAPI watch(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    PVPB vpb = location->Parameters.MountVolume.Vpb;
    KEVENT event;
    if (device != above_control || location->MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL ||
        location->MinorFunction != IRP_MN_MOUNT_VOLUME || vpb->RealDevice->Vpb != vpb || vpb->DeviceObject)
        journal_write('x');
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, take_back, &event, TRUE, TRUE, TRUE);
    if (IoCallDriver(lower_control, irp) == STATUS_PENDING)
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    journal_write(vpb->DeviceObject && vpb->Flags & VPB_MOUNTED ? 'm' : 'x');
    return legacy_filter_complete(irp, irp->IoStatus.Status, 0);
}

static VOID NTAPI stop_watching(PDRIVER_OBJECT driver)
{
    IoUnregisterFsRegistrationChange(driver, hear);
    IoDetachDevice(lower_control);
    IoDeleteDevice(above_control);
}

static NTSTATUS NTAPI begin_watching(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    watcher = driver;
    driver->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] = watch;
    driver->DriverUnload = stop_watching;
    NTSTATUS status = IoRegisterFsRegistrationChange(driver, hear);
    if (IoRegisterFsRegistrationChange(driver, hear) != STATUS_DEVICE_ALREADY_ATTACHED)
        journal_write('x');
    return status;
}

static size_t count_volumes(void)
{
    PDEVICE_OBJECT list[32];
    ULONG count = 0;
    assert_status(IoEnumerateDeviceObjectList(control->DriverObject, NULL, 0, &count), STATUS_BUFFER_TOO_SMALL);
    assert_true(count < 32);
    assert_status(IoEnumerateDeviceObjectList(control->DriverObject, list, sizeof(list), &count), STATUS_SUCCESS);
    for (ULONG i = 0; i < count; i++)
        ObDereferenceObject(list[i]);
    return count - 1; /* the control device */
}

/* A file system that the process has used no file of yet. */
static void hears_of_volumes(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver;
    HANDLE other;
    assert_status(NvrtlLoadDriver(begin_watching, NULL, &driver), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "h");
    size_t before = count_volumes();
    other = nt_open("/proc/version", FILE_READ_DATA);
    assert_string_equal(journal_read(), "m");
    assert_int_equal(count_volumes(), before + 1);
    assert_status(NtClose(other), STATUS_SUCCESS);
    other = nt_open("/proc/version", FILE_READ_DATA);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_string_equal(journal_read(), "");
    assert_status(NvrtlUnloadDriver(driver), STATUS_SUCCESS);
}

static int begin(void **state)
{
    (void)state;
    own_folder_begin(".");
    make_file("file", "content");
    file = nt_open("file", FILE_READ_DATA | FILE_WRITE_DATA);
    return 0;
}

static int end(void **state)
{
    (void)state;
    NTSTATUS status = NtClose(file);
    own_folder_end();
    return NT_SUCCESS(status) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_flushes),
        cmocka_unit_test(sees_the_life_of_a_file),
        cmocka_unit_test(completes_itself),
        cmocka_unit_test(refuses_an_open_file),
        cmocka_unit_test(changes_parameters),
        cmocka_unit_test(routines_run_on_the_way_up),
        cmocka_unit_test(routines_as_they_were_asked_for),
        cmocka_unit_test(takes_back),
        cmocka_unit_test(pends_and_completes_in_another_thread),
        cmocka_unit_test(changes_the_status_of_what_is_pending),
        cmocka_unit_test(forwards_what_is_pending),
        cmocka_unit_test(flushes_by_its_own_request),
        cmocka_unit_test(flushes_by_an_allocated_request),
        cmocka_unit_test(requests_that_are_not_right),
        cmocka_unit_test(calls_zw_functions),
        cmocka_unit_test(unloads_while_a_request_is_there),
        cmocka_unit_test(goes_from_the_middle),
        cmocka_unit_test(detaches_inside_a_request),
        cmocka_unit_test(drivers_come_and_go),
        cmocka_unit_test(hears_of_volumes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
