/* SPDX-License-Identifier: MIT */
/* NtReadFile and NtWriteFile: offsets, positions, the end of the file, pointers, and the order of checks. */
#include "tests/support/nt.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static NTSTATUS read_at(HANDLE handle, void *buffer, ULONG length, LONGLONG offset, IO_STATUS_BLOCK *io)
{
    LARGE_INTEGER at = {.QuadPart = offset};
    *io = IO_UNTOUCHED;
    return NtReadFile(handle, NULL, NULL, NULL, io, buffer, length, &at, NULL);
}

static NTSTATUS write_at(HANDLE handle, const void *buffer, ULONG length, LONGLONG offset, IO_STATUS_BLOCK *io)
{
    LARGE_INTEGER at = {.QuadPart = offset};
    *io = IO_UNTOUCHED;
    return NtWriteFile(handle, NULL, NULL, NULL, io, (void *)(uintptr_t)buffer, length, &at, NULL);
}

static void assert_io(const IO_STATUS_BLOCK *io, NTSTATUS status, ULONG_PTR information)
{
    assert_status(io->Status, status);
    assert_int_equal(io->Information, information);
}

static void assert_untouched(const IO_STATUS_BLOCK *io)
{
    assert_io(io, UNTOUCHED, 0xdeadbeef);
}

static void assert_content(const char *path, const char *content)
{
    char found[1000] = "";
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(descriptor, found, sizeof(found) - 1) >= 0);
    close(descriptor);
    assert_string_equal(found, content);
}

static LONGLONG position(HANDLE handle)
{
    IO_STATUS_BLOCK io;
    FILE_POSITION_INFORMATION information;
    assert_status(NtQueryInformationFile(handle, &io, &information, sizeof(information), FilePositionInformation),
                  STATUS_SUCCESS);
    return information.CurrentByteOffset.QuadPart;
}

/* A handle that is not synchronous: it has no position. */
static HANDLE open_asynchronous(const char *path, ACCESS_MASK access)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(nt_create(&handle, access, path, &io, ALL_SHARED, FILE_OPEN, 0), STATUS_SUCCESS);
    return handle;
}

static void offsets(void **state)
{
    (void)state;
    static const struct {
        LONGLONG offset;
        ULONG length;
        NTSTATUS status;
        ULONG_PTR information;
    } rows[] = {
        {0, 4, STATUS_SUCCESS, 4},      {6, 4, STATUS_SUCCESS, 4},        {8, 4, STATUS_SUCCESS, 2},
        {10, 4, STATUS_END_OF_FILE, 0}, {1000, 4, STATUS_END_OF_FILE, 0}, {0, 0, STATUS_SUCCESS, 0},
        {10, 0, STATUS_SUCCESS, 0},     {0, 100, STATUS_SUCCESS, 10},
    };
    char buffer[100];
    IO_STATUS_BLOCK io;
    make_file("offsets", "0123456789");
    HANDLE handle = nt_open("offsets", RW), other = open_asynchronous("offsets", RW);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_status(read_at(handle, buffer, rows[i].length, rows[i].offset, &io), rows[i].status);
        assert_io(&io, rows[i].status, rows[i].information);
        assert_memory_equal(buffer, "0123456789" + (rows[i].information ? rows[i].offset : 0), rows[i].information);
        assert_status(read_at(other, buffer, rows[i].length, rows[i].offset, &io), rows[i].status);
        assert_io(&io, rows[i].status, rows[i].information);
    }
    for (LONGLONG offset = -20; offset < 0; offset++) {
        bool reads = offset == -2, writes = offset >= -2;
        assert_status(read_at(handle, buffer, 4, offset, &io), reads ? STATUS_END_OF_FILE : STATUS_INVALID_PARAMETER);
        if (!reads)
            assert_untouched(&io);
        assert_status(read_at(other, buffer, 4, offset, &io), STATUS_INVALID_PARAMETER);
        assert_untouched(&io);
        assert_status(write_at(handle, "x", 0, offset, &io), writes ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        if (!writes)
            assert_untouched(&io);
    }
    assert_status(read_at(handle, buffer, 4, INT64_MIN, &io), STATUS_INVALID_PARAMETER);
    assert_status(write_at(handle, buffer, 4, INT64_MAX, &io), STATUS_INVALID_PARAMETER);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
}

