/* SPDX-License-Identifier: MIT */
/*
 * What the test `memory` records: one case of stores, flushes and drains on a file that is mapped with a token, as they
 * are and, compiled with hooks, with each store told.
 *
 * usage: memory-program CASE FILE
 */
#include <fcntl.h>
#include <nvrtl/nvrtl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 16384, LINE = 64, PAGE = 4096, NO_DRAIN = FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN };

static const char *path;
static int descriptor;
static char *base;
static PVOID token;

static void expect(int true_status, int exit_status)
{
    if (!true_status)
        _exit(exit_status);
}

static uint64_t *word(size_t offset)
{
    return (uint64_t *)(void *)(base + offset);
}

static void flush(size_t offset, size_t size_bytes, ULONG flags)
{
    expect(RtlFlushNonVolatileMemory(token, base + offset, size_bytes, flags) == STATUS_SUCCESS, 10);
}

static void drain(void)
{
    expect(RtlDrainNonVolatileFlush(token) == STATUS_SUCCESS, 11);
}

static void map(size_t size_bytes)
{
    base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    expect(base != MAP_FAILED, 12);
    expect(RtlGetNonVolatileToken(base, size_bytes, &token) == STATUS_SUCCESS, 13);
}

static void end(void)
{
    expect(RtlFreeNonVolatileToken(token) == STATUS_SUCCESS, 14);
}

/* -- cases -- */

static void persist(void)
{
    *word(0) = 1;
    flush(0, 8, 0);
}

/* Two lines are flushed, the second first, and drained together. */
static void order(void)
{
    *word(0) = 1;
    *word(LINE) = 2;
    flush(LINE, 8, NO_DRAIN);
    flush(0, 8, NO_DRAIN);
    drain();
}

/* A line that nobody flushes may be evicted before the drain of another. */
static void evicted(void)
{
    *word(2 * PAGE) = 1;
    *word(0) = 2;
    flush(0, 8, 0);
}

/* Flushed twice with the same content, and once with another. */
static void again(void)
{
    *word(0) = 1;
    flush(0, 8, NO_DRAIN);
    flush(0, 8, NO_DRAIN);
    *word(8) = 2;
    flush(0, 8, 0);
}

static void ranges(void)
{
    NV_MEMORY_RANGE wanted[] = {{base, 8}, {base + 3 * LINE, 2 * LINE}};

    *word(0) = 1;
    *word(4 * LINE) = 2;
    expect(RtlFlushNonVolatileMemoryRanges(token, wanted, 2, 0) == STATUS_SUCCESS, 20);
}

static void written(void)
{
    char bytes[100];

    memset(bytes, 'x', sizeof bytes);
    expect(RtlWriteNonVolatileMemory(token, base + 32, bytes, sizeof bytes, WRITE_NV_MEMORY_FLAG_PERSIST) ==
               STATUS_SUCCESS,
           21);
    expect(RtlFillNonVolatileMemory(token, base + PAGE, 64, 'y',
                                    FILL_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN) == STATUS_SUCCESS,
           22);
    expect(RtlWriteNonVolatileMemory(token, base + 2 * PAGE, bytes, 8, 0) == STATUS_SUCCESS, 23);
    drain();
}

static void promised(void)
{
    *word(0) = 1;
    NvrtlMark("it is\nthere");
    flush(0, 8, 0);
}

