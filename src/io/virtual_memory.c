/* SPDX-License-Identifier: MIT */
/*
 * Owns NtFlushVirtualMemory: a range of a view, made durable by the file's backing. Like a flush of the memory plane it
 * passes no filter.
 */
#include "src/io/probe.h"
#include "src/io/process.h"
#include "src/io/status_block.h"
#include "src/io/thread.h"
#include "src/io/view.h"
#include "src/os/os.h"

#include <nvrtl/status.h>

struct range {
    uintptr_t start;
    uintptr_t end;
};

/* The pages that the bytes lie in; with size 0, those to the view's end. */
static NTSTATUS settle(const struct nv_view *view, uintptr_t base, SIZE_T size_bytes, struct range *range)
{
    if (size_bytes > view->end - base)
        return STATUS_INVALID_PARAMETER_2;
    uintptr_t page_bytes = nv_os_page_bytes();
    range->start = base & ~(page_bytes - 1);
    range->end = size_bytes ? (base + size_bytes + page_bytes - 1) & ~(page_bytes - 1) : view->end;
    return STATUS_SUCCESS;
}

/* What is stored into a private view, or into memory without a file, has no place to be written to. */
static NTSTATUS flush(const struct nv_view *view, const struct range *range)
{
    if (!view->is_shared || !view->section->file)
        return STATUS_SUCCESS;
    return nv_backing_sync(view->section->file->backing, (char *)range->start, range->end - range->start);
}

static NTSTATUS flush_view(const struct nv_view *view, PVOID *base, SIZE_T *size_bytes, PIO_STATUS_BLOCK io)
{
    struct range range;
    NTSTATUS status = settle(view, (uintptr_t)*base, *size_bytes, &range);
    if (!NT_SUCCESS(status))
        return status;
    status = flush(view, &range);
    if (status == STATUS_INVALID_PARAMETER) /* another thread has unmapped it by now */
        return STATUS_NOT_MAPPED_VIEW;
    *base = (PVOID)range.start;
    *size_bytes = range.end - range.start;
    nv_status_block_set(io, status, 0);
    return status;
}

static NTSTATUS probe(PVOID *base, SIZE_T *size_bytes, PIO_STATUS_BLOCK io)
{
    NTSTATUS status = nv_probe_write(base, sizeof(*base));
    if (NT_SUCCESS(status))
        status = nv_probe_write(size_bytes, sizeof(*size_bytes));
    if (NT_SUCCESS(status))
        status = nv_probe_write(io, sizeof(*io));
    return status;
}

static NTSTATUS flush_memory(HANDLE process, PVOID *base, SIZE_T *size_bytes, PIO_STATUS_BLOCK io, bool trusted)
{
    struct nv_view view;
    NTSTATUS status = trusted ? STATUS_SUCCESS : probe(base, size_bytes, io);
    if (NT_SUCCESS(status))
        status = nv_process_check(process);
    if (!NT_SUCCESS(status))
        return status;
    if (!nv_view_find((uintptr_t)*base, &view))
        return STATUS_NOT_MAPPED_VIEW;
    status = flush_view(&view, base, size_bytes, io);
    nv_object_release(&view.section->object);
    return status;
}

NTSTATUS NtFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, SIZE_T *RegionSize, PIO_STATUS_BLOCK IoStatus)
{
    return flush_memory(ProcessHandle, BaseAddress, RegionSize, IoStatus, false);
}

NTSTATUS ZwFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, SIZE_T *RegionSize, PIO_STATUS_BLOCK IoStatus)
{
    return flush_memory(ProcessHandle, BaseAddress, RegionSize, IoStatus, nv_io_is_trusted());
}
