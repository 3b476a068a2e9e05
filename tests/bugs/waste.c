/* SPDX-License-Identifier: MIT */
/* Flushes and drains that have nothing to do. */
#include "tests/bugs/bugs.h"

#define PERFORMANCE "--performance"

static void flushed_twice(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    bug_begin(file, 0, 8);
    if (!right)
        bug_begin(file, 0, 8);
    bug_drain(file);
}

static void flushed_when_durable(struct bug_file *file, bool right)
{
    bug_persist(file, 128, 1);
    if (!right)
        bug_flush(file, 128, 8);
}

static void field_by_field(struct bug_file *file, bool right)
{
    for (uint64_t record = 1; record <= 20; record++) {
        for (size_t field = 0; field < 4; field++)
            bug_write(file, 8 * field, record);
        bug_begin(file, 0, 32);
        for (size_t field = 1; field < 4 && !right; field++)
            bug_begin(file, 8 * field, 8);
        bug_drain(file);
    }
}

static void ranges_again(struct bug_file *file, bool right)
{
    NV_MEMORY_RANGE ranges[] = {{file->base, 8}, {file->base + 4096, 8}};
    bug_write(file, 0, 1);
    bug_write(file, 4096, 1);
    for (int i = 0; i < (right ? 1 : 2); i++)
        bug_check(RtlFlushNonVolatileMemoryRanges(file->token, ranges, 2, 0) == STATUS_SUCCESS);
}

static void flushed_with_default_token(struct bug_file *file, bool right)
{
    bug_persist(file, 256, 3);
    if (!right)
        bug_check(RtlFlushNonVolatileMemory((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, file->base + 256, 8, 0) ==
                  STATUS_SUCCESS);
}

static void drained_in_one_call(struct bug_file *file, bool right)
{
    for (uint64_t i = 1; i < 10; i++) {
        bug_write(file, 64 * i, i);
        bug_check(RtlFlushNonVolatileMemory((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, file->base + 64 * i, 8, 0) ==
                  STATUS_SUCCESS);
        if (!right)
            bug_check(RtlDrainNonVolatileFlush((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN) == STATUS_SUCCESS);
    }
}

static void drained_twice(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    bug_begin(file, 0, 8);
    bug_drain(file);
    if (!right)
        bug_drain(file);
}

static void drained_after_a_drain(struct bug_file *file, bool right)
{
    for (uint64_t i = 1; i < 10; i++) {
        bug_write(file, 64 * i, i);
        if (right)
            bug_begin(file, 64 * i, 8);
        else
            bug_flush(file, 64 * i, 8);
        bug_drain(file);
    }
}

static void drained_with_default_token(struct bug_file *file, bool right)
{
    bug_persist(file, 512, 1);
    if (!right)
        bug_check(RtlDrainNonVolatileFlush((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN) == STATUS_SUCCESS);
}

/* Now and then there is nothing new: that is how a condition works, and no finding in either program. */
static void sometimes(struct bug_file *file, bool right)
{
    for (uint64_t i = 0; i < 10; i++) {
        bug_write(file, 1024, i / (right ? 1 : 3) * (right ? 1 : 7) + 1);
        bug_flush(file, 1024, 8);
    }
    if (!right)
        bug_flush(file, 1024, 8);
}

static const struct bug bugs[] = {
    {"flushed-twice", "redundant-flush", flushed_twice, PERFORMANCE},
    {"flushed-when-durable", "redundant-flush", flushed_when_durable, PERFORMANCE},
    {"field-by-field", "redundant-flush", field_by_field, PERFORMANCE},
    {"ranges-again", "redundant-flush", ranges_again, PERFORMANCE},
    {"flushed-with-default-token", "redundant-flush", flushed_with_default_token, PERFORMANCE},
    {"sometimes", "redundant-flush", sometimes, PERFORMANCE},
    {"drained-in-one-call", "needless-drain", drained_in_one_call, PERFORMANCE},
    {"drained-twice", "needless-drain", drained_twice, PERFORMANCE},
    {"drained-after-a-drain", "needless-drain", drained_after_a_drain, PERFORMANCE},
    {"drained-with-default-token", "needless-drain", drained_with_default_token, PERFORMANCE},
};
BUG_CLASS(waste, bugs);
