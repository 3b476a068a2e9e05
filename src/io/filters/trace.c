/* SPDX-License-Identifier: MIT */
/*
 * Owns the filter that writes a line for each request: path, operation, flags, status, microseconds, with tabs between
 * them. Loaded where NVRTL_FILTERS wishes for it; a line is written by one call, behind what others have written.
 */
#include "src/io/filters/configured.h"
#include "src/io/filters/text.h"
#include "src/os/os.h"

#include <fcntl.h>
#include <inttypes.h>
#include <nvrtl/status.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES (NV_FILTER_PATH_BYTES + 256)

static void begin(struct nv_configured *filter)
{
    (void)filter;
}

static bool set(struct nv_configured *filter, const char *option, const char *value)
{
    if (strcmp(option, "file") != 0 || !value || !*value)
        return false;
    filter->file = value;
    return true;
}

static const char *check(const struct nv_configured *filter)
{
    return filter->file ? NULL : "file= is missing";
}

static NTSTATUS open_file(struct nv_configured *filter)
{
    filter->descriptor = nv_os->open_at(AT_FDCWD, filter->file, O_WRONLY | O_CREAT | O_APPEND, 0666);
    return filter->descriptor < 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* -- flags, as each operation has them -- */

static void print_nothing(const FLT_IO_PARAMETER_BLOCK *block, char *text, size_t size_bytes)
{
    (void)block;
    (void)snprintf(text, size_bytes, "-");
}

static void print_create(const FLT_IO_PARAMETER_BLOCK *block, char *text, size_t size_bytes)
{
    static const char *const dispositions[] = {"supersede", "open", "create", "open-if", "overwrite", "overwrite-if"};
    ULONG options = block->Parameters.Create.Options;
    ULONG disposition = options >> 24;
    bool is_known = disposition <= FILE_MAXIMUM_DISPOSITION;
    (void)snprintf(text, size_bytes, "%s,options=%" PRIX32, is_known ? dispositions[disposition] : "?",
                   options & 0xffffff);
}

static void print_transfer(const FLT_IO_PARAMETER_BLOCK *block, char *text, size_t size_bytes)
{
    (void)snprintf(text, size_bytes, "offset=%" PRId64 ",length=%" PRIu32, block->Parameters.Read.ByteOffset.QuadPart,
                   block->Parameters.Read.Length);
}

static void print_flush(const FLT_IO_PARAMETER_BLOCK *block, char *text, size_t size_bytes)
{
    static const char *const minors[] = {"normal", "purge", "data-only", "no-sync", "data-sync-only"};
    bool is_known = block->MinorFunction < sizeof(minors) / sizeof(minors[0]);
    (void)snprintf(text, size_bytes, "%s", is_known ? minors[block->MinorFunction] : "?");
}

static void print_class(const FLT_IO_PARAMETER_BLOCK *block, char *text, size_t size_bytes)
{
    (void)snprintf(text, size_bytes, "class=%d", (int)block->Parameters.QueryFileInformation.FileInformationClass);
}

static void (*const print_flags[IRP_MJ_MAXIMUM_FUNCTION + 1])(const FLT_IO_PARAMETER_BLOCK *, char *, size_t) = {
    [IRP_MJ_CREATE] = print_create,           [IRP_MJ_CLOSE] = print_nothing,
    [IRP_MJ_READ] = print_transfer,           [IRP_MJ_WRITE] = print_transfer,
    [IRP_MJ_QUERY_INFORMATION] = print_class, [IRP_MJ_SET_INFORMATION] = print_class,
    [IRP_MJ_FLUSH_BUFFERS] = print_flush,     [IRP_MJ_QUERY_VOLUME_INFORMATION] = print_class,
    [IRP_MJ_CLEANUP] = print_nothing,
};

/* -- lines -- */

/* What could not be written is counted, and told by the next line that can. */
static void write_line(struct nv_configured *filter, const char *line, size_t size_bytes)
{
    char lost[64];
    uint64_t count = atomic_exchange(&filter->count, 0);
    if (count) {
        int length = snprintf(lost, sizeof(lost), "# %" PRIu64 " lines could not be written\n", count);
        if (nv_os->write(filter->descriptor, lost, (size_t)length) != length)
            atomic_fetch_add(&filter->count, count);
    }
    if (nv_os->write(filter->descriptor, line, size_bytes) != (ssize_t)size_bytes)
        atomic_fetch_add(&filter->count, 1);
}

static FLT_PREOP_CALLBACK_STATUS NTAPI before(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context)
{
    (void)data;
    (void)objects;
    *context = (PVOID)(uintptr_t)KeQueryPerformanceCounter(NULL).QuadPart;
    return FLT_PREOP_SYNCHRONIZE;
}

static FLT_POSTOP_CALLBACK_STATUS NTAPI after(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID context,
                                              FLT_POST_OPERATION_FLAGS flags)
{
    uint64_t took_ns = (uint64_t)KeQueryPerformanceCounter(NULL).QuadPart - (uint64_t)(uintptr_t)context;
    char line[LINE_BYTES], path[NV_FILTER_PATH_BYTES], parameters[64];
    UCHAR major = data->Iopb->MajorFunction;
    (void)flags;
    nv_filter_path(data, path, true);
    print_flags[major](data->Iopb, parameters, sizeof(parameters));
    int length =
        snprintf(line, sizeof(line), "%s\t%s\t%s\t%08" PRIX32 "\t%" PRIu64 ".%03u\n", path, nv_filter_operation(major),
                 parameters, (ULONG)data->IoStatus.Status, took_ns / 1000, (unsigned)(took_ns % 1000));
    write_line(nv_configured_of(objects->Filter), line, (size_t)length);
    return FLT_POSTOP_FINISHED_PROCESSING;
}

static const FLT_OPERATION_REGISTRATION operations[] = {
    {IRP_MJ_CREATE, 0, before, after, NULL},
    {IRP_MJ_CLOSE, 0, before, after, NULL},
    {IRP_MJ_READ, 0, before, after, NULL},
    {IRP_MJ_WRITE, 0, before, after, NULL},
    {IRP_MJ_QUERY_INFORMATION, 0, before, after, NULL},
    {IRP_MJ_SET_INFORMATION, 0, before, after, NULL},
    {IRP_MJ_FLUSH_BUFFERS, 0, before, after, NULL},
    {IRP_MJ_QUERY_VOLUME_INFORMATION, 0, before, after, NULL},
    {IRP_MJ_CLEANUP, 0, before, after, NULL},
    {.MajorFunction = IRP_MJ_OPERATION_END},
};

const struct nv_filter_kind nv_filter_trace = {
    .name = "trace", .begin = begin, .set = set, .check = check, .open = open_file, .operations = operations};
