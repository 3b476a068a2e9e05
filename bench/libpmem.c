/* SPDX-License-Identifier: MIT */
/*
 * Two libraries with libpmem's interface, side by side in one process: Debian's and the drop-in. They take turns on the
 * same memory, in rounds of random order; a ratio is that of each round. DRAM stands in for persistent memory.
 *
 *     libpmem DEBIANS-LIBRARY DROP-IN [ROUNDS]
 */
#include <dlfcn.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MEMORY_BYTES ((size_t)256 << 20)
#define SIZE_MAX_BYTES ((size_t)64 << 10)
#define LINE ((size_t)64)
enum { ROUNDS_MAX = 1001, SCATTERED = 32 };

struct library {
    const char *path;
    void *(*memcpy_persist)(void *, const void *, size_t);
    void *(*memset_persist)(void *, int, size_t);
    void (*persist)(const void *, size_t);
    void (*flush)(const void *, size_t);
    void (*drain)(void);
};

static struct library libraries[2];
static char *memory;
static char source[SIZE_MAX_BYTES];
static uint64_t place = 88172645463325252u;

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);

    *(void **)function = found;
    return found != NULL;
}

static bool load(struct library *library, const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    library->path = path;
    return handle && find(handle, "pmem_memcpy_persist", &library->memcpy_persist) &&
           find(handle, "pmem_memset_persist", &library->memset_persist) &&
           find(handle, "pmem_persist", &library->persist) && find(handle, "pmem_flush", &library->flush) &&
           find(handle, "pmem_drain", &library->drain);
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static char *next_line(void)
{
    place ^= place << 13;
    place ^= place >> 7;
    place ^= place << 17;
    return memory + place % ((MEMORY_BYTES - SIZE_MAX_BYTES) / LINE) * LINE;
}

/* -- what is measured: `count` operations of a size -- */

typedef void operation(const struct library *library, size_t size, int count);

static void copy(const struct library *library, size_t size, int count)
{
    for (int i = 0; i < count; i++)
        library->memcpy_persist(next_line(), source, size);
}

static void fill(const struct library *library, size_t size, int count)
{
    for (int i = 0; i < count; i++)
        library->memset_persist(next_line(), 7, size);
}

static void store_and_persist(const struct library *library, size_t size, int count)
{
    for (int i = 0; i < count; i++) {
        char *at = memory + (size_t)i % 64 * LINE;

        *at = (char)i;
        library->persist(at, size);
    }
}

static void flush_and_drain(const struct library *library, size_t size, int count)
{
    for (int i = 0; i < count; i++) {
        for (size_t k = 0; k < SCATTERED; k++) {
            char *at = memory + k * 977 % 4000 * LINE;

            *at = (char)i;
            library->flush(at, size);
        }
        library->drain();
    }
}

static void drain(const struct library *library, size_t size, int count)
{
    (void)size;
    for (int i = 0; i < count; i++)
        library->drain();
}

static const struct {
    const char *name;
    operation *run;
    size_t from, to; /* sizes, doubled each time */
    int count;       /* of small ones */
} cases[] = {
    {"pmem_memcpy_persist", copy, 8, SIZE_MAX_BYTES, 3000},
    {"pmem_memset_persist", fill, 8, SIZE_MAX_BYTES, 3000},
    {"store, pmem_persist", store_and_persist, 8, 8, 3000},
    {"32 x (store, pmem_flush), pmem_drain", flush_and_drain, 8, 8, 100},
    {"pmem_drain", drain, 0, 0, 10000},
};

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static void measure(const char *name, operation *run, size_t size, int count, int rounds)
{
    static double times[2][ROUNDS_MAX], ratios[ROUNDS_MAX];

    for (int i = 0; i < rounds; i++) {
        int first = rand() & 1;

        for (int turn = 0; turn < 2; turn++) {
            double began = now_ns();

            run(&libraries[turn ^ first], size, count);
            times[turn ^ first][i] = (now_ns() - began) / count;
        }
        ratios[i] = times[0][i] / times[1][i];
    }
    qsort(times[0], (size_t)rounds, sizeof(double), compare);
    qsort(times[1], (size_t)rounds, sizeof(double), compare);
    qsort(ratios, (size_t)rounds, sizeof(double), compare);
    printf("%-38s %6zu %9.1f %9.1f %6.2fx (%.2f-%.2f)\n", name, size, times[0][rounds / 2], times[1][rounds / 2],
           ratios[rounds / 2], ratios[rounds / 10], ratios[rounds - 1 - rounds / 10]);
}

int main(int argc, char **argv)
{
    int rounds = argc > 3 ? atoi(argv[3]) : 101;
    cpu_set_t cpu;

    setenv("PMEM_IS_PMEM_FORCE", "1", 1);
    memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (argc < 3 || rounds < 10 || rounds > ROUNDS_MAX || memory == MAP_FAILED || !load(&libraries[0], argv[1]) ||
        !load(&libraries[1], argv[2])) {
        const char *why = dlerror();

        fprintf(stderr, "usage: libpmem DEBIANS-LIBRARY DROP-IN [ROUNDS]%s%s\n", why ? ": " : "", why ? why : "");
        return 2;
    }
    CPU_ZERO(&cpu);
    CPU_SET(sched_getcpu(), &cpu);
    (void)sched_setaffinity(0, sizeof cpu, &cpu);
    printf("ns, medians of %d rounds; the ratio is Debian's time over ours, with the middle 80 %% of the rounds\n",
           rounds);
    printf("%-38s %6s %9s %9s %7s\n", "", "bytes", "Debian's", "ours", "ratio");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t size = cases[i].from; size <= cases[i].to; size = size ? size * 2 : 1)
            measure(cases[i].name, cases[i].run, size, size < 4096 ? cases[i].count : cases[i].count / 10, rounds);
    return 0;
}