static void by_default(void)
{
    PVOID any = (PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN;

    end();
    *word(0) = 1;
    expect(RtlFlushNonVolatileMemory(any, base, 8, NO_DRAIN) == STATUS_SUCCESS, 24);
    *word(LINE) = 2;
    expect(RtlFlushNonVolatileMemory(any, base + LINE, 8, 0) == STATUS_SUCCESS, 25);
    *word(2 * LINE) = 3;
    expect(RtlDrainNonVolatileFlush(any) == STATUS_SUCCESS, 26);
    map(SIZE);
}

/* Of every size, on a border, and by the C library. */
static void stored(void)
{
    static const char text[] = "a text that is longer than any store";

    *(uint8_t *)base = 1;
    *(uint16_t *)(void *)(base + 2) = 2;
    *(uint32_t *)(void *)(base + 4) = 3;
    memcpy(base + LINE, text, sizeof text);
    strcpy(base + 2 * LINE - 4, "border");
    memset(base + 3 * LINE, 4, 256);
    (void)__atomic_fetch_add((uint32_t *)(void *)(base + 8), 5, __ATOMIC_SEQ_CST);
    flush(0, PAGE, 0);
}

/* Hands a lock over, many times: both store in one line, each behind the other. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn;
enum { TURNS = 4 };

static void *take_turns(void *which)
{
    int own = which != NULL;

    for (int i = own; i < TURNS; i += 2) {
        pthread_mutex_lock(&lock);
        while (turn != i)
            pthread_cond_wait(&turned, &lock);
        *word((size_t)i * 8) = (uint64_t)i + 1;
        turn++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void handed_over(void)
{
    pthread_t other;

    expect(pthread_create(&other, NULL, take_turns, &turn) == 0, 30);
    take_turns(NULL);
    pthread_join(other, NULL);
    flush(0, 8, 0);
}

/* What one thread flushed, another's drain does not make durable, but of pages. */
static void *flush_only(void *unused)
{
    *word(LINE) = 2;
    flush(LINE, 8, NO_DRAIN);
    return unused;
}

static void two_threads(void)
{
    pthread_t other;

    expect(pthread_create(&other, NULL, flush_only, NULL) == 0, 31);
    pthread_join(other, NULL);
    *word(0) = 1;
    flush(0, 8, 0);
}

static void forked(void)
{
    int status;
    pid_t child;

    *word(0) = 1;
    flush(0, 8, 0);
    child = fork();
    if (child == 0) {
        *word(LINE) = 2;
        *word(2 * LINE) = 3;
        flush(LINE, 8, 0);
        _exit(0);
    }
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, 32);
    *word(3 * LINE) = 4;
    flush(3 * LINE, 8, 0);
}

/* Nothing is told of twice that another process has told. */
static void two_processes(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        *word(0) = 1;
        flush(0, 8, 0);
        _exit(0);
    }
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, 33);
    flush(0, LINE, 0);
}

static void grown(void)
{
    end();
    expect(ftruncate(descriptor, 4 * SIZE) == 0, 34);
    map((size_t)4 * SIZE);
    *word((size_t)3 * SIZE) = 1;
    flush((size_t)3 * SIZE, 8, 0);
}

/* A program may unmap a region whose token it never frees. */
static void unmapped(void)
{
    char *first = base;
    PVOID first_token = token;

    *word(0) = 1;
    map(SIZE);
    munmap(first, SIZE);
    *word(LINE) = 2;
    flush(LINE, 8, 0);
    expect(RtlFreeNonVolatileToken(first_token) == STATUS_SUCCESS, 35);
}

/* -- and what no order is expected of: the events give the file's content, whoever tells of them -- */

enum { THREADS = 4, STORES = 3000 };

static void *store_at_random(void *seed)
{
    uint64_t state = (uintptr_t)seed * 0x9e3779b97f4a7c15u;

    for (int i = 0; i < STORES; i++) {
        size_t at;

        state = state * 6364136223846793005u + 1442695040888963407u;
        at = (size_t)(state >> 40) % (SIZE / 8) * 8;
        __atomic_store_n(word(at), state, __ATOMIC_RELAXED);
        if (i % 16 == 0)
            flush(at, 8, NO_DRAIN);
        if (i % 64 == 0)
            drain();
    }
    drain();
    return NULL;
}

static void many(void)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, store_at_random, (void *)(i + 1)) == 0, 36);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void many_processes(void)
{
    int status;

    for (uintptr_t i = 1; i <= THREADS; i++) {
        pid_t child = fork();

        expect(child >= 0, 37);
        if (child > 0)
            continue;
        store_at_random((void *)(i + 10));
        end();
        _exit(0);
    }
    for (int i = 0; i < THREADS; i++)
        expect(wait(&status) > 0 && status == 0, 38);
}

static void million(void)
{
    uint64_t state = 1, line[8];

    for (int i = 0; i < 1000000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        for (int k = 0; k < 8; k++)
            line[k] = state + (uint64_t)k;
        memcpy(base + (state >> 40) % (SIZE / LINE) * LINE, line, sizeof line);
        if (i % 1000 == 0)
            flush(0, SIZE, 0);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"persist", persist},
    {"order", order},
    {"evicted", evicted},
    {"again", again},
    {"ranges", ranges},
    {"written", written},
    {"promised", promised},
    {"default", by_default},
    {"stored", stored},
    {"handed-over", handed_over},
    {"two-threads", two_threads},
    {"forked", forked},
    {"two-processes", two_processes},
    {"grown", grown},
    {"unmapped", unmapped},
    {"many", many},
    {"million", million},
    {"many-processes", many_processes},
};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    path = argv[2];
    descriptor = open(path, O_RDWR);
    expect(descriptor >= 0, 3);
    map(SIZE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            end();
            return 0;
        }
    return 2;
}
