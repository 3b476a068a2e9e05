/* SPDX-License-Identifier: MIT */
/* Bytes of a mapping that no flush ever covered. */
#include "tests/bugs/bugs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void never_flushed(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    if (right)
        bug_flush(file, 0, 8);
}

static void second_field_forgotten(struct bug_file *file, bool right)
{
    bug_write(file, 0, 1);
    bug_write(file, 1024, 2);
    bug_flush(file, 0, 8);
    if (right)
        bug_flush(file, 1024, 8);
}

/* The record reaches into the next line. */
static void one_line_too_few(struct bug_file *file, bool right)
{
    memset(file->base + 32, 7, 64);
    bug_flush(file, 32, right ? 64 : 32);
}

static void size_of_the_pointer(struct bug_file *file, bool right)
{
    struct record {
        char text[256];
    } *record = (struct record *)(void *)(file->base + 2048 + 56); /* the last word of a line */
    memset(record, 'r', sizeof(*record));
    bug_flush(file, 2048 + 56, right ? sizeof(*record) : sizeof(record));
}

static void last_of_a_loop(struct bug_file *file, bool right)
{
    for (size_t i = 1; i <= 10; i++)
        bug_write(file, 64 * i, i);
    for (size_t i = 1; right ? i <= 10 : i < 10; i++)
        bug_begin(file, 64 * i, 8);
    bug_drain(file);
}

/* What was flushed is the same place of another record. */
static void wrong_record(struct bug_file *file, bool right)
{
    bug_persist(file, 4096, 1);
    bug_write(file, 8192, 2);
    bug_flush(file, right ? 8192 : 4096, 8);
}

static void error_path(struct bug_file *file, bool right)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        bool failed = attempt == 1;
        bug_write(file, 4096 * (size_t)(attempt + 1), 9);
        if (failed && !right)
            return;
        bug_flush(file, 4096 * (size_t)(attempt + 1), 8);
    }
}

static void write_without_flags(struct bug_file *file, bool right)
{
    bug_check(RtlWriteNonVolatileMemory(file->token, file->base + 100, "text", 4,
                                        right ? WRITE_NV_MEMORY_FLAG_PERSIST : 0) == STATUS_SUCCESS);
}

static void fill_without_flags(struct bug_file *file, bool right)
{
    bug_check(RtlFillNonVolatileMemory(file->token, file->base + 128, 1000, 5, right ? FILL_NV_MEMORY_FLAG_FLUSH : 0) ==
              STATUS_SUCCESS);
}

static void *store(void *at)
{
    *(volatile uint64_t *)at = 77;
    return NULL;
}

static void stored_by_a_thread(struct bug_file *file, bool right)
{
    pthread_t thread;
    if (!right)
        bug_flush(file, 640, 8);
    bug_check(pthread_create(&thread, NULL, store, file->base + 640) == 0 && pthread_join(thread, NULL) == 0);
    if (right)
        bug_flush(file, 640, 8);
}

static void stored_by_a_child(struct bug_file *file, bool right)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        bug_write(file, 704, 5);
        _exit(0);
    }
    bug_check(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    if (right)
        bug_flush(file, 704, 8);
}

/* The same file, mapped twice: the store through one mapping is flushed by the token of the other. */
static void other_mapping(struct bug_file *file, bool right)
{
    char *second = mmap(NULL, BUG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file->descriptor, 0);
    bug_check(second != MAP_FAILED);
    *(volatile uint64_t *)(void *)(second + 4096) = 6;
    bug_flush(file, right ? 4096 : 0, 8);
    bug_check(munmap(second, BUG_BYTES) == 0);
}

/* By a system call, with no sync behind it. */
static void written_by_a_call(struct bug_file *file, bool right)
{
    bug_check(pwrite(file->descriptor, "call", 4, 20000) == 4);
    if (right)
        bug_check(fdatasync(file->descriptor) == 0);
}

static void only_async(struct bug_file *file, bool right)
{
    bug_write(file, 4096, 3);
    bug_check(msync(file->base + 4096, 4096, right ? MS_SYNC : MS_ASYNC) == 0);
}

static void only_its_range(struct bug_file *file, bool right)
{
    bug_check(pwrite(file->descriptor, "range", 5, 4096) == 5);
    bug_check(sync_file_range(file->descriptor, 4096, 4096,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0);
    if (right)
        bug_check(fdatasync(file->descriptor) == 0);
}

static void stream_only_flushed(struct bug_file *file, bool right)
{
    FILE *stream = fdopen(dup(file->descriptor), "r+");
    bug_check(stream && fputs("a line\n", stream) >= 0 && fflush(stream) == 0);
    if (right)
        bug_check(fsync(fileno(stream)) == 0);
    bug_check(fclose(stream) == 0);
}

static void closed_is_not_synced(struct bug_file *file, bool right)
{
    int again = open("data", O_WRONLY | (right ? O_DSYNC : 0));
    (void)file;
    bug_check(again >= 0 && write(again, "closed", 6) == 6 && close(again) == 0);
}

static const struct bug bugs[] = {
    {"never-flushed", "not-flushed", never_flushed, NULL},
    {"second-field-forgotten", "not-flushed", second_field_forgotten, LINES_ONLY},
    {"one-line-too-few", "not-flushed", one_line_too_few, LINES_ONLY},
    {"size-of-the-pointer", "not-flushed", size_of_the_pointer, LINES_ONLY},
    {"last-of-a-loop", "not-flushed", last_of_a_loop, LINES_ONLY},
    {"wrong-record", "not-flushed", wrong_record, NULL},
    {"error-path", "not-flushed", error_path, NULL},
    {"write-without-flags", "not-flushed", write_without_flags, NULL},
    {"fill-without-flags", "not-flushed", fill_without_flags, NULL},
    {"stored-by-a-thread", "changed-after-flush", stored_by_a_thread, NULL},
    {"stored-by-a-child", "not-flushed", stored_by_a_child, NULL},
    {"other-mapping", "not-flushed", other_mapping, NULL},
    {"written-by-a-call", "not-flushed", written_by_a_call, NULL},
    {"only-async", "not-flushed", only_async, NULL},
    {"only-its-range", "not-flushed", only_its_range, NULL},
    {"stream-only-flushed", "not-flushed", stream_only_flushed, NULL},
    {"closed-is-not-synced", "not-flushed", closed_is_not_synced, NULL},
};
BUG_CLASS(flushes, bugs);
