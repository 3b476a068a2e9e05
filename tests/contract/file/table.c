/* SPDX-License-Identifier: MIT */
/*
 * The file plane's table of behaviour, as one source for Linux and for Windows. Each row is a call, the status that is
 * expected of it, and what it makes of the I/O status block. Without --print the rows that differ are shown, and the
 * exit status is 1 if there are any; with it every row is, for `wine` to compare.
 *
 * Usage: table [--print] FOLDER, an empty folder by its NT name: \??\unix\tmp\x, or \??\C:\x
 */
#define WIN32_NO_STATUS
#include <windef.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>

#include <stdio.h>
#include <string.h>

#ifdef __MINGW32__
#include "mingw_missing.h"
#endif

#define SYNCHRONOUS FILE_SYNCHRONOUS_IO_NONALERT
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define READ_WRITE (GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE)
#define UNTOUCHED 0xdeadbeef
#define PAGE 0x1000
#define GRANULARITY 0x10000

static BOOLEAN prints;
static int failures;
static WCHAR folder[260];
static IO_STATUS_BLOCK io;

/* -- rows -- */

static void refill(void)
{
    io.Pointer = NULL;
    io.Status = (NTSTATUS)UNTOUCHED;
    io.Information = UNTOUCHED;
}

/* What became of the block: "-" when nothing, else status and information. */
static const char *io_text(char *text, size_t room)
{
    if ((ULONG)io.Status == UNTOUCHED && io.Information == UNTOUCHED) {
        return "-";
    }
    snprintf(text, room, "%08X/%X", (unsigned)io.Status, (unsigned)io.Information);
    return text;
}

/* A NULL for the block: it is not looked at. */
static void row(const char *name, NTSTATUS status, NTSTATUS expected, const char *expected_io)
{
    char text[40], got[64], wanted[64];

    snprintf(got, sizeof(got), "%08X %s", (unsigned)status, expected_io ? io_text(text, sizeof(text)) : "");
    snprintf(wanted, sizeof(wanted), "%08X %s", (unsigned)expected, expected_io ? expected_io : "");
    if (prints) {
        printf("%s: %s\n", name, got);
    } else if (strcmp(got, wanted) != 0) {
        printf("%s: %s, not %s\n", name, got, wanted);
        failures++;
    }
    refill();
}

#define DONE "00000000/0"
#define EXPECT(name, call, status) row(name, call, status, NULL)
#define EXPECT_IO(name, call, status, block) row(name, call, status, block)

/* The rest of the table stands on it. */
static void must(const char *what, NTSTATUS status)
{
    if (status != STATUS_SUCCESS) {
        printf("%s: %08X\n", what, (unsigned)status);
        failures++;
    }
    refill();
}

/* -- files -- */

struct name {
    WCHAR buffer[300];
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES attributes;
};

static void append(WCHAR *text, size_t room, const char *more)
{
    size_t length = 0;

    while (text[length]) {
        length++;
    }
    while (*more && length + 1 < room) {
        text[length++] = (WCHAR)*more++;
    }
    text[length] = 0;
}

static OBJECT_ATTRIBUTES *named(struct name *name, const WCHAR *path)
{
    RtlInitUnicodeString(&name->string, path);
    InitializeObjectAttributes(&name->attributes, &name->string, 0, NULL, NULL);
    return &name->attributes;
}

/* The name of a file in the folder; "" is the folder itself. */
static OBJECT_ATTRIBUTES *in_folder(struct name *name, const char *file)
{
    memcpy(name->buffer, folder, sizeof(folder));
    if (*file) {
        append(name->buffer, 300, "\\");
        append(name->buffer, 300, file);
    }
    return named(name, name->buffer);
}

static NTSTATUS create(HANDLE *handle, const char *file, ACCESS_MASK access, ULONG share, ULONG disposition,
                       ULONG options)
{
    struct name name;

    return NtCreateFile(handle, access, in_folder(&name, file), &io, NULL, FILE_ATTRIBUTE_NORMAL, share, disposition,
                        options, NULL, 0);
}

static HANDLE opened(const char *file, ACCESS_MASK access, ULONG options)
{
    HANDLE handle = NULL;

    must(file, create(&handle, file, access | SYNCHRONIZE, SHARE_ALL, FILE_OPEN_IF, options | SYNCHRONOUS));
    return handle;
}

static void close_all(HANDLE *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        NtClose(handles[i]);
    }
}

/* -- flush: which handles -- */

