/* SPDX-License-Identifier: MIT */
/* Owns what the harnesses of the sample drivers do with files: what programs do. Linked into them. */
#include "tests/filters/harness.h"

#include <string.h>

static void write_at(HANDLE file, LONGLONG at, const char *text)
{
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = at};
    assert_status(NtWriteFile(file, NULL, NULL, NULL, &io, (PVOID)text, (ULONG)strlen(text), &offset, NULL),
                  STATUS_SUCCESS);
    assert_int_equal(io.Information, strlen(text));
}

void use_files(const char *name)
{
    IO_STATUS_BLOCK io;
    HANDLE file;
    FILE_STANDARD_INFORMATION standard;
    LARGE_INTEGER offset = {.QuadPart = 3};
    char buffer[8] = "";
    assert_status(nt_create(&file, RW, name, &io, ALL_SHARED, FILE_OPEN_IF, SYNCHRONOUS), STATUS_SUCCESS);
    assert_int_equal(io.Information, FILE_CREATED);
    write_at(file, 0, "first");
    write_at(file, 5, "second");
    assert_status(NtFlushBuffersFile(file, &io), STATUS_SUCCESS);
    assert_status(io.Status, STATUS_SUCCESS);
    assert_status(NtFlushBuffersFileEx(file, FLUSH_FLAGS_FILE_DATA_SYNC_ONLY, NULL, 0, &io), STATUS_SUCCESS);
    assert_status(NtReadFile(file, NULL, NULL, NULL, &io, buffer, 4, &offset, NULL), STATUS_SUCCESS);
    assert_string_equal(buffer, "stse");
    assert_status(NtQueryInformationFile(file, &io, &standard, sizeof(standard), FileStandardInformation),
                  STATUS_SUCCESS);
    assert_int_equal(standard.EndOfFile.QuadPart, 11);
    assert_status(NtClose(file), STATUS_SUCCESS);
}
