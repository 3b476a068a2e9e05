/* SPDX-License-Identifier: MIT */
/* An undo log, as libpmemobj has one: a large transaction on objects, and the transactions of an index, use it. */
#include "bench/workloads/workload.h"
#include <string.h>

#define LOG_BYTES MIB
#define ENTRIES_MAX ((size_t)1024)
#define OBJECT_BYTES ((size_t)512)
#define OBJECTS (32 * MIB / OBJECT_BYTES)
enum { OBJECTS_CHANGED = 64, STORES_EACH = 64 };

/* In the file. What follows `used_bytes` is no part of the log. */
struct log {
    uint64_t used_bytes;
    uint64_t unused[7];
    char entries[];
};

struct entry {
    uint64_t offset, size_bytes;
    char before[];
};

static NV_MEMORY_RANGE changed[ENTRIES_MAX];
static size_t changed_count;

static struct log *log_of_file(void)
{
    return (struct log *)(void *)workload_base;
}

static void set_used(uint64_t used_bytes)
{
    log_of_file()->used_bytes = used_bytes;
    persist(&log_of_file()->used_bytes, sizeof used_bytes);
}

void undo_note(void *address, size_t size_bytes)
{
    struct log *log = log_of_file();
    struct entry *entry = (struct entry *)(void *)(log->entries + log->used_bytes);
    size_t entry_bytes = (sizeof *entry + size_bytes + LINE - 1) / LINE * LINE;

    entry->offset = (uint64_t)((char *)address - workload_base);
    entry->size_bytes = size_bytes;
    memcpy(entry->before, address, size_bytes);
    persist(entry, sizeof *entry + size_bytes);
    set_used(log->used_bytes + entry_bytes);
    changed[changed_count++] = (NV_MEMORY_RANGE){.BaseAddress = address, .Length = size_bytes};
}

void undo_commit(void)
{
    workload_status |= RtlFlushNonVolatileMemoryRanges(workload_token, changed, changed_count, 0);
    changed_count = 0;
    set_used(0);
}

/* `count` stores in transactions of 4096 of them. */
void transaction(long count)
{
    for (long done = 0; done < count; done += OBJECTS_CHANGED * STORES_EACH) {
        uint64_t first = turns_random();

        for (uint64_t i = 0; i < OBJECTS_CHANGED; i++) {
            uint64_t *object =
                (uint64_t *)(void *)(workload_base + LOG_BYTES + (first + i * 7919) % OBJECTS * OBJECT_BYTES);

            undo_note(object, OBJECT_BYTES);
            for (int k = 0; k < STORES_EACH; k++) {
                uint64_t random = turns_random();

                object[random % (OBJECT_BYTES / sizeof *object)] = random;
            }
        }
        undo_commit();
    }
}
