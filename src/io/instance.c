/* SPDX-License-Identifier: MIT */
/*
 * Owns the instances of minifilters: how they come to a volume, in the order of their altitudes, and how they go.
 * Called by minifilter.c, and by filters that attach themselves.
 */
#include "src/io/minifilter.h"
#include "src/io/stack.h"
#include "src/io/thread.h"
#include "src/os/os.h"

#include <stdlib.h>
#include <string.h>

static pthread_cond_t set_up = PTHREAD_COND_INITIALIZER; /* an instance is there, or is not to be */

/* -- references -- */

void nv_instance_reference(PFLT_INSTANCE instance)
{
    atomic_fetch_add(&instance->references, 1);
}

/* Under the lock. */
static void take_out(PFLT_INSTANCE instance)
{
    PFLT_INSTANCE *link = &instance->volume->instances;
    while (*link != instance)
        link = &(*link)->next;
    *link = instance->next;
}

void nv_instance_release(PFLT_INSTANCE instance)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    bool last = atomic_fetch_sub(&instance->references, 1) == 1;
    if (last)
        take_out(instance);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (!last)
        return;
    nv_filter_release(instance->filter);
    free(instance);
}

/* -- attaching -- */

static UNICODE_STRING keep(WCHAR *text, PCUNICODE_STRING string)
{
    memcpy(text, string->Buffer, string->Length);
    return (UNICODE_STRING){string->Length, string->Length, text};
}

static PFLT_INSTANCE make(PFLT_FILTER filter, struct nv_volume *volume, PCUNICODE_STRING altitude,
                          PCUNICODE_STRING name)
{
    PFLT_INSTANCE instance = nv_os->resize(NULL, sizeof(*instance) + altitude->Length + name->Length);
    if (!instance)
        return NULL;
    *instance = (struct _FLT_INSTANCE){
        .references = 2, /* of the list, and the caller's */
        .filter = filter,
        .volume = volume,
        .born = NV_NEVER,
        .gone = NV_NEVER,
    };
    instance->altitude = keep(instance->text, altitude);
    instance->name = keep(instance->text + altitude->Length / sizeof(WCHAR), name);
    nv_filter_reference(filter);
    return instance;
}

/* Under the lock: puts it in its place. */
static NTSTATUS insert(PFLT_INSTANCE instance)
{
    PFLT_INSTANCE *place = &instance->volume->instances;
    if (instance->filter->unregistered)
        return STATUS_FLT_DELETING_OBJECT;
    for (PFLT_INSTANCE other = *place; other; other = other->next) {
        if (other->gone != NV_NEVER)
            continue;
        if (other->filter == instance->filter && RtlEqualUnicodeString(&other->name, &instance->name, FALSE))
            return STATUS_FLT_INSTANCE_NAME_COLLISION;
        if (nv_altitude_compare(&other->altitude, &instance->altitude) == 0)
            return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
    }
    while (*place && nv_altitude_compare(&(*place)->altitude, &instance->altitude) > 0)
        place = &(*place)->next;
    instance->next = *place;
    *place = instance;
    return STATUS_SUCCESS;
}

static NTSTATUS call_setup(PFLT_INSTANCE instance, FLT_INSTANCE_SETUP_FLAGS flags)
{
    PFLT_INSTANCE_SETUP_CALLBACK function = instance->filter->registration.InstanceSetupCallback;
    FLT_RELATED_OBJECTS objects = nv_related_objects(instance, NULL);
    if (!function)
        return STATUS_SUCCESS;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_MINIFILTER);
    NTSTATUS status = function(&objects, flags, FILE_DEVICE_DISK_FILE_SYSTEM, FLT_FSTYPE_UNKNOWN);
    nv_leave_driver(NV_INSIDE_MINIFILTER, minifilter);
    return status;
}

/* From now on requests see it; or nobody ever does. */
static void begin(PFLT_INSTANCE instance, bool is_wanted)
{
    if (is_wanted)
        nv_stack_attached(instance->volume);
    pthread_mutex_lock(&nv_minifilters_lock);
    if (is_wanted)
        instance->born = instance->volume->tickets;
    else
        instance->gone = 0;
    instance->leaving = !is_wanted;
    pthread_cond_broadcast(&set_up);
    pthread_mutex_unlock(&nv_minifilters_lock);
}

