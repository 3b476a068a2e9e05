/* SPDX-License-Identifier: MIT */
/* Something becomes visible by one word: a flag, a count, a pointer. What it stands for must be durable before. */
#include "tests/crash/programs/programs.h"

#include <pthread.h>
#include <string.h>

enum { FLAG, PAYLOAD, OTHER };
#define PAYLOAD_WORDS 6

static void store_payload(const struct pool *pool, size_t page)
{
    for (size_t i = 0; i < PAYLOAD_WORDS; i++)
        WORD(pool, page, i) = 0x1000 + i;
}

static int payload_is_there(const char *base, size_t page)
{
    for (size_t i = 0; i < PAYLOAD_WORDS; i++)
        if (*pool_word(base, page, i) != 0x1000 + i)
            return 0;
    return 1;
}

static int flag_means_payload(const char *base)
{
    return *pool_word(base, FLAG, 0) == 0 || payload_is_there(base, PAYLOAD) ? 0 : 1;
}

/* The flag is durable first. */
static void publish_first(const struct pool *pool, bool right)
{
    if (right) {
        store_payload(pool, PAYLOAD);
        pool_persist(pool, PAYLOAD, 0, PAYLOAD_WORDS);
    }
    WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, FLAG, 0, 1);
    if (!right) {
        store_payload(pool, PAYLOAD);
        pool_persist(pool, PAYLOAD, 0, PAYLOAD_WORDS);
    }
}

RECOVERY(publish_first)
{
    (void)promises;
    return flag_means_payload(base);
}

/* Both are in flight until one drain. */
static void missing_drain(const struct pool *pool, bool right)
{
    store_payload(pool, PAYLOAD);
    pool_flush(pool, PAYLOAD, 0, PAYLOAD_WORDS);
    if (right)
        pool_drain(pool);
    WORD(pool, FLAG, 0) = 1;
    pool_flush(pool, FLAG, 0, 1);
    pool_drain(pool);
}

RECOVERY(missing_drain)
{
    (void)promises;
    return flag_means_payload(base);
}

/* The order of flushes is none of durability. */
static void flushed_in_wrong_order(const struct pool *pool, bool right)
{
    store_payload(pool, PAYLOAD);
    if (!right) {
        WORD(pool, FLAG, 0) = 1;
        pool_flush(pool, FLAG, 0, 1);
        pool_flush(pool, PAYLOAD, 0, PAYLOAD_WORDS);
    } else {
        pool_persist(pool, PAYLOAD, 0, PAYLOAD_WORDS);
        WORD(pool, FLAG, 0) = 1;
        pool_flush(pool, FLAG, 0, 1);
    }
    pool_drain(pool);
}

RECOVERY(flushed_in_wrong_order)
{
    (void)promises;
    return flag_means_payload(base);
}

/* The flag is stored before the payload is drained: it may be evicted before. */
static void stored_before_the_drain(const struct pool *pool, bool right)
{
    store_payload(pool, PAYLOAD);
    if (!right)
        WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, PAYLOAD, 0, PAYLOAD_WORDS);
    if (right)
        WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, FLAG, 0, 1);
}

RECOVERY(stored_before_the_drain)
{
    (void)promises;
    return flag_means_payload(base);
}

/* The payload is never flushed at all. */
static void forgotten(const struct pool *pool, bool right)
{
    store_payload(pool, PAYLOAD);
    if (right)
        pool_persist(pool, PAYLOAD, 0, PAYLOAD_WORDS);
    WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, FLAG, 0, 1);
}

RECOVERY(forgotten)
{
    (void)promises;
    return flag_means_payload(base);
}

/* A payload of two lines of which one is flushed. */
static void half_flushed(const struct pool *pool, bool right)
{
    store_payload(pool, PAYLOAD);
    WORD(pool, PAYLOAD, 9) = 9;
    pool_persist(pool, PAYLOAD, 0, right ? 10 : PAYLOAD_WORDS);
    WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, FLAG, 0, 1);
}

RECOVERY(half_flushed)
{
    (void)promises;
    return *pool_word(base, FLAG, 0) == 0 || *pool_word(base, PAYLOAD, 9) == 9 ? 0 : 1;
}

/* Two words that belong together are written by one copy, which tears between them. */
static void torn_pair(const struct pool *pool, bool right)
{
    uint64_t pair[2] = {0x7000, 42}; /* where it is, and how long */

    if (right) {
        pool_write(pool, FLAG, 1, &pair[1], sizeof pair[1]);
        pool_write(pool, FLAG, 0, &pair[0], sizeof pair[0]);
    } else {
        pool_write(pool, FLAG, 0, pair, sizeof pair);
    }
}

RECOVERY(torn_pair)
{
    (void)promises;
    return *pool_word(base, FLAG, 0) == 0 || *pool_word(base, FLAG, 1) == 42 ? 0 : 1;
}

/* One copy of a line, with its flag in it. */
static void flag_in_the_copy(const struct pool *pool, bool right)
{
    uint64_t line[8] = {1, 0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006};

    if (right) {
        pool_write(pool, FLAG, 1, line + 1, sizeof line - sizeof *line);
        pool_write(pool, FLAG, 0, line, sizeof *line);
    } else {
        pool_write(pool, FLAG, 0, line, sizeof line);
    }
}

