/* SPDX-License-Identifier: MIT */
/* Files by handles: what was written, created or renamed the NT way, and flushed too little. */
#include "tests/bugs/bugs.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define POSIX "--fs=posix"
#define FAIL_NEXT "--fail-sync=2"
#define ALL_ACCESS (GENERIC_READ | GENERIC_WRITE | DELETE | SYNCHRONIZE)

enum { GIVES_UP = 1 };

static void must(NTSTATUS status)
{
    bug_check(status == STATUS_SUCCESS);
}

/* A file of the current folder, which is the root; "" is the folder itself. */
static HANDLE open_file(const char *name, ULONG disposition, ULONG options)
{
    HANDLE root, handle;
    WCHAR text[32];
    UNICODE_STRING string = {0, sizeof(text), text};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (; name[string.Length / sizeof(WCHAR)]; string.Length += (USHORT)sizeof(WCHAR))
        text[string.Length / sizeof(WCHAR)] = (WCHAR)name[string.Length / sizeof(WCHAR)];
    must(NvrtlHandleFromFd(folder, GENERIC_READ, &root));
    InitializeObjectAttributes(&attributes, &string, 0, root, NULL);
    must(NtCreateFile(&handle, ALL_ACCESS, &attributes, &io, NULL, 0, FILE_SHARE_VALID_FLAGS, disposition,
                      options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    must(NtClose(root));
    close(folder);
    return handle;
}

static void write_text(HANDLE file, const char *text, LONGLONG offset)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER at = {.QuadPart = offset};
    must(NtWriteFile(file, NULL, NULL, NULL, &io, (PVOID)(uintptr_t)text, (ULONG)strlen(text), &at, NULL));
}

static NTSTATUS flush_with(HANDLE file, ULONG flags)
{
    IO_STATUS_BLOCK io;
    return NtFlushBuffersFileEx(file, flags, NULL, 0, &io);
}

static void written(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    (void)file;
    write_text(data, "text", 100);
    if (right)
        must(flush_with(data, 0));
    must(NtClose(data));
}

/* The data is handed to the device; that is all. */
static void data_only(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    (void)file;
    write_text(data, "text", 100);
    must(flush_with(data, right ? FLUSH_FLAGS_FILE_DATA_SYNC_ONLY : FLUSH_FLAGS_FILE_DATA_ONLY));
    must(NtClose(data));
}

static void changed_after_flush(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    (void)file;
    write_text(data, "text", 100);
    must(flush_with(data, 0));
    write_text(data, "TEXT", 100);
    if (right)
        must(flush_with(data, FLUSH_FLAGS_FLUSH_AND_PURGE));
    must(NtClose(data));
}

static void written_through(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, right ? FILE_WRITE_THROUGH : 0);
    (void)file;
    write_text(data, "text", 100);
    must(NtClose(data));
}

static void created(struct bug_file *file, bool right)
{
    HANDLE made = open_file("new", FILE_CREATE, 0);
    (void)file;
    write_text(made, "content", 0);
    if (right)
        must(flush_with(made, 0));
    must(NtClose(made));
}

/* What the case begins with has a durable name. */
static void flush_folder(void)
{
    HANDLE folder = open_file("", FILE_OPEN, FILE_DIRECTORY_FILE);
    must(flush_with(folder, 0));
    must(NtClose(folder));
}

/* A normal flush makes the name durable, too, where nothing else would. */
static void created_without_a_name(struct bug_file *file, bool right)
{
    flush_folder();
    HANDLE made = open_file("new", FILE_CREATE, 0);
    (void)file;
    write_text(made, "content", 0);
    must(flush_with(made, right ? 0 : FLUSH_FLAGS_FILE_DATA_SYNC_ONLY));
    must(NtClose(made));
}

/* By a handle that did not create it. */
static void opened_without_a_name(struct bug_file *file, bool right)
{
    flush_folder();
    HANDLE made = open_file("new", FILE_CREATE, 0);
    (void)file;
    must(NtClose(made));
    made = open_file("new", FILE_OPEN, 0);
    must(flush_with(made, right ? 0 : FLUSH_FLAGS_FILE_DATA_SYNC_ONLY));
    must(NtClose(made));
}

static void renamed(struct bug_file *file, bool right)
{
    static const char name[] = "renamed";
    union {
        FILE_RENAME_INFORMATION information;
        char room[sizeof(FILE_RENAME_INFORMATION) + sizeof(name) * sizeof(WCHAR)];
    } to = {.information = {.FileNameLength = (sizeof(name) - 1) * sizeof(WCHAR)}};
    HANDLE data = open_file("data", FILE_OPEN, 0);
    WCHAR *target = to.information.FileName; /* declared with one character */
    IO_STATUS_BLOCK io;
    (void)file;
    for (size_t i = 0; i < sizeof(name) - 1; i++)
        target[i] = (WCHAR)name[i];
    must(NtSetInformationFile(data, &io, &to, sizeof(to), FileRenameInformation));
    if (right)
        must(flush_with(data, 0));
    must(NtClose(data));
}

