/* SPDX-License-Identifier: MIT */
/*
 * Lines that the program writes back by its compiler's intrinsics, without a token. Compiled as pkg-config
 * nvrtl-intrinsics says.
 */
#include "tests/bugs/bugs.h"

#include <string.h>

#if defined(__x86_64__)

/* The verifier sees the instruction, and it is not executed: any CPU will do. */
#define FOR_CLWB __attribute__((target("clwb")))
#define FOR_CLFLUSHOPT __attribute__((target("clflushopt")))

FOR_CLWB static void line_not_written_back(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    if (right)
        _mm_clwb(file->base);
    _mm_sfence();
}

FOR_CLWB static void not_fenced(struct bug_file *file, bool right)
{
    bug_write(file, 64, 1);
    _mm_clwb(file->base + 64);
    if (right)
        _mm_sfence();
}

FOR_CLFLUSHOPT static void every_other_line(struct bug_file *file, bool right)
{
    memset(file->base + 4096, 1, 1024);
    for (size_t at = 0; at < 1024; at += right ? 64 : 128)
        _mm_clflushopt(file->base + 4096 + at);
    _mm_mfence();
}

FOR_CLWB static void written_too_late(struct bug_file *file, bool right)
{
    bug_write(file, 128, 1);
    if (!right)
        _mm_clwb(file->base + 128);
    bug_write(file, 136, 2);
    if (right)
        _mm_clwb(file->base + 128);
    _mm_sfence();
}

FOR_CLWB static void line_of_the_pointer(struct bug_file *file, bool right)
{
    char *record = file->base + 8192;
    record[0] = 1;
    _mm_clwb(right ? (void *)record : (void *)&record);
    _mm_sfence();
}

/* One that waits for no fence. */
static void flushed_in_order(struct bug_file *file, bool right)
{
    bug_write(file, 192, 1);
    bug_write(file, 256, 2);
    _mm_clflush(file->base + 192);
    if (right)
        _mm_clflush(file->base + 256);
}

static void stream_not_fenced(struct bug_file *file, bool right)
{
    _mm_stream_si64((long long *)(void *)(file->base + 512), 7);
    if (right)
        _mm_sfence();
}

static void stream_and_store(struct bug_file *file, bool right)
{
    _mm_stream_si128((__m128i *)(void *)(file->base + 1024), _mm_set1_epi8(3));
    _mm_sfence();
    bug_write(file, 2048, 7);
    if (right)
        _mm_stream_si64((long long *)(void *)(file->base + 2048), 7);
    _mm_sfence();
}

static const struct bug bugs[] = {
    {"line-not-written-back", "not-flushed", line_not_written_back, LINES_ONLY},
    {"not-fenced", "not-drained", not_fenced, LINES_ONLY},
    {"every-other-line", "not-flushed", every_other_line, LINES_ONLY},
    {"written-too-late", "changed-after-flush", written_too_late, LINES_ONLY},
    {"line-of-the-pointer", "not-flushed", line_of_the_pointer, LINES_ONLY},
    {"flushed-in-order", "not-flushed", flushed_in_order, LINES_ONLY},
    {"stream-not-fenced", "not-drained", stream_not_fenced, LINES_ONLY},
    {"stream-and-store", "not-flushed", stream_and_store, LINES_ONLY},
};
#else
static const struct bug bugs[] = {{0}};
#endif
BUG_CLASS(lines, bugs);
