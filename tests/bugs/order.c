/* SPDX-License-Identifier: MIT */
/* Flushed and not drained, flushed too early, and in an order that recovery cannot trust. */
#include "tests/bugs/bugs.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void never_drained(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    bug_begin(file, 0, 8);
    if (right)
        bug_drain(file);
}

static void last_one_not_drained(struct bug_file *file, bool right)
{
    for (size_t i = 0; i < 5; i++) {
        bug_write(file, 4096 * i, i + 1);
        bug_begin(file, 4096 * i, 8);
        if (right || i < 4)
            bug_drain(file);
    }
}

static void ranges_not_drained(struct bug_file *file, bool right)
{
    NV_MEMORY_RANGE ranges[] = {{file->base + 64, 8}, {file->base + 4096, 8}};
    bug_write(file, 64, 1);
    bug_write(file, 4096, 1);
    bug_check(RtlFlushNonVolatileMemoryRanges(file->token, ranges, 2, right ? 0 : FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) ==
              STATUS_SUCCESS);
}

static void write_not_drained(struct bug_file *file, bool right)
{
    bug_check(RtlWriteNonVolatileMemory(file->token, file->base, "text", 4,
                                        WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN) == STATUS_SUCCESS);
    if (right)
        bug_drain(file);
}

static void non_temporal_not_drained(struct bug_file *file, bool right)
{
    ULONG flags = WRITE_NV_MEMORY_FLAG_NON_TEMPORAL | (right ? 0 : WRITE_NV_MEMORY_FLAG_NO_DRAIN);
    bug_check(RtlWriteNonVolatileMemory(file->token, file->base + 256, "text", 4, flags) == STATUS_SUCCESS);
}

