/* SPDX-License-Identifier: MIT */
/*
 * The Nth system call fails, once and for good, for every N, through the lives of files that are made, written, read,
 * renamed, flushed and deleted by handles. No descriptor is left, no handle, and nothing is allocated where nothing is
 * to be.
 */
#include "src/backing/backing.h"
#include "src/io/fcb.h"
#include "src/io/object.h"
#include "tests/support/nt.h"
#include "tests/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* On the heap, so that they have to be probed. */
static struct {
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset;
    HANDLE handle;
    char buffer[8192] __attribute__((aligned(4096)));
    FILE_BASIC_INFORMATION basic;
    FILE_STANDARD_INFORMATION standard;
    FILE_END_OF_FILE_INFORMATION end;
    FILE_DISPOSITION_INFORMATION disposition;
    union {
        FILE_RENAME_INFORMATION rename;
        FILE_FS_ATTRIBUTE_INFORMATION volume;
        char bytes[400];
    } large;
} * our;

static void set_name(const char *text)
{
    struct nt_name name;
    nt_name(&name, text, NULL);
    memset(&our->large, 0, sizeof(our->large));
    our->large.rename.ReplaceIfExists = TRUE;
    our->large.rename.FileNameLength = name.string.Length;
    memcpy(our->large.rename.FileName, name.string.Buffer, name.string.Length);
}

/* Whatever fails, a success is one: the bytes are there. */
static void transfer(HANDLE handle)
{
    our->offset.QuadPart = 0;
    memset(our->buffer, 'w', 4096);
    NTSTATUS status = NtWriteFile(handle, NULL, NULL, NULL, &our->io, our->buffer, 4096, &our->offset, NULL);
    memset(our->buffer, 0, 4096);
    if (status != STATUS_SUCCESS)
        return;
    status = NtReadFile(handle, NULL, NULL, NULL, &our->io, our->buffer, 4096, &our->offset, NULL);
    if (status == STATUS_SUCCESS && (our->io.Information != 4096 || our->buffer[4095] != 'w'))
        fail_msg("call %ld failing: %lu bytes", system_now.fail_at, (unsigned long)our->io.Information);
    our->offset.QuadPart = -1;
    (void)NtWriteFile(handle, NULL, NULL, NULL, &our->io, our->buffer, 1, &our->offset, NULL);
}

static void inform(HANDLE handle)
{
    (void)NtQueryInformationFile(handle, &our->io, &our->basic, sizeof(our->basic), FileBasicInformation);
    our->basic.FileAttributes = FILE_ATTRIBUTE_NORMAL;
    (void)NtSetInformationFile(handle, &our->io, &our->basic, sizeof(our->basic), FileBasicInformation);
    (void)NtQueryInformationFile(handle, &our->io, &our->standard, sizeof(our->standard), FileStandardInformation);
    our->end.EndOfFile.QuadPart = 8192;
    (void)NtSetInformationFile(handle, &our->io, &our->end, sizeof(our->end), FileEndOfFileInformation);
    (void)NtSetInformationFile(handle, &our->io, &our->end, sizeof(our->end), FileAllocationInformation);
    (void)NtQueryVolumeInformationFile(handle, &our->io, &our->large, sizeof(our->large), FileFsAttributeInformation);
    set_name("renamed");
    (void)NtSetInformationFile(handle, &our->io, &our->large, sizeof(our->large), FileRenameInformation);
    our->disposition.DeleteFile = TRUE;
    (void)NtSetInformationFile(handle, &our->io, &our->disposition, sizeof(our->disposition),
                               FileDispositionInformation);
}

static void open_and_use(const char *path, ACCESS_MASK rights, ULONG disposition, ULONG options)
{
    struct nt_name name;
    our->handle = NULL;
    NTSTATUS status = NtCreateFile(&our->handle, rights, nt_unix_name(&name, path), &our->io, NULL, 0, 0, disposition,
                                   options, NULL, 0);
    if (!NT_SUCCESS(status)) {
        assert_null(our->handle);
        if (disposition == FILE_CREATE && !system_now.for_good && access(path, F_OK) == 0)
            fail_msg("call %ld failing: %s was made, and is there", system_now.fail_at, path);
        return;
    }
    transfer(our->handle);
    inform(our->handle);
    (void)NtFlushBuffersFile(our->handle, &our->io);
    assert_status(NtClose(our->handle), STATUS_SUCCESS);
}

static void wrap(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    our->handle = NULL;
    if (NvrtlHandleFromFd(descriptor, GENERIC_ALL, &our->handle) == STATUS_SUCCESS) {
        transfer(our->handle);
        assert_status(NtClose(our->handle), STATUS_SUCCESS);
    }
    close(descriptor);
}

static void relative(void)
{
    struct nt_name name;
    HANDLE folder;
    our->handle = NULL;
    if (NtOpenFile(&our->handle, FILE_TRAVERSE, nt_unix_name(&name, "root"), &our->io, ALL_SHARED, 0) != STATUS_SUCCESS)
        return;
    folder = our->handle;
    if (NtCreateFile(&our->handle, GENERIC_ALL, nt_name(&name, "relative", folder), &our->io, NULL, 0, 0, FILE_OPEN_IF,
                     SYNCHRONOUS | FILE_DELETE_ON_CLOSE, NULL, 0) == STATUS_SUCCESS)
        assert_status(NtClose(our->handle), STATUS_SUCCESS);
    assert_status(NtClose(folder), STATUS_SUCCESS);
}

