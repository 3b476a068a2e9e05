/* SPDX-License-Identifier: MIT */
/* What is durable only because something else on its line was flushed. Found where the program has the store hooks. */
#include "tests/bugs/bugs.h"

#include <stdatomic.h>
#include <string.h>

struct record {
    uint64_t key, value;
    char name[32];
    _Atomic uint32_t users;
    uint16_t kind;
    uint8_t flags[10];
};

static struct record *record_at(struct bug_file *file, size_t offset)
{
    return (struct record *)(void *)(file->base + offset);
}

static void second_field(struct bug_file *file, bool right)
{
    struct record *record = record_at(file, 0);
    record->key = 1;
    record->value = 2;
    bug_flush(file, 0, right ? 16 : 8);
}

static void name_behind_the_key(struct bug_file *file, bool right)
{
    struct record *record = record_at(file, 128);
    record->key = 1;
    strcpy(record->name, "a name");
    bug_flush(file, 128, right ? 64 : 8);
}

static void tail_of_a_copy(struct bug_file *file, bool right)
{
    struct record made = {.key = 7, .value = 8, .kind = 9};
    memcpy(record_at(file, 256), &made, sizeof(made));
    bug_flush(file, 256, right ? sizeof(made) : 16);
}

static void tail_of_an_assignment(struct bug_file *file, bool right)
{
    struct record made = {.key = 7, .value = 8, .kind = 9};
    *record_at(file, 512) = made;
    bug_flush(file, 512, right ? sizeof(made) : 16);
}

static void cleared_and_half_flushed(struct bug_file *file, bool right)
{
    memset(record_at(file, 1024), 1, sizeof(struct record));
    bug_flush(file, 1024, right ? sizeof(struct record) : 32);
}

static void atomic_beside_it(struct bug_file *file, bool right)
{
    struct record *record = record_at(file, 2048);
    record->key = 1;
    atomic_fetch_add(&record->users, 1);
    bug_flush(file, 2048, 8);
    if (right)
        bug_flush(file, 2048 + offsetof(struct record, users), 4);
}

static void single_bytes(struct bug_file *file, bool right)
{
    struct record *record = record_at(file, 4096);
    for (size_t i = 0; i < sizeof(record->flags); i++)
        record->flags[i] = (uint8_t)(i + 1);
    bug_flush(file, 4096 + offsetof(struct record, flags), right ? sizeof(record->flags) : 1);
}

/* In the loop the neighbour's flush happens to come last. */
static void by_the_next_one(struct bug_file *file, bool right)
{
    uint64_t *slots = (uint64_t *)(void *)(file->base + 8192);
    for (size_t i = 0; i < 8; i++) {
        slots[i] = i + 1;
        if (right || i % 2)
            bug_flush(file, 8192 + 8 * i, 8);
    }
}

/* Another part of the line is flushed only later, and by name: that is how it should be. */
static void flushed_in_the_end(struct bug_file *file, bool right)
{
    struct record *record = record_at(file, 12288);
    record->key = 1;
    record->value = 2;
    bug_flush(file, 12288, 8);
    record->kind = 3;
    bug_flush(file, 12288 + offsetof(struct record, kind), 2);
    if (right)
        bug_flush(file, 12288 + offsetof(struct record, value), 8);
}

static const struct bug bugs[] = {
    {"second-field", "neighbour-flush", second_field, LINES_ONLY},
    {"name-behind-the-key", "neighbour-flush", name_behind_the_key, LINES_ONLY},
    {"tail-of-a-copy", "neighbour-flush", tail_of_a_copy, LINES_ONLY},
    {"tail-of-an-assignment", "neighbour-flush", tail_of_an_assignment, LINES_ONLY},
    {"cleared-and-half-flushed", "neighbour-flush", cleared_and_half_flushed, LINES_ONLY},
    {"atomic-beside-it", "neighbour-flush", atomic_beside_it, LINES_ONLY},
    {"single-bytes", "neighbour-flush", single_bytes, LINES_ONLY},
    {"by-the-next-one", "neighbour-flush", by_the_next_one, LINES_ONLY},
    {"flushed-in-the-end", "neighbour-flush", flushed_in_the_end, LINES_ONLY},
};
BUG_CLASS(stores, bugs);
