/* SPDX-License-Identifier: MIT */
/* Calls that no token allows. Each program is told so by a status, and does not look. */
#include "tests/bugs/bugs.h"

static void freed_twice(struct bug_file *file, bool right)
{
    PVOID token;
    bug_check(RtlGetNonVolatileToken(file->base, BUG_BYTES, &token) == STATUS_SUCCESS);
    (void)RtlFreeNonVolatileToken(token);
    if (!right)
        (void)RtlFreeNonVolatileToken(token);
}

static void used_after_it_was_freed(struct bug_file *file, bool right)
{
    PVOID token;
    bug_check(RtlGetNonVolatileToken(file->base, BUG_BYTES, &token) == STATUS_SUCCESS);
    if (!right)
        (void)RtlFreeNonVolatileToken(token);
    (void)RtlDrainNonVolatileFlush(token);
    if (right)
        (void)RtlFreeNonVolatileToken(token);
}

static void address_instead_of_token(struct bug_file *file, bool right)
{
    (void)RtlDrainNonVolatileFlush(right ? file->token : file->base);
}

static void null_source(struct bug_file *file, bool right)
{
    (void)RtlWriteNonVolatileMemory(file->token, file->base, right ? "ab" : NULL, 2, WRITE_NV_MEMORY_FLAG_PERSIST);
}

static void unknown_flag(struct bug_file *file, bool right)
{
    (void)RtlFlushNonVolatileMemory(file->token, file->base, 8, right ? 0 : 0x10);
}

static void address_of_the_pointer(struct bug_file *file, bool right)
{
    char *record = file->base + 4096;
    (void)RtlFlushNonVolatileMemory(file->token, right ? (PVOID)record : (PVOID)&record, 8, 0);
}

static void one_byte_beyond(struct bug_file *file, bool right)
{
    (void)RtlFlushNonVolatileMemory(file->token, file->base + BUG_BYTES - 64, right ? 64 : 65, 0);
}

static void range_of_another_token(struct bug_file *file, bool right)
{
    PVOID half;
    bug_check(RtlGetNonVolatileToken(file->base, BUG_BYTES / 2, &half) == STATUS_SUCCESS);
    (void)RtlFlushNonVolatileMemory(right ? file->token : half, file->base + BUG_BYTES / 2, 8, 0);
    (void)RtlFreeNonVolatileToken(half);
}

static void default_token_on_the_stack(struct bug_file *file, bool right)
{
    char local[64] = "local";
    (void)RtlFlushNonVolatileMemory((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, right ? file->base : local, 8, 0);
}

static void one_range_of_many(struct bug_file *file, bool right)
{
    NV_MEMORY_RANGE ranges[] = {{file->base, 8}, {right ? file->base + 64 : NULL, 8}, {file->base + 128, 8}};
    (void)RtlFlushNonVolatileMemoryRanges(file->token, ranges, 3, 0);
}

static const struct bug bugs[] = {
    {"freed-twice", "token-misuse", freed_twice, NULL},
    {"used-after-it-was-freed", "token-misuse", used_after_it_was_freed, NULL},
    {"address-instead-of-token", "token-misuse", address_instead_of_token, NULL},
    {"null-source", "token-misuse", null_source, NULL},
    {"unknown-flag", "token-misuse", unknown_flag, NULL},
    {"address-of-the-pointer", "outside-token", address_of_the_pointer, NULL},
    {"one-byte-beyond", "outside-token", one_byte_beyond, NULL},
    {"range-of-another-token", "outside-token", range_of_another_token, NULL},
    {"default-token-on-the-stack", "outside-token", default_token_on_the_stack, NULL},
    {"one-range-of-many", "outside-token", one_range_of_many, NULL},
};
BUG_CLASS(misuse, bugs);
