/* SPDX-License-Identifier: MIT */
/* What a run without a supervisor is tried with: one case each, by its name. Ends with 3 when something is not so. */
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
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 1 << 20, WORDS = BYTES / 8, PAGE = 4096, THREADS = 3, TURNS = 30 };

#define CHECK(ok) check((ok), #ok, __LINE__)

static int file;
static char *base;

static void check(bool ok, const char *what, int line)
{
    if (ok)
        return;
    fprintf(stderr, "client.c:%d: not so: %s\n", line, what);
    _exit(3);
}

static char *map(void)
{
    char *mapped = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(mapped != MAP_FAILED);
    return mapped;
}

static void open_file(void)
{
    file = open("data", O_RDWR | O_CREAT, 0600);
    CHECK(file >= 0 && ftruncate(file, BYTES) == 0);
    base = map();
}

static PVOID take(char *address, size_t size_bytes)
{
    PVOID token;
    CHECK(RtlGetNonVolatileToken(address, size_bytes, &token) == STATUS_SUCCESS);
    return token;
}

static void give_back(PVOID token)
{
    CHECK(RtlFreeNonVolatileToken(token) == STATUS_SUCCESS);
}

static void persist(PVOID token, char *address, const char *text)
{
    CHECK(RtlWriteNonVolatileMemory(token, address, text, strlen(text), WRITE_NV_MEMORY_FLAG_PERSIST) ==
          STATUS_SUCCESS);
}

/* -- stores while tokens come and go -- */

static _Atomic bool stop;

/* Each thread has words of its own, on many pages: what it stored is never something else when it looks again. */
static void *store(void *number)
{
    volatile uint64_t *words = (volatile uint64_t *)(void *)base + (uintptr_t)number * 8;
    _Atomic uint64_t *shared = (_Atomic uint64_t *)(void *)(base + 512);
    uint64_t rounds = 0;
    while (!atomic_load(&stop)) {
        for (size_t at = 0; at < WORDS; at += PAGE / 8) {
            CHECK(words[at] == rounds);
            words[at] = rounds + 1;
        }
        atomic_fetch_add(shared, 1);
        rounds++;
    }
    return (void *)(uintptr_t)rounds;
}

static void read_back(size_t offset, uint64_t wanted)
{
    uint64_t word;
    CHECK(pread(file, &word, sizeof word, (off_t)offset) == sizeof word && word == wanted);
}

static void stores(void)
{
    pthread_t threads[THREADS];
    uint64_t sum = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, store, (void *)i) == 0);
    for (int turn = 0; turn < TURNS; turn++) {
        PVOID whole = take(base, BYTES), part = take(base + 8 * PAGE, 16 * PAGE);
        persist(whole, base + 1024, "while others store");
        give_back(turn % 2 ? whole : part);
        give_back(turn % 2 ? part : whole);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++) {
        void *rounds;
        CHECK(pthread_join(threads[i], &rounds) == 0);
        for (size_t at = 0; at < BYTES; at += PAGE)
            read_back(at + i * 64, (uintptr_t)rounds);
        sum += (uintptr_t)rounds;
    }
    read_back(512, sum);
}

/* -- what becomes of the content -- */

/* What was never made durable is in the file all the same, and the mapping is shared again. */
static void content(void)
{
    PVOID token = take(base, BYTES);
    char byte;
    base[5] = 'v';
    CHECK(pread(file, &byte, 1, 5) == 1 && byte == 0);
    persist(token, base + PAGE, "durable");
    CHECK(pread(file, &byte, 1, PAGE) == 1 && byte == 'd');
    give_back(token);
    CHECK(pread(file, &byte, 1, 5) == 1 && byte == 'v');
    base[6] = 's';
    CHECK(pread(file, &byte, 1, 6) == 1 && byte == 's');
}

static void never_freed(void)
{
    (void)take(base, BYTES);
    base[7] = 'n';
}

/* A program's locks are dropped when any descriptor of the file is closed; none is. */
static void locks(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 8};
    CHECK(fcntl(file, F_SETLK, &lock) == 0);
    PVOID token = take(base, BYTES);
    base[5] = 'v';
    give_back(token);
    pid_t child = fork();
    if (child == 0)
        _exit(fcntl(file, F_GETLK, &lock) != 0 || lock.l_type != F_WRLCK);
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

/* -- what such a run cannot see -- */

static void forks(void)
{
    PVOID token = take(base, BYTES);
    int status;
    pid_t child = fork();
    if (child == 0) {
        base[9] = 'c';
        exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    give_back(token);
}

static void unmapped(void)
{
    PVOID token = take(base, BYTES);
    base[9] = 'u';
    CHECK(munmap(base, BYTES) == 0);
    give_back(token);
}

static void other_mapping(void)
{
    char *other = map();
    PVOID token = take(base, BYTES);
    other[9] = 'o';
    base[PAGE] = 'o';
    give_back(token);
    CHECK(base[9] == 'o' && other[PAGE] == 'o');
}

static void signalled(void)
{
    (void)take(base, BYTES);
    base[9] = 's';
    CHECK(raise(SIGKILL) == 0);
}

/* -- places in the code, a million times -- */

static void many(void)
{
    PVOID token = take(base, BYTES);
    for (int i = 0; i < 1000000; i++)
        (void)RtlDrainNonVolatileFlush((PVOID)(uintptr_t)0x1234);
    for (size_t at = 0; at < BYTES; at += 128)
        base[at] = 1;
    give_back(token);
}

/* By a token in a view, and by none: the default token, and a second token of a part. */
static void default_token(void)
{
    PVOID token = take(base, 2 * PAGE), again = take(base + PAGE, PAGE);
    base[5] = 'd';
    CHECK(RtlFlushNonVolatileMemory((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, base + 5, 1, 0) == STATUS_SUCCESS);
    base[8 * PAGE] = 'd';
    CHECK(RtlFlushNonVolatileMemory((PVOID)FLUSH_NV_MEMORY_DEFAULT_TOKEN, base + 8 * PAGE, 1, 0) == STATUS_SUCCESS);
    give_back(token);
    base[PAGE] = 'a';
    CHECK(RtlFlushNonVolatileMemory(again, base + PAGE, 1, 0) == STATUS_SUCCESS);
    give_back(again);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {{"stores", stores},
             {"content", content},
             {"never-freed", never_freed},
             {"locks", locks},
             {"forks", forks},
             {"unmapped", unmapped},
             {"signalled", signalled},
             {"many", many},
             {"default-token", default_token},
             {"other-mapping", other_mapping}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            open_file();
            cases[i].run();
            return 0;
        }
    return 2;
}
