/* SPDX-License-Identifier: MIT */
/*
 * Owns the minifilters that are registered: how they start, and how they are unloaded. Called by their drivers, when a
 * volume is used for the first time, and when a driver is unloaded.
 */
#include "src/io/minifilter.h"
#include "src/io/stack.h"
#include "src/io/thread.h"
#include "src/os/os.h"

#include <stdlib.h>
#include <string.h>

static PFLT_FILTER filters; /* under the lock of minifilters */

void nv_filter_reference(PFLT_FILTER filter)
{
    atomic_fetch_add(&filter->references, 1);
}

void nv_filter_release(PFLT_FILTER filter)
{
    if (atomic_fetch_sub(&filter->references, 1) != 1)
        return;
    nv_driver_release(filter->driver);
    free(filter);
}

/* -- registering -- */

static bool is_valid_context(const FLT_CONTEXT_REGISTRATION *context)
{
    bool one_type = context->ContextType && !(context->ContextType & ~FLT_ALL_CONTEXTS) &&
                    !(context->ContextType & (context->ContextType - 1));
    return one_type && !context->ContextAllocateCallback == !context->ContextFreeCallback;
}

static NTSTATUS check(const FLT_REGISTRATION *registration)
{
    if (registration->Size < offsetof(FLT_REGISTRATION, TransactionNotificationCallback) ||
        registration->Size > sizeof(*registration) || registration->Version >> 8 != FLT_REGISTRATION_VERSION >> 8)
        return STATUS_INVALID_PARAMETER;
    const FLT_CONTEXT_REGISTRATION *context = registration->ContextRegistration;
    for (; context && context->ContextType != FLT_CONTEXT_END; context++)
        if (!is_valid_context(context))
            return STATUS_FLT_INVALID_CONTEXT_REGISTRATION;
    return STATUS_SUCCESS;
}

/* Operations that there are none of here (fast I/O, those of the memory manager) are taken, and never come. */
static void take_operations(PFLT_FILTER filter)
{
    const FLT_OPERATION_REGISTRATION *operation = filter->registration.OperationRegistration;
    for (; operation && operation->MajorFunction != IRP_MJ_OPERATION_END; operation++)
        if (operation->MajorFunction <= IRP_MJ_MAXIMUM_FUNCTION)
            filter->operations[operation->MajorFunction] = operation;
}

/* Under the lock. */
static PCUNICODE_STRING highest(void)
{
    static const UNICODE_STRING none;
    PCUNICODE_STRING found = &none;
    for (PFLT_FILTER filter = filters; filter; filter = filter->next)
        if (nv_altitude_compare(&filter->altitude, found) > 0)
            found = &filter->altitude;
    return found;
}

/* Under the lock: room for its altitude, which is the driver's or the next one above all others. */
static PFLT_FILTER make(struct nv_driver *driver)
{
    PCUNICODE_STRING given = driver->altitude.Length ? &driver->altitude : NULL;
    PCUNICODE_STRING below = given ? NULL : highest();
    PFLT_FILTER filter = nv_os->resize(NULL, sizeof(*filter) + (given ? given : below)->Length + sizeof(WCHAR));
    if (!filter)
        return NULL;
    *filter = (struct _FLT_FILTER){.references = 1, .driver = driver};
    if (given) {
        memcpy(filter->text, given->Buffer, given->Length);
        filter->altitude = (UNICODE_STRING){given->Length, given->Length, filter->text};
    } else
        filter->altitude = nv_altitude_above(below, filter->text);
    nv_driver_reference(driver);
    return filter;
}

NTSTATUS FltRegisterFilter(PDRIVER_OBJECT Driver, const FLT_REGISTRATION *Registration, PFLT_FILTER *RetFilter)
{
    *RetFilter = NULL;
    NTSTATUS status = check(Registration);
    if (!NT_SUCCESS(status))
        return status;
    pthread_mutex_lock(&nv_minifilters_lock);
    PFLT_FILTER filter = make(nv_driver_of(Driver));
    if (filter) {
        memcpy(&filter->registration, Registration, Registration->Size);
        take_operations(filter);
        filter->next = filters;
        filters = filter;
    }
    pthread_mutex_unlock(&nv_minifilters_lock);
    *RetFilter = filter;
    return filter ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* -- starting: an instance on each volume that the filter may hear of -- */

static bool may_hear_of(PFLT_FILTER filter, const struct nv_volume *volume)
{
    return !filter->driver->volume || filter->driver->volume == volume;
}

static bool is_out_of_memory(NTSTATUS status)
{
    return status == STATUS_INSUFFICIENT_RESOURCES;
}

/* A filter that will not be attached is not. */
NTSTATUS FltStartFiltering(PFLT_FILTER Filter)
{
    NTSTATUS status = STATUS_SUCCESS;
    pthread_mutex_lock(&nv_minifilters_lock);
    Filter->started = true;
    pthread_mutex_unlock(&nv_minifilters_lock);
    for (struct nv_volume *volume = nv_volume_next(NULL); volume; volume = nv_volume_next(volume))
        if (may_hear_of(Filter, volume) &&
            is_out_of_memory(
                nv_instance_attach(Filter, volume, NULL, NULL, FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT, NULL)))
            status = STATUS_INSUFFICIENT_RESOURCES;
    return status;
}

/*
 * The next filter that was started, with a reference, in place of this one; NULL begins, and ends. One that has left
 * the list has no next: then all come once more, and those that are attached stay so.
 */
static PFLT_FILTER next_started(PFLT_FILTER filter)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    PFLT_FILTER next = filter && !filter->unregistered ? filter->next : filters;
    while (next && !next->started)
        next = next->next;
    if (next)
        nv_filter_reference(next);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (filter)
        nv_filter_release(filter);
    return next;
}

