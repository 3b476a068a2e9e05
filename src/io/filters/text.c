/* SPDX-License-Identifier: MIT */
/* Owns the words for requests in what the library's own filters read and write. Called by them. */
#include "src/io/filters/text.h"

#include "src/io/path.h"

#include <nvrtl/status.h>
#include <stdio.h>
#include <string.h>

static const char *const operations[IRP_MJ_MAXIMUM_FUNCTION + 1] = {
    [IRP_MJ_CREATE] = "create",
    [IRP_MJ_CLOSE] = "close",
    [IRP_MJ_READ] = "read",
    [IRP_MJ_WRITE] = "write",
    [IRP_MJ_QUERY_INFORMATION] = "query-information",
    [IRP_MJ_SET_INFORMATION] = "set-information",
    [IRP_MJ_FLUSH_BUFFERS] = "flush",
    [IRP_MJ_QUERY_VOLUME_INFORMATION] = "query-volume",
    [IRP_MJ_CLEANUP] = "cleanup",
};

const char *nv_filter_operation(UCHAR major)
{
    return operations[major];
}

uint32_t nv_filter_operation_bit(const char *name, size_t length)
{
    for (size_t i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        if (operations[i] && strlen(operations[i]) == length && memcmp(operations[i], name, length) == 0)
            return (uint32_t)1 << i;
    return 0;
}

static void escape(const char *from, char path[NV_FILTER_PATH_BYTES])
{
    size_t used = 0;
    for (; *from && used + 5 < NV_FILTER_PATH_BYTES; from++) {
        unsigned char byte = (unsigned char)*from;
        if (byte == '\t' || byte == '\n' || byte == '\\')
            used += (size_t)sprintf(path + used, "\\%c", byte == '\t' ? 't' : byte == '\n' ? 'n' : '\\');
        else if (byte < 0x20 || byte == 0x7f)
            used += (size_t)sprintf(path + used, "\\x%02X", byte);
        else
            path[used++] = (char)byte;
    }
    path[used] = '\0';
}

void nv_filter_path(PFLT_CALLBACK_DATA data, char path[NV_FILTER_PATH_BYTES], bool is_field)
{
    struct nv_path found = {.text = "-"};
    PFLT_FILE_NAME_INFORMATION name;
    NTSTATUS status = FltGetFileNameInformation(data, FLT_FILE_NAME_OPENED | FLT_FILE_NAME_QUERY_DEFAULT, &name);
    if (NT_SUCCESS(status)) {
        status = nv_path_of_name(name->Name.Buffer, name->Name.Length, NULL, &found);
        FltReleaseFileNameInformation(name);
    }
    if (!NT_SUCCESS(status))
        strcpy(found.text, status == STATUS_FLT_INVALID_NAME_REQUEST ? "-" : "?");
    if (is_field)
        escape(found.text, path);
    else
        strcpy(path, found.text);
}