static void flush_rights(void)
{
    static const struct {
        const char *name;
        ACCESS_MASK access;
        NTSTATUS status;
        ULONG options;
    } rows[] = {
        {"flush: read and write", GENERIC_READ | GENERIC_WRITE, STATUS_SUCCESS, 0},
        {"flush: write data only", FILE_WRITE_DATA, STATUS_SUCCESS, 0},
        {"flush: append only", FILE_APPEND_DATA, STATUS_SUCCESS, 0},
        {"flush: write-through", GENERIC_READ | GENERIC_WRITE, STATUS_SUCCESS, FILE_WRITE_THROUGH},
        {"flush: read only", GENERIC_READ, STATUS_ACCESS_DENIED, 0},
        {"flush: read attributes", FILE_READ_ATTRIBUTES, STATUS_ACCESS_DENIED, 0},
        {"flush: write attributes", FILE_WRITE_ATTRIBUTES, STATUS_ACCESS_DENIED, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HANDLE handle = opened("rights", rows[i].access, rows[i].options);
        EXPECT_IO(rows[i].name, NtFlushBuffersFile(handle, &io), rows[i].status,
                  rows[i].status == STATUS_SUCCESS ? DONE : "-");
        NtClose(handle);
    }
}

static void flush_asynchronous(void)
{
    HANDLE handle = NULL;

    must("overlapped", create(&handle, "rights", GENERIC_READ | GENERIC_WRITE, SHARE_ALL, FILE_OPEN, 0));
    EXPECT_IO("flush: asynchronous handle", NtFlushBuffersFile(handle, &io), STATUS_SUCCESS, DONE);
    NtClose(handle);
}

static void flush_handles(HANDLE file, HANDLE section)
{
    HANDLE closed = opened("rights", GENERIC_WRITE, 0);

    NtClose(closed);
    EXPECT_IO("flush: no handle", NtFlushBuffersFile(NULL, &io), STATUS_INVALID_HANDLE, "-");
    EXPECT_IO("flush: 0xdeadbeef", NtFlushBuffersFile((HANDLE)(ULONG_PTR)0xdeadbeef, &io), STATUS_INVALID_HANDLE, "-");
    EXPECT_IO("flush: closed handle", NtFlushBuffersFile(closed, &io), STATUS_INVALID_HANDLE, "-");
    EXPECT_IO("flush: this process", NtFlushBuffersFile((HANDLE)(LONG_PTR)-1, &io), STATUS_OBJECT_TYPE_MISMATCH, "-");
    EXPECT_IO("flush: this thread", NtFlushBuffersFile((HANDLE)(LONG_PTR)-2, &io), STATUS_OBJECT_TYPE_MISMATCH, "-");
    EXPECT_IO("flush: a section", NtFlushBuffersFile(section, &io), STATUS_OBJECT_TYPE_MISMATCH, "-");
    EXPECT_IO("flush: Zw", ZwFlushBuffersFile(file, &io), STATUS_SUCCESS, DONE);
}

static void flush_pointers(HANDLE file, HANDLE read_only, void *read_only_page)
{
    char room[sizeof(IO_STATUS_BLOCK) + 1];
    PIO_STATUS_BLOCK bad = (PIO_STATUS_BLOCK)(ULONG_PTR)0xdeadbeaf;

    EXPECT("flush: no block", NtFlushBuffersFile(file, NULL), STATUS_ACCESS_VIOLATION);
    EXPECT("flush: no block, no handle", NtFlushBuffersFile(NULL, NULL), STATUS_ACCESS_VIOLATION);
    EXPECT("flush: no block, read only", NtFlushBuffersFile(read_only, NULL), STATUS_ACCESS_VIOLATION);
    EXPECT("flush: bad block", NtFlushBuffersFile(file, bad), STATUS_ACCESS_VIOLATION);
    EXPECT("flush: block on a read-only page", NtFlushBuffersFile(file, (PIO_STATUS_BLOCK)read_only_page),
           STATUS_ACCESS_VIOLATION);
    EXPECT("flush: misaligned block", NtFlushBuffersFile(file, (PIO_STATUS_BLOCK)(void *)(room + 1)), STATUS_SUCCESS);
}

/* -- flush: flags -- */

typedef NTSTATUS(NTAPI *flush_ex_function)(HANDLE, ULONG, PVOID, ULONG, PIO_STATUS_BLOCK);

static flush_ex_function flush_ex(void)
{
#ifdef __MINGW32__
    FARPROC found = GetProcAddress(GetModuleHandleA("ntdll"), "NtFlushBuffersFileEx"); /* since Windows 8 */
    return (flush_ex_function)(void *)found;
#else
    return NtFlushBuffersFileEx;
#endif
}

static void flush_flags(HANDLE file, HANDLE append_only, HANDLE read_only)
{
    static const struct {
        ULONG flags;
        NTSTATUS status;
    } rows[] = {
        {0, STATUS_SUCCESS},
        {FLUSH_FLAGS_FILE_DATA_ONLY, STATUS_SUCCESS},
        {FLUSH_FLAGS_NO_SYNC, STATUS_SUCCESS},
        {FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, STATUS_SUCCESS},
        {FLUSH_FLAGS_FLUSH_AND_PURGE, STATUS_SUCCESS},
        {3, STATUS_INVALID_PARAMETER},
        {5, STATUS_INVALID_PARAMETER},
        {6, STATUS_INVALID_PARAMETER},
        {0xf, STATUS_INVALID_PARAMETER},
        {0x10, STATUS_INVALID_PARAMETER},
        {0x80000000, STATUS_INVALID_PARAMETER},
    };
    char name[40];
    flush_ex_function ex = flush_ex();
    char parameters[8] = "";

    if (!ex) {
        return;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(name, sizeof(name), "flush ex: flags %X", (unsigned)rows[i].flags);
        EXPECT_IO(name, ex(file, rows[i].flags, NULL, 0, &io), rows[i].status, rows[i].status ? "-" : DONE);
    }
    EXPECT_IO("flush ex: parameters", ex(file, 0, parameters, 0, &io), STATUS_INVALID_PARAMETER, "-");
    EXPECT_IO("flush ex: size of parameters", ex(file, 0, NULL, 8, &io), STATUS_INVALID_PARAMETER, "-");
    EXPECT_IO("flush ex: both", ex(file, 0, parameters, 8, &io), STATUS_INVALID_PARAMETER, "-");
    EXPECT_IO("flush ex: append only", ex(append_only, 1, NULL, 0, &io), STATUS_SUCCESS, DONE);
    EXPECT_IO("flush ex: read only", ex(read_only, 4, NULL, 0, &io), STATUS_ACCESS_DENIED, "-");
    EXPECT_IO("flush ex: access before flags", ex(read_only, 0x10, NULL, 0, &io), STATUS_ACCESS_DENIED, "-");
    EXPECT_IO("flush ex: handle before flags", ex(NULL, 0x10, NULL, 0, &io), STATUS_INVALID_HANDLE, "-");
    EXPECT("flush ex: block before flags", ex(file, 0x10, NULL, 0, NULL), STATUS_ACCESS_VIOLATION);
}

static void flush_folders(void)
{
    static const struct {
        const char *name;
        ACCESS_MASK access;
        NTSTATUS status;
    } rows[] = {
        {"flush folder: read and write", GENERIC_READ | GENERIC_WRITE, STATUS_SUCCESS},
        {"flush folder: add file", FILE_ADD_FILE, STATUS_SUCCESS},
        {"flush folder: add subdirectory", FILE_ADD_SUBDIRECTORY, STATUS_SUCCESS},
        {"flush folder: read", GENERIC_READ, STATUS_ACCESS_DENIED},
        {"flush folder: list", FILE_LIST_DIRECTORY, STATUS_ACCESS_DENIED},
    };
    static const NTSTATUS by_flags[] = {[0] = STATUS_SUCCESS,
                                        [FLUSH_FLAGS_FILE_DATA_ONLY] = STATUS_SUCCESS,
                                        [FLUSH_FLAGS_NO_SYNC] = STATUS_SUCCESS,
                                        [FLUSH_FLAGS_FILE_DATA_SYNC_ONLY] = STATUS_INVALID_PARAMETER,
                                        [FLUSH_FLAGS_FLUSH_AND_PURGE] = STATUS_INVALID_PARAMETER};
    HANDLE handle;
    char name[40];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        handle = opened("", rows[i].access, FILE_DIRECTORY_FILE);
        EXPECT_IO(rows[i].name, NtFlushBuffersFile(handle, &io), rows[i].status, rows[i].status ? "-" : DONE);
        NtClose(handle);
    }
    handle = opened("", GENERIC_READ | GENERIC_WRITE, FILE_DIRECTORY_FILE);
    for (ULONG flags = 0; flush_ex() && flags <= FLUSH_FLAGS_FLUSH_AND_PURGE; flags = flags ? flags * 2 : 1) {
        snprintf(name, sizeof(name), "flush ex folder: flags %X", (unsigned)flags);
        EXPECT_IO(name, flush_ex()(handle, flags, NULL, 0, &io), by_flags[flags], by_flags[flags] ? "-" : DONE);
    }
    NtClose(handle);
}

