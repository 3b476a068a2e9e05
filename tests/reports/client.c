/* SPDX-License-Identifier: MIT */
/*
 * A program that gives reports something to show: many findings, many equal ones, odd names, many events. The scripts
 * of this folder run it.
 *
 *     reports-client CASE [NUMBER]
 */
#include <nvrtl/nvrtl.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 64, STRIDE = 2 * LINE };

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(3);
}

static int make(const char *name)
{
    int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    must(file >= 0, name);
    return file;
}

/* A durable file of zeros, mapped. */
static char *map(const char *name, size_t bytes)
{
    int file = make(name);
    char *base;

    must(!ftruncate(file, (off_t)bytes) && !fsync(file), "size");
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(base != MAP_FAILED && !close(file), "map");
    return base;
}

static PVOID take_token(char *base, size_t bytes)
{
    PVOID token;

    must(RtlGetNonVolatileToken(base, bytes, &token) == STATUS_SUCCESS, "token");
    return token;
}

static void write_text(int file, const char *text)
{
    must(write(file, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

/* One store in every other line. */
static void many_ranges(unsigned long count)
{
    char *base = map("data", count * STRIDE);

    for (unsigned long i = 0; i < count; i++)
        memcpy(base + i * STRIDE, "changed", 8);
}

static PVOID nobodys = (PVOID)0x12345;

static void *refuse(void *count)
{
    for (unsigned long i = 0; i < (unsigned long)count; i++)
        (void)RtlDrainNonVolatileFlush(nobodys);
    return NULL;
}

/* The same mistake, by two threads and a child. */
static void many_refusals(unsigned long count)
{
    pthread_t thread;
    pid_t child = fork();

    if (!child) {
        refuse((void *)(count / 4));
        _exit(0);
    }
    must(!pthread_create(&thread, NULL, refuse, (void *)(count / 4)), "thread");
    refuse((void *)(count - count / 2));
    must(!pthread_join(thread, NULL) && waitpid(child, NULL, 0) == child, "wait");
}

static void many_files(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        char name[32];
        int file;

        snprintf(name, sizeof name, "file-%04lu", i);
        file = make(name);
        write_text(file, "not durable");
        close(file);
    }
}

static void odd_names(unsigned long unused)
{
    static const char *const names[] = {"<script>document.title='owned'<!--",
                                        "<img src=x onerror=document.title='owned'>",
                                        "\"onmouseover=document.title='owned' x=\"",
                                        "&lt;b&gt; %41 {0} [a](1)",
                                        "caf\xc3\xa9 \xe2\x82\xac",
                                        "not \xff utf-8",
                                        "two\nlines"};

    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int file = make(names[i]);

        write_text(file, "not durable");
        close(file);
    }
    NvrtlMark("</script><script>document.title='owned'</script>");
}

/* Durable writes by the interface, and a sync after each hundred. */
static void many_events(unsigned long count)
{
    enum { LINES = 1024 };
    char *base = map("data", LINES * LINE);
    PVOID token = take_token(base, LINES * LINE);
    int file = make("log");

    for (unsigned long i = 0; i < count; i++) {
        must(RtlWriteNonVolatileMemory(token, base + i % LINES * LINE, &i, sizeof i, WRITE_NV_MEMORY_FLAG_PERSIST) ==
                 STATUS_SUCCESS,
             "durable write");
        if (i % 100)
            continue;
        write_text(file, "a line\n");
        must(!fdatasync(file), "fdatasync");
    }
    RtlFreeNonVolatileToken(token);
}

/* A page of everything that a map can show. */
static void all_states(unsigned long unused)
{
    enum { BYTES = 1 << 20 };
    char *base = map("region", BYTES);
    PVOID token = take_token(base, BYTES);
    int file = make("synced");

    (void)unused;
    must(RtlFillNonVolatileMemory(token, base, 8192, 1, FILL_NV_MEMORY_FLAG_PERSIST) == STATUS_SUCCESS, "durable");
    RtlWriteNonVolatileMemory(token, base + 16384, "in flight", 9,
                              WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN);
    RtlWriteNonVolatileMemory(token, base + 32768, "dirty", 5, 0);
    NvrtlIgnore(base + 65536, 64);
    memcpy(base + 65536, "scratch", 7);
    NvrtlMark("all states are there");
    write_text(file, "durable");
    must(!fsync(file), "fsync");
}

/* Calls that name no range, or several, or no token. */
static void other_calls(unsigned long unused)
{
    char *base = map("region", 4096);
    PVOID token = take_token(base, 4096), any = (PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN;
    NV_MEMORY_RANGE ranges[] = {{base, 64}, {base + 1024, 64}};

    (void)unused;
    must(RtlFlushNonVolatileMemory(token, base, 64, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN) == STATUS_SUCCESS, "flush");
    must(RtlDrainNonVolatileFlush(token) == STATUS_SUCCESS, "drain");
    must(RtlFlushNonVolatileMemoryRanges(token, ranges, 2, 0) == STATUS_SUCCESS, "ranges");
    must(RtlDrainNonVolatileFlush(any) == STATUS_SUCCESS, "drain of no token");
    must(RtlFillNonVolatileMemory(token, base + 2048, 64, 0,
                                  FILL_NV_MEMORY_FLAG_FLUSH | FILL_NV_MEMORY_FLAG_NO_DRAIN) == STATUS_SUCCESS,
         "fill");
}

static const struct {
    const char *name;
    void (*run)(unsigned long number);
} cases[] = {
    {"many-ranges", many_ranges}, {"many-refusals", many_refusals}, {"many-files", many_files},
    {"odd-names", odd_names},     {"many-events", many_events},     {"all-states", all_states},
    {"other-calls", other_calls},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(argv[1], cases[i].name)) {
            cases[i].run(argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
            return 0;
        }
    fprintf(stderr, "usage: reports-client CASE [NUMBER]\n");
    return 2;
}
