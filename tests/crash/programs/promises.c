/* SPDX-License-Identifier: MIT */
/* What the program says is done (NvrtlMark) must be durable then. */
#include "tests/crash/programs/programs.h"

#include <string.h>

static void store(const struct pool *pool, size_t page)
{
    WORD(pool, page, 0) = 0x5000 + page;
}

static int kept(const char *base, const char *promises)
{
    static const char *const lines[] = {"stored 0\n", "stored 1\n"};

    for (size_t page = 0; page < 2; page++)
        if (strstr(promises, lines[page]) != NULL && *pool_word(base, page, 0) != 0x5000 + page)
            return 1;
    return 0;
}

static void promised_before_the_flush(const struct pool *pool, bool right)
{
    static const char *const lines[] = {"stored 0", "stored 1"};

    for (size_t page = 0; page < 2; page++) {
        store(pool, page);
        if (!right)
            NvrtlMark(lines[page]);
        pool_persist(pool, page, 0, 1);
        if (right)
            NvrtlMark(lines[page]);
    }
}

RECOVERY(promised_before_the_flush)
{
    return kept(base, promises);
}

static void promised_before_the_drain(const struct pool *pool, bool right)
{
    store(pool, 0);
    pool_flush(pool, 0, 0, 1);
    if (right)
        pool_drain(pool);
    NvrtlMark("stored 0");
    pool_drain(pool);
}

RECOVERY(promised_before_the_drain)
{
    return kept(base, promises);
}

/* The line is flushed, and changed again before it is promised. */
static void changed_after_the_flush(const struct pool *pool, bool right)
{
    WORD(pool, 0, 0) = 1;
    if (right)
        store(pool, 0);
    pool_persist(pool, 0, 0, 1);
    if (!right)
        store(pool, 0);
    NvrtlMark("stored 0");
    pool_persist(pool, 0, 0, 1);
}

RECOVERY(changed_after_the_flush)
{
    return kept(base, promises);
}

#define PROGRAM(name)                                                                                                  \
    {                                                                                                                  \
#name, name, recover_##name                                                                                    \
    }

const struct program promise_programs[] = {
    PROGRAM(promised_before_the_flush),
    PROGRAM(promised_before_the_drain),
    PROGRAM(changed_after_the_flush),
    {NULL, NULL, NULL},
};
