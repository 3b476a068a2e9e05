/* SPDX-License-Identifier: MIT */
/* Values that one atomic operation stores into two lines. Found where the program has gcc's store hooks. */
#include "tests/bugs/bugs.h"

/* Stored by a plain move, whatever the CPU does to locked instructions across lines. */
static void publish(struct bug_file *file, size_t offset)
{
    uint64_t *value = (uint64_t *)(void *)(file->base + offset);
    __atomic_store_n(value, 0x0102030405060708, __ATOMIC_RELEASE);
    bug_flush(file, offset, sizeof(*value));
}

static void atomic_across_a_line(struct bug_file *file, bool right)
{
    publish(file, right ? 56 : 60);
}

static void atomic_across_a_sector(struct bug_file *file, bool right)
{
    publish(file, right ? 504 : 508);
}

static void atomic_and_a_loop(struct bug_file *file, bool right)
{
    for (size_t i = 0; i < 100; i++)
        publish(file, 4096 + 512 * i + (right ? 8 : 511));
}

static const struct bug bugs[] = {
    {"atomic-across-a-line", "torn-publish", atomic_across_a_line, LINES_ONLY},
    {"atomic-across-a-sector", "torn-publish", atomic_across_a_sector, NULL},
    {"atomic-and-a-loop", "torn-publish", atomic_and_a_loop, NULL},
};
BUG_CLASS(atomics, bugs);
