/* SPDX-License-Identifier: MIT */
/*
 * Owns how views are mapped and unmapped: NtMapViewOfSection, NtUnmapViewOfSection. A view is an ordinary mapping; what
 * is known of it besides stands in view.c.
 */
#include "src/io/probe.h"
#include "src/io/process.h"
#include "src/io/thread.h"
#include "src/io/view.h"
#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <sys/mman.h>

#define GRANULARITY ((uintptr_t)0x10000)
#define ZERO_BITS_MAX 21
#define ATTEMPTS 1000 /* to find an address before another thread does */

/* The view that is asked for. */
struct wish {
    HANDLE section;
    HANDLE process;
    PVOID *base;
    PLARGE_INTEGER offset; /* NULL: 0 */
    SIZE_T *size_bytes;
    const struct nv_protection *protection;
    bool trusted; /* the caller is in the kernel */
};

static uint64_t whole_pages(uint64_t size_bytes)
{
    uint64_t page_bytes = nv_os_page_bytes();
    return (size_bytes + page_bytes - 1) & ~(page_bytes - 1);
}

static NTSTATUS status_of(int error, uintptr_t base)
{
    switch (-error) {
    case EEXIST:
        return STATUS_CONFLICTING_ADDRESSES;
    case ENOMEM: /* where the caller chose the address, it may be none */
        return base ? STATUS_CONFLICTING_ADDRESSES : STATUS_INSUFFICIENT_RESOURCES;
    case ENODEV:
        return STATUS_INVALID_FILE_FOR_SECTION;
    default:
        return nv_os_status(error);
    }
}

static bool is_error(intptr_t start)
{
    return start < 0 && start > -4096;
}

/*
 * At the address or nowhere. Never with MAP_FIXED: what it finds it has unmapped when the file refuses, and then
 * another thread may be faster. Where the address counts as a hint only, the mapping may lie elsewhere.
 */
static intptr_t map_with(const struct nv_section *section, int memory, int flags, uintptr_t base, uint64_t offset,
                         size_t size_bytes)
{
    intptr_t start = nv_os->map(base, size_bytes, memory, flags, section->descriptor, offset);
    if (is_error(start) || (uintptr_t)start == base)
        return start;
    (void)nv_os->unmap((uintptr_t)start, size_bytes);
    return -EEXIST;
}

/*
 * On persistent memory a mapping that may be written is made so that its stores need no system call to be durable:
 * MAP_SYNC, which Linux does not take together with MAP_FIXED_NOREPLACE.
 */
static intptr_t map_at(const struct nv_section *section, const struct nv_protection *protection, uintptr_t base,
                       uint64_t offset, size_t size_bytes)
{
    int kind = protection->rights & NV_PAGE_COPY ? MAP_PRIVATE : MAP_SHARED;
    if (protection->rights & NV_PAGE_WRITE) {
        intptr_t start =
            map_with(section, protection->memory, MAP_SHARED_VALIDATE | MAP_SYNC, base, offset, size_bytes);
        if (start != -EOPNOTSUPP && start != -EINVAL)
            return start;
    }
    return map_with(section, protection->memory, kind | MAP_FIXED_NOREPLACE, base, offset, size_bytes);
}

