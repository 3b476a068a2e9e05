/* SPDX-License-Identifier: MIT */
/*
 * What the driver of a test tells the workload to do: one operation a message, answered when it has returned. So the
 * driver knows at every moment what was acknowledged and what is in progress.
 */
#ifndef NV_TEST_OPERATION_H
#define NV_TEST_OPERATION_H

#include <stddef.h>
#include <stdint.h>

enum operation_kind {
    OP_CREATE,
    OP_MKDIR,
    OP_RMDIR,
    OP_UNLINK,
    OP_RENAME,
    OP_LINK,
    OP_TRUNCATE, /* to offset */
    OP_PWRITE,
    OP_STORE, /* through a mapping */
    OP_MSYNC, /* flags: of msync */
    OP_FSYNC,
    OP_FDATASYNC,
    OP_FSYNC_FOLDER,
    OP_SYNC,
    OP_SYNCFS,
    OP_DSYNC_WRITE, /* by a descriptor opened so; flags: O_DSYNC or O_SYNC */
    OP_RWF_WRITE,   /* flags: RWF_DSYNC or RWF_SYNC */
    OP_SYNC_RANGE,  /* sync_file_range: makes nothing durable */
    OP_TOKEN,       /* map path from offset, length bytes, and take a token in `slot` */
    OP_FREE,
    OP_NV_STORE, /* a plain store through the slot's mapping */
    OP_NV_WRITE,
    OP_NV_FILL,
    OP_NV_FLUSH,
    OP_NV_RANGES, /* two */
    OP_NV_DRAIN,
    OP_EXIT,
    OP_COUNT
};

#define OPERATION_THREADS 3
#define OPERATION_SLOTS 4

struct operation {
    uint32_t kind, thread, slot, flags;
    uint64_t seed; /* of the bytes written */
    uint64_t offset, length, offset2, length2;
    uint32_t default_token; /* instead of the slot's */
    char path[64], path2[64];
};

struct acknowledgement {
    int64_t result; /* 0, a negative errno, or a failing NTSTATUS */
    int32_t process;
};

/* The bytes of a write. */
static inline uint8_t operation_byte(uint64_t seed, uint64_t i)
{
    uint64_t mix = (seed + i / 8) * UINT64_C(0x9e3779b97f4a7c15);

    mix ^= mix >> 29;
    mix *= UINT64_C(0xbf58476d1ce4e5b9);
    mix ^= mix >> 32;
    return (uint8_t)(mix >> (i % 8 * 8));
}

static inline void operation_fill(uint8_t *bytes, uint64_t seed, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = operation_byte(seed, i);
}

#endif
