/* SPDX-License-Identifier: MIT */
/*
 * Logs that make several changes one: undo and redo, with a mistake about when the log, or the data, must be durable.
 */
#include "tests/crash/programs/programs.h"

#include <string.h>

/* Two accounts that always hold 100 together, and a log with a valid word and what it is about. */
enum { FIRST, SECOND, LOG };
enum { VALID, EXISTS, KEPT_FIRST = 64, KEPT_SECOND = 65 }; /* in sectors of their own */

static void open_accounts(const struct pool *pool)
{
    WORD(pool, FIRST, 0) = 60;
    pool_persist(pool, FIRST, 0, 1);
    WORD(pool, SECOND, 0) = 40;
    pool_persist(pool, SECOND, 0, 1);
    WORD(pool, LOG, EXISTS) = 1; /* from here on there are accounts */
    pool_persist(pool, LOG, EXISTS, 1);
}

/* A valid log says what the accounts hold: before the change, or after it. */
static int sums_up(const char *base)
{
    bool valid = *pool_word(base, LOG, VALID) != 0;
    uint64_t first = *pool_word(base, FIRST, 0), second = *pool_word(base, SECOND, 0);

    if (*pool_word(base, LOG, EXISTS) == 0)
        return 0;
    if (valid) {
        first = *pool_word(base, LOG, KEPT_FIRST);
        second = *pool_word(base, LOG, KEPT_SECOND);
    }
    return first + second == 100 ? 0 : 1;
}

static void change(const struct pool *pool)
{
    WORD(pool, FIRST, 0) = 50;
    WORD(pool, SECOND, 0) = 50;
}

static void persist_both(const struct pool *pool)
{
    pool_flush(pool, FIRST, 0, 1);
    pool_flush(pool, SECOND, 0, 1);
    pool_drain(pool);
}

static void store_log(const struct pool *pool, uint64_t first, uint64_t second)
{
    WORD(pool, LOG, KEPT_FIRST) = first;
    WORD(pool, LOG, KEPT_SECOND) = second;
}

static void set_valid(const struct pool *pool, uint64_t valid)
{
    WORD(pool, LOG, VALID) = valid;
    pool_persist(pool, LOG, VALID, 1);
}

/* The data is changed in place while the log is not durable yet: it may be evicted before. */
static void undo_log_too_late(const struct pool *pool, bool right)
{
    open_accounts(pool);
    store_log(pool, 60, 40);
    if (!right)
        change(pool);
    pool_persist(pool, LOG, KEPT_FIRST, 2);
    set_valid(pool, 1);
    if (right)
        change(pool);
    persist_both(pool);
    set_valid(pool, 0);
}

RECOVERY(undo_log_too_late)
{
    (void)promises;
    return sums_up(base);
}

/* The log says that it is valid before what it holds is durable. */
static void undo_log_valid_too_early(const struct pool *pool, bool right)
{
    open_accounts(pool);
    store_log(pool, 60, 40);
    if (right)
        pool_persist(pool, LOG, KEPT_FIRST, 2);
    WORD(pool, LOG, VALID) = 1;
    pool_flush(pool, LOG, VALID, 1);
    if (!right)
        pool_flush(pool, LOG, KEPT_FIRST, 2);
    pool_drain(pool);
    change(pool);
    persist_both(pool);
    set_valid(pool, 0);
}

RECOVERY(undo_log_valid_too_early)
{
    (void)promises;
    return sums_up(base);
}

/* The log is given up before the data is durable. */
static void undo_log_cleared_too_early(const struct pool *pool, bool right)
{
    open_accounts(pool);
    store_log(pool, 60, 40);
    pool_persist(pool, LOG, KEPT_FIRST, 2);
    set_valid(pool, 1);
    change(pool);
    if (right)
        persist_both(pool);
    set_valid(pool, 0);
    if (!right)
        persist_both(pool);
}

RECOVERY(undo_log_cleared_too_early)
{
    (void)promises;
    return sums_up(base);
}

/* The log holds what the data is to be; that is changed before the log is committed. */
static void redo_before_commit(const struct pool *pool, bool right)
{
    open_accounts(pool);
    store_log(pool, 50, 50);
    pool_persist(pool, LOG, KEPT_FIRST, 2);
    if (right)
        set_valid(pool, 1);
    change(pool);
    persist_both(pool);
    if (!right)
        set_valid(pool, 1);
    set_valid(pool, 0);
}

RECOVERY(redo_before_commit)
{
    (void)promises;
    return sums_up(base);
}