NTSTATUS nv_minifilters_mounted(struct nv_volume *volume)
{
    const FLT_INSTANCE_SETUP_FLAGS flags =
        FLTFL_INSTANCE_SETUP_AUTOMATIC_ATTACHMENT | FLTFL_INSTANCE_SETUP_NEWLY_MOUNTED_VOLUME;
    NTSTATUS status = STATUS_SUCCESS;
    for (PFLT_FILTER filter = next_started(NULL); filter; filter = next_started(filter))
        if (may_hear_of(filter, volume) &&
            is_out_of_memory(nv_instance_attach(filter, volume, NULL, NULL, flags, NULL)))
            status = STATUS_INSUFFICIENT_RESOURCES;
    return status;
}

/* -- going -- */

static bool take_out(PFLT_FILTER filter)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    bool mine = !filter->unregistered;
    filter->unregistered = true;
    PFLT_FILTER *link = &filters;
    while (*link && *link != filter)
        link = &(*link)->next;
    if (*link)
        *link = filter->next;
    pthread_mutex_unlock(&nv_minifilters_lock);
    return mine;
}

VOID FltUnregisterFilter(PFLT_FILTER Filter)
{
    PFLT_INSTANCE instance;
    if (!take_out(Filter))
        return;
    if (!nv_io_thread.minifilter)
        nv_instances_wait(Filter);
    while ((instance = nv_instance_find(Filter, NULL, NULL))) {
        (void)nv_instance_detach(instance, FLTFL_INSTANCE_TEARDOWN_FILTER_UNLOAD);
        nv_instance_release(instance);
    }
    nv_contexts_end_of_filter(Filter);
    nv_filter_release(Filter);
}

/* One that the driver has registered, with a reference. */
static PFLT_FILTER find_of(const struct nv_driver *driver)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    PFLT_FILTER filter = filters;
    while (filter && filter->driver != driver)
        filter = filter->next;
    if (filter)
        nv_filter_reference(filter);
    pthread_mutex_unlock(&nv_minifilters_lock);
    return filter;
}

static NTSTATUS call_unload(PFLT_FILTER filter)
{
    PFLT_FILTER_UNLOAD_CALLBACK function = filter->registration.FilterUnloadCallback;
    if (!function || filter->registration.Flags & FLTFL_REGISTRATION_DO_NOT_SUPPORT_SERVICE_STOP)
        return STATUS_FLT_DO_NOT_DETACH;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_DRIVER);
    NTSTATUS status = function(0);
    nv_leave_driver(NV_INSIDE_DRIVER, minifilter);
    return status;
}

/* Its callback unregisters it, as a rule. */
NTSTATUS nv_minifilters_unload(struct nv_driver *driver)
{
    PFLT_FILTER filter = find_of(driver);
    if (!filter)
        return STATUS_NOT_FOUND;
    NTSTATUS status = call_unload(filter);
    nv_filter_release(filter);
    return status;
}

void nv_minifilters_remove(struct nv_driver *driver)
{
    PFLT_FILTER filter;
    while ((filter = find_of(driver))) {
        FltUnregisterFilter(filter);
        nv_filter_release(filter);
    }
}

/* -- references, by whatever a filter has a pointer to; a volume lives as long as the process -- */

static bool is_filter(const void *object)
{
    PFLT_FILTER filter = filters;
    while (filter && filter != object)
        filter = filter->next;
    return filter;
}

static bool is_instance(const void *object)
{
    for (struct nv_volume *volume = nv_volume_next(NULL); volume; volume = nv_volume_next(volume))
        for (PFLT_INSTANCE instance = volume->instances; instance; instance = instance->next)
            if (instance == object)
                return true;
    return false;
}

static bool is_volume(const void *object)
{
    struct nv_volume *volume = nv_volume_next(NULL);
    while (volume && volume != object)
        volume = nv_volume_next(volume);
    return volume;
}

NTSTATUS FltObjectReference(PVOID FltObject)
{
    NTSTATUS status = STATUS_SUCCESS;
    pthread_mutex_lock(&nv_minifilters_lock);
    if (is_filter(FltObject))
        nv_filter_reference(FltObject);
    else if (is_instance(FltObject))
        nv_instance_reference(FltObject);
    else if (!is_volume(FltObject))
        status = STATUS_FLT_DELETING_OBJECT;
    pthread_mutex_unlock(&nv_minifilters_lock);
    return status;
}

/* What is in no list any more is a filter: an instance is in one until its last reference is given back. */
VOID FltObjectDereference(PVOID FltObject)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    bool an_instance = is_instance(FltObject);
    bool a_volume = is_volume(FltObject);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (an_instance)
        nv_instance_release(FltObject);
    else if (!a_volume)
        nv_filter_release(FltObject);
}