static void new_folder(struct bug_file *file, bool right)
{
    HANDLE folder = open_file("folder", FILE_CREATE, FILE_DIRECTORY_FILE);
    (void)file;
    if (right)
        must(flush_with(folder, 0));
    must(NtClose(folder));
}

/* The folder at stake is a file system of its own in a verified run: it can be flushed whole. */
static void whole_volume(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0), made = open_file("new", FILE_CREATE, 0);
    HANDLE folder = open_file("", FILE_OPEN, right ? FILE_NON_DIRECTORY_FILE : FILE_DIRECTORY_FILE);
    (void)file;
    must(flush_with(made, 0));
    write_text(data, "text", 100);
    must(flush_with(folder, 0));
    must(NtClose(folder));
    must(NtClose(made));
    must(NtClose(data));
}

/* -- views -- */

static char *map(HANDLE data)
{
    HANDLE section;
    PVOID base = NULL;
    SIZE_T size_bytes = 0;
    must(NtCreateSection(&section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, data));
    must(NtMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, NULL, &size_bytes, ViewShare, 0, PAGE_READWRITE));
    must(NtClose(section));
    return base;
}

static void flush_memory(char *start, SIZE_T size_bytes)
{
    IO_STATUS_BLOCK io;
    PVOID base = start;
    must(NtFlushVirtualMemory(NtCurrentProcess(), &base, &size_bytes, &io));
}

static void view(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    char *base = map(data);
    (void)file;
    memcpy(base + 5000, "text", 4);
    if (right)
        flush_memory(base + 5000, 4);
    must(NtUnmapViewOfSection(NtCurrentProcess(), base));
    must(NtClose(data));
}

static void wrong_page_of_a_view(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    char *base = map(data);
    (void)file;
    memcpy(base + 5000, "text", 4);
    flush_memory(right ? base + 4096 : base, 1);
    must(NtUnmapViewOfSection(NtCurrentProcess(), base));
    must(NtClose(data));
}

static void view_flushed_by_its_file(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    char *base = map(data);
    (void)file;
    memcpy(base + 5000, "text", 4);
    must(NtUnmapViewOfSection(NtCurrentProcess(), base));
    if (right)
        must(flush_with(data, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY));
    must(NtClose(data));
}

/* -- a flush that fails -- */

static void status_not_looked_at(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    (void)file;
    write_text(data, "text", 4096);
    if (flush_with(data, 0) != STATUS_SUCCESS && right)
        _exit(GIVES_UP);
}

/* To forget a failure is to say that the data has been written again. */
static void forgotten(struct bug_file *file, bool right)
{
    HANDLE data = open_file("data", FILE_OPEN, 0);
    (void)file;
    write_text(data, "text", 4096);
    if (flush_with(data, 0) == STATUS_SUCCESS)
        return;
    bug_check(flush_with(data, 0) != STATUS_SUCCESS);
    if (right)
        write_text(data, "anew", 4096);
    must(NvrtlForgetFileFailure(data));
    must(flush_with(data, 0));
}

static const struct bug bugs[] = {
    {"written", "not-flushed", written, NULL},
    {"data-only", "not-flushed", data_only, NULL},
    {"changed-after-flush", "changed-after-flush", changed_after_flush, NULL},
    {"written-through", "not-flushed", written_through, NULL},
    {"created", "not-flushed", created, NULL},
    {"created-without-a-name", "name-not-flushed", created_without_a_name, POSIX},
    {"opened-without-a-name", "name-not-flushed", opened_without_a_name, POSIX},
    {"renamed", "name-not-flushed", renamed, NULL},
    {"new-folder", "name-not-flushed", new_folder, NULL},
    {"whole-volume", "not-flushed", whole_volume, NULL},
    {"view", "not-flushed", view, NULL},
    {"wrong-page-of-a-view", "not-flushed", wrong_page_of_a_view, NULL},
    {"view-flushed-by-its-file", "not-flushed", view_flushed_by_its_file, NULL},
    {"status-not-looked-at", "flush-error-ignored", status_not_looked_at, FAIL_NEXT},
    {"forgotten", "flush-error-ignored", forgotten, FAIL_NEXT},
};
BUG_CLASS(handles, bugs);
