/* SPDX-License-Identifier: MIT */
/*
 * A sync fails. The first one is that of the case's own set-up (tests/bugs/bugs.c); the second is made to fail.
 */
#include "tests/bugs/bugs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FAIL_NEXT "--fail-sync=2"

enum { GIVES_UP = 1 };

static void write_record(struct bug_file *file)
{
    bug_check(pwrite(file->descriptor, "a record", 8, 4096) == 8);
}

/* It fails, and nobody looks. */
static void result_not_looked_at(struct bug_file *file, bool right)
{
    write_record(file);
    if (fsync(file->descriptor) != 0 && right)
        _exit(GIVES_UP);
}

/* It fails, is called again, and succeeds: without the data. */
static void called_again(struct bug_file *file, bool right)
{
    write_record(file);
    while (fsync(file->descriptor) != 0)
        if (right)
            write_record(file), bug_check(pwrite(file->descriptor, "A", 1, 4096 + 100) == 1);
}

static void data_called_again(struct bug_file *file, bool right)
{
    write_record(file);
    if (fdatasync(file->descriptor) == 0)
        return;
    if (right)
        bug_check(pwrite(file->descriptor, "anew", 4, 4096) == 4);
    bug_check(fdatasync(file->descriptor) == 0);
}

static void mapping_called_again(struct bug_file *file, bool right)
{
    memcpy(file->base + 8192, "a record", 8);
    if (msync(file->base + 8192, 4096, MS_SYNC) == 0)
        return;
    if (right)
        memcpy(file->base + 8192, "a Record", 8);
    bug_check(msync(file->base + 8192, 4096, MS_SYNC) == 0);
}

/* Another file of it is written, synced and put in its place: nothing of the failed one matters any more. */
static void written_elsewhere(struct bug_file *file, bool right)
{
    write_record(file);
    if (fsync(file->descriptor) == 0 || !right)
        return;
    int other = open("other", O_RDWR | O_CREAT, 0600);
    bug_check(other >= 0 && write(other, "a record", 8) == 8 && fsync(other) == 0 && close(other) == 0);
    bug_check(rename("other", "data") == 0);
    int folder = open(".", O_RDONLY | O_DIRECTORY);
    bug_check(folder >= 0 && fsync(folder) == 0);
}

/* What a later write changes is written, and nothing else. */
static void half_rewritten(struct bug_file *file, bool right)
{
    bug_check(pwrite(file->descriptor, "one", 3, 0) == 3 && pwrite(file->descriptor, "two", 3, 8192) == 3);
    if (fsync(file->descriptor) == 0)
        return;
    bug_check(pwrite(file->descriptor, "One", 3, 0) == 3);
    if (right)
        bug_check(pwrite(file->descriptor, "Two", 3, 8192) == 3);
    bug_check(fsync(file->descriptor) == 0);
}

static void new_file(struct bug_file *file, bool right)
{
    int other = open("other", O_RDWR | O_CREAT, 0600);
    (void)file;
    bug_check(other >= 0 && write(other, "a record", 8) == 8);
    if (fsync(other) != 0 && right)
        _exit(GIVES_UP);
}

static const struct bug bugs[] = {
    {"result-not-looked-at", "flush-error-ignored", result_not_looked_at, FAIL_NEXT},
    {"called-again", "flush-error-ignored", called_again, FAIL_NEXT},
    {"data-called-again", "flush-error-ignored", data_called_again, FAIL_NEXT},
    {"mapping-called-again", "flush-error-ignored", mapping_called_again, FAIL_NEXT},
    {"written-elsewhere", "flush-error-ignored", written_elsewhere, FAIL_NEXT},
    {"half-rewritten", "flush-error-ignored", half_rewritten, FAIL_NEXT},
    {"new-file", "flush-error-ignored", new_file, FAIL_NEXT},
};
BUG_CLASS(failures, bugs);
