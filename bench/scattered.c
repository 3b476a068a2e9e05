/* SPDX-License-Identifier: MIT */
/*
 * K scattered pages of an ordinary file made durable: by a token, all of them with one drain, beside libpmem2's persist
 * of each. The file is preallocated and written once; both sides write the same 8 bytes into the same pages, in rounds
 * of random order. Prints medians, their spread and the ratio.
 *
 *     scattered FOLDER [ROUNDS]
 */
#include <nvrtl/nvrtl.h>

#include <fcntl.h>
#include <libpmem2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16384, COUNT_MAX = 512, ROUNDS_MAX = 1001 };

struct side {
    const char *name;
    char *base;
    PVOID token;
    struct pmem2_map *map;
    pmem2_persist_fn persist;
    double times[ROUNDS_MAX];
};

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int make_file(const char *folder, const char *name)
{
    char path[4096];
    static char page[PAGE];
    int file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || unlink(path))
        return -1;
    memset(page, 1, sizeof page);
    for (int i = 0; i < PAGES; i++)
        if (write(file, page, sizeof page) != sizeof page)
            return -1;
    return fsync(file) ? -1 : file;
}

static int open_token(struct side *side, const char *folder)
{
    int file = make_file(folder, "scattered.nvrtl");

    if (file < 0)
        return -1;
    side->base = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (side->base == MAP_FAILED || madvise(side->base, (size_t)PAGES * PAGE, MADV_RANDOM))
        return -1;
    return NT_SUCCESS(RtlGetNonVolatileToken(side->base, (size_t)PAGES * PAGE, &side->token)) ? 0 : -1;
}

static int open_pmem2(struct side *side, const char *folder)
{
    struct pmem2_config *config;
    struct pmem2_source *source;
    int file = make_file(folder, "scattered.pmem2");

    if (file < 0 || pmem2_config_new(&config) || pmem2_source_from_fd(&source, file) ||
        pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
        pmem2_map_new(&side->map, config, source))
        return -1;
    side->base = pmem2_map_get_address(side->map);
    side->persist = pmem2_get_persist_fn(side->map);
    return madvise(side->base, (size_t)PAGES * PAGE, MADV_RANDOM);
}

/* One round: the pages are dirtied, and made durable; only the latter is timed. -1: it was not. */
static double round_of(const struct side *side, const unsigned *pages, int count, unsigned value)
{
    static NV_MEMORY_RANGE ranges[COUNT_MAX];
    double began;

    for (int i = 0; i < count; i++) {
        char *at = side->base + (size_t)pages[i] * PAGE + 128;

        memcpy(at, &value, sizeof value);
        ranges[i] = (NV_MEMORY_RANGE){at, 8};
    }
    began = now_ms();
    if (side->token) {
        if (RtlFlushNonVolatileMemoryRanges(side->token, ranges, (SIZE_T)count, 0) != STATUS_SUCCESS)
            return -1;
    } else {
        for (int i = 0; i < count; i++)
            side->persist(ranges[i].BaseAddress, ranges[i].Length);
    }
    return now_ms() - began;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static int measure(struct side *sides, int count, int rounds)
{
    unsigned pages[COUNT_MAX];

    for (int i = 0; i < rounds; i++) {
        int first = rand() & 1;

        for (int k = 0; k < count; k++)
            pages[k] = (unsigned)k * (PAGES / (unsigned)count) + (unsigned)rand() % (PAGES / (unsigned)count);
        for (int turn = 0; turn < 2; turn++) {
            struct side *side = &sides[turn ^ first];

            side->times[i] = round_of(side, pages, count, (unsigned)rand());
            if (side->times[i] < 0)
                return -1;
        }
    }
    for (int s = 0; s < 2; s++)
        qsort(sides[s].times, (size_t)rounds, sizeof(double), compare);
    printf("%5d  %9.3f (%.3f-%.3f)  %9.3f (%.3f-%.3f)  %6.2fx\n", count, sides[0].times[rounds / 2], sides[0].times[0],
           sides[0].times[rounds - 1], sides[1].times[rounds / 2], sides[1].times[0], sides[1].times[rounds - 1],
           sides[1].times[rounds / 2] / sides[0].times[rounds / 2]);
    return 0;
}

int main(int argc, char **argv)
{
    static struct side sides[2] = {{.name = "nvrtl"}, {.name = "libpmem2"}};
    int rounds = argc > 2 ? atoi(argv[2]) : 31;

    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX || open_token(&sides[0], argv[1]) ||
        open_pmem2(&sides[1], argv[1])) {
        fprintf(stderr, "usage: scattered FOLDER [ROUNDS]   (FOLDER on a disk with 128 MiB free)\n");
        return 2;
    }
    printf("K scattered pages of a 64 MiB file, ms: median (least-most) of %d rounds\n", rounds);
    printf("    K  nvrtl, one drain           libpmem2, persist of each    ratio\n");
    for (int count = 1; count <= COUNT_MAX; count *= 8)
        if (measure(sides, count, rounds)) {
            fprintf(stderr, "scattered: a flush failed\n");
            return 1;
        }
    return 0;
}
