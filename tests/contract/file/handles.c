/* SPDX-License-Identifier: MIT */
/* Handles: closing, waiting, descriptors and their kinds, and the child of a fork. */
#include "tests/support/nt.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void closing(void **state)
{
    (void)state;
    static const struct {
        HANDLE handle;
        NTSTATUS status;
    } rows[] = {
        {NULL, STATUS_INVALID_HANDLE},       {(HANDLE)0xdeadbeef, STATUS_INVALID_HANDLE},
        {(HANDLE)4, STATUS_INVALID_HANDLE},  {(HANDLE)-1, STATUS_SUCCESS},
        {(HANDLE)-1, STATUS_SUCCESS},        {(HANDLE)-2, STATUS_SUCCESS},
        {(HANDLE)-3, STATUS_INVALID_HANDLE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_status(NtClose(rows[i].handle), rows[i].status);
        assert_status(ZwClose(rows[i].handle), rows[i].status);
    }
    make_file("closed", "");
    size_t before = descriptors();
    HANDLE handle = nt_open("closed", RW), other = nt_open("closed", RW);
    assert_ptr_not_equal(handle, other);
    assert_int_equal(descriptors(), before + 2);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_INVALID_HANDLE);
    assert_status(ZwClose(other), STATUS_SUCCESS);
    assert_int_equal(descriptors(), before);
    HANDLE later = nt_open("closed", RW);
    assert_ptr_not_equal(later, handle);
    assert_ptr_not_equal(later, other);
    assert_status(NtClose(later), STATUS_SUCCESS);
}

static void waiting(void **state)
{
    (void)state;
    LARGE_INTEGER timeout = {.QuadPart = -10};
    make_file("waited", "");
    HANDLE handle = nt_open("waited", FILE_READ_DATA), without;
    IO_STATUS_BLOCK io;
    assert_status(NtWaitForSingleObject(handle, FALSE, NULL), STATUS_SUCCESS);
    assert_status(NtWaitForSingleObject(handle, TRUE, &timeout), STATUS_SUCCESS);
    assert_status(ZwWaitForSingleObject(handle, FALSE, &timeout), STATUS_SUCCESS);
    assert_status(NtWaitForSingleObject(handle, FALSE, (PVOID)(uintptr_t)0xdeadbee8), STATUS_ACCESS_VIOLATION);
    assert_status(NtWaitForSingleObject(NULL, FALSE, NULL), STATUS_INVALID_HANDLE);
    assert_status(NtWaitForSingleObject(NtCurrentProcess(), FALSE, &timeout), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(nt_create(&without, FILE_READ_DATA, "waited", &io, ALL_SHARED, FILE_OPEN, 0), STATUS_SUCCESS);
    assert_status(NtWaitForSingleObject(without, FALSE, NULL), STATUS_ACCESS_DENIED);
    assert_status(NtClose(without), STATUS_SUCCESS);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtWaitForSingleObject(handle, FALSE, NULL), STATUS_INVALID_HANDLE);
}

/* -- descriptors -- */