/* It is truncated before what it was applied to is durable. */
static void redo_truncated_too_early(const struct pool *pool, bool right)
{
    open_accounts(pool);
    store_log(pool, 50, 50);
    pool_persist(pool, LOG, KEPT_FIRST, 2);
    set_valid(pool, 1);
    WORD(pool, FIRST, 0) = 50;
    pool_flush(pool, FIRST, 0, 1);
    WORD(pool, SECOND, 0) = 50;
    if (right)
        pool_flush(pool, SECOND, 0, 1);
    pool_drain(pool);
    set_valid(pool, 0);
    if (!right)
        pool_persist(pool, SECOND, 0, 1);
}

RECOVERY(redo_truncated_too_early)
{
    (void)promises;
    return sums_up(base);
}

/* No log at all: two places cannot change as one. */
static void changed_in_place(const struct pool *pool, bool right)
{
    open_accounts(pool);
    if (right) {
        store_log(pool, 60, 40);
        pool_persist(pool, LOG, KEPT_FIRST, 2);
        set_valid(pool, 1);
    }
    change(pool);
    persist_both(pool);
    if (right)
        set_valid(pool, 0);
}

RECOVERY(changed_in_place)
{
    (void)promises;
    return sums_up(base);
}

/* -- entries appended to a log -- */

enum { ENTRY_WORDS = 10, CHECKSUM = 9 };

static uint64_t checksum(const volatile uint64_t *entry)
{
    uint64_t sum = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < CHECKSUM; i++)
        sum = (sum ^ entry[i]) * 0xff51afd7ed558ccdu;
    return sum;
}

/* An entry of two lines by one copy, whose tail may be missing: the length in front of it does not tell. */
static void append_without_checksum(const struct pool *pool, bool right)
{
    WORD(pool, 0, 0) = right ? 2 : 1; /* the format */
    pool_persist(pool, 0, 0, 1);
    for (uint64_t number = 1; number <= 2; number++) {
        uint64_t entry[ENTRY_WORDS] = {ENTRY_WORDS, number};

        for (size_t i = 2; i < CHECKSUM; i++)
            entry[i] = number * 100 + i;
        entry[CHECKSUM] = right ? checksum(entry) : number * 100 + CHECKSUM;
        pool_write(pool, number, 0, entry, sizeof entry);
    }
}

RECOVERY(append_without_checksum)
{
    uint64_t format = *pool_word(base, 0, 0);

    (void)promises;
    for (uint64_t number = 1; number <= 2; number++) {
        const volatile uint64_t *entry = pool_word(base, number, 0);

        if (entry[0] != ENTRY_WORDS || format == 0 || (format == 2 && entry[CHECKSUM] != checksum(entry)))
            break; /* the log's end */
        for (size_t i = 2; i < CHECKSUM; i++)
            if (entry[i] != number * 100 + i)
                return 1;
        if (entry[1] != number || (format == 1 && entry[CHECKSUM] != number * 100 + CHECKSUM))
            return 1;
    }
    return 0;
}

/* A superblock is written over in place; or in turns to one of two places, the newest that is whole counts. */
static void superblock_in_place(const struct pool *pool, bool right)
{
    for (uint64_t version = 1; version <= 3; version++) {
        uint64_t block[ENTRY_WORDS] = {version};

        for (size_t i = 1; i < CHECKSUM; i++)
            block[i] = version * 10;
        block[CHECKSUM] = checksum(block);
        pool_write(pool, right ? version % 2 : 0, 0, block, sizeof block);
        if (version == 1) { /* from now on there is one */
            WORD(pool, 2, 0) = 1;
            pool_persist(pool, 2, 0, 1);
        }
    }
}

RECOVERY(superblock_in_place)
{
    (void)promises;
    for (size_t page = 0; page < 2; page++)
        if (*pool_word(base, page, CHECKSUM) == checksum(pool_word(base, page, 0)))
            return 0;
    return *pool_word(base, 2, 0) == 0 ? 0 : 1;
}

#define PROGRAM(name)                                                                                                  \
    {                                                                                                                  \
#name, name, recover_##name                                                                                    \
    }

const struct program log_programs[] = {
    PROGRAM(undo_log_too_late),       PROGRAM(undo_log_valid_too_early), PROGRAM(undo_log_cleared_too_early),
    PROGRAM(redo_before_commit),      PROGRAM(redo_truncated_too_early), PROGRAM(changed_in_place),
    PROGRAM(append_without_checksum), PROGRAM(superblock_in_place),      {NULL, NULL, NULL},
};
