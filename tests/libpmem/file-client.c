/* SPDX-License-Identifier: MIT */
/*
 * A log in a file, by libpmem: it is right, or wrong in the one way that its argument names.
 *
 *     file-client WAY FILE
 */
#include <libpmem.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)1 << 20)
#define RECORDS_AT ((size_t)4096)
#define RECORD_BYTES ((size_t)100)
enum { APPENDS = 50 };

struct log {
    char *base;
    uint64_t *count; /* at the beginning of the file */
    int is_pmem;
};

static char *record_at(const struct log *log, uint64_t number)
{
    return log->base + RECORDS_AT + number * RECORD_BYTES;
}

static void open_log(struct log *log, const char *path)
{
    log->base = pmem_map_file(path, FILE_BYTES, PMEM_FILE_CREATE, 0600, NULL, &log->is_pmem);
    if (!log->base) {
        fprintf(stderr, "file-client: %s\n", pmem_errormsg());
        exit(1);
    }
    log->count = (uint64_t *)(void *)log->base;
}

static void make_durable(const struct log *log, const void *start, size_t size)
{
    if (log->is_pmem)
        pmem_persist(start, size);
    else
        pmem_msync(start, size);
}

static void append(struct log *log)
{
    char record[RECORD_BYTES];
    memset(record, 'a' + (int)(*log->count % 26), sizeof(record));
    if (log->is_pmem) {
        pmem_memcpy_persist(record_at(log, *log->count), record, sizeof(record));
    } else {
        memcpy(record_at(log, *log->count), record, sizeof(record));
        make_durable(log, record_at(log, *log->count), sizeof(record));
    }
    ++*log->count;
    make_durable(log, log->count, sizeof(*log->count));
}

static void append_all(struct log *log)
{
    for (int i = 0; i < APPENDS; i++)
        append(log);
}

static void close_log(struct log *log)
{
    pmem_unmap(log->base, FILE_BYTES);
}

/* -- the ways -- */

static void right(struct log *log)
{
    append_all(log);
}

static void forgets_to_persist(struct log *log)
{
    append_all(log);
    ++*log->count;
}

static void forgets_to_flush_a_copy(struct log *log)
{
    append_all(log);
    pmem_memcpy(record_at(log, *log->count), "unflushed", 9, PMEM_F_MEM_NOFLUSH);
}

static void forgets_to_drain(struct log *log)
{
    append_all(log);
    pmem_memset_nodrain(record_at(log, *log->count), 'z', RECORD_BYTES);
}

/* What it means is what the pointer points to. */
static void persists_its_pointer(struct log *log)
{
    append_all(log);
    ++*log->count;
    pmem_persist(&log->count, sizeof(log->count));
}

static void never_asks(struct log *log)
{
    log->is_pmem = 1;
    append_all(log);
}

static void flushes_in_pieces(struct log *log)
{
    append_all(log);
    memset(log->base + RECORDS_AT * 8, 1, 3 * RECORDS_AT);
    for (size_t i = 0; i < 3 * RECORDS_AT; i += 64)
        pmem_flush(log->base + RECORDS_AT * 8 + i, 64);
    pmem_drain();
    memset(log->base + RECORDS_AT * 16, 2, RECORDS_AT);
    if (pmem_msync(log->base + RECORDS_AT * 16, RECORDS_AT) < 0)
        exit(1);
    memset(log->base + RECORDS_AT * 32, 3, RECORDS_AT);
    if (pmem_deep_persist(log->base + RECORDS_AT * 32, RECORDS_AT) < 0)
        exit(1);
    pmem_memmove(log->base + RECORDS_AT * 40 + 3, log->base + RECORDS_AT * 40, 1000, PMEM_F_MEM_TEMPORAL);
    pmem_memset(log->base + RECORDS_AT * 50 + 3, 7, 1000, PMEM_F_MEM_NONTEMPORAL);
}

/* A worker writes its own half. */
static void in_a_child(struct log *log)
{
    int status;
    append_all(log);
    pid_t child = fork();
    if (child == 0) {
        memset(log->base + FILE_BYTES / 2, 5, 5000);
        make_durable(log, log->base + FILE_BYTES / 2, 5000);
        _exit(0);
    }
    waitpid(child, &status, 0);
    append(log);
}

/* Two files at the same address, one after the other, of which nothing is told. */
static void maps_by_itself(struct log *log)
{
    static const char *const names[] = {"first", "second"};
    char *at = NULL;
    append_all(log);
    for (int i = 0; i < 2; i++) {
        int file = open(names[i], O_RDWR | O_CREAT, 0600);
        if (file < 0 || ftruncate(file, (off_t)FILE_BYTES) < 0)
            exit(1);
        char *base = mmap(at, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), file, 0);
        close(file);
        base[i] = 'x';
        pmem_persist(base + i, 1);
        pmem_memcpy_persist(base + 5000, names[i], 5);
        munmap(base, FILE_BYTES);
        at = base;
    }
}

static const struct {
    const char *name;
    void (*act)(struct log *log);
} ways[] = {
    {"right", right},
    {"forgets-to-persist", forgets_to_persist},
    {"forgets-to-flush-a-copy", forgets_to_flush_a_copy},
    {"forgets-to-drain", forgets_to_drain},
    {"persists-its-pointer", persists_its_pointer},
    {"never-asks", never_asks},
    {"flushes-in-pieces", flushes_in_pieces},
    {"in-a-child", in_a_child},
    {"maps-by-itself", maps_by_itself},
};

int main(int argc, char **argv)
{
    struct log log;
    for (size_t i = 0; argc == 3 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(ways[i].name, argv[1]) != 0)
            continue;
        open_log(&log, argv[2]);
        ways[i].act(&log);
        printf("%llu records\n", (unsigned long long)*log.count);
        close_log(&log);
        return 0;
    }
    return 2;
}
