/* SPDX-License-Identifier: MIT */
/* NT names, and files opened by them, for tests of the file plane. */
#ifndef TEST_NT_H
#define TEST_NT_H

#include "tests/support/memory.h"

#include <stdbool.h>

#define RW (FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE)
#define ALL_SHARED FILE_SHARE_VALID_FLAGS
#define SYNCHRONOUS FILE_SYNCHRONOUS_IO_NONALERT

/* What an I/O status block holds before a call, so that it is seen whether the call wrote it. */
#define UNTOUCHED ((NTSTATUS)0xdeadbeef)
#define IO_UNTOUCHED ((IO_STATUS_BLOCK){.Status = UNTOUCHED, .Information = 0xdeadbeef})

struct nt_name {
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING string;
    WCHAR text[5000];
};

/* The text, which is UTF-8, as the name in attributes that are relative to `root`, or NULL. */
OBJECT_ATTRIBUTES *nt_name(struct nt_name *name, const char *text, HANDLE root);

/* Likewise the NT name of a Linux path; a relative one is made absolute. */
OBJECT_ATTRIBUTES *nt_unix_name(struct nt_name *name, const char *path);

/* NtCreateFile of the Linux path with attributes 0. */
NTSTATUS nt_create(HANDLE *handle, ACCESS_MASK access, const char *path, IO_STATUS_BLOCK *io, ULONG share,
                   ULONG disposition, ULONG options);

/* Opens a file that has to be there, synchronously, sharing all. */
HANDLE nt_open(const char *path, ACCESS_MASK access);

/* How many descriptors the process has open. */
size_t descriptors(void);

/* A new folder, which becomes the current one; and its end, with all that is in it. */
void own_folder_begin(const char *parent);
void own_folder_end(void);

/* Makes a file with this content, outside of the file plane. */
void make_file(const char *path, const char *content);

#endif