static void kinds_of_descriptors(void **state)
{
    (void)state;
    int sockets[2], pipes[2];
    IO_STATUS_BLOCK io;
    char byte;
    mkdir("folder", 0700);
    make_file("file", "content");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) | pipe2(pipes, O_CLOEXEC), 0);
    const int all[] = {open("folder", O_RDONLY | O_CLOEXEC),
                       open("file", O_RDWR | O_CLOEXEC),
                       open("file", O_PATH | O_CLOEXEC),
                       open("/dev/null", O_RDWR | O_CLOEXEC),
                       posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC),
                       sockets[0],
                       pipes[0],
                       pipes[1]};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        HANDLE handle;
        FILE_STANDARD_INFORMATION standard;
        FILE_ACCESS_INFORMATION access;
        assert_true(all[i] >= 0);
        size_t before = descriptors();
        assert_status(NvrtlHandleFromFd(all[i], GENERIC_READ | GENERIC_WRITE, &handle), STATUS_SUCCESS);
        assert_status(NtQueryInformationFile(handle, &io, &standard, sizeof(standard), FileStandardInformation),
                      STATUS_SUCCESS);
        assert_int_equal(standard.Directory, i == 0);
        assert_status(NtQueryInformationFile(handle, &io, &access, sizeof(access), FileAccessInformation),
                      STATUS_SUCCESS);
        assert_int_equal(access.AccessFlags, FILE_GENERIC_READ | FILE_GENERIC_WRITE);
        assert_int_equal(descriptors(), before + 1);
        assert_status(NtClose(handle), STATUS_SUCCESS);
        assert_int_equal(descriptors(), before);
        assert_int_equal(fcntl(all[i], F_GETFD), FD_CLOEXEC);
    }
    HANDLE end;
    assert_status(NvrtlHandleFromFd(sockets[0], GENERIC_READ | GENERIC_WRITE, &end), STATUS_SUCCESS);
    assert_status(NtWriteFile(end, NULL, NULL, NULL, &io, (PVOID) "s", 1, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(read(sockets[1], &byte, 1), 1);
    assert_status(NtClose(end), STATUS_SUCCESS);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        close(all[i]);
    close(sockets[1]);
}

static void wrong_descriptors(void **state)
{
    (void)state;
    HANDLE handle = (HANDLE)1;
    assert_status(NvrtlHandleFromFd(-1, RW, &handle), STATUS_INVALID_HANDLE);
    assert_status(NvrtlHandleFromFd(100000000, RW, &handle), STATUS_INVALID_HANDLE);
    assert_status(NvrtlHandleFromFd(0, 0, &handle), STATUS_ACCESS_DENIED);
    assert_status(NvrtlHandleFromFd(0, 0x8000, &handle), STATUS_ACCESS_DENIED);
    assert_status(NvrtlHandleFromFd(0, RW, NULL), STATUS_ACCESS_VIOLATION);
    assert_status(NvrtlHandleFromFd(0, RW, (PVOID)(uintptr_t)0xdeadbee8), STATUS_ACCESS_VIOLATION);
    assert_ptr_equal(handle, (HANDLE)1);
}

/* A handle that shares nothing is in the way of one that is made from a descriptor, too. */
static void descriptor_and_sharing(void **state)
{
    (void)state;
    HANDLE first, second;
    IO_STATUS_BLOCK io;
    make_file("own", "");
    int descriptor = open("own", O_RDWR | O_CLOEXEC);
    size_t before = descriptors();
    assert_status(nt_create(&first, RW, "own", &io, 0, FILE_OPEN, 0), STATUS_SUCCESS);
    assert_status(NvrtlHandleFromFd(descriptor, RW, &second), STATUS_SHARING_VIOLATION);
    assert_status(NtClose(first), STATUS_SUCCESS);
    assert_int_equal(descriptors(), before);
    assert_status(NvrtlHandleFromFd(descriptor, RW, &second), STATUS_SUCCESS);
    assert_status(nt_create(&first, RW, "own", &io, FILE_SHARE_READ, FILE_OPEN, 0), STATUS_SHARING_VIOLATION);
    assert_status(NtClose(second), STATUS_SUCCESS);
    close(descriptor);
}

/* The positions of a handle and of the descriptor that it was made from have nothing to do with each other. */
static void descriptor_and_position(void **state)
{
    (void)state;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    char byte;
    make_file("positions", "0123456789");
    int descriptor = open("positions", O_RDWR | O_CLOEXEC);
    assert_int_equal(lseek(descriptor, 5, SEEK_SET), 5);
    assert_status(NvrtlHandleFromFd(descriptor, RW, &handle), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, &byte, 1, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(byte, '0');
    assert_int_equal(lseek(descriptor, 0, SEEK_CUR), 5);
    close(descriptor);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, &byte, 1, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(byte, '1');
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- fork -- */

static int in_child(HANDLE handle)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    char buffer[4];
    HANDLE own;
    alarm(20);
    if (NtReadFile(handle, NULL, NULL, NULL, &io, buffer, 4, NULL, NULL) != STATUS_SUCCESS ||
        NtWriteFile(handle, NULL, NULL, NULL, &io, (PVOID) "x", 1, &offset, NULL) != STATUS_SUCCESS ||
        NtFlushBuffersFile(handle, &io) != STATUS_SUCCESS)
        return 1;
    if (nt_create(&own, RW, "forked", &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS) != STATUS_SUCCESS ||
        NtClose(own) != STATUS_SUCCESS)
        return 2;
    return NtClose(handle) == STATUS_SUCCESS && NtClose(handle) == STATUS_INVALID_HANDLE ? 0 : 3;
}

static atomic_bool stop;

static void *keep_busy(void *handle)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    char buffer[4];
    while (!atomic_load(&stop)) {
        HANDLE own;
        if (NtReadFile(handle, NULL, NULL, NULL, &io, buffer, 4, &offset, NULL) != STATUS_SUCCESS ||
            nt_create(&own, RW, "forked", &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS) != STATUS_SUCCESS ||
            NtClose(own) != STATUS_SUCCESS)
            abort();
    }
    return NULL;
}

/* Handles live on in the child, whatever other threads were doing with them. */
static void forks(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("AddressSanitizer's allocator may be locked in the child of a program with threads\n");
    skip();
#endif
    pthread_t threads[3];
    make_file("forked", "0123456789");
    HANDLE handle = nt_open("forked", RW);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, handle), 0);
    for (int i = 0; i < 50; i++) {
        int result;
        pid_t child = fork();
        if (child == 0)
            _exit(in_child(handle));
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing),
        cmocka_unit_test(waiting),
        cmocka_unit_test(kinds_of_descriptors),
        cmocka_unit_test(wrong_descriptors),
        cmocka_unit_test(descriptor_and_sharing),
        cmocka_unit_test(descriptor_and_position),
        cmocka_unit_test(forks),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
