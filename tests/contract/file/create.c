/* SPDX-License-Identifier: MIT */
/* NtCreateFile and NtOpenFile: dispositions, options, sharing, and the order in which arguments are checked. */
#include "tests/support/nt.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct row {
    const char *path;
    ACCESS_MASK access;
    ULONG disposition;
    ULONG options;
    NTSTATUS status;
    ULONG_PTR information;
};

static void check(const struct row *row)
{
    HANDLE handle = (HANDLE)1;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    NTSTATUS status =
        nt_create(&handle, row->access, row->path, &io, ALL_SHARED, row->disposition, row->options | SYNCHRONOUS);
    if (status != row->status || io.Status != row->status || io.Information != row->information)
        fail_msg("%s, disposition %u, options %x: status %x, block %x and %lu", row->path, row->disposition,
                 row->options, (ULONG)status, (ULONG)io.Status, (unsigned long)io.Information);
    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    else
        assert_ptr_equal(handle, (HANDLE)1);
}

static void dispositions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"new", RW, FILE_OPEN, 0, STATUS_OBJECT_NAME_NOT_FOUND, FILE_DOES_NOT_EXIST},
        {"new", RW, FILE_OVERWRITE, 0, STATUS_OBJECT_NAME_NOT_FOUND, FILE_DOES_NOT_EXIST},
        {"new", RW, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new", RW, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"new", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new", RW, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new2", RW, FILE_OPEN_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new2", RW, FILE_OVERWRITE, 0, STATUS_SUCCESS, FILE_OVERWRITTEN},
        {"new2", RW, FILE_OVERWRITE_IF, 0, STATUS_SUCCESS, FILE_OVERWRITTEN},
        {"new3", RW, FILE_OVERWRITE_IF, 0, STATUS_SUCCESS, FILE_CREATED},
        {"new3", RW, FILE_SUPERSEDE, 0, STATUS_SUCCESS, FILE_SUPERSEDED},
        {"new4", RW, FILE_SUPERSEDE, 0, STATUS_SUCCESS, FILE_CREATED},
        {"dir", RW, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {"dir", RW, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"dir", RW, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {"dir2", RW, FILE_OPEN_IF, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {"dir", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"dir", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {"dir", RW, FILE_OVERWRITE_IF, 0, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"new", RW, FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY, 0},
        {"new", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {"no/file", RW, FILE_CREATE, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"no/file", RW, FILE_OPEN, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"new/file", RW, FILE_OPEN, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"new/file", RW, FILE_CREATE, 0, STATUS_OBJECT_PATH_NOT_FOUND, 0},
        {"new/", RW, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {"dir/", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new5/", RW, FILE_CREATE, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {"dir3/", RW, FILE_CREATE, FILE_DIRECTORY_FILE, STATUS_SUCCESS, FILE_CREATED},
        {"new", FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"new6", FILE_READ_ATTRIBUTES | SYNCHRONIZE, FILE_CREATE, 0, STATUS_SUCCESS, FILE_CREATED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void volumes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/proc", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS, FILE_OPENED},
        {"/proc/", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {"/proc/self", RW, FILE_OPEN, FILE_NON_DIRECTORY_FILE, STATUS_FILE_IS_A_DIRECTORY, 0},
        {"/proc", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

/* -- arguments -- */

#define BAD ((PVOID)(uintptr_t)0xdeadbeec)

/* Of all pointers, none is looked at before the other arguments are right. */
static void arguments(void **state)
{
    (void)state;
    static const struct {
        ACCESS_MASK access;
        ULONG attributes;
        ULONG share;
        ULONG disposition;
        ULONG options;
    } rows[] = {
        {RW, 0x8000, 0, FILE_OPEN, 0},
        {RW, 0x40, 0, FILE_OPEN, 0},
        {RW, 0, 8, FILE_OPEN, 0},
        {RW, 0, 0, FILE_MAXIMUM_DISPOSITION + 1, 0},
        {RW, 0, 0, 0xffffffff, 0},
        {RW, 0, 0, FILE_OPEN, 0x01000000},
        {RW, 0, 0, FILE_OPEN, 0x80000000},
        {FILE_READ_DATA, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_ALERT},
        {FILE_READ_DATA, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT},
        {RW, 0, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT},
        {RW, 0, 0, FILE_OPEN, FILE_DELETE_ON_CLOSE},
        {RW, 0, 0, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE},
        {RW, 0, 0, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_NO_INTERMEDIATE_BUFFERING},
        {RW, 0, 0, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_RANDOM_ACCESS},
        {RW, 0, 0, FILE_OPEN, FILE_DIRECTORY_FILE | FILE_SEQUENTIAL_ONLY},
        {RW, 0, 0, FILE_SUPERSEDE, FILE_DIRECTORY_FILE},
        {RW, 0, 0, FILE_OVERWRITE, FILE_DIRECTORY_FILE},
        {RW, 0, 0, FILE_OVERWRITE_IF, FILE_DIRECTORY_FILE},
        {RW | FILE_APPEND_DATA, 0, 0, FILE_OPEN, FILE_NO_INTERMEDIATE_BUFFERING},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        NTSTATUS status = NtCreateFile(BAD, rows[i].access, BAD, BAD, BAD, rows[i].attributes, rows[i].share,
                                       rows[i].disposition, rows[i].options, BAD, 1);
        if (status != STATUS_INVALID_PARAMETER)
            fail_msg("row %zu: %x", i, (ULONG)status);
    }
    assert_status(NtOpenFile(BAD, RW, BAD, BAD, 8, 0), STATUS_INVALID_PARAMETER);
}

static NTSTATUS open_with(OBJECT_ATTRIBUTES *attributes, HANDLE *handle, IO_STATUS_BLOCK *io)
{
    return NtOpenFile(handle, RW, attributes, io, ALL_SHARED, SYNCHRONOUS);
}

static void pointers(void **state)
{
    (void)state;
    struct nt_name name;
    HANDLE handle;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    LARGE_INTEGER size = {0};
    char misaligned[sizeof(OBJECT_ATTRIBUTES) + 4];
    OBJECT_ATTRIBUTES *attributes = nt_unix_name(&name, "pointers");
    make_file("pointers", "");
    memcpy(misaligned + 1, attributes, sizeof(*attributes));
    assert_status(open_with(attributes, BAD, &io), STATUS_ACCESS_VIOLATION);
    assert_status(open_with(attributes, NULL, &io), STATUS_ACCESS_VIOLATION);
    assert_status(open_with(attributes, &handle, BAD), STATUS_ACCESS_VIOLATION);
    assert_status(open_with(attributes, &handle, NULL), STATUS_ACCESS_VIOLATION);
    assert_status(open_with(BAD, &handle, &io), STATUS_ACCESS_VIOLATION);
    assert_status(open_with((PVOID)(misaligned + 1), &handle, &io), STATUS_DATATYPE_MISALIGNMENT);
    assert_status(NtCreateFile(&handle, RW, attributes, &io, BAD, 0, 0, FILE_OPEN, 0, NULL, 0),
                  STATUS_ACCESS_VIOLATION);
    assert_status(NtCreateFile(&handle, RW, attributes, &io, NULL, 0, 0, FILE_OPEN, 0, BAD, 8),
                  STATUS_ACCESS_VIOLATION);
    assert_status(NtCreateFile(&handle, RW, attributes, &io, &size, 0, 0, FILE_OPEN, 0, &size, 8),
                  STATUS_EAS_NOT_SUPPORTED);
    attributes->ObjectName = BAD;
    assert_status(open_with(attributes, &handle, &io), STATUS_ACCESS_VIOLATION);
    attributes->ObjectName = NULL;
    assert_status(open_with(attributes, &handle, &io), STATUS_INVALID_PARAMETER);
    assert_status(open_with(NULL, &handle, &io), STATUS_INVALID_PARAMETER);
    nt_unix_name(&name, "pointers")->Length--;
    assert_status(open_with(attributes, &handle, &io), STATUS_INVALID_PARAMETER);
    nt_unix_name(&name, "pointers")->Attributes = 1;
    assert_status(open_with(attributes, &handle, &io), STATUS_INVALID_PARAMETER);
    nt_unix_name(&name, "pointers");
    name.string.Buffer = BAD;
    assert_status(open_with(attributes, &handle, &io), STATUS_ACCESS_VIOLATION);
    assert_status(io.Status, UNTOUCHED);
    assert_int_equal(io.Information, 0xdeadbeef);
    nt_unix_name(&name, "pointers")->Attributes = OBJ_CASE_INSENSITIVE | OBJ_INHERIT;
    assert_status(open_with(attributes, &handle, &io), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void access_masks(void **state)
{
    (void)state;
    static const struct {
        ACCESS_MASK wanted;
        ACCESS_MASK granted;
    } rows[] = {
        {GENERIC_READ, FILE_GENERIC_READ},
        {GENERIC_WRITE, FILE_GENERIC_WRITE},
        {GENERIC_EXECUTE, FILE_GENERIC_EXECUTE},
        {GENERIC_ALL, FILE_ALL_ACCESS},
        {GENERIC_READ | GENERIC_WRITE, FILE_GENERIC_READ | FILE_GENERIC_WRITE},
        {FILE_APPEND_DATA, FILE_APPEND_DATA},
        {MAXIMUM_ALLOWED, FILE_ALL_ACCESS},
        {DELETE, DELETE},
    };
    make_file("masks", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HANDLE handle;
        IO_STATUS_BLOCK io;
        FILE_ACCESS_INFORMATION access;
        assert_status(nt_create(&handle, rows[i].wanted, "masks", &io, ALL_SHARED, FILE_OPEN, 0), STATUS_SUCCESS);
        assert_status(NtQueryInformationFile(handle, &io, &access, sizeof(access), FileAccessInformation),
                      STATUS_SUCCESS);
        assert_int_equal(access.AccessFlags, rows[i].granted);
        assert_status(NtClose(handle), STATUS_SUCCESS);
    }
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(nt_create(&handle, 0, "masks", &io, ALL_SHARED, FILE_OPEN, 0), STATUS_ACCESS_DENIED);
    assert_status(nt_create(&handle, RW | 0x01000000, "masks", &io, ALL_SHARED, FILE_OPEN, 0), STATUS_ACCESS_DENIED);
    assert_status(nt_create(&handle, RW | 0x8000, "masks", &io, ALL_SHARED, FILE_OPEN, 0), STATUS_ACCESS_DENIED);
}

/* A generic right has SYNCHRONIZE in it, and GENERIC_ALL has DELETE. */
static void implied_rights(void **state)
{
    (void)state;
    static const struct {
        ACCESS_MASK access;
        ULONG options;
        NTSTATUS status;
    } rows[] = {
        {GENERIC_READ, FILE_SYNCHRONOUS_IO_NONALERT, STATUS_SUCCESS},
        {GENERIC_WRITE, FILE_SYNCHRONOUS_IO_ALERT, STATUS_SUCCESS},
        {MAXIMUM_ALLOWED, FILE_SYNCHRONOUS_IO_NONALERT, STATUS_SUCCESS},
        {GENERIC_WRITE, FILE_DELETE_ON_CLOSE, STATUS_INVALID_PARAMETER},
        {GENERIC_ALL, FILE_DELETE_ON_CLOSE, STATUS_SUCCESS},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HANDLE handle;
        IO_STATUS_BLOCK io;
        NTSTATUS status = nt_create(&handle, rows[i].access, "implied", &io, ALL_SHARED, FILE_OPEN_IF, rows[i].options);
        if (status != rows[i].status)
            fail_msg("row %zu: %x", i, (ULONG)status);
        if (status == STATUS_SUCCESS)
            assert_status(NtClose(handle), STATUS_SUCCESS);
    }
    assert_int_equal(access("implied", F_OK), -1);
}

/* What replaces a file on Windows empties it here; other names of it, and who has it open, see that. */
static void superseded(void **state)
{
    (void)state;
    struct nt_name name;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER size = {.QuadPart = 1 << 20};
    struct stat before, after;
    make_file("superseded", "content");
    assert_int_equal(stat("superseded", &before), 0);
    assert_status(
        NtCreateFile(&handle, RW, nt_unix_name(&name, "superseded"), &io, &size, 0, 0, FILE_SUPERSEDE, 0, NULL, 0),
        STATUS_SUCCESS);
    assert_int_equal(io.Information, FILE_SUPERSEDED);
    assert_int_equal(stat("superseded", &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size + after.st_blocks, 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- sharing -- */

static void sharing(void **state)
{
    (void)state;
    static const struct {
        ACCESS_MASK first;
        ULONG first_share;
        ACCESS_MASK second;
        ULONG second_share;
        NTSTATUS status;
    } rows[] = {
        {FILE_READ_DATA, FILE_SHARE_READ, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SUCCESS},
        {FILE_READ_DATA, 0, FILE_READ_DATA, ALL_SHARED, STATUS_SHARING_VIOLATION},
        {FILE_READ_DATA, ALL_SHARED, FILE_READ_DATA, 0, STATUS_SHARING_VIOLATION},
        {FILE_READ_DATA, FILE_SHARE_READ, FILE_WRITE_DATA, ALL_SHARED, STATUS_SHARING_VIOLATION},
        {FILE_READ_DATA, FILE_SHARE_READ, FILE_APPEND_DATA, ALL_SHARED, STATUS_SHARING_VIOLATION},
        {FILE_WRITE_DATA, ALL_SHARED, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SHARING_VIOLATION},
        {FILE_WRITE_DATA, ALL_SHARED, FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, STATUS_SUCCESS},
        {FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, DELETE, ALL_SHARED, STATUS_SHARING_VIOLATION},
        {DELETE, ALL_SHARED, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SHARING_VIOLATION},
        {FILE_EXECUTE, FILE_SHARE_READ, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SUCCESS},
        {FILE_EXECUTE, FILE_SHARE_WRITE, FILE_READ_DATA, FILE_SHARE_READ, STATUS_SHARING_VIOLATION},
        {FILE_READ_ATTRIBUTES, 0, FILE_READ_DATA | FILE_WRITE_DATA, 0, STATUS_SUCCESS},
        {FILE_READ_DATA | FILE_WRITE_DATA, 0, FILE_READ_ATTRIBUTES, 0, STATUS_SUCCESS},
    };
    make_file("shared", "kept");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HANDLE first, second;
        IO_STATUS_BLOCK io;
        assert_status(nt_create(&first, rows[i].first, "shared", &io, rows[i].first_share, FILE_OPEN, 0),
                      STATUS_SUCCESS);
        NTSTATUS status = nt_create(&second, rows[i].second, "shared", &io, rows[i].second_share, FILE_OPEN, 0);
        if (status != rows[i].status || io.Status != status)
            fail_msg("row %zu: %x", i, (ULONG)status);
        if (status == STATUS_SUCCESS)
            assert_status(NtClose(second), STATUS_SUCCESS);
        assert_status(NtClose(first), STATUS_SUCCESS);
        assert_status(nt_create(&second, rows[i].second, "shared", &io, rows[i].second_share, FILE_OPEN, 0),
                      STATUS_SUCCESS);
        assert_status(NtClose(second), STATUS_SUCCESS);
    }
}

static off_t size_of(const char *path)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    return facts.st_size;
}

/* Who may not open a file does not empty it; by another of its names, neither. */
static void refused_overwriting(void **state)
{
    (void)state;
    HANDLE first, second;
    IO_STATUS_BLOCK io;
    make_file("kept", "content");
    assert_int_equal(link("kept", "kept-too"), 0);
    assert_status(nt_create(&first, FILE_READ_DATA, "kept", &io, FILE_SHARE_READ, FILE_OPEN, 0), STATUS_SUCCESS);
    assert_status(nt_create(&second, RW, "kept-too", &io, ALL_SHARED, FILE_OVERWRITE_IF, 0), STATUS_SHARING_VIOLATION);
    assert_int_equal(size_of("kept"), 7);
    assert_status(NtClose(first), STATUS_SUCCESS);
    assert_status(nt_create(&second, FILE_READ_DATA, "kept-too", &io, ALL_SHARED, FILE_OVERWRITE_IF, 0),
                  STATUS_SUCCESS);
    assert_int_equal(size_of("kept"), 0);
    assert_status(NtClose(second), STATUS_SUCCESS);
}

/* -- permissions -- */

static void read_only_files(void **state)
{
    (void)state;
    struct nt_name name;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    struct stat facts;
    assert_status(NtCreateFile(&handle, RW | DELETE, nt_unix_name(&name, "read-only"), &io, NULL,
                               FILE_ATTRIBUTE_READONLY, 0, FILE_CREATE, 0, NULL, 0),
                  STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(stat("read-only", &facts), 0);
    assert_int_equal(facts.st_mode & 0222, 0);
    assert_status(nt_create(&handle, DELETE, "read-only", &io, 0, FILE_OPEN, FILE_DELETE_ON_CLOSE),
                  STATUS_CANNOT_DELETE);
    assert_status(NtCreateFile(&handle, RW | DELETE, nt_unix_name(&name, "read-only-2"), &io, NULL,
                               FILE_ATTRIBUTE_READONLY, 0, FILE_CREATE, FILE_DELETE_ON_CLOSE, NULL, 0),
                  STATUS_CANNOT_DELETE);
    assert_int_equal(access("read-only-2", F_OK), -1);
}

/* Permissions are those of Linux; root would have all. */
static void permissions(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        mode_t mode;
        ACCESS_MASK access;
        NTSTATUS status;
        ACCESS_MASK maximum;
    } rows[] = {
        {"file-rw", 0600, RW, STATUS_SUCCESS, FILE_ALL_ACCESS},
        {"file-r", 0400, RW, STATUS_ACCESS_DENIED, FILE_GENERIC_READ | FILE_GENERIC_EXECUTE | DELETE},
        {"file-w", 0200, RW, STATUS_ACCESS_DENIED, FILE_GENERIC_WRITE | DELETE},
        {"file-0", 0, FILE_READ_DATA, STATUS_ACCESS_DENIED, FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE | DELETE},
        {"file-0", 0, FILE_READ_ATTRIBUTES, STATUS_SUCCESS, 0},
        {"dir-rx/", 0500, FILE_LIST_DIRECTORY, STATUS_SUCCESS, FILE_GENERIC_READ | FILE_GENERIC_EXECUTE | DELETE},
        {"dir-rx/", 0500, FILE_ADD_FILE, STATUS_ACCESS_DENIED, 0},
        {"dir-x/", 0100, FILE_TRAVERSE, STATUS_SUCCESS, 0},
        {"dir-x/", 0100, FILE_LIST_DIRECTORY, STATUS_ACCESS_DENIED, 0},
    };
    uid_t user = geteuid();
    char here[4096];
    chmod(".", 0777);
    if (user == 0 && seteuid(65534) != 0)
        skip();
    assert_non_null(getcwd(here, sizeof(here)));
    if (access(here, X_OK) != 0) {
        assert_int_equal(seteuid(user), 0);
        print_message("other users cannot come here\n");
        skip();
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HANDLE handle;
        IO_STATUS_BLOCK io;
        bool is_folder = strchr(rows[i].path, '/');
        int made = is_folder ? mkdir(rows[i].path, 0700) : open(rows[i].path, O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(chmod(rows[i].path, rows[i].mode), 0);
        NTSTATUS status = nt_create(&handle, rows[i].access, rows[i].path, &io, ALL_SHARED, FILE_OPEN, 0);
        if (status != rows[i].status)
            fail_msg("%s: %x", rows[i].path, (ULONG)status);
        if (status == STATUS_SUCCESS)
            assert_status(NtClose(handle), STATUS_SUCCESS);
        if (!is_folder && made >= 0)
            close(made);
        if (!rows[i].maximum)
            continue;
        FILE_ACCESS_INFORMATION granted;
        assert_status(nt_create(&handle, MAXIMUM_ALLOWED, rows[i].path, &io, ALL_SHARED, FILE_OPEN, 0), STATUS_SUCCESS);
        assert_status(NtQueryInformationFile(handle, &io, &granted, sizeof(granted), FileAccessInformation),
                      STATUS_SUCCESS);
        assert_int_equal(granted.AccessFlags, rows[i].maximum);
        assert_status(NtClose(handle), STATUS_SUCCESS);
    }
    assert_int_equal(seteuid(user), 0);
}

/* -- links -- */

static void links(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"to-file", RW, FILE_OPEN, 0, STATUS_SUCCESS, FILE_OPENED},
        {"to-file", RW, FILE_OPEN, FILE_OPEN_REPARSE_POINT, STATUS_NOT_SUPPORTED, 0},
        {"file", RW, FILE_OPEN, FILE_OPEN_REPARSE_POINT, STATUS_SUCCESS, FILE_OPENED},
        {"to-file", RW, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"to-nothing", RW, FILE_OPEN, 0, STATUS_OBJECT_NAME_NOT_FOUND, FILE_DOES_NOT_EXIST},
        {"to-nothing", RW, FILE_CREATE, 0, STATUS_OBJECT_NAME_COLLISION, FILE_EXISTS},
        {"to-nothing", RW, FILE_OPEN_IF, 0, STATUS_OBJECT_NAME_NOT_FOUND, FILE_DOES_NOT_EXIST},
        {"to-itself", RW, FILE_OPEN, 0, STATUS_OBJECT_NAME_INVALID, 0},
        {"file", RW, FILE_OPEN, FILE_OPEN_BY_FILE_ID, STATUS_NOT_SUPPORTED, 0},
    };
    make_file("file", "");
    assert_int_equal(symlink("file", "to-file") | symlink("nothing", "to-nothing") | symlink("to-itself", "to-itself"),
                     0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
    assert_int_equal(access("nothing", F_OK), -1);
}

/* -- deleting -- */

static NTSTATUS try_open(const char *path)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    NTSTATUS status = nt_create(&handle, FILE_READ_DATA, path, &io, ALL_SHARED, FILE_OPEN, 0);
    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

static void deleted_on_close(void **state)
{
    (void)state;
    HANDLE one, other, folder;
    IO_STATUS_BLOCK io;
    make_file("going", "");
    assert_status(nt_create(&one, DELETE | RW, "going", &io, ALL_SHARED, FILE_OPEN, FILE_DELETE_ON_CLOSE),
                  STATUS_SUCCESS);
    assert_status(nt_create(&other, FILE_READ_DATA, "going", &io, ALL_SHARED, FILE_OPEN, 0), STATUS_SUCCESS);
    assert_int_equal(rename("going", "gone"), 0); /* its name is what it is by then */
    assert_status(try_open("gone"), STATUS_SUCCESS);
    assert_status(NtClose(one), STATUS_SUCCESS);
    assert_status(try_open("gone"), STATUS_DELETE_PENDING);
    assert_int_equal(access("gone", F_OK), 0);
    assert_status(NtClose(other), STATUS_SUCCESS);
    assert_int_equal(access("gone", F_OK), -1);
    assert_status(try_open("gone"), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(nt_create(&folder, DELETE, "going-folder", &io, ALL_SHARED, FILE_CREATE,
                            FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE),
                  STATUS_SUCCESS);
    assert_status(NtClose(folder), STATUS_SUCCESS);
    assert_int_equal(access("going-folder", F_OK), -1);
}

/* Another file that has taken the name meanwhile is let alone. */
static void deleted_when_replaced(void **state)
{
    (void)state;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    make_file("replaced", "old");
    assert_status(nt_create(&handle, DELETE, "replaced", &io, ALL_SHARED, FILE_OPEN, FILE_DELETE_ON_CLOSE),
                  STATUS_SUCCESS);
    make_file("new-one", "new");
    make_file("replaced (deleted)", "what Linux says of the first one's name then");
    assert_int_equal(rename("new-one", "replaced"), 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(access("replaced", F_OK) | access("replaced (deleted)", F_OK), 0);
}

/* How many descriptors a program would get that this one starts. */
static size_t inherited(void)
{
    size_t count = 0;
    for (int i = 0; i < 100; i++) {
        int flags = fcntl(i, F_GETFD);
        count += flags >= 0 && !(flags & FD_CLOEXEC);
    }
    return count;
}

static void descriptors_are_close_on_exec(void **state)
{
    (void)state;
    HANDLE handle;
    int pipe_ends[2];
    size_t before = descriptors(), inherited_before = inherited();
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    assert_status(NvrtlHandleFromFd(pipe_ends[1], FILE_WRITE_DATA, &handle), STATUS_SUCCESS);
    assert_int_equal(inherited(), inherited_before);
    assert_int_equal(descriptors(), before + 3);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_INVALID_HANDLE);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    assert_status(NvrtlHandleFromFd(pipe_ends[0], RW, &handle), STATUS_INVALID_HANDLE);
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dispositions),
        cmocka_unit_test(volumes),
        cmocka_unit_test(arguments),
        cmocka_unit_test(pointers),
        cmocka_unit_test(access_masks),
        cmocka_unit_test(implied_rights),
        cmocka_unit_test(superseded),
        cmocka_unit_test(sharing),
        cmocka_unit_test(refused_overwriting),
        cmocka_unit_test(read_only_files),
        cmocka_unit_test(permissions),
        cmocka_unit_test(links),
        cmocka_unit_test(deleted_on_close),
        cmocka_unit_test(deleted_when_replaced),
        cmocka_unit_test(descriptors_are_close_on_exec),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