/* An address where so many bytes are free, now: at a boundary of 64 KiB. Or a negative errno. */
static intptr_t find_address(size_t size_bytes)
{
    size_t roomy_bytes = size_bytes + GRANULARITY - nv_os_page_bytes();
    intptr_t room = nv_os->map(0, roomy_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (is_error(room))
        return room;
    (void)nv_os->unmap((uintptr_t)room, roomy_bytes);
    return (intptr_t)(((uintptr_t)room + GRANULARITY - 1) & ~(GRANULARITY - 1));
}

/* Again, as long as other threads take what was found. */
static intptr_t map_anywhere(const struct nv_section *section, const struct nv_protection *protection, uint64_t offset,
                             size_t size_bytes)
{
    intptr_t start = -EEXIST;
    for (int i = 0; i < ATTEMPTS && start == -EEXIST; i++) {
        intptr_t base = find_address(size_bytes);
        if (is_error(base))
            return base;
        start = map_at(section, protection, (uintptr_t)base, offset, size_bytes);
    }
    return start;
}

/* How many bytes the view has, in whole pages. */
static NTSTATUS settle_size(const struct nv_section *section, uint64_t offset, uint64_t *size_bytes)
{
    if (offset >= section->size_bytes)
        return STATUS_INVALID_PARAMETER;
    uint64_t most_bytes = section->size_bytes - offset;
    if (*size_bytes > most_bytes)
        return STATUS_INVALID_VIEW_SIZE;
    *size_bytes = whole_pages(*size_bytes ? *size_bytes : most_bytes);
    return STATUS_SUCCESS;
}

/* The view takes the reference to the section, if it succeeds. */
static NTSTATUS map_section(struct nv_section *section, const struct wish *wish)
{
    uint64_t offset = wish->offset ? (uint64_t)wish->offset->QuadPart : 0;
    uint64_t size_bytes = *wish->size_bytes;
    uintptr_t base = (uintptr_t)*wish->base;
    if (wish->protection->rights & ~section->rights)
        return STATUS_SECTION_PROTECTION;
    if (offset % GRANULARITY || base % GRANULARITY)
        return STATUS_MAPPED_ALIGNMENT;
    NTSTATUS status = settle_size(section, offset, &size_bytes);
    if (!NT_SUCCESS(status))
        return status;
    intptr_t start = base ? map_at(section, wish->protection, base, offset, size_bytes)
                          : map_anywhere(section, wish->protection, offset, size_bytes);
    if (is_error(start))
        return status_of((int)start, base);
    struct nv_view view = {
        .start = (uintptr_t)start,
        .end = (uintptr_t)start + size_bytes,
        .section = section,
        .is_shared = !(wish->protection->rights & NV_PAGE_COPY),
    };
    if (!nv_view_add(&view)) {
        (void)nv_os->unmap(view.start, size_bytes);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *wish->base = (PVOID)view.start;
    *wish->size_bytes = size_bytes;
    return STATUS_SUCCESS;
}

static NTSTATUS probe(const struct wish *wish)
{
    NTSTATUS status = nv_probe_write(wish->base, sizeof(*wish->base));
    if (NT_SUCCESS(status))
        status = nv_probe_write(wish->size_bytes, sizeof(*wish->size_bytes));
    if (NT_SUCCESS(status) && wish->offset)
        status = nv_probe_write(wish->offset, sizeof(*wish->offset));
    return status;
}

static NTSTATUS map_view(const struct wish *wish)
{
    struct nv_object *object;
    ACCESS_MASK granted;
    NTSTATUS status = wish->trusted ? STATUS_SUCCESS : probe(wish);
    if (NT_SUCCESS(status))
        status = nv_process_check(wish->process);
    if (NT_SUCCESS(status))
        status = nv_handle_reference(wish->section, &nv_section_type, &object, &granted);
    if (!NT_SUCCESS(status))
        return status;
    if (!wish->trusted && wish->protection->of_section & ~granted)
        status = STATUS_ACCESS_DENIED;
    else
        status = map_section((struct nv_section *)(void *)object, wish);
    if (!NT_SUCCESS(status))
        nv_object_release(object);
    return status;
}

/* The arguments that are no pointers and no handles come first. */
static NTSTATUS check(ULONG_PTR zero_bits, SECTION_INHERIT inherit, ULONG allocation, const struct wish *wish)
{
    if (inherit != ViewShare && inherit != ViewUnmap)
        return STATUS_INVALID_PARAMETER_8;
    if (allocation & (MEM_COMMIT | MEM_RESERVE))
        return STATUS_INVALID_PARAMETER_9;
    if (!wish->protection)
        return STATUS_INVALID_PAGE_PROTECTION;
    return zero_bits > ZERO_BITS_MAX ? STATUS_INVALID_PARAMETER_4 : STATUS_SUCCESS;
}

NTSTATUS NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                            SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, SIZE_T *ViewSize,
                            SECTION_INHERIT InheritDisposition, ULONG AllocationType, ULONG Win32Protect)
{
    (void)CommitSize;
    struct wish wish = {
        SectionHandle, ProcessHandle, BaseAddress, SectionOffset, ViewSize, nv_protection_find(Win32Protect), false};
    NTSTATUS status = check(ZeroBits, InheritDisposition, AllocationType, &wish);
    return NT_SUCCESS(status) ? map_view(&wish) : status;
}

NTSTATUS ZwMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                            SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, SIZE_T *ViewSize,
                            SECTION_INHERIT InheritDisposition, ULONG AllocationType, ULONG Win32Protect)
{
    (void)CommitSize;
    struct wish wish = {SectionHandle,     ProcessHandle, BaseAddress,
                        SectionOffset,     ViewSize,      nv_protection_find(Win32Protect),
                        nv_io_is_trusted()};
    NTSTATUS status = check(ZeroBits, InheritDisposition, AllocationType, &wish);
    return NT_SUCCESS(status) ? map_view(&wish) : status;
}

NTSTATUS NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress)
{
    struct nv_view view;
    NTSTATUS status = nv_process_check(ProcessHandle);
    if (!NT_SUCCESS(status))
        return status;
    if (!nv_view_remove((uintptr_t)BaseAddress, &view))
        return STATUS_NOT_MAPPED_VIEW;
    int error = nv_os->unmap(view.start, view.end - view.start);
    nv_object_release(&view.section->object);
    return error == 0 ? STATUS_SUCCESS : nv_os_status(error);
}

NTSTATUS ZwUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress)
{
    return NtUnmapViewOfSection(ProcessHandle, BaseAddress);
}
