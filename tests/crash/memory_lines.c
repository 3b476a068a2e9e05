/* SPDX-License-Identifier: MIT */
/*
 * What the test `memory` records besides: programs without tokens, by intrinsics and by libpmem.
 *
 * usage: memory-lines CASE FILE
 */
#include <fcntl.h>
#include <libpmem.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 16384, LINE = 64, PAGE = 4096 };

static const char *path;
static char *base;

static uint64_t *word(size_t offset)
{
    return (uint64_t *)(void *)(base + offset);
}

static void map(void)
{
    int descriptor = open(path, O_RDWR);

    base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (descriptor < 0 || base == MAP_FAILED)
        _exit(10);
    close(descriptor);
}

static void map_pmem(void)
{
    base = pmem_map_file(path, 0, 0, 0, NULL, NULL);
    if (base == NULL)
        _exit(11);
}

__attribute__((target("clwb"))) static void write_back(void)
{
    map();
    *word(0) = 1;
    *word(2 * LINE) = 2;
    _mm_clwb(base);
    *word(8 * LINE) = 3;
    _mm_sfence();
    _mm_sfence(); /* there is nothing to drain */
}

static void flush_in_order(void)
{
    map();
    *word(LINE) = 1;
    _mm_clflush(base + LINE);
}

static void stream(void)
{
    map();
    _mm_stream_si64((long long *)(void *)word(PAGE), 5);
    _mm_sfence();
}

static void persist(void)
{
    map_pmem();
    *word(0) = 1;
    pmem_persist(base, 8);
    *word(LINE) = 2;
    pmem_flush(base + LINE, 8);
    *word(PAGE) = 3;
    pmem_drain();
    pmem_unmap(base, SIZE);
}

static void copy(void)
{
    char bytes[1000];

    map_pmem();
    memset(bytes, 'x', sizeof bytes);
    pmem_memcpy_persist(base + 16, bytes, sizeof bytes);
    pmem_memset_nodrain(base + PAGE, 'y', 512);
    pmem_memcpy(base + (size_t)2 * PAGE, bytes, 8, PMEM_F_MEM_NOFLUSH);
    pmem_drain();
    pmem_unmap(base, SIZE);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"write-back", write_back}, {"flush-in-order", flush_in_order}, {"stream", stream}, {"pmem-persist", persist},
    {"pmem-copy", copy},
};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    path = argv[2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
