/* SPDX-License-Identifier: MIT */
/*
 * Names of files: devices and drives, what may be in a name, folders that names are relative to. Run with
 * NVRTL_DRIVES=D:=/proc;e:=/proc/;F:=relative;G=/proc;4:=/proc;H:=/
 */
#include "tests/support/nt.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char here[PATH_MAX];

static NTSTATUS open_attributes(OBJECT_ATTRIBUTES *attributes, IO_STATUS_BLOCK *io)
{
    HANDLE handle;
    NTSTATUS status = NtOpenFile(&handle, FILE_READ_ATTRIBUTES | FILE_READ_DATA, attributes, io, ALL_SHARED, 0);
    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

struct row {
    const char *name; /* %s is the current folder, with a slash before it; %b with backslashes */
    NTSTATUS status;
};

/* What is refused for its name alone leaves the status block as it was. */
static bool leaves_block(NTSTATUS status)
{
    return status == STATUS_OBJECT_NAME_INVALID || status == STATUS_OBJECT_PATH_SYNTAX_BAD ||
           status == STATUS_NAME_TOO_LONG;
}

static void check(const struct row *row)
{
    char text[2 * PATH_MAX] = "", folder[PATH_MAX];
    struct nt_name name;
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    strcpy(folder, here);
    for (char *at = folder; strstr(row->name, "%b") && *at; at++)
        *at = *at == '/' ? '\\' : *at;
    const char *percent = strchr(row->name, '%');
    size_t before = percent ? (size_t)(percent - row->name) : strlen(row->name);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)before, row->name, percent ? folder : "", percent ? percent + 2 : "");
    NTSTATUS status = open_attributes(nt_name(&name, text, NULL), &io);
    if (status != row->status || (leaves_block(status) && io.Status != UNTOUCHED))
        fail_msg("%s: %x, block %x", text, (ULONG)status, (ULONG)io.Status);
}

static void devices_and_drives(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"\\??\\unix%s/file", STATUS_SUCCESS},
        {"\\??\\unix%b\\file", STATUS_SUCCESS},
        {"\\??\\unix%s\\file", STATUS_SUCCESS},
        {"\\??\\UNIX%s/file", STATUS_SUCCESS},
        {"\\DosDevices\\unix%b\\file", STATUS_SUCCESS},
        {"\\dosdevices\\Unix%b\\file", STATUS_SUCCESS},
        {"\\??\\unix", STATUS_SUCCESS},
        {"\\??\\unix\\", STATUS_SUCCESS},
        {"\\??\\unix%s//file", STATUS_SUCCESS},
        {"\\??\\unix%s/folder/", STATUS_SUCCESS},
        {"\\??\\unix%s/File", STATUS_OBJECT_NAME_NOT_FOUND},
        {"\\??\\unixx%s/file", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\Z:%b\\file", STATUS_SUCCESS},
        {"\\??\\z:%b\\file", STATUS_SUCCESS},
        {"\\DosDevices\\Z:%b\\file", STATUS_SUCCESS},
        {"\\??\\Z:%b\\\\file", STATUS_SUCCESS},
        {"\\??\\Z:%b\\folder\\", STATUS_SUCCESS},
        {"\\??\\Z:%s/file", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\Z:%b/file", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:", STATUS_SUCCESS},
        {"\\??\\Z:\\", STATUS_SUCCESS},
        {"\\??\\D:\\self\\status", STATUS_SUCCESS},
        {"\\??\\E:\\self\\status", STATUS_SUCCESS},
        {"\\??\\h:\\proc\\self\\status", STATUS_SUCCESS},
        {"\\??\\D:", STATUS_SUCCESS},
        {"\\??\\F:\\", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\G:\\", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\C:\\file", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\4:\\file", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\D:self", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\D", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\UNC\\server\\share", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\Device\\HarddiskVolume1\\x", STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\", STATUS_OBJECT_PATH_NOT_FOUND},
        {"file", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"Z:\\file", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"/etc/passwd", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"", STATUS_OBJECT_PATH_SYNTAX_BAD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

static void characters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"\\??\\unix%s/.", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\unix%s/..", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\unix%s/../x", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\unix%s/folder/./x", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\unix%s/...", STATUS_OBJECT_NAME_NOT_FOUND},
        {"\\??\\unix%s/.x", STATUS_OBJECT_NAME_NOT_FOUND},
        {"\\??\\Z:%b\\..", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:\\..\\x", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a?", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a*", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a|b", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\<a", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a>", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\\"a", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a:b", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a\nb", STATUS_OBJECT_NAME_INVALID},
        {"\\??\\Z:%b\\a b", STATUS_OBJECT_NAME_NOT_FOUND},
        {"\\??\\unix%s/a?", STATUS_OBJECT_NAME_NOT_FOUND},
        {"\\??\\unix%s/a:b\n", STATUS_OBJECT_NAME_NOT_FOUND},
        {"\\??\\unix%s/gr\xc3\xbc\xc3\x9f", STATUS_SUCCESS},
        {"\\??\\unix%s/\xe6\xbc\xa2\xe5\xad\x97", STATUS_SUCCESS},
        {"\\??\\Z:%b\\\xf0\x9f\x92\xbe", STATUS_SUCCESS},
    };
    make_file("gr\xc3\xbc\xc3\x9f", "");
    make_file("\xe6\xbc\xa2\xe5\xad\x97", "");
    make_file("\xf0\x9f\x92\xbe", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&rows[i]);
}

