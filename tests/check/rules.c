/* SPDX-License-Identifier: MIT */
/*
 * A program with one seeded mistake for each rule of `nvrtl check`, and the right way beside it. rules (the script)
 * runs every case and compares the findings with what stands there.
 *
 *     rules-client CASE
 */
#include <nvrtl/nvrtl.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 4 * 4096 };

static char *base;
static PVOID token;

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(3);
}

/* A durable file of zeros, mapped, and its token. */
static void open_region(void)
{
    int file = open("region", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    must(file >= 0 && !posix_fallocate(file, 0, BYTES) && !fsync(file), "region");
    base = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(base != MAP_FAILED && !close(file), "map");
    must(RtlGetNonVolatileToken(base, BYTES, &token) == STATUS_SUCCESS, "token");
}

static void write_at(size_t offset, const char *text, ULONG flags)
{
    must(RtlWriteNonVolatileMemory(token, base + offset, text, strlen(text), flags) == STATUS_SUCCESS, "write");
}

static void flush(size_t offset, size_t length, ULONG flags)
{
    must(RtlFlushNonVolatileMemory(token, base + offset, length, flags) == STATUS_SUCCESS, "flush");
}

static void *flush_only(void *unused)
{
    (void)unused;
    flush(320, 4, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    return NULL;
}

static void not_flushed(void)
{
    write_at(64, "lost", 0); /* never flushed */
    write_at(128, "kept", WRITE_NV_MEMORY_FLAG_PERSIST);
    memcpy(base + 1000, "plain", 5); /* a store that no interface saw */
}

static void not_drained(void)
{
    write_at(64, "late", WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN);
}

/* A drain covers the flushes of its own thread. */
static void drained_elsewhere(void)
{
    pthread_t thread;

    write_at(320, "them", 0);
    must(!pthread_create(&thread, NULL, flush_only, NULL) && !pthread_join(thread, NULL), "thread");
    must(RtlDrainNonVolatileFlush(token) == STATUS_SUCCESS, "drain");
}

static void changed_after_flush(void)
{
    write_at(64, "old", 0);
    flush(64, 3, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    write_at(64, "new", 0); /* behind its flush */
    must(RtlDrainNonVolatileFlush(token) == STATUS_SUCCESS, "drain");
}

static void flushed_again(void)
{
    write_at(64, "old", WRITE_NV_MEMORY_FLAG_PERSIST);
    write_at(64, "new", 0);
    flush(64, 3, 0);
}

static void file_changed_after_sync(void)
{
    int file = open("data", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    must(file >= 0 && pwrite(file, "first", 5, 0) == 5 && !fsync(file) && pwrite(file, "last!", 5, 0) == 5, "data");
}

static void name_not_flushed(void)
{
    int file = open("draft", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    must(file >= 0 && write(file, "text", 4) == 4 && !fsync(file) && !rename("draft", "final"), "draft");
}

static void name_flushed(void)
{
    name_not_flushed();
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    must(folder >= 0 && !fsync(folder), "folder");
}

/* The usual way to make a file at once: it has no name until it is whole and durable. */
static void named_when_whole(void)
{
    int file = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    must(file >= 0 && write(file, "whole", 5) == 5 && !fsync(file), "unnamed file");
    must(!linkat(AT_FDCWD, path, AT_FDCWD, "whole", AT_SYMLINK_FOLLOW) && folder >= 0 && !fsync(folder), "link");
}

/* A folder that ends up in what was its child. */
static void turned_inside_out(void)
{
    must(!mkdir("outer", 0700) && !mkdir("outer/inner", 0700), "folders");
    sync();
    must(!mkdir("top", 0700), "folder");
    must(!renameat2(AT_FDCWD, "top", AT_FDCWD, "outer/inner", RENAME_EXCHANGE), "exchange");
    must(!rename("outer", "top/outer"), "rename");
    sync();
}

/* Another name for a file that is durable, and none of its own. */
static void linked_not_synced(void)
{
    name_flushed();
    must(!link("final", "second"), "link");
}

static void outside_token(void)
{
    NV_MEMORY_RANGE ranges[] = {{base, 8}, {base + BYTES - 4, 8}};

    must(RtlFlushNonVolatileMemory(token, base + BYTES, 1, 0) == STATUS_INVALID_PARAMETER, "flush");
    must(RtlFlushNonVolatileMemoryRanges(token, ranges, 2, 0) == STATUS_INVALID_PARAMETER, "ranges");
}

static void token_misuse(void)
{
    must(RtlFreeNonVolatileToken(token) == STATUS_SUCCESS, "free");
    must(RtlFreeNonVolatileToken(token) == STATUS_INVALID_PARAMETER, "free twice");
    for (int i = 0; i < 3; i++)
        must(RtlDrainNonVolatileFlush(token) == STATUS_INVALID_PARAMETER, "drain");
}

static void ignored(void)
{
    NvrtlIgnore(base + 64, 8);
    memcpy(base + 64, "counter", 7);
    NvrtlMark("the counter is not meant to last");
}

/* Naming a range does not make the file's name durable. */
static void ignored_in_a_new_file(void)
{
    int file = open("fresh", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char *fresh;

    must(file >= 0 && !ftruncate(file, 4096), "fresh");
    fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(fresh != MAP_FAILED, "map");
    NvrtlIgnore(fresh, 64);
}

/* What a token did not make durable, the file's own sync may. */
static void synced_by_the_file(void)
{
    write_at(64, "either", 0);
    must(!msync(base, BYTES, MS_SYNC), "msync");
}

static void freed_early_and_synced(void)
{
    write_at(64, "later", 0);
    must(RtlFreeNonVolatileToken(token) == STATUS_SUCCESS && !msync(base, BYTES, MS_SYNC), "msync");
}

static void by_the_default_token(void)
{
    PVOID any = (PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN;

    must(RtlWriteNonVolatileMemory(any, base + 64, "any", 3, WRITE_NV_MEMORY_FLAG_PERSIST) == STATUS_SUCCESS, "write");
    must(RtlWriteNonVolatileMemory(any, base + 128, "two", 3, 0) == STATUS_SUCCESS, "write");
    must(RtlFlushNonVolatileMemory(any, base + 128, 3, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == STATUS_SUCCESS, "flush");
    must(RtlDrainNonVolatileFlush(any) == STATUS_SUCCESS, "drain");
}

static const struct {
    const char *name;
    void (*run)(void);
    int region;
} cases[] = {
    {"not-flushed", not_flushed, 1},
    {"not-drained", not_drained, 1},
    {"drained-elsewhere", drained_elsewhere, 1},
    {"changed-after-flush", changed_after_flush, 1},
    {"flushed-again", flushed_again, 1},
    {"file-changed-after-sync", file_changed_after_sync, 0},
    {"name-not-flushed", name_not_flushed, 0},
    {"name-flushed", name_flushed, 0},
    {"named-when-whole", named_when_whole, 0},
    {"turned-inside-out", turned_inside_out, 0},
    {"linked-not-synced", linked_not_synced, 0},
    {"outside-token", outside_token, 1},
    {"token-misuse", token_misuse, 1},
    {"ignored", ignored, 1},
    {"ignored-in-a-new-file", ignored_in_a_new_file, 0},
    {"synced-by-the-file", synced_by_the_file, 1},
    {"freed-early-and-synced", freed_early_and_synced, 1},
    {"by-the-default-token", by_the_default_token, 1},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(argv[1], cases[i].name)) {
            if (cases[i].region)
                open_region();
            cases[i].run();
            return 0;
        }
    fprintf(stderr, "usage: rules-client CASE\n");
    return 2;
}
