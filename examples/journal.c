/* SPDX-License-Identifier: MIT */
/*
 * An append-only journal in a mapped file: what was appended survives a power failure, whole or not at all.
 *
 *     journal FILE [TEXT...]      prints what FILE holds, then appends each TEXT
 *
 * The file begins with a header on a cache line of its own; records follow, one after another. The header's one word
 * `committed` says where they end. A record is written behind that end and made durable there; only then the word moves
 * on, by an 8-byte store, which no power failure tears. So there is nothing to repair on recovery.
 *
 * Built with -DJOURNAL_FORGETS_FLUSH it is journal-broken, which `nvrtl check` is there to find.
 */
#include <nvrtl/nvrtl.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JOURNAL_MAGIC UINT64_C(0x314c4e524a56544e)
#define JOURNAL_BYTES ((size_t)64 << 10)
#define LINE_BYTES 64

struct header {
    _Alignas(LINE_BYTES) uint64_t magic; /* written last when a journal is made: without it there is none */
    uint64_t committed;                  /* bytes of whole records in `records` */
};

struct record {
    uint64_t length; /* bytes of text; the next record begins at the next multiple of 8 */
    char text[];
};

struct journal {
    struct header *header;
    char *records;
    PVOID token;
};

static size_t record_bytes(uint64_t length)
{
    return (sizeof(struct record) + length + 7) & ~(size_t)7;
}

/* A new file's name is durable when its folder is. */
static int sync_folder_of(const char *path)
{
    char copy[4096];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return -1;
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    int result = fsync(folder);
    close(folder);
    return result;
}

/* Open the file and give it all its blocks, durably: a mapping has no way to say that the disk is full. NULL: errno. */
static void *map_file(const char *path)
{
    void *base = MAP_FAILED;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        return NULL;
    errno = posix_fallocate(file, 0, JOURNAL_BYTES);
    if (!errno && fsync(file) == 0 && sync_folder_of(path) == 0)
        base = mmap(NULL, JOURNAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return base == MAP_FAILED ? NULL : base;
}

/* An empty journal is all zeros but for the magic number. */
static NTSTATUS journal_open(struct journal *journal, void *base)
{
    const uint64_t magic = JOURNAL_MAGIC;
    journal->header = base;
    journal->records = (char *)base + sizeof(struct header);
    NTSTATUS status = RtlGetNonVolatileToken(base, JOURNAL_BYTES, &journal->token);
    if (!NT_SUCCESS(status) || journal->header->magic == magic)
        return status;
    if (journal->header->magic || journal->header->committed)
        return STATUS_OBJECT_TYPE_MISMATCH; /* it is something else: leave it alone */
    return RtlWriteNonVolatileMemory(journal->token, &journal->header->magic, &magic, sizeof magic,
                                     WRITE_NV_MEMORY_FLAG_PERSIST);
}

static NTSTATUS journal_append(struct journal *journal, const char *text)
{
    const uint64_t length = strlen(text), start = journal->header->committed;
    const size_t bytes = record_bytes(length);
    const uint64_t end = start + bytes;
    struct record *record = (struct record *)(journal->records + start);
    if (end > JOURNAL_BYTES - sizeof(struct header))
        return STATUS_DISK_FULL;

    NTSTATUS status = RtlWriteNonVolatileMemory(journal->token, &record->length, &length, sizeof length, 0);
    if (NT_SUCCESS(status))
        status = RtlWriteNonVolatileMemory(journal->token, record->text, text, length, 0);
#ifndef JOURNAL_FORGETS_FLUSH /* the seeded mistake: without this flush, the drain below has nothing to wait for */
    if (NT_SUCCESS(status))
        status = RtlFlushNonVolatileMemory(journal->token, record, bytes, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
#endif
    if (NT_SUCCESS(status))
        status = RtlDrainNonVolatileFlush(journal->token);
    if (NT_SUCCESS(status))
        status = RtlWriteNonVolatileMemory(journal->token, &journal->header->committed, &end, sizeof end,
                                           WRITE_NV_MEMORY_FLAG_PERSIST);
    return status;
}

static void journal_print(const struct journal *journal)
{
    unsigned count = 0;
    for (uint64_t at = 0; at < journal->header->committed; count++) {
        const struct record *record = (const struct record *)(journal->records + at);
        printf("%3u  %.*s\n", count + 1, (int)record->length, record->text);
        at += record_bytes(record->length);
    }
    printf("%u records recovered\n", count);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: journal FILE [TEXT...]\n");
        return 2;
    }
    struct journal journal;
    void *base = map_file(argv[1]);
    if (!base) {
        fprintf(stderr, "journal: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    NTSTATUS status = journal_open(&journal, base);
    if (NT_SUCCESS(status))
        journal_print(&journal);
    for (int i = 2; i < argc && NT_SUCCESS(status); i++)
        status = journal_append(&journal, argv[i]);
    if (NT_SUCCESS(status))
        status = RtlFreeNonVolatileToken(journal.token);
    if (!NT_SUCCESS(status))
        fprintf(stderr, "journal: %s: status 0x%08X\n", argv[1], (unsigned)status);
    return NT_SUCCESS(status) ? 0 : 1;
}
