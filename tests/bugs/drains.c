/* SPDX-License-Identifier: MIT */
/* A drain of a page-cache token fails. The first sync is that of the set-up; the second is made to fail. */
#include "tests/bugs/bugs.h"

#include <unistd.h>

#define FAIL_NEXT "--fail-sync=2 --domain=page-cache"

static NTSTATUS flush_one(struct bug_file *file)
{
    bug_write(file, 4096, 7);
    return RtlFlushNonVolatileMemory(file->token, file->base + 4096, 8, 0);
}

static void status_not_looked_at(struct bug_file *file, bool right)
{
    if (flush_one(file) != STATUS_SUCCESS && right)
        _exit(1);
}

/* It stays failed until the program says that it knows. */
static void flushed_again(struct bug_file *file, bool right)
{
    if (flush_one(file) == STATUS_SUCCESS)
        return;
    bug_check(flush_one(file) == STATUS_IO_DEVICE_ERROR);
    bug_check(!right || NvrtlForgetFailure(file->token) == STATUS_SUCCESS);
    bug_check((flush_one(file) == STATUS_SUCCESS) == right);
}

static void drain_not_looked_at(struct bug_file *file, bool right)
{
    bug_write(file, 128, 7);
    bug_begin(file, 128, 8);
    if (RtlDrainNonVolatileFlush(file->token) != STATUS_SUCCESS && right)
        _exit(1);
}

static void write_not_looked_at(struct bug_file *file, bool right)
{
    NTSTATUS status = RtlWriteNonVolatileMemory(file->token, file->base, "a record", 8, WRITE_NV_MEMORY_FLAG_PERSIST);
    if (status != STATUS_SUCCESS && right)
        _exit(1);
}

static const struct bug bugs[] = {
    {"status-not-looked-at", "flush-error-ignored", status_not_looked_at, FAIL_NEXT},
    {"flushed-again", "flush-error-ignored", flushed_again, FAIL_NEXT},
    {"drain-not-looked-at", "flush-error-ignored", drain_not_looked_at, FAIL_NEXT},
    {"write-not-looked-at", "flush-error-ignored", write_not_looked_at, FAIL_NEXT},
};
BUG_CLASS(drains, bugs);
