/* SPDX-License-Identifier: MIT */
/*
 * Reads the log of a device-mapper device of the kind log-writes, and rebuilds the recorded device as it was at a mark:
 * with all that had been flushed by then, and nothing else. So it is the least that a power failure at the mark leaves.
 *
 *     log-replay LOG list                        number, kind, sector and sectors of each entry; the text of a mark
 *     log-replay LOG marks                       the marks' texts
 *     log-replay LOG build IMAGE WHERE [SEED]    IMAGE, a new file, as it was at the mark or entry number WHERE; with a
 *                                                seed, only some of the writes that no flush had followed yet
 *
 * The log is a device or a file. IMAGE is as long as its last byte that was ever written: make it longer if need be.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The format, of version 1: a sector for the log, then a sector for each entry, followed by the entry's data. */
#define MAGIC UINT64_C(0x6a736677736872)
#define DATA_BYTES ((size_t)64 << 10)

struct head {
    uint64_t magic;
    uint64_t version;
    uint64_t entries;
    uint32_t sector_bytes;
};

enum { FLUSH = 1, FUA = 2, DISCARD = 4, MARK = 8, METADATA = 16 };

struct entry {
    uint64_t sector;
    uint64_t sectors;
    uint64_t flags;
    uint64_t text_bytes; /* a mark's text follows in its sector */
};

struct log {
    int file;
    struct head head;
    uint64_t number; /* of the entry that was read last, from 1 */
    uint64_t next;   /* where the entry behind it is, bytes */
    struct entry entry;
    char text[256];
};

static void must(bool well, const char *what)
{
    if (well)
        return;
    perror(what);
    exit(2);
}

static struct log log_open(const char *path)
{
    struct log log = {.file = open(path, O_RDONLY | O_CLOEXEC)};
    must(log.file >= 0 && pread(log.file, &log.head, sizeof log.head, 0) == (ssize_t)sizeof log.head, path);
    must(le64toh(log.head.magic) == MAGIC && le64toh(log.head.version) == 1, "a log of log-writes, version 1");
    log.head.entries = le64toh(log.head.entries);
    log.head.sector_bytes = le32toh(log.head.sector_bytes);
    log.next = log.head.sector_bytes;
    return log;
}

static bool has_data(const struct entry *entry)
{
    return !(entry->flags & DISCARD);
}

static bool next(struct log *log)
{
    struct entry *entry = &log->entry;
    if (log->number == log->head.entries)
        return false;
    must(pread(log->file, entry, sizeof *entry, (off_t)log->next) == (ssize_t)sizeof *entry, "entry");
    *entry = (struct entry){le64toh(entry->sector), le64toh(entry->sectors), le64toh(entry->flags),
                            le64toh(entry->text_bytes)};
    size_t text_bytes = entry->text_bytes < sizeof log->text - 1 ? entry->text_bytes : sizeof log->text - 1;
    must(pread(log->file, log->text, text_bytes, (off_t)(log->next + sizeof *entry)) == (ssize_t)text_bytes, "text");
    log->text[text_bytes] = '\0';
    log->next += log->head.sector_bytes + (has_data(entry) ? entry->sectors * log->head.sector_bytes : 0);
    log->number++;
    return true;
}

static const char *kind(uint64_t flags)
{
    return flags & MARK      ? "mark"
           : flags & DISCARD ? "discard"
           : flags & FUA     ? "fua"
           : flags & FLUSH   ? "flush"
                             : "write";
}

static int list(struct log *log)
{
    while (next(log))
        printf("%lu %s %lu %lu %s\n", (unsigned long)log->number, kind(log->entry.flags),
               (unsigned long)log->entry.sector, (unsigned long)log->entry.sectors, log->text);
    return 0;
}

static int marks(struct log *log)
{
    while (next(log))
        if (log->entry.flags & MARK)
            puts(log->text);
    return 0;
}

/* What was discarded reads as zeros: the entry's data, or zeros. */
static void apply(const struct log *log, int image)
{
    static char data[DATA_BYTES];
    uint64_t left = log->entry.sectors * log->head.sector_bytes, to = log->entry.sector * log->head.sector_bytes;
    uint64_t from = log->next - left;
    memset(data, 0, sizeof data);
    while (left) {
        size_t now = left < sizeof data ? left : sizeof data;
        if (has_data(&log->entry))
            must(pread(log->file, data, now, (off_t)from) == (ssize_t)now, "data");
        must(pwrite(image, data, now, (off_t)to) == (ssize_t)now, "image");
        from += now;
        to += now;
        left -= now;
    }
}

/* A log's entry that is the mark, or the number. */
static bool is_there(const struct log *log, const char *where)
{
    char *end;
    uint64_t number = strtoul(where, &end, 10);
    return *where && !*end ? log->number == number : log->entry.flags & MARK && !strcmp(log->text, where);
}

/* The number of the last flush up to there. */
static uint64_t last_flush(const char *path, const char *where)
{
    struct log log = log_open(path);
    uint64_t number = 0;
    bool more = true;
    while (more && next(&log)) {
        if (log.entry.flags & (FLUSH | FUA))
            number = log.number;
        more = !is_there(&log, where);
    }
    close(log.file);
    return number;
}

/* `flushed`: from the entry behind that number on, a coin decides; its seed is not 0. */
static int build(struct log *log, const char *path, const char *where, uint64_t flushed, unsigned seed)
{
    int image = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    must(image >= 0, path);
    srandom(seed);
    while (next(log)) {
        if (!seed || log->number <= flushed || random() % 2)
            apply(log, image);
        if (is_there(log, where))
            return close(image) == 0 ? 0 : 2;
    }
    fprintf(stderr, "log-replay: the log has no %s\n", where);
    return 1;
}

int main(int argc, char **argv)
{
    struct log log;
    if (argc == 3 || argc == 5 || argc == 6)
        log = log_open(argv[1]);
    if (argc == 3 && !strcmp(argv[2], "list"))
        return list(&log);
    if (argc == 3 && !strcmp(argv[2], "marks"))
        return marks(&log);
    if (argc == 5 && !strcmp(argv[2], "build"))
        return build(&log, argv[3], argv[4], 0, 0);
    if (argc == 6 && !strcmp(argv[2], "build"))
        return build(&log, argv[3], argv[4], last_flush(argv[1], argv[4]), (unsigned)atoi(argv[5]));
    fprintf(stderr, "usage: log-replay LOG list | marks | build IMAGE WHERE [SEED]\n");
    return 2;
}