/* Every request of a synchronous handle moves its position; without ByteOffset it is where the next one begins. */
static void positions(void **state)
{
    (void)state;
    char buffer[10];
    IO_STATUS_BLOCK io;
    make_file("positions", "0123456789");
    HANDLE handle = nt_open("positions", RW), other = open_asynchronous("positions", RW);
    assert_int_equal(position(handle), 0);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, buffer, 3, NULL, NULL), STATUS_SUCCESS);
    assert_memory_equal(buffer, "012", 3);
    assert_int_equal(position(handle), 3);
    assert_status(read_at(handle, buffer, 2, -2, &io), STATUS_SUCCESS);
    assert_memory_equal(buffer, "34", 2);
    assert_status(read_at(handle, buffer, 1, 8, &io), STATUS_SUCCESS);
    assert_int_equal(position(handle), 9);
    assert_status(write_at(handle, "ab", 2, -2, &io), STATUS_SUCCESS);
    assert_int_equal(position(handle), 11);
    assert_status(write_at(handle, "cd", 2, -1, &io), STATUS_SUCCESS);
    assert_int_equal(position(handle), 13);
    assert_status(write_at(handle, "x", 1, 0, &io), STATUS_SUCCESS);
    assert_int_equal(position(handle), 1);
    assert_content("positions", "x12345678abcd");
    FILE_POSITION_INFORMATION information = {.CurrentByteOffset.QuadPart = 5};
    assert_status(NtSetInformationFile(handle, &io, &information, sizeof(information), FilePositionInformation),
                  STATUS_SUCCESS);
    assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, (PVOID) "y", 1, NULL, NULL), STATUS_SUCCESS);
    assert_content("positions", "x1234y678abcd");
    information.CurrentByteOffset.QuadPart = -1;
    assert_status(NtSetInformationFile(handle, &io, &information, sizeof(information), FilePositionInformation),
                  STATUS_INVALID_PARAMETER);
    io = IO_UNTOUCHED;
    assert_status(NtReadFile(other, NULL, NULL, NULL, &io, buffer, 3, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_untouched(&io);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    assert_status(NtClose(other), STATUS_SUCCESS);
}

/* A handle that may only append does so, whatever offset it names. */
static void append_only(void **state)
{
    (void)state;
    char buffer[4];
    IO_STATUS_BLOCK io;
    make_file("append", "0123456789");
    HANDLE handle = nt_open("append", FILE_APPEND_DATA);
    assert_status(write_at(handle, "abc", 3, 0, &io), STATUS_SUCCESS);
    assert_io(&io, STATUS_SUCCESS, 3);
    assert_status(write_at(handle, "d", 1, 5, &io), STATUS_SUCCESS);
    assert_content("append", "0123456789abcd");
    assert_status(read_at(handle, buffer, 4, 0, &io), STATUS_ACCESS_DENIED);
    assert_untouched(&io);
    assert_status(NtClose(handle), STATUS_SUCCESS);
    handle = nt_open("append", FILE_READ_DATA);
    assert_status(write_at(handle, "abc", 3, 0, &io), STATUS_ACCESS_DENIED);
    assert_untouched(&io);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void wrong_handles(void **state)
{
    (void)state;
    static const struct {
        HANDLE handle;
        NTSTATUS status;
    } rows[] = {
        {NULL, STATUS_INVALID_HANDLE},
        {(HANDLE)0xdeadbeef, STATUS_INVALID_HANDLE},
        {(HANDLE)-1, STATUS_OBJECT_TYPE_MISMATCH},
        {(HANDLE)-2, STATUS_OBJECT_TYPE_MISMATCH},
    };
    char buffer[4];
    IO_STATUS_BLOCK io;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_status(read_at(rows[i].handle, buffer, 4, 0, &io), rows[i].status);
        assert_untouched(&io);
        assert_status(write_at(rows[i].handle, buffer, 4, 0, &io), rows[i].status);
        assert_untouched(&io);
    }
}

static void folders(void **state)
{
    (void)state;
    char buffer[4];
    IO_STATUS_BLOCK io;
    mkdir("folder", 0700);
    HANDLE handle = nt_open("folder", RW);
    assert_status(read_at(handle, buffer, 4, 0, &io), STATUS_INVALID_DEVICE_REQUEST);
    assert_io(&io, STATUS_INVALID_DEVICE_REQUEST, 0);
    assert_status(write_at(handle, buffer, 4, 0, &io), STATUS_INVALID_DEVICE_REQUEST);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- pointers -- */

static void bad_pointers(void **state)
{
    (void)state;
    char buffer[8] = "";
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    LARGE_INTEGER zero = {0};
    make_file("pointers", "0123456789");
    HANDLE handle = nt_open("pointers", RW);
    char *guarded = guarded_make(PAGE);
    PVOID bad[] = {NULL, (PVOID)0xdeadbee8, guarded - 8, guarded + PAGE - 4, (PVOID)(uintptr_t)0xffff800000000000};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_status(NtReadFile(handle, NULL, NULL, NULL, bad[i], buffer, 4, &zero, NULL), STATUS_ACCESS_VIOLATION);
        assert_status(NtWriteFile(handle, NULL, NULL, NULL, bad[i], buffer, 3, &zero, NULL), STATUS_ACCESS_VIOLATION);
        if (i > 0) /* no pointer at all means the position */
            assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, buffer, 4, bad[i], NULL), STATUS_ACCESS_VIOLATION);
        assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, bad[i], 8, &zero, NULL), STATUS_ACCESS_VIOLATION);
        assert_untouched(&io);
        assert_status(NtWriteFile(handle, NULL, NULL, NULL, &io, guarded - 1, 8, &zero, NULL),
                      STATUS_INVALID_USER_BUFFER);
        assert_untouched(&io);
    }
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, NULL, 0, &zero, NULL), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, (PVOID)guarded, buffer, 4, &zero, NULL), STATUS_SUCCESS);
    memset(guarded, 0, PAGE); /* half of a status block is padding */
    assert_int_equal(mprotect(guarded, PAGE, PROT_READ), 0);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, (PVOID)guarded, buffer, 4, &zero, NULL),
                  STATUS_ACCESS_VIOLATION);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, buffer, 4, (PVOID)guarded, NULL), STATUS_SUCCESS);
    assert_content("pointers", "0123456789");
    guarded_end(guarded, PAGE);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void event_and_apc(void **state)
{
    (void)state;
    char buffer[4];
    IO_STATUS_BLOCK io = IO_UNTOUCHED;
    make_file("event", "0123456789");
    HANDLE handle = nt_open("event", RW);
    assert_status(NtReadFile(handle, handle, NULL, NULL, &io, buffer, 4, NULL, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(NtReadFile(handle, (HANDLE)8, NULL, NULL, &io, buffer, 4, NULL, NULL), STATUS_INVALID_HANDLE);
    assert_status(NtReadFile(handle, NULL, (PIO_APC_ROUTINE)1, NULL, &io, buffer, 4, NULL, NULL), STATUS_NOT_SUPPORTED);
    assert_untouched(&io);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- without intermediate buffering, written through -- */

static void unbuffered(void **state)
{
    (void)state;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    char *buffer = aligned_alloc(4096, 8192);
    memset(buffer, 'a', 8192);
    assert_status(nt_create(&handle, RW, "unbuffered", &io, ALL_SHARED, FILE_CREATE,
                            SYNCHRONOUS | FILE_NO_INTERMEDIATE_BUFFERING | FILE_WRITE_THROUGH),
                  STATUS_SUCCESS);
    assert_status(write_at(handle, buffer, 4096, 0, &io), STATUS_SUCCESS);
    assert_status(write_at(handle, buffer, 4096, 4096, &io), STATUS_SUCCESS);
    assert_status(write_at(handle, buffer, 100, 0, &io), STATUS_INVALID_PARAMETER);
    assert_untouched(&io);
    assert_status(read_at(handle, buffer, 4096, 100, &io), STATUS_INVALID_PARAMETER);
    assert_untouched(&io);
    assert_int_equal(truncate("unbuffered", 5000), 0);
    assert_status(read_at(handle, buffer, 8192, 0, &io), STATUS_SUCCESS);
    assert_io(&io, STATUS_SUCCESS, 5000);
    assert_status(read_at(handle, buffer, 4096, 8192, &io), STATUS_END_OF_FILE);
    free(buffer);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

static void written_through(void **state)
{
    (void)state;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(nt_create(&handle, RW, "through", &io, ALL_SHARED, FILE_CREATE, SYNCHRONOUS | FILE_WRITE_THROUGH),
                  STATUS_SUCCESS);
    assert_status(write_at(handle, "through", 7, 0, &io), STATUS_SUCCESS);
    assert_content("through", "through");
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

/* -- streams -- */

/* The reader waits for it, or comes later. */
static void *write_later(void *end)
{
    assert_int_equal(write((int)(intptr_t)end, "late", 4), 4);
    return NULL;
}

static void pipes(void **state)
{
    (void)state;
    int ends[2];
    HANDLE reader, writer;
    IO_STATUS_BLOCK io;
    pthread_t thread;
    char buffer[100];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_status(NvrtlHandleFromFd(ends[0], FILE_READ_DATA, &reader), STATUS_SUCCESS);
    assert_status(NvrtlHandleFromFd(ends[1], FILE_WRITE_DATA, &writer), STATUS_SUCCESS);
    assert_status(write_at(writer, "abc", 3, 77, &io), STATUS_SUCCESS);
    assert_status(read_at(reader, buffer, sizeof(buffer), -5, &io), STATUS_SUCCESS);
    assert_io(&io, STATUS_SUCCESS, 3);
    assert_int_equal(pthread_create(&thread, NULL, write_later, (void *)(intptr_t)ends[1]), 0);
    assert_status(read_at(reader, buffer, sizeof(buffer), 0, &io), STATUS_SUCCESS);
    assert_io(&io, STATUS_SUCCESS, 4);
    pthread_join(thread, NULL);
    assert_status(NtClose(reader), STATUS_SUCCESS);
    close(ends[0]);
    assert_status(write_at(writer, "abc", 3, 0, &io), STATUS_PIPE_BROKEN); /* and no SIGPIPE */
    assert_status(NtClose(writer), STATUS_SUCCESS);
    close(ends[1]);
}

static void pipe_without_writer(void **state)
{
    (void)state;
    int ends[2];
    HANDLE reader;
    IO_STATUS_BLOCK io;
    char buffer[100];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "rest", 4), 4);
    close(ends[1]);
    assert_status(NvrtlHandleFromFd(ends[0], FILE_READ_DATA, &reader), STATUS_SUCCESS);
    assert_status(read_at(reader, buffer, 100, 0, &io), STATUS_SUCCESS);
    assert_io(&io, STATUS_SUCCESS, 4);
    assert_status(read_at(reader, buffer, 100, 0, &io), STATUS_PIPE_BROKEN);
    assert_status(NtClose(reader), STATUS_SUCCESS);
    close(ends[0]);
}

/* A stated access that the descriptor cannot keep is found out by the first use. */
static void descriptor_that_cannot_write(void **state)
{
    (void)state;
    HANDLE handle;
    IO_STATUS_BLOCK io;
    make_file("cannot", "0123456789");
    int descriptor = open("cannot", O_RDONLY | O_CLOEXEC);
    assert_status(NvrtlHandleFromFd(descriptor, FILE_WRITE_DATA, &handle), STATUS_SUCCESS);
    close(descriptor);
    assert_status(write_at(handle, "abc", 3, 0, &io), STATUS_ACCESS_DENIED);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),
        cmocka_unit_test(positions),
        cmocka_unit_test(append_only),
        cmocka_unit_test(wrong_handles),
        cmocka_unit_test(folders),
        cmocka_unit_test(bad_pointers),
        cmocka_unit_test(event_and_apc),
        cmocka_unit_test(unbuffered),
        cmocka_unit_test(written_through),
        cmocka_unit_test(pipes),
        cmocka_unit_test(pipe_without_writer),
        cmocka_unit_test(descriptor_that_cannot_write),
    };
    own_folder_begin(".");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    own_folder_end();
    return failed;
}