RECOVERY(flag_in_the_copy)
{
    (void)promises;
    for (size_t i = 1; i < 8 && *pool_word(base, FLAG, 0) != 0; i++)
        if (*pool_word(base, FLAG, i) != 0x0fff + i)
            return 1;
    return 0;
}

/* On one line stores become durable in their order: so it matters which comes first. */
static void flag_on_the_line(const struct pool *pool, bool right)
{
    if (!right)
        WORD(pool, FLAG, 0) = 1;
    for (size_t i = 1; i < 8; i++)
        WORD(pool, FLAG, i) = 0x0fff + i;
    if (right)
        WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, FLAG, 0, 8);
}

RECOVERY(flag_on_the_line)
{
    return check_flag_in_the_copy(base, promises);
}

/* An array that grows: the count is durable before the element. */
static void count_first(const struct pool *pool, bool right)
{
    for (uint64_t i = 0; i < 3; i++) {
        for (int step = 0; step < 2; step++)
            if ((step == 0) == right) {
                WORD(pool, PAYLOAD + i, 0) = 0x2000 + i;
                pool_persist(pool, PAYLOAD + i, 0, 1);
            } else {
                WORD(pool, FLAG, 0) = i + 1;
                pool_persist(pool, FLAG, 0, 1);
            }
    }
}

RECOVERY(count_first)
{
    (void)promises;
    for (uint64_t i = 0; i < *pool_word(base, FLAG, 0); i++)
        if (*pool_word(base, PAYLOAD + i, 0) != 0x2000 + i)
            return 1;
    return 0;
}

/* A length, and bytes on two lines of their own. */
static void length_first(const struct pool *pool, bool right)
{
    static const char text[] = "a text that is so long that no line has room for all of it, and so takes two of them";

    if (!right) {
        WORD(pool, FLAG, 0) = sizeof text;
        pool_persist(pool, FLAG, 0, 1);
    }
    memcpy(pool->base + PAYLOAD * POOL_PAGE, text, sizeof text);
    pool_persist(pool, PAYLOAD, 0, 16);
    if (right) {
        WORD(pool, FLAG, 0) = sizeof text;
        pool_persist(pool, FLAG, 0, 1);
    }
}

RECOVERY(length_first)
{
    const char *text = base + PAYLOAD * POOL_PAGE;
    uint64_t length = *pool_word(base, FLAG, 0);

    (void)promises;
    return length == 0 || (strnlen(text, 128) == length - 1 && strstr(text, "two of them") != NULL) ? 0 : 1;
}

/* Version words at both ends say that what is between them is whole. */
static void both_ends_at_once(const struct pool *pool, bool right)
{
    for (uint64_t version = 1; version <= 2; version++) {
        WORD(pool, FLAG, 0) = version;
        pool_persist(pool, FLAG, 0, 1);
        WORD(pool, PAYLOAD, 0) = version * 10;
        pool_flush(pool, PAYLOAD, 0, 1);
        if (right)
            pool_drain(pool);
        WORD(pool, OTHER, 0) = version;
        pool_flush(pool, OTHER, 0, 1);
        pool_drain(pool);
    }
}

RECOVERY(both_ends_at_once)
{
    uint64_t version = *pool_word(base, FLAG, 0);

    (void)promises;
    return version != *pool_word(base, OTHER, 0) || *pool_word(base, PAYLOAD, 0) == version * 10 ? 0 : 1;
}

/* One thread flushes, another drains and publishes: a drain is for what its own thread flushed. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool made;
} handed = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

struct producer {
    const struct pool *pool;
    bool right;
};

static void *produce(void *argument)
{
    const struct producer *producer = argument;

    store_payload(producer->pool, PAYLOAD);
    pool_flush(producer->pool, PAYLOAD, 0, PAYLOAD_WORDS);
    if (producer->right)
        pool_drain(producer->pool);
    pthread_mutex_lock(&handed.mutex);
    handed.made = true;
    pthread_cond_signal(&handed.changed);
    pthread_mutex_unlock(&handed.mutex);
    return NULL;
}

static void drained_by_another(const struct pool *pool, bool right)
{
    struct producer producer = {pool, right};
    pthread_t thread;

    if (pthread_create(&thread, NULL, produce, &producer) != 0)
        return;
    pthread_mutex_lock(&handed.mutex);
    while (!handed.made)
        pthread_cond_wait(&handed.changed, &handed.mutex);
    pthread_mutex_unlock(&handed.mutex);
    pool_drain(pool);
    WORD(pool, FLAG, 0) = 1;
    pool_persist(pool, FLAG, 0, 1);
    pthread_join(thread, NULL);
}

RECOVERY(drained_by_another)
{
    (void)promises;
    return flag_means_payload(base);
}

#define PROGRAM(name)                                                                                                  \
    {                                                                                                                  \
#name, name, recover_##name                                                                                    \
    }

const struct program publish_programs[] = {
    PROGRAM(publish_first),
    PROGRAM(missing_drain),
    PROGRAM(flushed_in_wrong_order),
    PROGRAM(stored_before_the_drain),
    PROGRAM(forgotten),
    PROGRAM(half_flushed),
    PROGRAM(torn_pair),
    PROGRAM(flag_in_the_copy),
    PROGRAM(flag_on_the_line),
    PROGRAM(count_first),
    PROGRAM(length_first),
    PROGRAM(both_ends_at_once),
    PROGRAM(drained_by_another),
    {NULL, NULL, NULL},
};
