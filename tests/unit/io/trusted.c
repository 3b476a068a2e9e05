/* SPDX-License-Identifier: MIT */
/* Zw functions that a driver calls check no access and no pointer; everybody else's do, and all Nt functions. */
#include "src/io/thread.h"
#include "tests/support/nt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static HANDLE handle; /* without any right to data, of a descriptor that could do all */

static void others(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    FILE_POSITION_INFORMATION position;
    FILE_BASIC_INFORMATION basic = {0};
    char byte = 'x';
    assert_status(ZwReadFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_ACCESS_DENIED);
    assert_status(ZwWriteFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_ACCESS_DENIED);
    assert_status(ZwQueryInformationFile(handle, &io, &position, sizeof(position), FilePositionInformation),
                  STATUS_ACCESS_DENIED);
    assert_status(ZwSetInformationFile(handle, &io, &basic, sizeof(basic), FileBasicInformation), STATUS_ACCESS_DENIED);
    assert_status(ZwWaitForSingleObject(handle, FALSE, NULL), STATUS_ACCESS_DENIED);
    assert_status(ZwReadFile(handle, NULL, NULL, NULL, NULL, &byte, 1, &offset, NULL), STATUS_ACCESS_DENIED);
}

static void drivers(void **state)
{
    (void)state;
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};
    FILE_POSITION_INFORMATION position;
    FILE_BASIC_INFORMATION basic = {0};
    char byte = 'x';
    nv_io_thread.kernel++;
    assert_status(ZwWriteFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_SUCCESS);
    assert_status(ZwReadFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_SUCCESS);
    assert_status(ZwQueryInformationFile(handle, &io, &position, sizeof(position), FilePositionInformation),
                  STATUS_SUCCESS);
    assert_status(ZwSetInformationFile(handle, &io, &basic, sizeof(basic), FileBasicInformation), STATUS_SUCCESS);
    assert_status(ZwWaitForSingleObject(handle, FALSE, NULL), STATUS_SUCCESS);
    assert_status(NtReadFile(handle, NULL, NULL, NULL, &io, &byte, 1, &offset, NULL), STATUS_ACCESS_DENIED);
    assert_status(NtWaitForSingleObject(handle, FALSE, NULL), STATUS_ACCESS_DENIED);
    nv_io_thread.kernel--;
    others(state);
}

/* All of them, by their Zw names, from an ordinary program. */
static void both_names(void **state)
{
    (void)state;
    struct nt_name name;
    HANDLE made, opened;
    IO_STATUS_BLOCK io;
    char byte = 'x';
    union {
        FILE_FS_ATTRIBUTE_INFORMATION information;
        char bytes[100];
    } volume;
    assert_status(ZwCreateFile(&made, RW, nt_unix_name(&name, "both"), &io, NULL, 0, ALL_SHARED, FILE_CREATE,
                               SYNCHRONOUS, NULL, 0),
                  STATUS_SUCCESS);
    assert_status(ZwOpenFile(&opened, RW, &name.attributes, &io, ALL_SHARED, SYNCHRONOUS), STATUS_SUCCESS);
    assert_status(ZwWriteFile(made, NULL, NULL, NULL, &io, &byte, 1, NULL, NULL), STATUS_SUCCESS);
    assert_status(ZwReadFile(opened, NULL, NULL, NULL, &io, &byte, 1, NULL, NULL), STATUS_SUCCESS);
    assert_status(ZwQueryVolumeInformationFile(made, &io, &volume, sizeof(volume), FileFsAttributeInformation),
                  STATUS_SUCCESS);
    assert_status(ZwWaitForSingleObject(made, FALSE, NULL), STATUS_SUCCESS);
    assert_status(ZwClose(made), STATUS_SUCCESS);
    assert_status(ZwClose(opened), STATUS_SUCCESS);
    assert_status(ZwOpenFile(&opened, RW, NULL, &io, 0, 0), STATUS_INVALID_PARAMETER);
    assert_status(ZwOpenFile(NULL, RW, &name.attributes, &io, 0, 0), STATUS_ACCESS_VIOLATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others),
        cmocka_unit_test(drivers),
        cmocka_unit_test(both_names),
    };
    own_folder_begin(".");
    make_file("file", "");
    int descriptor = open("file", O_RDWR | O_CLOEXEC);
    if (NvrtlHandleFromFd(descriptor, READ_CONTROL, &handle) != STATUS_SUCCESS)
        abort();
    close(descriptor);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    NtClose(handle);
    own_folder_end();
    return failed;
}
