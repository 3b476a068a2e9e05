/* SPDX-License-Identifier: MIT */
/*
 * Programs without a mistake that use a token beside other things: a sync, a cut, a fork, the death of a process. The
 * script tokens runs each under `nvrtl check`, which must find nothing.
 *
 *     tokens-client CASE
 */
#include <nvrtl/nvrtl.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 64, BYTES = 16 << 20, LINES = BYTES / LINE, WRITES = 300000 };

static char *base;
static PVOID token;
static int file;
static atomic_bool go, done;

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(3);
}

static char *map(const char *path, size_t size_bytes, int *descriptor)
{
    char *start;

    *descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(*descriptor >= 0 && !ftruncate(*descriptor, (off_t)size_bytes), path);
    start = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
    must(start != MAP_FAILED, "mmap");
    return start;
}

static void take_token(size_t size_bytes)
{
    base = map("region", size_bytes, &file);
    must(!fsync(file) && RtlGetNonVolatileToken(base, size_bytes, &token) == STATUS_SUCCESS, "token");
}

static void persist(size_t offset, uint64_t value)
{
    must(RtlWriteNonVolatileMemory(token, base + offset, &value, sizeof value, WRITE_NV_MEMORY_FLAG_PERSIST) ==
             STATUS_SUCCESS,
         "write");
}

static size_t random_line(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % LINES;
}

static void *sync_once(void *unused)
{
    while (!go)
        continue;
    must(!fsync(file), "fsync");
    done = true;
    return unused;
}

/* What the sync is to make durable differs in every block, and lines of it are written once more meanwhile. */
static void beside_a_sync(void)
{
    uint64_t random = 88172645463325252u;
    pthread_t thread;

    take_token(BYTES);
    for (int round = 2; round < 8; round++) {
        memset(base, round, BYTES);
        go = done = false;
        must(!pthread_create(&thread, NULL, sync_once, NULL), "thread");
        for (go = true; !done;)
            persist(random_line(&random) * LINE, random | 1);
        must(!pthread_join(thread, NULL), "join");
    }
}

static void *sync_always(void *unused)
{
    for (char round = 1;; round++) {
        for (size_t line = 0; line < LINES; line++)
            base[line * LINE + LINE - 1] = round;
        must(!fsync(file), "fsync");
    }
    return unused;
}

/* The file named "../acknowledged" tells what the durable image has at least. */
static void power_failure_in_a_sync(void)
{
    uint64_t random = 88172645463325252u, *acknowledged;
    pthread_t thread;
    int unwatched;

    take_token(BYTES);
    acknowledged = (uint64_t *)(void *)map("../acknowledged", LINES * sizeof *acknowledged, &unwatched);
    must(!pthread_create(&thread, NULL, sync_always, NULL), "thread");
    for (uint64_t value = 1; value <= WRITES; value++) {
        size_t line = random_line(&random);

        persist(line * LINE, value);
        acknowledged[line] = value;
    }
    kill(getpid(), SIGKILL);
}

/* Emptied, and made as long as before. */
static void cut_and_grown(void)
{
    take_token(1 << 20);
    memset(base, 1, 1 << 20);
    must(RtlFlushNonVolatileMemory(token, base, 1 << 20, 0) == STATUS_SUCCESS, "flush");
    must(!ftruncate(file, 0) && !fsync(file) && !ftruncate(file, 1 << 20), "cut");
    persist(5000 / 8 * 8, 7);
    must(!ftruncate(file, 8192) && !fsync(file), "cut");
    persist(0, 7);
    must(!ftruncate(file, 1 << 20), "grow");
    persist(1 << 19, 7);
}

/* The last page is only partly in the file. */
static void short_file(void)
{
    take_token(100);
    persist(64, 7);
    base[5] = 1;
    must(RtlFlushNonVolatileMemory(token, base, 100, 0) == STATUS_SUCCESS, "flush");
}

static void persist_for_ever(int line)
{
    for (uint64_t i = 1;; i++) {
        persist(i % 4 * LINE, i);
        if (i == 1000)
            must(write(line, "", 1) == 1, "tell");
    }
}

/* A worker dies wherever it is, perhaps with a line locked; the lines can be written and synced by those that live. */
static void killed_worker(void)
{
    take_token(1 << 16);
    for (int round = 0; round < 20; round++) {
        int line[2];
        char word;
        pid_t child;

        must(!pipe(line), "pipe");
        child = fork();
        if (child == 0)
            persist_for_ever(line[1]);
        must(child > 0 && read(line[0], &word, 1) == 1 && !kill(child, SIGKILL) && waitpid(child, NULL, 0) == child,
             "child");
        close(line[0]);
        close(line[1]);
        for (size_t i = 0; i < 4; i++)
            persist(i * LINE, 1);
    }
    must(!fsync(file), "fsync");
}

/* Two processes, each with a word of its own in the same lines. */
static void two_processes(void)
{
    pid_t child;

    take_token(1 << 16);
    child = fork();
    must(child >= 0, "fork");
    for (uint64_t i = 1; i <= WRITES; i++)
        persist(i % 8 * LINE + (child ? 0 : 8), i);
    if (!child)
        _exit(0);
    must(waitpid(child, NULL, 0) == child, "child");
}

static void persisted(void)
{
    take_token(4096);
    persist(64, 7);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"beside-a-sync", beside_a_sync}, {"power-failure-in-a-sync", power_failure_in_a_sync},
    {"cut-and-grown", cut_and_grown}, {"short-file", short_file},
    {"killed-worker", killed_worker}, {"two-processes", two_processes},
    {"persisted", persisted},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(argv[1], cases[i].name)) {
            cases[i].run();
            return 0;
        }
    fprintf(stderr, "usage: tokens-client CASE\n");
    return 2;
}
