/* SPDX-License-Identifier: MIT */
/*
 * Small programs for persistent memory, each with one mistake of order or of publishing, and without it; and what finds
 * out after a power failure: a recovery for each. All work on a file of zeros, by a token.
 */
#ifndef NV_TEST_CRASH_PROGRAMS_H
#define NV_TEST_CRASH_PROGRAMS_H

#include <nvrtl/nvrtl.h>
#include <nvrtl/recover.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_PAGES 16
#define POOL_PAGE ((size_t)4096) /* things that must not share a line, or a sector, have a page each */
#define POOL_BYTES (POOL_PAGES * POOL_PAGE)

struct pool {
    char *base;
    PVOID token;
};

/* A word of the pool. Volatile: stores are made in the order in which they are written. */
static inline volatile uint64_t *pool_word(const char *base, size_t page, size_t index)
{
    return (volatile uint64_t *)(uintptr_t)(base + page * POOL_PAGE) + index;
}

#define WORD(pool, page, index) (*pool_word((pool)->base, page, index))

/* Words from `index` on; every status that is none of success ends the program. */
void pool_flush(const struct pool *pool, size_t page, size_t index, size_t words);
void pool_persist(const struct pool *pool, size_t page, size_t index, size_t words);
void pool_drain(const struct pool *pool);
/* By RtlWriteNonVolatileMemory, durable. */
void pool_write(const struct pool *pool, size_t page, size_t index, const void *bytes, size_t size_bytes);

/* Recovery: 0, or the state is bad. `promises` are lines. */
typedef int recovery(const char *base, const char *promises);

/* As `nvrtl crash --recover-fn` wants it, under the name of the case. */
#define RECOVERY(name)                                                                                                 \
    static recovery check_##name;                                                                                      \
    NVRTL_RECOVERY_FUNCTION recover_##name;                                                                            \
    __attribute__((visibility("default"))) LONG NTAPI recover_##name(const NVRTL_RECOVERY_STATE *state)                \
    {                                                                                                                  \
        if (state->FileCount != 1 || state->Files[0].Size != POOL_BYTES)                                               \
            return 100;                                                                                                \
        return check_##name(state->Files[0].Address, state->Promises);                                                 \
    }                                                                                                                  \
    static int check_##name(const char *base, const char *promises)

struct program {
    const char *name;
    void (*run)(const struct pool *pool, bool right);
    NVRTL_RECOVERY_FUNCTION *recover;
};

extern const struct program publish_programs[], log_programs[], structure_programs[], promise_programs[];

#endif
