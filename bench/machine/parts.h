/* SPDX-License-Identifier: MIT */
/* What the files of bench/machine share: the batch that a body works on, and the parts that add cases. */
#ifndef NV_BENCH_PARTS_H
#define NV_BENCH_PARTS_H

#include "bench/machine/bench.h"

#include <nvrtl/nvrtl.h>

#define NV_BENCH_BATCH_NS 3e5 /* of one turn */
#define NV_BENCH_TURNS 5      /* of each contestant in a round */
enum { NV_BENCH_COUNT_MAX = 16384, NV_BENCH_RANGES = 1000, NV_BENCH_RANGE_CALLS = 32, NV_BENCH_LINE = 64 };

struct nv_bench_batch {
    PVOID token;
    PVOID bad_token;
    size_t count;     /* operations */
    char **at;        /* where each goes */
    const char *data; /* what is written */
    size_t size_bytes;
    NV_MEMORY_RANGE *ranges; /* NV_BENCH_RANGES for each operation; page cache: `pages` of them, one operation */
    size_t pages;
    int file;
    void (*persist)(const void *address, size_t size_bytes); /* libpmem2's, for the file */
};

/* -- measure.c -- */
double nv_bench_now_ns(void);
uint64_t nv_bench_random(uint64_t *state);
struct nv_bench_case *nv_bench_add(struct nv_bench *bench, const char *group, const char *name);
__attribute__((format(printf, 2, 3))) void nv_bench_note(struct nv_bench *bench, const char *format, ...);
/* All cases in `rounds` rounds of random order. NULL, or the case that failed. */
const struct nv_bench_case *nv_bench_measure(struct nv_bench *bench);

/* -- machine.c -- */
void nv_bench_describe(struct nv_bench_machine *machine);
/* Two different CPUs that this process may run on; false: there is only one. */
bool nv_bench_two_cpus(int cpus[2]);
bool nv_bench_pin(int cpu);

/* -- peer.c -- */
struct nv_bench_libpmem {
    void *(*memcpy_persist)(void *destination, const void *source, size_t size_bytes);
    void *(*memset_persist)(void *destination, int value, size_t size_bytes);
    void (*flush)(const void *address, size_t size_bytes);
    void (*drain)(void);
};
extern struct nv_bench_libpmem nv_bench_libpmem;
/* Loads it, once; its file goes to path. */
bool nv_bench_libpmem_load(char *path, size_t path_bytes);
/* libpmem2 for one file: its own mapping, and the function that makes a range durable. False: not installed. */
typedef void nv_bench_persist(const void *address, size_t size_bytes);
bool nv_bench_libpmem2_map(int file, char **base, nv_bench_persist **persist);

/* -- bare.c: bodies, NULL where this CPU has no such instruction -- */
struct nv_bench_bare {
    nv_bench_body *write, *fill, *flush, *store_and_flush, *ranges, *drain;
};
struct nv_bench_bare nv_bench_bare_bodies(void);

/* -- the parts -- */
struct nv_bench_memory {
    char *base;
    size_t size_bytes;
    char *data;
    uint64_t random;
    struct nv_bench_batch batch;
};
bool nv_bench_memory_open(struct nv_bench_memory *memory, size_t size_bytes, uint64_t seed);
void nv_bench_memory_close(struct nv_bench_memory *memory);
void nv_bench_memory_cases(struct nv_bench *bench, struct nv_bench_memory *memory);
nv_bench_sample nv_bench_sample_memory;
void nv_bench_random_lines(struct nv_bench_case *test, struct nv_bench_batch *batch);
nv_bench_body nv_bench_write_nvrtl, nv_bench_write_libpmem;

void nv_bench_range_cases(struct nv_bench *bench, struct nv_bench_memory *memory);
void nv_bench_thread_cases(struct nv_bench *bench, struct nv_bench_memory *memory);

struct nv_bench_pages;
/* NULL: error says why. */
struct nv_bench_pages *nv_bench_pages_open(const char *folder, uint64_t seed, bool quick, char *error,
                                           size_t error_bytes);
void nv_bench_pages_close(struct nv_bench_pages *pages);
void nv_bench_pages_cases(struct nv_bench *bench, struct nv_bench_pages *pages);

#endif