/* What is no text, ends too early, or goes on for too long. */
static void units(void **state)
{
    (void)state;
    static const struct {
        WCHAR units[4];
        size_t count;
        NTSTATUS status;
    } rows[] = {
        {{0xD800}, 1, STATUS_OBJECT_NAME_INVALID},         {{0xDC00}, 1, STATUS_OBJECT_NAME_INVALID},
        {{0xD800, 'x'}, 2, STATUS_OBJECT_NAME_INVALID},    {{0xD800, 0xD800}, 2, STATUS_OBJECT_NAME_INVALID},
        {{0xDC00, 0xD800}, 2, STATUS_OBJECT_NAME_INVALID}, {{0}, 1, STATUS_OBJECT_NAME_INVALID},
        {{'x', 0, 'y'}, 3, STATUS_OBJECT_NAME_INVALID},    {{0xD83D, 0xDCBE}, 2, STATUS_OBJECT_NAME_NOT_FOUND},
        {{0xFFFF}, 1, STATUS_OBJECT_NAME_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nt_name name;
        IO_STATUS_BLOCK io;
        OBJECT_ATTRIBUTES *attributes = nt_unix_name(&name, "no-");
        for (size_t j = 0; j < rows[i].count; j++)
            name.text[name.string.Length / 2 + j] = rows[i].units[j];
        name.string.Length = (USHORT)(name.string.Length + 2 * rows[i].count);
        if (open_attributes(attributes, &io) != rows[i].status)
            fail_msg("row %zu", i);
        name.string.Length--;
        assert_status(open_attributes(attributes, &io), STATUS_OBJECT_NAME_INVALID);
    }
}

/* Length counts bytes, and there need not be a terminator. */
static void lengths(void **state)
{
    (void)state;
    struct nt_name name;
    IO_STATUS_BLOCK io;
    char path[6000];
    OBJECT_ATTRIBUTES *attributes = nt_unix_name(&name, "file-and-more");
    name.string.Length = (USHORT)(name.string.Length - 2 * strlen("-and-more"));
    assert_status(open_attributes(attributes, &io), STATUS_SUCCESS);
    memset(path, 'x', sizeof(path));
    path[300] = '\0';
    assert_status(open_attributes(nt_unix_name(&name, path), &io), STATUS_NAME_TOO_LONG);
    strcpy(path, "/");
    while (strlen(path) + 5 < 4095)
        strcat(path, "proc/");
    assert_status(open_attributes(nt_unix_name(&name, path), &io), STATUS_OBJECT_PATH_NOT_FOUND);
    strcat(path, "proc/proc");
    assert_status(open_attributes(nt_unix_name(&name, path), &io), STATUS_NAME_TOO_LONG);
}

static NTSTATUS open_relative(HANDLE root, const char *text)
{
    struct nt_name name;
    IO_STATUS_BLOCK io;
    return open_attributes(nt_name(&name, text, root), &io);
}

static void relative(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"inner", STATUS_SUCCESS},
        {"deep\\inner", STATUS_SUCCESS},
        {"deep/inner", STATUS_SUCCESS},
        {"deep\\", STATUS_SUCCESS},
        {"", STATUS_SUCCESS},
        {"no", STATUS_OBJECT_NAME_NOT_FOUND},
        {"no\\no", STATUS_OBJECT_PATH_NOT_FOUND},
        {"..", STATUS_OBJECT_NAME_INVALID},
        {"\\inner", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"\\??\\Z:\\", STATUS_OBJECT_PATH_SYNTAX_BAD},
        {"/inner", STATUS_OBJECT_PATH_SYNTAX_BAD},
    };
    mkdir("root", 0700);
    mkdir("root/deep", 0700);
    make_file("root/inner", "");
    make_file("root/deep/inner", "");
    size_t before = descriptors();
    HANDLE root = nt_open("root", FILE_TRAVERSE), file = nt_open("file", FILE_READ_DATA);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (open_relative(root, rows[i].name) != rows[i].status)
            fail_msg("%s: %x", rows[i].name, (ULONG)open_relative(root, rows[i].name));
    assert_int_equal(rename("root", "moved"), 0); /* the folder, not its path */
    assert_status(open_relative(root, "deep\\inner"), STATUS_SUCCESS);
    assert_status(open_relative(file, "inner"), STATUS_OBJECT_PATH_NOT_FOUND);
    assert_status(open_relative((HANDLE)8, "inner"), STATUS_INVALID_HANDLE);
    assert_status(open_relative(NtCurrentProcess(), "inner"), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(NtClose(root), STATUS_SUCCESS);
    assert_status(open_relative(root, "inner"), STATUS_INVALID_HANDLE);
    assert_status(NtClose(file), STATUS_SUCCESS);
    assert_int_equal(descriptors(), before); /* nothing has kept the folder open */
}

