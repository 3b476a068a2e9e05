/* SPDX-License-Identifier: MIT */
/*
 * A minifilter that finds the slowest flush. It is brought into the program itself, and sees the requests that the
 * program makes by NT functions. Usage: minifilter FILE
 */
#include <nvrtl/nvrtl.h>
#include <stdio.h>

static PFLT_FILTER filter;
static LONGLONG slowest_ns;

static FLT_PREOP_CALLBACK_STATUS NTAPI before_flush(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                    PVOID *context)
{
    (void)data;
    (void)objects;
    *context = (PVOID)KeQueryPerformanceCounter(NULL).QuadPart;
    return FLT_PREOP_SYNCHRONIZE; /* pass it on, and call after_flush in this thread */
}

static FLT_POSTOP_CALLBACK_STATUS NTAPI after_flush(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects,
                                                    PVOID context, FLT_POST_OPERATION_FLAGS flags)
{
    LONGLONG took_ns = KeQueryPerformanceCounter(NULL).QuadPart - (LONGLONG)context;
    (void)objects;
    (void)flags;
    if (NT_SUCCESS(data->IoStatus.Status) && took_ns > slowest_ns)
        slowest_ns = took_ns;
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static NTSTATUS NTAPI unload(FLT_FILTER_UNLOAD_FLAGS flags)
{
    (void)flags;
    FltUnregisterFilter(filter);
    return STATUS_SUCCESS;
}

static const FLT_OPERATION_REGISTRATION operations[] = {
    {IRP_MJ_FLUSH_BUFFERS, 0, before_flush, after_flush, NULL},
    {.MajorFunction = IRP_MJ_OPERATION_END},
};

static const FLT_REGISTRATION registration = {
    .Size = sizeof(FLT_REGISTRATION),
    .Version = FLT_REGISTRATION_VERSION,
    .OperationRegistration = operations,
    .FilterUnloadCallback = unload,
};

static NTSTATUS NTAPI driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
    (void)registry_path;
    NTSTATUS status = FltRegisterFilter(driver, &registration, &filter);
    return NT_SUCCESS(status) ? FltStartFiltering(filter) : status;
}

int main(int argc, char **argv)
{
    IO_STATUS_BLOCK io;
    PDRIVER_OBJECT driver;
    HANDLE file;
    FILE *opened = argc == 2 ? fopen(argv[1], "a+") : NULL;
    if (!opened || NvrtlLoadDriver(driver_entry, argv[1], &driver) != STATUS_SUCCESS ||
        NvrtlHandleFromFd(fileno(opened), FILE_GENERIC_WRITE, &file) != STATUS_SUCCESS)
        return 1;
    for (int i = 0; i < 10; i++) {
        fprintf(opened, "line %d\n", i);
        fflush(opened);
        if (NtFlushBuffersFile(file, &io) != STATUS_SUCCESS)
            return 1;
    }
    puts(slowest_ns > 0 ? "the slowest of 10 flushes is known" : "no flush was seen");
    NtClose(file);
    NvrtlUnloadDriver(driver);
    return 0;
}
