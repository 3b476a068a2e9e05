/* SPDX-License-Identifier: MIT */
/*
 * Programs as they are written for persistent memory, for what a verified run of them costs. They run in turns
 * (bench/turns.h); opening the file and the first touch of its pages are not measured.
 *
 *     workloads FILE NAME
 */
#include "bench/workloads/workload.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DRAM_WORDS (256 * MIB / sizeof(uint64_t))
#define PAGE ((size_t)4096)

char *workload_base;
PVOID workload_token;
NTSTATUS workload_status;

static size_t file_bytes;
static uint64_t *dram;
static char source[PAGE];

/* Every thousandth of `count` stores is a durable one. */
static void store_into_dram(long count)
{
    for (long i = 0; i < count; i++) {
        uint64_t random = turns_random();

        dram[random % DRAM_WORDS] = random;
        if (i % 1000 == 0) {
            uint64_t *word = (uint64_t *)(void *)workload_base + random % (file_bytes / sizeof *word);

            *word = random;
            persist(word, sizeof *word);
        }
    }
}

/* A record is durable before the count of records is. */
static void append(long count)
{
    static uint64_t written;
    uint64_t *head = (uint64_t *)(void *)workload_base;

    for (long i = 0; i < count; i++) {
        memcpy(source, &written, sizeof written);
        write_durably(workload_base + LINE + written * LINE % (file_bytes - LINE), source, LINE);
        *head = ++written;
        persist(head, sizeof *head);
    }
}

/* The same with plain stores, of records of all lengths up to 128 bytes. */
static void append_plainly(long count)
{
    static uint64_t written, at;
    uint64_t *head = (uint64_t *)(void *)workload_base;

    for (long i = 0; i < count; i++) {
        size_t size_bytes = 8 + turns_random() % 16 * 8;

        at = at + size_bytes < file_bytes - LINE ? at : 0;
        memcpy(source, &written, sizeof written);
        memcpy(workload_base + LINE + at, source, size_bytes);
        persist(workload_base + LINE + at, size_bytes);
        at += size_bytes;
        *head = ++written;
        persist(head, sizeof *head);
    }
}

static void copy(long count)
{
    for (long i = 0; i < count; i++) {
        uint64_t random = turns_random();

        memcpy(source, &random, sizeof random);
        write_durably(workload_base + random % (file_bytes / PAGE) * PAGE, source, PAGE);
    }
}

static void copy_lines(long count)
{
    for (long i = 0; i < count; i++) {
        uint64_t random = turns_random();

        memcpy(source, &random, sizeof random);
        write_durably(workload_base + random % (file_bytes / LINE) * LINE, source, LINE);
    }
}

static const struct {
    const char *name;
    size_t mib; /* of the file */
    void (*batch)(long count);
    long count; /* of operations in a batch: some milliseconds */
} workloads[] = {
    {"tree", 66, tree_insert, 5000},
    {"tree-undone", 66, tree_insert_undone, 2000},
    {"hash", 66, hash_insert, 10000},
    {"transaction", 34, transaction, 16384},
    {"dram", 64, store_into_dram, 1000000},
    {"log", 256, append, 20000},
    {"log-plain", 256, append_plainly, 20000},
    {"line", 256, copy_lines, 20000},
    {"copy-1", 1, copy, 20000},
    {"copy-16", 16, copy, 10000},
    {"copy-256", 256, copy, 10000},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static int open_file(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (file < 0 || ftruncate(file, (off_t)file_bytes))
        return -1;
    workload_base = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (workload_base == MAP_FAILED || RtlGetNonVolatileToken(workload_base, file_bytes, &workload_token) != 0)
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    size_t chosen = 0;

    while (chosen < WORKLOADS && (argc != 3 || strcmp(argv[2], workloads[chosen].name) != 0))
        chosen++;
    if (chosen == WORKLOADS) {
        fprintf(stderr, "usage: workloads FILE NAME\n");
        return 2;
    }
    file_bytes = workloads[chosen].mib * MIB;
    dram = malloc(DRAM_WORDS * sizeof *dram);
    if (!dram || open_file(argv[1]))
        return 1;
    if (workloads[chosen].batch == store_into_dram)
        memset(dram, 1, DRAM_WORDS * sizeof *dram);
    memset(workload_base, 0, file_bytes);
    persist(workload_base, file_bytes);
    turns_take(workloads[chosen].batch, workloads[chosen].count);
    workload_status |= RtlFreeNonVolatileToken(workload_token);
    return workload_status == STATUS_SUCCESS ? 0 : 1;
}