static NTSTATUS create_named(const char *text, ULONG disposition, ULONG options, ACCESS_MASK access)
{
    struct nt_name name;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    NTSTATUS status = NtCreateFile(&handle, access, nt_name(&name, text, NULL), &io, NULL, 0, ALL_SHARED, disposition,
                                   options, NULL, 0);
    if (NT_SUCCESS(status))
        assert_status(NtClose(handle), STATUS_SUCCESS);
    return status;
}

/* A volume is no folder, and nothing that can be made, emptied or deleted. */
static void volumes(void **state)
{
    (void)state;
    static const struct {
        ULONG disposition;
        ULONG options;
        NTSTATUS status;
    } rows[] = {
        {FILE_OPEN, 0, STATUS_SUCCESS},
        {FILE_OPEN_IF, FILE_NON_DIRECTORY_FILE, STATUS_SUCCESS},
        {FILE_OPEN, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY},
        {FILE_OPEN, FILE_DELETE_ON_CLOSE, STATUS_CANNOT_DELETE},
        {FILE_CREATE, 0, STATUS_ACCESS_DENIED},
        {FILE_OVERWRITE, 0, STATUS_ACCESS_DENIED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (create_named("\\??\\D:", rows[i].disposition, rows[i].options, RW | DELETE) != rows[i].status)
            fail_msg("row %zu", i);
    assert_status(create_named("\\??\\D:\\", FILE_OPEN, FILE_DIRECTORY_FILE, RW), STATUS_SUCCESS);
    assert_status(create_named("\\??\\D:\\", FILE_OPEN, FILE_NON_DIRECTORY_FILE, RW), STATUS_FILE_IS_A_DIRECTORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_and_drives),
        cmocka_unit_test(characters),
        cmocka_unit_test(units),
        cmocka_unit_test(lengths),
        cmocka_unit_test(relative),
        cmocka_unit_test(volumes),
    };
    own_folder_begin(".");
    assert_non_null(getcwd(here, sizeof(here)));
    make_file("file", "");
    mkdir("folder", 0700);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
