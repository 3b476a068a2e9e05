/* SPDX-License-Identifier: MIT */
/*
 * Owns sections: NtCreateSection, and what becomes of one when nobody needs it any more. Views are mapped in
 * map_view.c.
 */
#include "src/io/section.h"

#include "src/io/probe.h"
#include "src/io/request.h"
#include "src/io/thread.h"
#include "src/io/volume.h"
#include "src/os/os.h"

#include <nvrtl/status.h>
#include <stdlib.h>

#define SECTION_OF(object) ((struct nv_section *)(void *)(object)) /* the object is its head */
#define SIZE_MAX_BYTES ((uint64_t)INT64_MAX - 0xffff)

static void closed(struct nv_object *object)
{
    (void)object;
}

static void destroy(struct nv_object *object)
{
    struct nv_section *section = SECTION_OF(object);
    if (section->file)
        nv_file_release(section->file);
    else
        nv_os->close(section->descriptor);
    free(section);
}

const struct nv_object_type nv_section_type = {.name = "Section", .closed = closed, .destroy = destroy};

/* The section that is asked for. */
struct wish {
    ACCESS_MASK access;
    uint64_t size_bytes; /* 0: the file's */
    const struct nv_protection *protection;
    ULONG attributes;
    HANDLE file;
    bool trusted; /* the caller is in the kernel */
};

static bool is_writable(const struct wish *wish)
{
    return wish->protection->rights & NV_PAGE_WRITE;
}

