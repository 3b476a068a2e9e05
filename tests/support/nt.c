/* SPDX-License-Identifier: MIT */
/* Owns what tests of the file plane need to name and open files. Linked into them. */
#include "tests/support/nt.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t to_utf16(const char *text, WCHAR *out)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t count = 0;
    while (*at) {
        unsigned character = *at < 0x80 ? *at : *at < 0xE0 ? *at & 0x1Fu : *at < 0xF0 ? *at & 0x0Fu : *at & 0x07u;
        int more = *at < 0x80 ? 0 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : 3;
        for (at++; more > 0; more--)
            character = character << 6 | (*at++ & 0x3Fu);
        if (character > 0xFFFF) {
            out[count++] = (WCHAR)(0xD7C0 + (character >> 10));
            character = 0xDC00 | (character & 0x3FF);
        }
        out[count++] = (WCHAR)character;
    }
    return count;
}

OBJECT_ATTRIBUTES *nt_name(struct nt_name *name, const char *text, HANDLE root)
{
    name->string.Length = (USHORT)(to_utf16(text, name->text) * sizeof(WCHAR));
    name->string.MaximumLength = name->string.Length;
    name->string.Buffer = name->text;
    InitializeObjectAttributes(&name->attributes, &name->string, 0, root, NULL);
    return &name->attributes;
}

OBJECT_ATTRIBUTES *nt_unix_name(struct nt_name *name, const char *path)
{
    char text[2 * PATH_MAX] = "\\??\\unix", folder[PATH_MAX];
    if (path[0] != '/') {
        assert_non_null(getcwd(folder, sizeof(folder)));
        strcat(strcat(text, folder), "/");
    }
    return nt_name(name, strcat(text, path), NULL);
}

NTSTATUS nt_create(HANDLE *handle, ACCESS_MASK access, const char *path, IO_STATUS_BLOCK *io, ULONG share,
                   ULONG disposition, ULONG options)
{
    struct nt_name name;
    return NtCreateFile(handle, access, nt_unix_name(&name, path), io, NULL, 0, share, disposition, options, NULL, 0);
}

HANDLE nt_open(const char *path, ACCESS_MASK access)
{
    HANDLE handle;
    IO_STATUS_BLOCK io;
    assert_status(nt_create(&handle, access | SYNCHRONIZE, path, &io, ALL_SHARED, FILE_OPEN, SYNCHRONOUS),
                  STATUS_SUCCESS);
    return handle;
}

size_t descriptors(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 3; /* ".", ".." and the folder's own */
}

static char own_folder[PATH_MAX];

void own_folder_begin(const char *parent)
{
    char here[PATH_MAX];
    assert_int_equal(chdir(parent), 0);
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(own_folder, sizeof(own_folder), "%.4000s/nvrtl-test-XXXXXX", here);
    assert_non_null(mkdtemp(own_folder));
    assert_int_equal(chdir(own_folder), 0);
}

void own_folder_end(void)
{
    char command[PATH_MAX + 32];
    assert_int_equal(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", own_folder);
    assert_int_equal(system(command), 0);
}

void make_file(const char *path, const char *content)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, content, strlen(content)), strlen(content));
    close(descriptor);
}