static void default_token_not_drained(struct bug_file *file, bool right)
{
    PVOID token = (PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN;
    bug_write(file, 320, 1);
    bug_check(RtlFlushNonVolatileMemory(token, file->base + 320, 8, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) ==
              STATUS_SUCCESS);
    if (right)
        bug_check(RtlDrainNonVolatileFlush(token) == STATUS_SUCCESS);
}

static void *drain(void *file)
{
    bug_drain(file);
    return NULL;
}

/* A fence orders what its own thread has flushed. */
static void drained_by_another_thread(struct bug_file *file, bool right)
{
    pthread_t thread;
    bug_write(file, 384, 1);
    bug_begin(file, 384, 8);
    if (right) {
        bug_drain(file);
        return;
    }
    bug_check(pthread_create(&thread, NULL, drain, file) == 0 && pthread_join(thread, NULL) == 0);
}

static void written_after_the_flush(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    if (!right)
        bug_flush(file, 0, 16);
    bug_write(file, 8, 2);
    if (right)
        bug_flush(file, 0, 16);
}

static void written_between_flush_and_drain(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    if (right)
        bug_write(file, 8, 2);
    bug_begin(file, 0, 16);
    if (!right)
        bug_write(file, 8, 2);
    bug_drain(file);
}

static void counter_behind_the_record(struct bug_file *file, bool right)
{
    for (uint64_t i = 1; i <= 3; i++) {
        bug_persist(file, 4096 + 64 * i, i);
        bug_write(file, 0, i);
        if (right || i < 3)
            bug_flush(file, 0, 8);
    }
}

static void written_after_msync(struct bug_file *file, bool right)
{
    bug_write(file, 8192, 1);
    bug_check(msync(file->base + 8192, 4096, MS_SYNC) == 0);
    bug_write(file, 8192, 2);
    if (right)
        bug_check(msync(file->base + 8192, 4096, MS_SYNC) == 0);
}

static void written_after_fsync(struct bug_file *file, bool right)
{
    bug_check(pwrite(file->descriptor, "first", 5, 0) == 5 && fsync(file->descriptor) == 0);
    bug_check(pwrite(file->descriptor, "then!", 5, 0) == 5);
    if (right)
        bug_check(fdatasync(file->descriptor) == 0);
}

static void last_write_of_many(struct bug_file *file, bool right)
{
    for (int i = 0; i < 20; i++) {
        bug_check(pwrite(file->descriptor, &i, sizeof(i), 100 * i) == sizeof(i));
        if (right || i < 19)
            bug_check(fdatasync(file->descriptor) == 0);
    }
}

/* A flag, count or pointer that makes a payload count, durable before it or in one drain with it. */

static void publish(struct bug_file *file, uint64_t value)
{
    memset(file->base + 4096, (int)value, 128);
    bug_write(file, 0, value);
}

static void flag_first(struct bug_file *file, bool right)
{
    NvrtlExpectOrder(file->base + 4096, 128, file->base, 8);
    publish(file, 1);
    bug_flush(file, right ? 4096 : 0, 128);
    bug_flush(file, right ? 0 : 4096, 128);
}

static void in_one_drain(struct bug_file *file, bool right)
{
    NvrtlExpectOrder(file->base + 4096, 128, file->base, 8);
    publish(file, 1);
    bug_begin(file, 4096, 128);
    if (right)
        bug_drain(file);
    bug_begin(file, 0, 8);
    bug_drain(file);
}

static void in_one_msync(struct bug_file *file, bool right)
{
    NvrtlExpectOrder(file->base + 4096, 128, file->base, 8);
    publish(file, 1);
    if (right)
        bug_check(msync(file->base + 4096, 4096, MS_SYNC) == 0);
    bug_check(msync(file->base, 8192, MS_SYNC) == 0);
}

static void in_one_fsync(struct bug_file *file, bool right)
{
    NvrtlExpectOrder(file->base + 4096, 5, file->base, 5);
    bug_check(pwrite(file->descriptor, "bytes", 5, 4096) == 5);
    if (right)
        bug_check(fdatasync(file->descriptor) == 0);
    bug_check(pwrite(file->descriptor, "count", 5, 0) == 5 && fdatasync(file->descriptor) == 0);
}

static void acknowledged_too_early(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    bug_begin(file, 0, 8);
    if (right)
        bug_drain(file);
    NvrtlExpectDurable(file->base, 8);
    bug_drain(file);
}

static void length_before_bytes(struct bug_file *file, bool right)
{
    uint64_t length = 100;
    NvrtlExpectOrder(file->base + 64, 100, file->base, 8);
    if (right)
        bug_check(RtlFillNonVolatileMemory(file->token, file->base + 64, length, 'x', FILL_NV_MEMORY_FLAG_PERSIST) ==
                  STATUS_SUCCESS);
    else
        memset(file->base + 64, 'x', length);
    bug_persist(file, 0, length);
    if (!right)
        bug_flush(file, 64, length);
}

/* A pointer and its generation, which recovery must see together. */
static void two_words(struct bug_file *file, bool right)
{
    bug_persist(file, 4096, 9);
    NvrtlExpectOrder(file->base + 4096, 8, file->base + 64, right ? 8 : 16);
    bug_write(file, 64, 4096);
    if (!right)
        bug_write(file, 72, 1);
    bug_flush(file, 64, 16);
}

static void across_a_line(struct bug_file *file, bool right)
{
    size_t at = right ? 128 : 124;
    uint64_t value = 0x0101010101010101;
    NvrtlExpectOrder(file->base + 4096, 8, file->base + at, 8);
    memcpy(file->base + at, &value, 8);
    bug_flush(file, at, 8);
}

static void across_a_sector(struct bug_file *file, bool right)
{
    off_t at = right ? 512 : 508;
    NvrtlExpectOrder(file->base + 4096, 8, file->base + at, 8);
    bug_check(pwrite(file->descriptor, "8 bytes!", 8, at) == 8 && fdatasync(file->descriptor) == 0);
}

static const struct bug bugs[] = {
    {"never-drained", "not-drained", never_drained, NULL},
    {"last-one-not-drained", "not-drained", last_one_not_drained, NULL},
    {"ranges-not-drained", "not-drained", ranges_not_drained, NULL},
    {"write-not-drained", "not-drained", write_not_drained, NULL},
    {"non-temporal-not-drained", "not-drained", non_temporal_not_drained, NULL},
    {"default-token-not-drained", "not-drained", default_token_not_drained, NULL},
    {"drained-by-another-thread", "not-drained", drained_by_another_thread, LINES_ONLY},
    {"written-after-the-flush", "changed-after-flush", written_after_the_flush, NULL},
    {"written-between-flush-and-drain", "changed-after-flush", written_between_flush_and_drain, NULL},
    {"counter-behind-the-record", "changed-after-flush", counter_behind_the_record, NULL},
    {"written-after-msync", "changed-after-flush", written_after_msync, NULL},
    {"written-after-fsync", "changed-after-flush", written_after_fsync, NULL},
    {"last-write-of-many", "changed-after-flush", last_write_of_many, NULL},
    {"flag-first", "broken-expectation", flag_first, NULL},
    {"in-one-drain", "broken-expectation", in_one_drain, NULL},
    {"in-one-msync", "broken-expectation", in_one_msync, NULL},
    {"in-one-fsync", "broken-expectation", in_one_fsync, NULL},
    {"acknowledged-too-early", "broken-expectation", acknowledged_too_early, NULL},
    {"two-words", "torn-publish", two_words, LINES_ONLY},
    {"across-a-line", "torn-publish", across_a_line, LINES_ONLY},
    {"across-a-sector", "torn-publish", across_a_sector, NULL},
    {"length-before-bytes", "broken-expectation", length_before_bytes, LINES_ONLY},
};
BUG_CLASS(order, bugs);