static ACCESS_MASK mapped_access(ACCESS_MASK access)
{
    static const struct {
        ACCESS_MASK generic, specific;
    } pairs[] = {
        {GENERIC_READ, READ_CONTROL | SECTION_QUERY | SECTION_MAP_READ},
        {GENERIC_WRITE, READ_CONTROL | SECTION_MAP_WRITE},
        {GENERIC_EXECUTE, READ_CONTROL | SECTION_MAP_EXECUTE},
        {GENERIC_ALL, SECTION_ALL_ACCESS},
        {MAXIMUM_ALLOWED, SECTION_ALL_ACCESS},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (access & pairs[i].generic)
            access = (access & ~pairs[i].generic) | pairs[i].specific;
    return access;
}

/* One of COMMIT and RESERVE, or an IMAGE. */
static NTSTATUS check_attributes(ULONG attributes)
{
    const ULONG kinds = SEC_COMMIT | SEC_RESERVE | SEC_IMAGE;
    ULONG kind = attributes & kinds;
    if (attributes & ~(kinds | SEC_NOCACHE | SEC_FILE) || kind == 0 || kind & (kind - 1))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static NTSTATUS ask_size(struct nv_file *file, uint64_t *size_bytes)
{
    FILE_STANDARD_INFORMATION standard;
    struct nv_request request = {
        .major = IRP_MJ_QUERY_INFORMATION,
        .file = file,
        .of.information = {FileStandardInformation, &standard, sizeof(standard)},
    };
    NTSTATUS status = nv_volume_send(file->volume, &request);
    *size_bytes = NT_SUCCESS(status) ? (uint64_t)standard.EndOfFile.QuadPart : 0;
    return status;
}

static NTSTATUS extend(struct nv_file *file, uint64_t size_bytes)
{
    FILE_END_OF_FILE_INFORMATION end = {.EndOfFile.QuadPart = (LONGLONG)size_bytes};
    struct nv_request request = {
        .major = IRP_MJ_SET_INFORMATION,
        .file = file,
        .of.information = {FileEndOfFileInformation, &end, sizeof(end)},
    };
    return nv_volume_send(file->volume, &request);
}

/* The size of a section of the file; the file has it afterwards. */
static NTSTATUS settle_size(struct nv_file *file, const struct wish *wish, uint64_t *size_bytes)
{
    uint64_t now_bytes;
    NTSTATUS status = ask_size(file, &now_bytes);
    if (!NT_SUCCESS(status))
        return status;
    *size_bytes = wish->size_bytes ? wish->size_bytes : now_bytes;
    if (*size_bytes == 0)
        return STATUS_MAPPED_FILE_SIZE_ZERO;
    if (*size_bytes <= now_bytes)
        return STATUS_SUCCESS;
    return is_writable(wish) ? extend(file, *size_bytes) : STATUS_SECTION_TOO_BIG;
}

static NTSTATUS fill_from_file(struct nv_section *section, struct nv_file *file, ACCESS_MASK granted,
                               const struct wish *wish)
{
    if (!wish->trusted && wish->protection->of_file & ~granted)
        return STATUS_ACCESS_DENIED;
    if (file->kind != NV_FILE_DATA || wish->attributes & SEC_IMAGE)
        return STATUS_INVALID_FILE_FOR_SECTION;
    NTSTATUS status = settle_size(file, wish, &section->size_bytes);
    section->file = file;
    section->descriptor = file->descriptor;
    return status;
}

static NTSTATUS fill_from_memory(struct nv_section *section, const struct wish *wish)
{
    if (wish->size_bytes == 0 || wish->attributes & SEC_IMAGE)
        return STATUS_INVALID_PARAMETER;
    section->size_bytes = wish->size_bytes;
    section->descriptor = nv_os->memory_file(wish->size_bytes);
    return section->descriptor < 0 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

/* Fills all of the section but its head. The reference to the file is the section's if that succeeds. */
static NTSTATUS fill(struct nv_section *section, const struct wish *wish)
{
    struct nv_file *file;
    ACCESS_MASK granted;
    section->rights = wish->protection->rights | (wish->protection->rights & NV_PAGE_READ ? NV_PAGE_COPY : 0);
    if (!wish->file)
        return fill_from_memory(section, wish);
    NTSTATUS status = nv_file_reference(wish->file, &file, &granted);
    if (!NT_SUCCESS(status))
        return status;
    status = fill_from_file(section, file, granted, wish);
    if (!NT_SUCCESS(status))
        nv_file_release(file);
    return status;
}

static NTSTATUS create(const struct wish *wish, HANDLE *handle)
{
    struct nv_section *section = nv_os->resize(NULL, sizeof(*section));
    if (!section)
        return STATUS_INSUFFICIENT_RESOURCES;
    *section = (struct nv_section){.descriptor = -1};
    NTSTATUS status = fill(section, wish);
    if (!NT_SUCCESS(status)) {
        free(section);
        return status;
    }
    status = nv_object_begin(&section->object, &nv_section_type);
    if (NT_SUCCESS(status))
        *handle = nv_handle_open(&section->object, mapped_access(wish->access));
    else
        destroy(&section->object);
    return status;
}

static NTSTATUS probe(PHANDLE handle, POBJECT_ATTRIBUTES attributes, PLARGE_INTEGER size)
{
    NTSTATUS status = nv_probe_write(handle, sizeof(*handle));
    if (NT_SUCCESS(status) && size)
        status = nv_probe_read(size, sizeof(*size));
    if (NT_SUCCESS(status) && attributes)
        status = nv_probe_read(attributes, sizeof(*attributes));
    return status;
}

static NTSTATUS create_section(PHANDLE SectionHandle, POBJECT_ATTRIBUTES ObjectAttributes, PLARGE_INTEGER MaximumSize,
                               ULONG SectionPageProtection, struct wish *wish)
{
    HANDLE handle;
    NTSTATUS status = check_attributes(wish->attributes);
    if (!NT_SUCCESS(status))
        return status;
    wish->protection = nv_protection_find(SectionPageProtection);
    if (!wish->protection || !wish->protection->rights)
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!wish->trusted)
        status = probe(SectionHandle, ObjectAttributes, MaximumSize);
    if (!NT_SUCCESS(status))
        return status;
    if (ObjectAttributes && ObjectAttributes->ObjectName)
        return STATUS_OBJECT_NAME_INVALID;
    wish->size_bytes = MaximumSize ? (uint64_t)MaximumSize->QuadPart : 0;
    if (wish->size_bytes > SIZE_MAX_BYTES)
        return wish->file ? STATUS_SECTION_TOO_BIG : STATUS_INVALID_PARAMETER;
    status = create(wish, &handle);
    if (NT_SUCCESS(status))
        *SectionHandle = handle;
    return status;
}

NTSTATUS NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                         PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes,
                         HANDLE FileHandle)
{
    struct wish wish = {.access = DesiredAccess, .attributes = AllocationAttributes, .file = FileHandle};
    return create_section(SectionHandle, ObjectAttributes, MaximumSize, SectionPageProtection, &wish);
}

NTSTATUS ZwCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                         PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes,
                         HANDLE FileHandle)
{
    struct wish wish = {
        .access = DesiredAccess, .attributes = AllocationAttributes, .file = FileHandle, .trusted = nv_io_is_trusted()};
    return create_section(SectionHandle, ObjectAttributes, MaximumSize, SectionPageProtection, &wish);
}