static void one_life(void)
{
    open_and_use("new", GENERIC_ALL, FILE_CREATE, SYNCHRONOUS);
    open_and_use("old", GENERIC_ALL, FILE_OVERWRITE_IF, SYNCHRONOUS | FILE_WRITE_THROUGH);
    open_and_use("direct", GENERIC_ALL, FILE_OPEN_IF,
                 SYNCHRONOUS | FILE_NO_INTERMEDIATE_BUFFERING | FILE_WRITE_THROUGH);
    open_and_use("most", MAXIMUM_ALLOWED, FILE_OPEN_IF, SYNCHRONOUS);
    open_and_use("folder", GENERIC_ALL, FILE_CREATE, SYNCHRONOUS | FILE_DIRECTORY_FILE);
    open_and_use("passing", DELETE | FILE_WRITE_DATA, FILE_OPEN_IF, FILE_DELETE_ON_CLOSE);
    open_and_use("no/file", GENERIC_ALL, FILE_OPEN_IF, SYNCHRONOUS);
    wrap("wrapped");
    relative();
}

static void clean(void)
{
    static const char *const names[] = {"new", "old", "direct", "most", "passing", "relative", "renamed", "wrapped"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlink(names[i]);
    (void)rmdir("folder");
    (void)rmdir("renamed");
}

/* Files whose flush failed are remembered. */
static void forget(void)
{
    struct stat facts;
    assert_int_equal(stat(".", &facts), 0);
    nv_backing_forget_on(facts.st_dev);
}

static long every_call(bool for_good, int error)
{
    size_t before = descriptors();
    long calls = 0;
    for (long n = 1;; n++) {
        system_begin();
        system_now.no_disk = true;
        system_now.fail_at = n;
        system_now.for_good = for_good;
        system_now.error = error;
        one_life();
        bool failed = system_now.failed > 0;
        system_end();
        assert_int_equal(system_now.open_now, 0);
        assert_int_equal(descriptors(), before);
        assert_int_equal(nv_object_count(), 0);
        assert_int_equal(nv_fcb_count(), 0);
        forget();
        assert_int_equal(nv_backing_count(), 0);
        clean();
        if (!failed)
            break;
        calls = n;
    }
    print_message("%ld calls\n", calls);
    return calls;
}

static void once(void **state)
{
    (void)state;
    assert_true(every_call(false, EIO) > 100);
    assert_true(every_call(false, ENOMEM) > 100);
    assert_true(every_call(false, EACCES) > 100);
}

static void for_good(void **state)
{
    (void)state;
    assert_true(every_call(true, EIO) > 100);
    assert_true(every_call(true, EMFILE) > 100);
}

/* -- writing through -- */

/* What the device refuses is the write's status, and stays with the file. */
static void written_through(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    HANDLE handle;
    char byte = 'x';
    assert_status(nt_create(&handle, RW, "through", &io, 0, FILE_CREATE, SYNCHRONOUS | FILE_WRITE_THROUGH),
                  STATUS_SUCCESS);
    system_begin();
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_SUCCESS);
    assert_int_equal(system_now.syncs, 1);
    system_now.sync_error = EIO;
    system_now.sync_errors = 1;
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_IO_DEVICE_ERROR);
    assert_status(io.Status, STATUS_IO_DEVICE_ERROR);
    assert_int_equal(io.Information, 1);
    assert_status(NtFlushBuffersFile(handle, &io), STATUS_IO_DEVICE_ERROR);
    system_end();
    forget();
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- what allocates -- */

/* In a thread of its own: that of the tests above may not have been told the bounds of its stack. */
static void *write_read_flush(void *argument)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    char buffer[16] = "";
    HANDLE handle = argument;
    for (int i = 0; i < 3; i++) {
        if (i == 1) { /* by the first flush the name is durable */
            system_begin();
            system_now.no_disk = true;
        }
        assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, buffer, sizeof(buffer), &offset, NULL),
                      STATUS_SUCCESS);
        assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, buffer, sizeof(buffer), &offset, NULL), STATUS_SUCCESS);
        assert_status(NtFlushBuffersFile(handle, &io), STATUS_SUCCESS);
    }
    system_end();
    return NULL;
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    HANDLE handle;
    pthread_t thread;
    assert_status(nt_create(&handle, RW, "frugal", &io, 0, FILE_CREATE, SYNCHRONOUS), STATUS_SUCCESS);
    assert_int_equal(pthread_create(&thread, NULL, write_read_flush, handle), 0);
    pthread_join(thread, NULL);
    assert_int_equal(system_now.allocations, 0);
    assert_int_equal(system_now.calls, 6); /* and each is one system call */
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(for_good),
        cmocka_unit_test(written_through),
        cmocka_unit_test(nothing_is_allocated),
    };
    own_folder_begin(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "."); /* no disk is at stake */
    mkdir("root", 0700);
    our = aligned_alloc(4096, (sizeof(*our) + 4095) / 4096 * 4096);
    memset(our, 0, sizeof(*our));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(our);
    own_folder_end();
    return failed;
}