static NTSTATUS attach(PFLT_INSTANCE instance, FLT_INSTANCE_SETUP_FLAGS flags)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    NTSTATUS status = insert(instance);
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (!NT_SUCCESS(status)) {
        nv_filter_release(instance->filter);
        free(instance);
        return status;
    }
    status = call_setup(instance, flags);
    begin(instance, NT_SUCCESS(status));
    if (!NT_SUCCESS(status)) {
        nv_contexts_end(instance);
        nv_instance_release(instance);
        nv_instance_release(instance);
    }
    return status;
}

NTSTATUS nv_instance_attach(PFLT_FILTER filter, struct nv_volume *volume, PCUNICODE_STRING altitude,
                            PCUNICODE_STRING name, FLT_INSTANCE_SETUP_FLAGS flags, PFLT_INSTANCE *instance)
{
    altitude = altitude ? altitude : &filter->altitude;
    if (!nv_altitude_is_valid(altitude))
        return STATUS_INVALID_PARAMETER;
    PFLT_INSTANCE made = nv_stack_base(volume) ? make(filter, volume, altitude, name ? name : altitude) : NULL;
    if (!made)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = attach(made, flags);
    if (NT_SUCCESS(status) && instance)
        *instance = made;
    else if (NT_SUCCESS(status))
        nv_instance_release(made);
    return status;
}

/* -- detaching -- */

static void call_teardown(PFLT_INSTANCE instance, PFLT_INSTANCE_TEARDOWN_CALLBACK function,
                          FLT_INSTANCE_TEARDOWN_FLAGS reason)
{
    FLT_RELATED_OBJECTS objects = nv_related_objects(instance, NULL);
    if (!function)
        return;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_MINIFILTER);
    function(&objects, reason);
    nv_leave_driver(NV_INSIDE_MINIFILTER, minifilter);
}

/*
 * Requests that are on their way are waited for, unless the caller has one itself: it might be the one that is waited
 * for. The instance is then called no more, but where it is being called.
 */
static void end(PFLT_INSTANCE instance)
{
    bool is_inside = nv_io_thread.requests;
    pthread_mutex_lock(&nv_minifilters_lock);
    instance->gone = is_inside ? 0 : instance->volume->tickets;
    if (!is_inside)
        nv_passes_wait(instance->volume, instance->gone);
    pthread_mutex_unlock(&nv_minifilters_lock);
}

bool nv_instance_detach(PFLT_INSTANCE instance, FLT_INSTANCE_TEARDOWN_FLAGS reason)
{
    pthread_mutex_lock(&nv_minifilters_lock);
    bool mine = !instance->leaving;
    instance->leaving = true;
    pthread_mutex_unlock(&nv_minifilters_lock);
    if (!mine)
        return false;
    call_teardown(instance, instance->filter->registration.InstanceTeardownStartCallback, reason);
    end(instance);
    nv_contexts_end(instance);
    nv_stack_detached(instance->volume); /* last: files that are closed without the stack have no contexts */
    call_teardown(instance, instance->filter->registration.InstanceTeardownCompleteCallback, reason);
    nv_instance_release(instance);
    return true;
}

/* -- finding -- */

/* Under the lock. */
static PFLT_INSTANCE find_on(const struct nv_volume *volume, PFLT_FILTER filter, PCUNICODE_STRING name)
{
    for (PFLT_INSTANCE instance = volume->instances; instance; instance = instance->next)
        if ((!filter || instance->filter == filter) && !instance->leaving && instance->born != NV_NEVER &&
            (!name || RtlEqualUnicodeString(&instance->name, name, FALSE)))
            return instance;
    return NULL;
}

