/* SPDX-License-Identifier: MIT */
/*
 * What `nvrtl bench` measures: cases (one operation at one size), each by several contestants. cli/bench.c fills the
 * options, calls nv_bench_run, and prints with one of the writers.
 */
#ifndef NV_BENCH_H
#define NV_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum nv_bench_contestant {
    NV_BENCH_NVRTL,
    NV_BENCH_LIBPMEM,
    NV_BENCH_BARE, /* the instructions alone: the limit */
    NV_BENCH_LIBPMEM2,
    NV_BENCH_MSYNC, /* of each page */
    NV_BENCH_FDATASYNC,
    NV_BENCH_CONTESTANTS
};

enum { NV_BENCH_CPU_NONE = -1, NV_BENCH_CPU_ANY = -2, NV_BENCH_NOTES = 8, NV_BENCH_NOTE_BYTES = 200 };

struct nv_bench_options {
    size_t size_bytes; /* of the memory under test */
    unsigned rounds;
    bool quick;
    uint64_t seed;
    int cpu;             /* to be pinned to, or one of the two above */
    const char *folder;  /* on a disk, for the page cache; NULL: that part is left out */
    const char *version; /* of nvrtl */
};

/* Nanoseconds for one operation. */
struct nv_bench_time {
    bool measured;
    double median;
    double least;
    double most;
    double device_flushes; /* for one operation; negative: not told */
};

struct nv_bench_case;

/* One sample: nanoseconds for each of `count` operations; negative: it failed. */
typedef double nv_bench_sample(struct nv_bench_case *test, enum nv_bench_contestant contestant, size_t count);

struct nv_bench_batch;
/* Does the operations of a batch; false when one was refused. */
typedef bool nv_bench_body(const struct nv_bench_batch *batch);

struct nv_bench_case {
    const char *group;
    char name[32];
    size_t size_bytes; /* of one operation; 0: GB/s mean nothing */
    nv_bench_sample *sample;
    nv_bench_body *bodies[NV_BENCH_CONTESTANTS]; /* NULL: does not take part */
    void *context;                               /* the part's that has the case */
    void (*prepare)(struct nv_bench_case *test, struct nv_bench_batch *batch);
    size_t parameter; /* of prepare: bytes in which ranges lie, threads, pages */
    size_t count_max; /* operations in one sample */
    size_t counts[NV_BENCH_CONTESTANTS];
    unsigned rounds;
    double *samples[NV_BENCH_CONTESTANTS]; /* one for each round */
    double flushes[NV_BENCH_CONTESTANTS];  /* least seen in a sample; negative: not told */
    struct nv_bench_time times[NV_BENCH_CONTESTANTS];
};

struct nv_bench_machine {
    char cpu[96];
    char kernel[160];
    char table[24]; /* the CPU kernel in force */
    char peer[160]; /* libpmem's file; empty: not installed */
    int cpus;
    int pinned; /* CPU, or NV_BENCH_CPU_NONE */
};

struct nv_bench {
    struct nv_bench_options options;
    struct nv_bench_machine machine;
    struct nv_bench_case *cases;
    size_t count;
    char notes[NV_BENCH_NOTES][NV_BENCH_NOTE_BYTES]; /* what was left out, and why */
    size_t note_count;
};

/* Measures. False: error says what failed. nv_bench_free is due in both cases. */
bool nv_bench_run(const struct nv_bench_options *options, struct nv_bench *bench, char *error, size_t error_bytes);
void nv_bench_free(struct nv_bench *bench);

enum { NV_BENCH_ROUNDS_MAX = 10001 };
extern const char *const nv_bench_names[NV_BENCH_CONTESTANTS];
/* The median of what `over` took in a round over what `under` took in it; 0: not measured. */
double nv_bench_ratio(const struct nv_bench_case *test, enum nv_bench_contestant over, enum nv_bench_contestant under);

void nv_bench_text(const struct nv_bench *bench, FILE *out);
bool nv_bench_json(const struct nv_bench *bench, FILE *out);
void nv_bench_plot(const struct nv_bench *bench, FILE *out);

#endif