static void flush_volumes(void)
{
    struct name name;
    HANDLE handle = NULL;
    char text[40];

    EXPECT("flush volume: opened",
           NtOpenFile(&handle, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, named(&name, L"\\??\\Z:"), &io, SHARE_ALL,
                      SYNCHRONOUS),
           STATUS_SUCCESS);
    EXPECT_IO("flush volume", NtFlushBuffersFile(handle, &io), STATUS_SUCCESS, DONE);
    for (ULONG flags = 1; flush_ex() && flags <= FLUSH_FLAGS_FLUSH_AND_PURGE; flags *= 2) {
        snprintf(text, sizeof(text), "flush ex volume: flags %X", (unsigned)flags);
        EXPECT_IO(text, flush_ex()(handle, flags, NULL, 0, &io), STATUS_INVALID_PARAMETER, "-");
    }
    NtClose(handle);
}

/* -- sections -- */

static NTSTATUS section_of(HANDLE *section, HANDLE file, LONGLONG size, ULONG protection, ULONG attributes)
{
    LARGE_INTEGER maximum;

    maximum.QuadPart = size;
    return NtCreateSection(section, SECTION_ALL_ACCESS, NULL, size ? &maximum : NULL, protection, attributes, file);
}

static HANDLE made_section(HANDLE file, ACCESS_MASK access, ULONG protection)
{
    HANDLE section = NULL;

    must("section", NtCreateSection(&section, access, NULL, NULL, protection, SEC_COMMIT, file));
    return section;
}

static void write_bytes(HANDLE file, ULONG count)
{
    static char bytes[8192];

    for (; count; count -= count < sizeof(bytes) ? count : sizeof(bytes)) {
        ULONG now = count < sizeof(bytes) ? count : sizeof(bytes);
        must("write", NtWriteFile(file, NULL, NULL, NULL, &io, bytes, now, NULL, NULL));
    }
}

static LONGLONG size_of(HANDLE file)
{
    FILE_STANDARD_INFORMATION standard;

    memset(&standard, 0, sizeof(standard));
    must("size", NtQueryInformationFile(file, &io, &standard, sizeof(standard), FileStandardInformation));
    return standard.EndOfFile.QuadPart;
}