PFLT_INSTANCE nv_instance_find(PFLT_FILTER filter, struct nv_volume *volume, PCUNICODE_STRING name)
{
    PFLT_INSTANCE found = NULL;
    struct nv_volume *each = volume ? volume : nv_volume_next(NULL);
    while (each && !found) {
        pthread_mutex_lock(&nv_minifilters_lock);
        found = find_on(each, filter, name);
        if (found)
            nv_instance_reference(found);
        pthread_mutex_unlock(&nv_minifilters_lock);
        each = volume ? NULL : nv_volume_next(each);
    }
    return found;
}

static bool is_being_set_up(const struct nv_volume *volume, PFLT_FILTER filter)
{
    for (PFLT_INSTANCE instance = volume->instances; instance; instance = instance->next)
        if (instance->filter == filter && instance->born == NV_NEVER && !instance->leaving)
            return true;
    return false;
}

void nv_instances_wait(PFLT_FILTER filter)
{
    int cancellable;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellable);
    for (struct nv_volume *volume = nv_volume_next(NULL); volume; volume = nv_volume_next(volume)) {
        pthread_mutex_lock(&nv_minifilters_lock);
        while (is_being_set_up(volume, filter))
            pthread_cond_wait(&set_up, &nv_minifilters_lock);
        pthread_mutex_unlock(&nv_minifilters_lock);
    }
    pthread_setcancelstate(cancellable, &cancellable);
}

/* -- what filters call -- */

NTSTATUS FltAttachVolume(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING InstanceName,
                         PFLT_INSTANCE *RetInstance)
{
    return FltAttachVolumeAtAltitude(Filter, Volume, NULL, InstanceName, RetInstance);
}

NTSTATUS FltAttachVolumeAtAltitude(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING Altitude,
                                   PCUNICODE_STRING InstanceName, PFLT_INSTANCE *RetInstance)
{
    return nv_instance_attach(Filter, (struct nv_volume *)Volume, Altitude, InstanceName,
                              FLTFL_INSTANCE_SETUP_MANUAL_ATTACHMENT, RetInstance);
}

static NTSTATUS ask_whether_to_detach(PFLT_INSTANCE instance)
{
    PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK function = instance->filter->registration.InstanceQueryTeardownCallback;
    FLT_RELATED_OBJECTS objects = nv_related_objects(instance, NULL);
    if (!function)
        return STATUS_FLT_DO_NOT_DETACH;
    uint32_t minifilter = nv_enter_driver(NV_INSIDE_MINIFILTER);
    NTSTATUS status = function(&objects, 0);
    nv_leave_driver(NV_INSIDE_MINIFILTER, minifilter);
    return status;
}

NTSTATUS FltDetachVolume(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING InstanceName)
{
    PFLT_INSTANCE instance = nv_instance_find(Filter, (struct nv_volume *)Volume, InstanceName);
    if (!instance)
        return STATUS_FLT_INSTANCE_NOT_FOUND;
    NTSTATUS status = ask_whether_to_detach(instance);
    if (NT_SUCCESS(status) && !nv_instance_detach(instance, FLTFL_INSTANCE_TEARDOWN_MANUAL))
        status = STATUS_FLT_DELETING_OBJECT;
    nv_instance_release(instance);
    return status;
}

NTSTATUS FltGetVolumeInstanceFromName(PFLT_FILTER Filter, PFLT_VOLUME Volume, PCUNICODE_STRING InstanceName,
                                      PFLT_INSTANCE *RetInstance)
{
    *RetInstance = nv_instance_find(Filter, (struct nv_volume *)Volume, InstanceName);
    return *RetInstance ? STATUS_SUCCESS : STATUS_FLT_INSTANCE_NOT_FOUND;
}

NTSTATUS FltGetVolumeFromInstance(PFLT_INSTANCE Instance, PFLT_VOLUME *RetVolume)
{
    *RetVolume = (PFLT_VOLUME)Instance->volume;
    return STATUS_SUCCESS;
}

NTSTATUS FltGetFilterFromInstance(PFLT_INSTANCE Instance, PFLT_FILTER *RetFilter)
{
    nv_filter_reference(Instance->filter);
    *RetFilter = Instance->filter;
    return STATUS_SUCCESS;
}

void nv_instances_after_fork(void)
{
    pthread_cond_init(&set_up, NULL);
}
