/* SPDX-License-Identifier: MIT */
/* What can be asked and set of files, handles and file systems, and the order of checks. */
#include "tests/support/nt.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static IO_STATUS_BLOCK io;

#define ASK(handle, information, class)                                                                                \
    (io = IO_UNTOUCHED, NtQueryInformationFile(handle, &io, &(information), sizeof(information), class))
#define SET(handle, information, class)                                                                                \
    (io = IO_UNTOUCHED, NtSetInformationFile(handle, &io, &(information), sizeof(information), class))

static void assert_io(NTSTATUS status, ULONG_PTR information)
{
    assert_status(io.Status, status);
    assert_int_equal(io.Information, information);
}

static HANDLE open_with(const char *path, ACCESS_MASK access, ULONG options)
{
    HANDLE handle;
    IO_STATUS_BLOCK opened;
    assert_status(nt_create(&handle, access, path, &opened, ALL_SHARED, FILE_OPEN, options), STATUS_SUCCESS);
    return handle;
}

static struct stat facts_of(const char *path)
{
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    return facts;
}

/* -- the order of checks -- */

struct check {
    HANDLE handle;
    PIO_STATUS_BLOCK io;
    PVOID buffer;
    ULONG length;
    ULONG class;
    NTSTATUS status;
};

static void checks(void **state)
{
    (void)state;
    make_file("checks", "");
    HANDLE handle = open_with("checks", FILE_READ_ATTRIBUTES, 0);
    FILE_BASIC_INFORMATION basic;
    char *guarded = guarded_make(PAGE);
    PVOID bad = (PVOID)(uintptr_t)0xdeadbee8, odd = (char *)&basic + 1;
    const ULONG size = sizeof(basic);
    const struct check rows[] = {
        {NULL, NULL, NULL, 0, 0, STATUS_INVALID_INFO_CLASS},
        {handle, &io, &basic, size, 0, STATUS_INVALID_INFO_CLASS},
        {handle, &io, &basic, size, 9999, STATUS_INVALID_INFO_CLASS},
        {handle, &io, &basic, size, FileRenameInformation, STATUS_INVALID_INFO_CLASS},
        {NULL, NULL, NULL, size - 1, FileBasicInformation, STATUS_INFO_LENGTH_MISMATCH},
        {NULL, NULL, &basic, size, FileBasicInformation, STATUS_ACCESS_VIOLATION},
        {NULL, &io, NULL, size, FileBasicInformation, STATUS_ACCESS_VIOLATION},
        {handle, bad, &basic, size, FileBasicInformation, STATUS_ACCESS_VIOLATION},
        {handle, &io, bad, size, FileBasicInformation, STATUS_ACCESS_VIOLATION},
        {handle, &io, guarded + PAGE - 8, size, FileBasicInformation, STATUS_ACCESS_VIOLATION},
        {handle, (PVOID)((char *)&io + 1), &basic, size, FileBasicInformation, STATUS_DATATYPE_MISALIGNMENT},
        {handle, &io, odd, size, FileBasicInformation, STATUS_DATATYPE_MISALIGNMENT},
        {NULL, &io, &basic, size, FileBasicInformation, STATUS_INVALID_HANDLE},
        {NtCurrentProcess(), &io, &basic, size, FileBasicInformation, STATUS_OBJECT_TYPE_MISMATCH},
        {handle, &io, &basic, size, FilePositionInformation, STATUS_ACCESS_DENIED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct check *row = &rows[i];
        io = IO_UNTOUCHED;
        NTSTATUS status =
            NtQueryInformationFile(row->handle, row->io, row->buffer, row->length, (FILE_INFORMATION_CLASS)row->class);
        if (status != row->status)
            fail_msg("row %zu: %x", i, (ULONG)status);
        assert_io(UNTOUCHED, 0xdeadbeef);
    }
    assert_status(SET(handle, basic, FileStandardInformation), STATUS_INVALID_INFO_CLASS);
    assert_status(SET(handle, basic, FileBasicInformation), STATUS_ACCESS_DENIED);
    assert_status(NtSetInformationFile(handle, &io, NULL, size, FileBasicInformation), STATUS_ACCESS_VIOLATION);
    guarded_end(guarded, PAGE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- asking -- */

static LONGLONG units(const struct timespec *time)
{
    return (time->tv_sec + 11644473600) * 10000000 + time->tv_nsec / 100;
}

static void basic(void **state)
{
    (void)state;
    FILE_BASIC_INFORMATION information;
    make_file("basic", "content");
    HANDLE handle = open_with("basic", FILE_READ_ATTRIBUTES, 0);
    assert_status(ASK(handle, information, FileBasicInformation), STATUS_SUCCESS);
    assert_io(STATUS_SUCCESS, sizeof(information));
    struct stat facts = facts_of("basic");
    assert_int_equal(information.LastWriteTime.QuadPart, units(&facts.st_mtim));
    assert_int_equal(information.ChangeTime.QuadPart, units(&facts.st_ctim));
    assert_int_equal(information.LastAccessTime.QuadPart, units(&facts.st_atim));
    assert_true(information.CreationTime.QuadPart > 0);
    assert_int_equal(information.FileAttributes, FILE_ATTRIBUTE_NORMAL);
    assert_int_equal(chmod("basic", 0444), 0);
    assert_status(ASK(handle, information, FileBasicInformation), STATUS_SUCCESS);
    assert_int_equal(information.FileAttributes, FILE_ATTRIBUTE_READONLY);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    mkdir("basic-folder", 0700);
    handle = open_with("basic-folder", FILE_READ_ATTRIBUTES, 0);
    assert_status(ASK(handle, information, FileBasicInformation), STATUS_SUCCESS);
    assert_int_equal(information.FileAttributes, FILE_ATTRIBUTE_DIRECTORY);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void standard(void **state)
{
    (void)state;
    FILE_STANDARD_INFORMATION information;
    FILE_INTERNAL_INFORMATION internal;
    make_file("standard", "content");
    assert_int_equal(link("standard", "standard-too"), 0);
    HANDLE handle = open_with("standard", DELETE, 0);
    struct stat facts = facts_of("standard");
    assert_status(ASK(handle, information, FileStandardInformation), STATUS_SUCCESS);
    assert_io(STATUS_SUCCESS, sizeof(information));
    assert_int_equal(information.EndOfFile.QuadPart, 7);
    assert_int_equal(information.AllocationSize.QuadPart, facts.st_blocks * 512);
    assert_int_equal(information.NumberOfLinks, 2);
    assert_int_equal(information.Directory | information.DeletePending, 0);
    assert_status(ASK(handle, internal, FileInternalInformation), STATUS_SUCCESS);
    assert_int_equal(internal.IndexNumber.QuadPart, facts.st_ino);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    mkdir("standard-folder", 0700);
    handle = open_with("standard-folder", FILE_READ_ATTRIBUTES, 0);
    assert_status(ASK(handle, information, FileStandardInformation), STATUS_SUCCESS);
    assert_true(information.Directory && information.NumberOfLinks == 1 && information.EndOfFile.QuadPart == 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void mode(void **state)
{
    (void)state;
    FILE_MODE_INFORMATION information = {0};
    make_file("mode", "");
    HANDLE handle = open_with("mode", RW, FILE_WRITE_THROUGH | FILE_RANDOM_ACCESS | FILE_SYNCHRONOUS_IO_ALERT);
    assert_status(ASK(handle, information, FileModeInformation), STATUS_SUCCESS);
    assert_int_equal(information.Mode, FILE_WRITE_THROUGH | FILE_SYNCHRONOUS_IO_ALERT);
    information.Mode = FILE_SYNCHRONOUS_IO_NONALERT | FILE_SEQUENTIAL_ONLY;
    assert_status(SET(handle, information, FileModeInformation), STATUS_SUCCESS);
    assert_io(STATUS_SUCCESS, 0);
    assert_status(ASK(handle, information, FileModeInformation), STATUS_SUCCESS);
    assert_int_equal(information.Mode, FILE_SYNCHRONOUS_IO_NONALERT | FILE_SEQUENTIAL_ONLY);
    static const ULONG wrong[] = {0, FILE_WRITE_THROUGH, FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT,
                                  FILE_SYNCHRONOUS_IO_ALERT | FILE_NO_INTERMEDIATE_BUFFERING};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        information.Mode = wrong[i];
        assert_status(SET(handle, information, FileModeInformation), STATUS_INVALID_PARAMETER);
    }
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- setting -- */

static void times_and_attributes(void **state)
{
    (void)state;
    FILE_BASIC_INFORMATION information = {.LastWriteTime.QuadPart = 132539328001234567, .LastAccessTime.QuadPart = -1};
    make_file("times", "");
    struct stat before = facts_of("times");
    HANDLE handle = open_with("times", FILE_WRITE_ATTRIBUTES, 0);
    assert_status(SET(handle, information, FileBasicInformation), STATUS_SUCCESS);
    assert_io(STATUS_SUCCESS, 0);
    struct stat facts = facts_of("times");
    assert_int_equal(units(&facts.st_mtim), 132539328001234567);
    assert_int_equal(units(&facts.st_atim), units(&before.st_atim));
    information = (FILE_BASIC_INFORMATION){.LastAccessTime.QuadPart = 113288544000000005}; /* in 1960 */
    assert_status(SET(handle, information, FileBasicInformation), STATUS_SUCCESS);
    facts = facts_of("times");
    assert_int_equal(units(&facts.st_atim), 113288544000000005);
    assert_int_equal(units(&facts.st_mtim), 132539328001234567);
    information = (FILE_BASIC_INFORMATION){.FileAttributes = FILE_ATTRIBUTE_READONLY};
    assert_status(SET(handle, information, FileBasicInformation), STATUS_SUCCESS);
    assert_int_equal(facts_of("times").st_mode & 07777, 0400);
    information.FileAttributes = FILE_ATTRIBUTE_NORMAL;
    assert_status(SET(handle, information, FileBasicInformation), STATUS_SUCCESS);
    assert_int_equal(facts_of("times").st_mode & 07777, 0600);
    information.FileAttributes = FILE_ATTRIBUTE_DIRECTORY;
    assert_status(SET(handle, information, FileBasicInformation), STATUS_INVALID_PARAMETER);
    information.FileAttributes = 0x8000;
    assert_status(SET(handle, information, FileBasicInformation), STATUS_INVALID_PARAMETER);
    information = (FILE_BASIC_INFORMATION){.LastWriteTime.QuadPart = -3};
    assert_status(SET(handle, information, FileBasicInformation), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void sizes(void **state)
{
    (void)state;
    FILE_END_OF_FILE_INFORMATION end = {.EndOfFile.QuadPart = 100000};
    FILE_ALLOCATION_INFORMATION room = {.AllocationSize.QuadPart = 1000000};
    make_file("sizes", "content");
    mkdir("sizes-folder", 0700);
    HANDLE handle = open_with("sizes", FILE_WRITE_DATA, 0), folder = open_with("sizes-folder", FILE_ADD_FILE, 0);
    assert_status(SET(handle, end, FileEndOfFileInformation), STATUS_SUCCESS);
    assert_int_equal(facts_of("sizes").st_size, 100000);
    assert_status(SET(handle, room, FileAllocationInformation), STATUS_SUCCESS);
    assert_int_equal(facts_of("sizes").st_size, 100000);
    room.AllocationSize.QuadPart = 50;
    assert_status(SET(handle, room, FileAllocationInformation), STATUS_SUCCESS);
    assert_int_equal(facts_of("sizes").st_size, 50);
    end.EndOfFile.QuadPart = 0;
    assert_status(SET(handle, end, FileEndOfFileInformation), STATUS_SUCCESS);
    assert_int_equal(facts_of("sizes").st_size, 0);
    assert_status(SET(folder, end, FileEndOfFileInformation), STATUS_INVALID_PARAMETER);
    end.EndOfFile.QuadPart = room.AllocationSize.QuadPart = -1;
    assert_status(SET(handle, end, FileEndOfFileInformation), STATUS_INVALID_PARAMETER);
    assert_status(SET(handle, room, FileAllocationInformation), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    handle = open_with("sizes", FILE_APPEND_DATA, 0);
    assert_status(SET(handle, end, FileEndOfFileInformation), STATUS_ACCESS_DENIED);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(folder), STATUS_SUCCESS);
}

/* -- deleting and renaming -- */

static void disposition(void **state)
{
    (void)state;
    FILE_DISPOSITION_INFORMATION information = {TRUE};
    FILE_STANDARD_INFORMATION told;
    make_file("deleted", "");
    HANDLE handle = open_with("deleted", DELETE, 0);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_SUCCESS);
    assert_io(STATUS_SUCCESS, 0);
    assert_status(ASK(handle, told, FileStandardInformation), STATUS_SUCCESS);
    assert_true(told.DeletePending);
    information.DeleteFile = FALSE;
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(access("deleted", F_OK), 0);
    handle = open_with("deleted", DELETE, 0);
    information.DeleteFile = TRUE;
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(access("deleted", F_OK), -1);
}

static void refused_disposition(void **state)
{
    (void)state;
    FILE_DISPOSITION_INFORMATION information = {TRUE};
    mkdir("full", 0700);
    make_file("full/file", "");
    HANDLE handle = open_with("full", DELETE, 0);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_DIRECTORY_NOT_EMPTY);
    assert_int_equal(unlink("full/file"), 0);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_int_equal(access("full", F_OK), -1);
    make_file("held", "");
    assert_int_equal(chmod("held", 0400), 0);
    handle = open_with("held", DELETE, 0);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_CANNOT_DELETE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    handle = open_with("held", FILE_READ_DATA, 0);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_ACCESS_DENIED);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    make_file("nameless", "");
    handle = open_with("nameless", DELETE, 0);
    assert_int_equal(unlink("nameless"), 0);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_CANNOT_DELETE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    handle = open_with("/proc", DELETE, FILE_NON_DIRECTORY_FILE);
    assert_status(SET(handle, information, FileDispositionInformation), STATUS_CANNOT_DELETE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* Renames to the text, relative to the root; `full`: to the NT name of that path. */
static NTSTATUS rename_to(HANDLE handle, const char *text, bool full, HANDLE root, BOOLEAN replaces)
{
    struct nt_name name;
    union {
        FILE_RENAME_INFORMATION information;
        char bytes[12000];
    } buffer = {.information = {.ReplaceIfExists = replaces, .RootDirectory = root}};
    if (full)
        nt_unix_name(&name, text);
    else
        nt_name(&name, text, NULL);
    buffer.information.FileNameLength = name.string.Length;
    memcpy(buffer.information.FileName, name.string.Buffer, name.string.Length);
    io = IO_UNTOUCHED;
    return NtSetInformationFile(handle, &io, &buffer, sizeof(buffer.information) + name.string.Length,
                                FileRenameInformation);
}

static void renaming(void **state)
{
    (void)state;
    mkdir("other", 0700);
    make_file("a", "a");
    make_file("b", "b");
    HANDLE handle = open_with("a", DELETE, 0), folder = open_with("other", FILE_TRAVERSE, 0);
    assert_status(rename_to(handle, "a1", false, NULL, FALSE), STATUS_SUCCESS);
    assert_io(STATUS_SUCCESS, 0);
    assert_int_equal(access("a", F_OK) == 0 || access("a1", F_OK) != 0, 0);
    assert_status(rename_to(handle, "other/a2", true, NULL, FALSE), STATUS_SUCCESS);
    assert_int_equal(access("other/a2", F_OK), 0);
    assert_status(rename_to(handle, "a3", false, NULL, FALSE), STATUS_SUCCESS);
    assert_int_equal(access("other/a3", F_OK), 0);
    assert_status(rename_to(handle, "a4", false, folder, FALSE), STATUS_SUCCESS);
    assert_int_equal(access("other/a4", F_OK), 0);
    assert_status(rename_to(handle, "b", true, NULL, FALSE), STATUS_OBJECT_NAME_COLLISION);
    assert_int_equal(access("b", F_OK) | access("other/a4", F_OK), 0);
    assert_status(rename_to(handle, "b", true, NULL, TRUE), STATUS_SUCCESS);
    assert_int_equal(facts_of("b").st_size, 1);
    assert_int_equal(access("other/a4", F_OK), -1);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    handle = open_with("other", DELETE, FILE_DIRECTORY_FILE);
    assert_status(rename_to(handle, "another", false, NULL, FALSE), STATUS_SUCCESS);
    assert_int_equal(access("another", F_OK), 0);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(folder), STATUS_SUCCESS);
}

static void refused_renaming(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool full;
        NTSTATUS status;
    } rows[] = {
        {"", false, STATUS_OBJECT_NAME_INVALID},
        {"..", false, STATUS_OBJECT_NAME_INVALID},
        {"x/y", false, STATUS_OBJECT_NAME_INVALID},
        {"x\\y", false, STATUS_OBJECT_NAME_INVALID},
        {"x\\", false, STATUS_OBJECT_NAME_INVALID},
        {"\\x", false, STATUS_OBJECT_PATH_NOT_FOUND},
        {"\\??\\Z:", false, STATUS_OBJECT_NAME_INVALID},
        {"no/x", true, STATUS_OBJECT_PATH_NOT_FOUND},
        {"open", true, STATUS_ACCESS_DENIED},
        {"held-2", true, STATUS_ACCESS_DENIED},
        {"a-folder", true, STATUS_ACCESS_DENIED},
        {"/proc/x", true, STATUS_NOT_SAME_DEVICE},
    };
    make_file("here", "");
    make_file("open", "");
    make_file("held-2", "");
    assert_int_equal(chmod("held-2", 0400), 0);
    mkdir("a-folder", 0700);
    HANDLE handle = open_with("here", DELETE, 0), other = open_with("open", FILE_READ_DATA, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        NTSTATUS status = rename_to(handle, rows[i].name, rows[i].full, NULL, TRUE);
        if (status != rows[i].status)
            fail_msg("%s: %x", rows[i].name, (ULONG)status);
        assert_io(rows[i].status, 0);
    }
    assert_int_equal(access("here", F_OK) | access("open", F_OK) | access("held-2", F_OK), 0);
    assert_status(rename_to(handle, "x", false, (HANDLE)8, FALSE), STATUS_INVALID_HANDLE);
    assert_status(rename_to(handle, "here", true, NULL, TRUE), STATUS_SUCCESS); /* to what it is */
    FILE_RENAME_INFORMATION too_long = {.FileNameLength = 10};
    assert_status(SET(handle, too_long, FileRenameInformation), STATUS_INVALID_PARAMETER);
    assert_status(rename_to(other, "x", false, NULL, FALSE), STATUS_ACCESS_DENIED);
    assert_int_equal(unlink("here"), 0);
    assert_status(rename_to(handle, "x", false, NULL, FALSE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
}

/* -- volumes -- */

union volume_answer {
    FILE_FS_ATTRIBUTE_INFORMATION information;
    char bytes[200];
};

static NTSTATUS ask_volume(HANDLE handle, union volume_answer *answer, ULONG length)
{
    io = IO_UNTOUCHED;
    memset(answer, 0xee, sizeof(*answer));
    return NtQueryVolumeInformationFile(handle, &io, answer, length, FileFsAttributeInformation);
}

static void volume_checks(void **state)
{
    (void)state;
    union volume_answer answer;
    make_file("volume", "");
    HANDLE handle = open_with("volume", FILE_READ_ATTRIBUTES, 0);
    const FS_INFORMATION_CLASS class = FileFsAttributeInformation;
    PIO_STATUS_BLOCK odd = (PVOID)((char *)&io + 2);
    assert_status(NtQueryVolumeInformationFile(NULL, NULL, NULL, 0, (FS_INFORMATION_CLASS)0),
                  STATUS_INVALID_INFO_CLASS);
    for (ULONG length = 0; length < 16; length++) {
        assert_status(NtQueryVolumeInformationFile(NULL, NULL, NULL, length, class), STATUS_INFO_LENGTH_MISMATCH);
        assert_status(ask_volume(handle, &answer, length), STATUS_INFO_LENGTH_MISMATCH);
    }
    assert_status(NtQueryVolumeInformationFile(NULL, NULL, &answer, 16, class), STATUS_ACCESS_VIOLATION);
    assert_status(NtQueryVolumeInformationFile(NULL, &io, NULL, 16, class), STATUS_ACCESS_VIOLATION);
    assert_status(NtQueryVolumeInformationFile(NULL, odd, &answer, 16, class), STATUS_DATATYPE_MISALIGNMENT);
    assert_status(NtQueryVolumeInformationFile(NULL, &io, answer.bytes + 2, 16, class), STATUS_DATATYPE_MISALIGNMENT);
    assert_status(NtQueryVolumeInformationFile(NULL, &io, &answer, 16, class), STATUS_INVALID_HANDLE);
    assert_status(NtQueryVolumeInformationFile((HANDLE)-1, &io, &answer, 16, class), STATUS_OBJECT_TYPE_MISMATCH);
    assert_io(UNTOUCHED, 0xdeadbeef);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static bool name_is(const union volume_answer *answer, const char *name, ULONG characters)
{
    for (ULONG i = 0; i < characters; i++)
        if (answer->information.FileSystemName[i] != (WCHAR)name[i])
            return false;
    return answer->information.FileSystemNameLength == 2 * characters;
}

/* On /proc, whose type has four letters: with less room, as many as fit. */
static void volume_names(void **state)
{
    (void)state;
    union volume_answer answer;
    HANDLE handle = open_with("/proc", FILE_LIST_DIRECTORY, 0);
    for (ULONG length = 16; length < 20; length++) {
        assert_status(ask_volume(handle, &answer, length), STATUS_BUFFER_OVERFLOW);
        assert_io(STATUS_BUFFER_OVERFLOW, length & ~1u);
        assert_true(name_is(&answer, "proc", (length - 12) / 2));
    }
    for (ULONG length = 20; length < 30; length++) {
        assert_status(ask_volume(handle, &answer, length), STATUS_SUCCESS);
        assert_io(STATUS_SUCCESS, 20);
        assert_true(name_is(&answer, "proc", 4));
        assert_int_equal(answer.bytes[20] & 0xff, 0xee);
    }
    assert_int_equal(answer.information.MaximumComponentNameLength, 255);
    assert_true(answer.information.FileSystemAttributes & FILE_CASE_SENSITIVE_SEARCH);
    assert_false(answer.information.FileSystemAttributes & (FILE_READ_ONLY_VOLUME | FILE_DAX_VOLUME));
    assert_status(NtClose(handle), STATUS_SUCCESS);
    handle = open_with("/proc", FILE_WRITE_DATA, FILE_NON_DIRECTORY_FILE);
    assert_status(ask_volume(handle, &answer, sizeof(answer)), STATUS_SUCCESS);
    assert_true(name_is(&answer, "proc", 4));
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* In a mount namespace of its own. 77: it cannot be had. */
static int on_read_only_mount(void)
{
    union volume_answer answer;
    HANDLE handle;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "read-only", "tmpfs", 0, NULL) != 0)
        return 77;
    make_file("read-only/file", "content");
    if (mount("none", "read-only", NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
        return 77;
    if (nt_create(&handle, FILE_READ_DATA, "read-only/file", &io, 0, FILE_OPEN, 0) != STATUS_SUCCESS)
        return 1;
    if (ask_volume(handle, &answer, sizeof(answer)) != STATUS_SUCCESS || !name_is(&answer, "tmpfs", 5) ||
        !(answer.information.FileSystemAttributes & FILE_READ_ONLY_VOLUME))
        return 2;
    if (nt_create(&handle, FILE_WRITE_DATA, "read-only/file", &io, ALL_SHARED, FILE_OPEN, 0) !=
            STATUS_MEDIA_WRITE_PROTECTED ||
        nt_create(&handle, FILE_WRITE_DATA, "read-only/new", &io, ALL_SHARED, FILE_CREATE, 0) !=
            STATUS_MEDIA_WRITE_PROTECTED)
        return 3;
    return 0;
}

static void read_only_volume(void **state)
{
    (void)state;
    int result;
    mkdir("read-only", 0700);
    pid_t child = fork();
    if (child == 0)
        _exit(on_read_only_mount());
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == 77) {
        print_message("needs root, to mount\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(result), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks),
        cmocka_unit_test(basic),
        cmocka_unit_test(standard),
        cmocka_unit_test(mode),
        cmocka_unit_test(times_and_attributes),
        cmocka_unit_test(sizes),
        cmocka_unit_test(disposition),
        cmocka_unit_test(refused_disposition),
        cmocka_unit_test(renaming),
        cmocka_unit_test(refused_renaming),
        cmocka_unit_test(volume_checks),
        cmocka_unit_test(volume_names),
        cmocka_unit_test(read_only_volume),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