static void section_creation(HANDLE file, HANDLE read_only, HANDLE append_only)
{
    HANDLE section = NULL, directory = opened("", GENERIC_READ | GENERIC_WRITE, FILE_DIRECTORY_FILE);
    HANDLE garbage = (HANDLE)(ULONG_PTR)0xdeadbeef;
    HANDLE good = made_section(file, SECTION_ALL_ACCESS, PAGE_READWRITE);

    EXPECT("section: write on read-only file", section_of(&section, read_only, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_ACCESS_DENIED);
    EXPECT("section: append-only file", section_of(&section, append_only, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_ACCESS_DENIED);
    EXPECT("section: bad handle", section_of(&section, garbage, 0, PAGE_READWRITE, SEC_COMMIT), STATUS_INVALID_HANDLE);
    EXPECT("section: of a section", section_of(&section, good, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_OBJECT_TYPE_MISMATCH);
    EXPECT("section: of a folder", section_of(&section, directory, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_INVALID_FILE_FOR_SECTION);
    EXPECT("section: no attributes", section_of(&section, file, 0, PAGE_READWRITE, 0), STATUS_INVALID_PARAMETER);
    EXPECT("section: no protection", section_of(&section, file, 0, 0, SEC_COMMIT), STATUS_INVALID_PAGE_PROTECTION);
    EXPECT("section: no access at all", section_of(&section, file, 0, PAGE_NOACCESS, SEC_COMMIT),
           STATUS_INVALID_PAGE_PROTECTION);
    EXPECT("section: no file and no size", section_of(&section, NULL, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_INVALID_PARAMETER);
    EXPECT("section: data as an image", section_of(&section, file, 0, PAGE_READONLY, SEC_IMAGE),
           STATUS_INVALID_FILE_FOR_SECTION);
    EXPECT("section: no place for the handle", section_of(NULL, file, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_ACCESS_VIOLATION);
    EXPECT("section: read-only, larger than the file",
           section_of(&section, read_only, 1 << 20, PAGE_READONLY, SEC_COMMIT), STATUS_SECTION_TOO_BIG);
    EXPECT("section: copy on write, larger than the file",
           section_of(&section, read_only, 1 << 20, PAGE_WRITECOPY, SEC_COMMIT), STATUS_SECTION_TOO_BIG);
    EXPECT("section: reserved", section_of(&section, file, 0, PAGE_READWRITE, SEC_RESERVE), STATUS_SUCCESS);
    NtClose(section);
    close_all((HANDLE[]){directory, good}, 2);
}

static void section_sizes(void)
{
    HANDLE section = NULL, empty = opened("empty", GENERIC_READ | GENERIC_WRITE, 0);

    EXPECT("section: of an empty file", section_of(&section, empty, 0, PAGE_READWRITE, SEC_COMMIT),
           STATUS_MAPPED_FILE_SIZE_ZERO);
    EXPECT("section: that extends the file", section_of(&section, empty, 8192, PAGE_READWRITE, SEC_COMMIT),
           STATUS_SUCCESS);
    EXPECT("section: the file's size then", (NTSTATUS)size_of(empty), 8192);
    close_all((HANDLE[]){section, empty}, 2);
}

/* -- views -- */

struct view {
    PVOID base;
    SIZE_T size_bytes;
    LARGE_INTEGER offset;
};

static NTSTATUS map(struct view *view, HANDLE section, ULONG protection)
{
    return NtMapViewOfSection(section, NtCurrentProcess(), &view->base, 0, 0, &view->offset, &view->size_bytes,
                              ViewShare, 0, protection);
}

static NTSTATUS unmap(PVOID address)
{
    return NtUnmapViewOfSection(NtCurrentProcess(), address);
}

static NTSTATUS map_part(HANDLE section, LONGLONG offset, SIZE_T size, ULONG protection)
{
    struct view view = {NULL, size, {.QuadPart = offset}};
    NTSTATUS status = map(&view, section, protection);

    if (NT_SUCCESS(status)) {
        unmap(view.base);
    }
    return status;
}

static void view_mapping(HANDLE file, HANDLE section)
{
    HANDLE only_read = made_section(file, SECTION_MAP_READ, PAGE_READWRITE);
    HANDLE of_read_only = made_section(file, SECTION_ALL_ACCESS, PAGE_READONLY);
    struct view view = {NULL, 0, {.QuadPart = 0}};

    EXPECT("view: whole section", map(&view, section, PAGE_READWRITE), STATUS_SUCCESS);
    EXPECT("view: its size, in whole pages", (NTSTATUS)view.size_bytes, 3 * GRANULARITY + PAGE);
    EXPECT("view: its base, of the granularity", (NTSTATUS)((ULONG_PTR)view.base % GRANULARITY), 0);
    EXPECT("view: unmapped", unmap(view.base), STATUS_SUCCESS);
    EXPECT("view: second part", map_part(section, GRANULARITY, PAGE, PAGE_READONLY), STATUS_SUCCESS);
    EXPECT("view: copy on write", map_part(section, 0, 0, PAGE_WRITECOPY), STATUS_SUCCESS);
    EXPECT("view: no access", map_part(section, 0, 0, PAGE_NOACCESS), STATUS_SUCCESS);
    EXPECT("view: write, by a handle for reading", map_part(only_read, 0, 0, PAGE_READWRITE), STATUS_ACCESS_DENIED);
    EXPECT("view: read, by a handle for reading", map_part(only_read, 0, 0, PAGE_READONLY), STATUS_SUCCESS);
    EXPECT("view: write, of a read-only section", map_part(of_read_only, 0, 0, PAGE_READWRITE),
           STATUS_SECTION_PROTECTION);
    EXPECT("view: execute, of a section that is not", map_part(section, 0, 0, PAGE_EXECUTE_READ),
           STATUS_SECTION_PROTECTION);
    EXPECT("view: misaligned offset", map_part(section, PAGE, 0, PAGE_READONLY), STATUS_MAPPED_ALIGNMENT);
    EXPECT("view: too large", map_part(section, 0, 4 * GRANULARITY, PAGE_READONLY), STATUS_INVALID_VIEW_SIZE);
    EXPECT("view: too large behind an offset", map_part(section, GRANULARITY, 3 * GRANULARITY, PAGE_READONLY),
           STATUS_INVALID_VIEW_SIZE);
    EXPECT("view: offset past the end", map_part(section, 4 * GRANULARITY, 0, PAGE_READONLY), STATUS_INVALID_PARAMETER);
    EXPECT("view: of a file", map_part(file, 0, 0, PAGE_READONLY), STATUS_OBJECT_TYPE_MISMATCH);
    EXPECT("view: of nothing", map_part(NULL, 0, 0, PAGE_READONLY), STATUS_INVALID_HANDLE);
    EXPECT("view: protection 3", map_part(section, 0, 0, 3), STATUS_INVALID_PAGE_PROTECTION);
    close_all((HANDLE[]){only_read, of_read_only}, 2);
}

static NTSTATUS map_with(HANDLE section, HANDLE process, SECTION_INHERIT inherit, ULONG allocation)
{
    struct view view = {NULL, 0, {.QuadPart = 0}};
    NTSTATUS status = NtMapViewOfSection(section, process, &view.base, 0, 0, NULL, &view.size_bytes, inherit,
                                         allocation, PAGE_READONLY);

    if (NT_SUCCESS(status)) {
        unmap(view.base);
    }
    return status;
}

static void view_arguments(HANDLE section)
{
    struct view view = {NULL, 0, {.QuadPart = 0}}, second;
    SIZE_T size = 0;
    PVOID base = NULL;

    EXPECT("view: in no process", map_with(section, NULL, ViewShare, 0), STATUS_INVALID_HANDLE);
    EXPECT("view: in a section", map_with(section, section, ViewShare, 0), STATUS_OBJECT_TYPE_MISMATCH);
    EXPECT("view: not for children", map_with(section, NtCurrentProcess(), ViewUnmap, 0), STATUS_SUCCESS);
    EXPECT("view: inheritance 0", map_with(section, NtCurrentProcess(), (SECTION_INHERIT)0, 0),
           STATUS_INVALID_PARAMETER_8);
    EXPECT("view: inheritance 3", map_with(section, NtCurrentProcess(), (SECTION_INHERIT)3, 0),
           STATUS_INVALID_PARAMETER_8);
    EXPECT("view: committed", map_with(section, NtCurrentProcess(), ViewShare, MEM_COMMIT), STATUS_INVALID_PARAMETER_9);
    EXPECT("view: no place for the base",
           NtMapViewOfSection(section, NtCurrentProcess(), NULL, 0, 0, NULL, &size, ViewShare, 0, PAGE_READONLY),
           STATUS_ACCESS_VIOLATION);
    EXPECT("view: no place for the size",
           NtMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, NULL, NULL, ViewShare, 0, PAGE_READONLY),
           STATUS_ACCESS_VIOLATION);
    must("map", map(&view, section, PAGE_READWRITE));
    second = view;
    EXPECT("view: with the size that it was told", map(&second, section, PAGE_READWRITE), STATUS_INVALID_VIEW_SIZE);
    second.size_bytes = 0;
    EXPECT("view: where one is", map(&second, section, PAGE_READWRITE), STATUS_CONFLICTING_ADDRESSES);
    second.base = (char *)view.base + PAGE;
    EXPECT("view: misaligned base", map(&second, section, PAGE_READWRITE), STATUS_MAPPED_ALIGNMENT);
    must("unmap", unmap(view.base));
    second.base = view.base;
    EXPECT("view: where one was", map(&second, section, PAGE_READWRITE), STATUS_SUCCESS);
    EXPECT("view: at the base asked for", second.base == view.base ? 0 : -1, 0);
    must("unmap", unmap(second.base));
}

static void view_unmapping(HANDLE file)
{
    HANDLE section = made_section(file, SECTION_ALL_ACCESS, PAGE_READWRITE);
    struct view view = {NULL, 0, {.QuadPart = 0}};

    must("map", map(&view, section, PAGE_READWRITE));
    EXPECT("unmap: section closed before", NtClose(section), STATUS_SUCCESS);
    memset(view.base, 'v', PAGE);
    EXPECT("unmap: no process", NtUnmapViewOfSection(NULL, view.base), STATUS_INVALID_HANDLE);
    EXPECT("unmap: at the end", unmap((char *)view.base + view.size_bytes), STATUS_NOT_MAPPED_VIEW);
    EXPECT("unmap: inside", unmap((char *)view.base + 100), STATUS_SUCCESS);
    EXPECT("unmap: again", unmap(view.base), STATUS_NOT_MAPPED_VIEW);
    EXPECT("unmap: nothing", unmap(NULL), STATUS_NOT_MAPPED_VIEW);
}

/* -- flushing virtual memory -- */

static NTSTATUS flush_memory(PVOID *base, SIZE_T *size)
{
    return NtFlushVirtualMemory(NtCurrentProcess(), base, size, &io);
}

static void virtual_memory(HANDLE section)
{
    struct view view = {NULL, 0, {.QuadPart = 0}};
    SIZE_T size = 0;
    PVOID base, local = &local;

    must("map", map(&view, section, PAGE_READWRITE));
    base = view.base;
    EXPECT_IO("flush memory: whole view", flush_memory(&base, &size), STATUS_SUCCESS, DONE);
    EXPECT("flush memory: the size it was", (NTSTATUS)size, (NTSTATUS)view.size_bytes);
    base = (char *)view.base + 100;
    size = 10;
    EXPECT_IO("flush memory: a few bytes", flush_memory(&base, &size), STATUS_SUCCESS, DONE);
    EXPECT("flush memory: base rounded down", base == view.base ? 0 : -1, 0);
    EXPECT("flush memory: size rounded up", (NTSTATUS)size, PAGE);
    size = view.size_bytes + 1;
    EXPECT_IO("flush memory: beyond the view", flush_memory(&base, &size), STATUS_INVALID_PARAMETER_2, "-");
    size = 0;
    EXPECT("flush memory: no block", NtFlushVirtualMemory(NtCurrentProcess(), &base, &size, NULL),
           STATUS_ACCESS_VIOLATION);
    EXPECT_IO("flush memory: no base", NtFlushVirtualMemory(NtCurrentProcess(), NULL, &size, &io),
              STATUS_ACCESS_VIOLATION, "-");
    EXPECT_IO("flush memory: no process", NtFlushVirtualMemory(NULL, &base, &size, &io), STATUS_INVALID_HANDLE, "-");
    must("unmap", unmap(view.base));
    base = view.base;
    EXPECT_IO("flush memory: unmapped", flush_memory(&base, &size), STATUS_NOT_MAPPED_VIEW, "-");
    EXPECT_IO("flush memory: private", flush_memory(&local, &size), STATUS_NOT_MAPPED_VIEW, "-");
}

/* -- handles, creation, reading and writing -- */

static void closing(void)
{
    HANDLE handle = opened("rights", GENERIC_READ, 0);

    EXPECT("close: handle", NtClose(handle), STATUS_SUCCESS);
    EXPECT("close: again", NtClose(handle), STATUS_INVALID_HANDLE);
    EXPECT("close: nothing", NtClose(NULL), STATUS_INVALID_HANDLE);
    EXPECT("close: 0xdeadbeef", NtClose((HANDLE)(ULONG_PTR)0xdeadbeef), STATUS_INVALID_HANDLE);
    EXPECT("close: this process", NtClose((HANDLE)(LONG_PTR)-1), STATUS_SUCCESS);
    EXPECT("close: this thread", NtClose((HANDLE)(LONG_PTR)-2), STATUS_SUCCESS);
}

/* One call of NtCreateFile that fails, or whose handle is closed at once. */
static NTSTATUS create_once(const char *file, ACCESS_MASK access, ULONG share, ULONG disposition, ULONG options)
{
    HANDLE handle = NULL;
    NTSTATUS status = create(&handle, file, access, share, disposition, options);

    if (NT_SUCCESS(status)) {
        NtClose(handle);
    }
    return status;
}

static void creating(void)
{
    HANDLE exclusive = NULL;

    EXPECT_IO("create: new", create_once("new", READ_WRITE, SHARE_ALL, FILE_CREATE, SYNCHRONOUS), STATUS_SUCCESS,
              "00000000/2");
    EXPECT_IO("create: open", create_once("new", READ_WRITE, SHARE_ALL, FILE_OPEN, SYNCHRONOUS), STATUS_SUCCESS,
              "00000000/1");
    EXPECT_IO("create: open or create", create_once("new", READ_WRITE, SHARE_ALL, FILE_OPEN_IF, SYNCHRONOUS),
              STATUS_SUCCESS, "00000000/1");
    EXPECT_IO("create: overwrite", create_once("new", READ_WRITE, SHARE_ALL, FILE_OVERWRITE, SYNCHRONOUS),
              STATUS_SUCCESS, "00000000/3");
    EXPECT("create: exists", create_once("new", READ_WRITE, SHARE_ALL, FILE_CREATE, SYNCHRONOUS),
           STATUS_OBJECT_NAME_COLLISION);
    EXPECT("create: missing", create_once("missing", READ_WRITE, SHARE_ALL, FILE_OPEN, SYNCHRONOUS),
           STATUS_OBJECT_NAME_NOT_FOUND);
    EXPECT("create: missing parent", create_once("no\\new", READ_WRITE, SHARE_ALL, FILE_CREATE, SYNCHRONOUS),
           STATUS_OBJECT_PATH_NOT_FOUND);
    EXPECT("create: file as parent", create_once("new\\new", READ_WRITE, SHARE_ALL, FILE_CREATE, SYNCHRONOUS),
           STATUS_OBJECT_PATH_NOT_FOUND);
    EXPECT("create: file as folder",
           create_once("new", GENERIC_READ | SYNCHRONIZE, SHARE_ALL, FILE_OPEN, SYNCHRONOUS | FILE_DIRECTORY_FILE),
           STATUS_NOT_A_DIRECTORY);
    EXPECT("create: folder as file",
           create_once("", GENERIC_READ | SYNCHRONIZE, SHARE_ALL, FILE_OPEN, SYNCHRONOUS | FILE_NON_DIRECTORY_FILE),
           STATUS_FILE_IS_A_DIRECTORY);
    must("exclusive", create(&exclusive, "new", READ_WRITE, 0, FILE_OPEN, SYNCHRONOUS));
    EXPECT("create: not shared", create_once("new", READ_WRITE, SHARE_ALL, FILE_OPEN, SYNCHRONOUS),
           STATUS_SHARING_VIOLATION);
    NtClose(exclusive);
    EXPECT("create: disposition 6", create_once("new", READ_WRITE, SHARE_ALL, 6, SYNCHRONOUS),
           STATUS_INVALID_PARAMETER);
    EXPECT("create: synchronous without SYNCHRONIZE",
           create_once("new", FILE_WRITE_DATA, SHARE_ALL, FILE_OPEN, SYNCHRONOUS), STATUS_INVALID_PARAMETER);
    EXPECT("create: synchronous in both ways",
           create_once("new", READ_WRITE, SHARE_ALL, FILE_OPEN, SYNCHRONOUS | FILE_SYNCHRONOUS_IO_ALERT),
           STATUS_INVALID_PARAMETER);
    EXPECT("create: folder, superseded",
           create_once("dir", READ_WRITE, SHARE_ALL, FILE_SUPERSEDE, SYNCHRONOUS | FILE_DIRECTORY_FILE),
           STATUS_INVALID_PARAMETER);
    EXPECT("create: folder, overwritten",
           create_once("dir", READ_WRITE, SHARE_ALL, FILE_OVERWRITE_IF, SYNCHRONOUS | FILE_DIRECTORY_FILE),
           STATUS_INVALID_PARAMETER);
}

static NTSTATUS open_name(OBJECT_ATTRIBUTES *attributes)
{
    HANDLE handle = NULL;
    NTSTATUS status = NtOpenFile(&handle, GENERIC_READ | SYNCHRONIZE, attributes, &io, SHARE_ALL, SYNCHRONOUS);

    if (NT_SUCCESS(status)) {
        NtClose(handle);
    }
    return status;
}

static void naming(void)
{
    struct name name;
    OBJECT_ATTRIBUTES *attributes;

    EXPECT("name: relative", open_name(named(&name, L"relative")), STATUS_OBJECT_PATH_SYNTAX_BAD);
    EXPECT("name: of DOS", open_name(named(&name, L"C:\\new")), STATUS_OBJECT_PATH_SYNTAX_BAD);
    EXPECT("name: with *", open_name(named(&name, L"\\??\\Z:\\a*b")), STATUS_OBJECT_NAME_INVALID);
    EXPECT("name: with ?", open_name(named(&name, L"\\??\\Z:\\a?b")), STATUS_OBJECT_NAME_INVALID);
    EXPECT("name: with |", open_name(named(&name, L"\\??\\Z:\\a|b")), STATUS_OBJECT_NAME_INVALID);
    EXPECT("name: no attributes", open_name(NULL), STATUS_INVALID_PARAMETER);
    attributes = in_folder(&name, "new");
    attributes->ObjectName = NULL;
    EXPECT("name: none", open_name(attributes), STATUS_INVALID_PARAMETER);
    attributes = in_folder(&name, "new");
    attributes->Length = 7;
    EXPECT("name: attributes of a wrong length", open_name(attributes), STATUS_INVALID_PARAMETER);
    EXPECT("name: two dots", open_name(in_folder(&name, "..\\new")), STATUS_OBJECT_NAME_INVALID);
}

static void relative_names(void)
{
    struct name name;
    OBJECT_ATTRIBUTES *attributes = named(&name, L"new");

    attributes->RootDirectory = opened("", FILE_LIST_DIRECTORY | FILE_TRAVERSE, FILE_DIRECTORY_FILE);
    EXPECT("name: below an open folder", open_name(attributes), STATUS_SUCCESS);
    NtClose(attributes->RootDirectory);
    EXPECT("name: below a closed folder", open_name(attributes), STATUS_INVALID_HANDLE);
}

static NTSTATUS transfer(HANDLE file, BOOLEAN is_write, void *buffer, ULONG length, LONGLONG offset)
{
    LARGE_INTEGER at;

    at.QuadPart = offset;
    return is_write ? NtWriteFile(file, NULL, NULL, NULL, &io, buffer, length, &at, NULL)
                    : NtReadFile(file, NULL, NULL, NULL, &io, buffer, length, &at, NULL);
}

static void reading_and_writing(void)
{
    HANDLE file = opened("bytes", GENERIC_READ | GENERIC_WRITE, 0);
    HANDLE append_only = opened("bytes", FILE_APPEND_DATA, 0), read_only = opened("bytes", GENERIC_READ, 0);
    char buffer[16] = "0123456789";

    EXPECT_IO("write: ten bytes", transfer(file, TRUE, buffer, 10, 0), STATUS_SUCCESS, "00000000/A");
    EXPECT_IO("write: nothing", transfer(file, TRUE, buffer, 0, 0), STATUS_SUCCESS, DONE);
    EXPECT_IO("write: to the end", transfer(file, TRUE, buffer, 2, -1), STATUS_SUCCESS, "00000000/2");
    EXPECT_IO("write: at the position", transfer(file, TRUE, buffer, 2, -2), STATUS_SUCCESS, "00000000/2");
    EXPECT("write: the file's size then", (NTSTATUS)size_of(file), 14);
    EXPECT_IO("write: append only, at 0", transfer(append_only, TRUE, buffer, 10, 0), STATUS_SUCCESS, "00000000/A");
    EXPECT("write: the file's size after that", (NTSTATUS)size_of(file), 24);
    EXPECT_IO("write: at -3", transfer(file, TRUE, buffer, 2, -3), STATUS_INVALID_PARAMETER, "-");
    EXPECT_IO("write: at -20", transfer(file, TRUE, buffer, 2, -20), STATUS_INVALID_PARAMETER, "-");
    EXPECT_IO("write: no buffer", transfer(file, TRUE, NULL, 2, 0), STATUS_INVALID_USER_BUFFER, "-");
    EXPECT_IO("write: read-only handle", transfer(read_only, TRUE, buffer, 2, 0), STATUS_ACCESS_DENIED, "-");
    EXPECT_IO("read: append-only handle", transfer(append_only, FALSE, buffer, 2, 0), STATUS_ACCESS_DENIED, "-");
    EXPECT_IO("read: all", transfer(file, FALSE, buffer, 16, 0), STATUS_SUCCESS, "00000000/10");
    EXPECT_IO("read: to the end", transfer(file, FALSE, buffer, 16, 20), STATUS_SUCCESS, "00000000/4");
    EXPECT_IO("read: at the end", transfer(file, FALSE, buffer, 16, 24), STATUS_END_OF_FILE, "C0000011/0");
    EXPECT_IO("read: behind the end", transfer(file, FALSE, buffer, 16, 1000), STATUS_END_OF_FILE, "C0000011/0");
    EXPECT_IO("read: nothing", transfer(file, FALSE, buffer, 0, 0), STATUS_SUCCESS, DONE);
    EXPECT_IO("read: no buffer", transfer(file, FALSE, NULL, 2, 0), STATUS_ACCESS_VIOLATION, "-");
    EXPECT_IO("read: at -1", transfer(file, FALSE, buffer, 2, -1), STATUS_INVALID_PARAMETER, "-");
    EXPECT_IO("read: this process", transfer((HANDLE)(LONG_PTR)-1, FALSE, buffer, 2, 0), STATUS_OBJECT_TYPE_MISMATCH,
              "-");
    close_all((HANDLE[]){file, append_only, read_only}, 3);
}

static void folder_contents(void)
{
    HANDLE directory = opened("", GENERIC_READ | GENERIC_WRITE, FILE_DIRECTORY_FILE);
    char buffer[16] = "";

    EXPECT("read: a folder", transfer(directory, FALSE, buffer, 2, 0), STATUS_INVALID_DEVICE_REQUEST);
    EXPECT("write: a folder", transfer(directory, TRUE, buffer, 2, 0), STATUS_INVALID_DEVICE_REQUEST);
    NtClose(directory);
}

static NTSTATUS ask_volume(HANDLE file, void *buffer, ULONG length, ULONG information)
{
    return NtQueryVolumeInformationFile(file, &io, buffer, length, (FS_INFORMATION_CLASS)information);
}

static void volume_information(HANDLE file)
{
    union {
        FILE_FS_ATTRIBUTE_INFORMATION information;
        char bytes[600];
    } buffer;

    EXPECT("volume: attributes", ask_volume(file, &buffer, sizeof(buffer), 5), STATUS_SUCCESS);
    EXPECT("volume: 16 bytes", ask_volume(file, &buffer, 16, 5), STATUS_BUFFER_OVERFLOW);
    EXPECT_IO("volume: 12 bytes", ask_volume(file, &buffer, 12, 5), STATUS_INFO_LENGTH_MISMATCH, "-");
    EXPECT("volume: length before pointers", NtQueryVolumeInformationFile(NULL, NULL, NULL, 0, (FS_INFORMATION_CLASS)5),
           STATUS_INFO_LENGTH_MISMATCH);
    EXPECT("volume: class 0", ask_volume(file, &buffer, sizeof(buffer), 0), STATUS_INVALID_INFO_CLASS);
    EXPECT("volume: no handle", ask_volume(NULL, &buffer, sizeof(buffer), 5), STATUS_INVALID_HANDLE);
    EXPECT("volume: this process", ask_volume((HANDLE)(LONG_PTR)-1, &buffer, sizeof(buffer), 5),
           STATUS_OBJECT_TYPE_MISMATCH);
    EXPECT("volume: no buffer", ask_volume(file, NULL, sizeof(buffer), 5), STATUS_ACCESS_VIOLATION);
}

int main(int count, char **arguments)
{
    HANDLE file, read_only, append_only, section;
    struct view view = {NULL, 0, {.QuadPart = 0}};

    prints = count == 3 && strcmp(arguments[1], "--print") == 0;
    if (count != 2 && !prints) {
        fprintf(stderr, "usage: table [--print] FOLDER\n");
        return 2;
    }
    append(folder, sizeof(folder) / sizeof(folder[0]), arguments[count - 1]);
    refill();
    file = opened("file", GENERIC_READ | GENERIC_WRITE, 0);
    read_only = opened("file", GENERIC_READ, 0);
    append_only = opened("file", FILE_APPEND_DATA, 0);
    write_bytes(file, 3 * GRANULARITY + 100);
    section = made_section(file, SECTION_ALL_ACCESS, PAGE_READWRITE);
    must("map", map(&view, section, PAGE_READONLY));
    flush_rights();
    flush_asynchronous();
    flush_handles(file, section);
    flush_pointers(file, read_only, view.base);
    flush_flags(file, append_only, read_only);
    flush_folders();
    flush_volumes();
    section_creation(file, read_only, append_only);
    section_sizes();
    view_mapping(file, section);
    view_arguments(section);
    view_unmapping(file);
    virtual_memory(section);
    closing();
    creating();
    naming();
    relative_names();
    reading_and_writing();
    folder_contents();
    volume_information(file);
    must("unmap", unmap(view.base));
    close_all((HANDLE[]){file, read_only, append_only, section}, 4);
    return failures ? 1 : 0;
}
