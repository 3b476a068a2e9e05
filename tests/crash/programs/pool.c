/* SPDX-License-Identifier: MIT */
/* The programs' way to make the pool durable. A call that fails ends the program. */
#include "tests/crash/programs/programs.h"

#include <stdio.h>
#include <unistd.h>

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    _exit(3);
}

void pool_flush(const struct pool *pool, size_t page, size_t index, size_t words)
{
    void *start = pool->base + page * POOL_PAGE + index * sizeof(uint64_t);

    need(RtlFlushNonVolatileMemory(pool->token, start, words * sizeof(uint64_t), FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) ==
             STATUS_SUCCESS,
         "flush");
}

void pool_drain(const struct pool *pool)
{
    need(RtlDrainNonVolatileFlush(pool->token) == STATUS_SUCCESS, "drain");
}

void pool_persist(const struct pool *pool, size_t page, size_t index, size_t words)
{
    pool_flush(pool, page, index, words);
    pool_drain(pool);
}

void pool_write(const struct pool *pool, size_t page, size_t index, const void *bytes, size_t size_bytes)
{
    void *to = pool->base + page * POOL_PAGE + index * sizeof(uint64_t);

    need(RtlWriteNonVolatileMemory(pool->token, to, bytes, size_bytes, WRITE_NV_MEMORY_FLAG_PERSIST) == STATUS_SUCCESS,
         "write");
}
