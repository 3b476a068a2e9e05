/* SPDX-License-Identifier: MIT */
/* Owns the minifilter of tests. Linked into the tests of this folder. */
#include "tests/contract/filter/mini_filter.h"

#define FILTERS 16

static struct mini_filter *loaded[FILTERS];
static struct mini_filter *current; /* DriverEntry and the unload callback are told nothing else */

struct mini_filter *mini_filter_of(PCFLT_RELATED_OBJECTS objects)
{
    for (int i = 0; i < FILTERS; i++)
        if (loaded[i] && loaded[i]->filter == objects->Filter)
            return loaded[i];
    return current; /* being started */
}

FLT_PREOP_CALLBACK_STATUS NTAPI note_before(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    (void)data;
    journal_write(mini_filter_of(objects)->name);
    *context = mini_filter_of(objects);
    return FLT_PREOP_SUCCESS_WITH_CALLBACK;
}

FLT_POSTOP_CALLBACK_STATUS NTAPI note_after(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID context,
                                            FLT_POST_OPERATION_FLAGS flags)
{
    bool right = flags == 0 && data->Flags & FLTFL_CALLBACK_DATA_POST_OPERATION &&
                 data->Iopb->TargetInstance == objects->Instance && context == mini_filter_of(objects);
    journal_write(right ? (char)(mini_filter_of(objects)->name + 'a' - 'A') : 'x');
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static NTSTATUS NTAPI unload(FLT_FILTER_UNLOAD_FLAGS flags)
{
    (void)flags;
    if (!NT_SUCCESS(current->refuses_to_unload))
        return current->refuses_to_unload;
    FltUnregisterFilter(current->filter);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    static FLT_OPERATION_REGISTRATION flushes[FILTERS][2];
    static int next;
    struct mini_filter *filter = current;
    FLT_OPERATION_REGISTRATION *own = flushes[next++ % FILTERS];
    (void)path;
    own[0] = (FLT_OPERATION_REGISTRATION){IRP_MJ_FLUSH_BUFFERS, 0, filter->before, filter->after, NULL};
    own[1] = (FLT_OPERATION_REGISTRATION){.MajorFunction = IRP_MJ_OPERATION_END};
    FLT_REGISTRATION registration = {
        .Size = sizeof(FLT_REGISTRATION),
        .Version = FLT_REGISTRATION_VERSION,
        .ContextRegistration = filter->contexts,
        .OperationRegistration = filter->operations ? filter->operations : own,
        .FilterUnloadCallback = unload,
        .InstanceSetupCallback = filter->setup,
        .InstanceQueryTeardownCallback = filter->query,
        .InstanceTeardownStartCallback = filter->teardown_start,
        .InstanceTeardownCompleteCallback = filter->teardown_complete,
    };
    NTSTATUS status = FltRegisterFilter(driver, &registration, &filter->filter);
    if (!NT_SUCCESS(status))
        return status;
    status = FltStartFiltering(filter->filter);
    if (!NT_SUCCESS(status))
        FltUnregisterFilter(filter->filter);
    return status;
}

NTSTATUS mini_filter_try(struct mini_filter *filter)
{
    NVRTL_DRIVER_OPTIONS options = {.Volume = filter->volume ? filter->volume : ".", .Altitude = filter->altitude};
    int i = 0;
    while (i < FILTERS && loaded[i])
        i++;
    current = filter;
    NTSTATUS status = NvrtlLoadDriverEx(entry, &options, &filter->driver);
    if (NT_SUCCESS(status))
        loaded[i] = filter;
    return status;
}

void mini_filter_load(struct mini_filter *filter)
{
    assert_status(mini_filter_try(filter), STATUS_SUCCESS);
}

void mini_filter_unload(struct mini_filter *filter)
{
    current = filter;
    assert_status(NvrtlUnloadDriver(filter->driver), STATUS_SUCCESS);
    mini_filter_forget(filter);
}

void mini_filter_forget(struct mini_filter *filter)
{
    for (int i = 0; i < FILTERS; i++)
        if (loaded[i] == filter)
            loaded[i] = NULL;
}
