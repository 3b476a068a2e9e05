/* SPDX-License-Identifier: MIT */
/*
 * Owns the method: how many operations a sample has, rounds in random order over all pairs of case and contestant, and
 * medians. Parts add their cases; nv_bench_run is called by cli/bench.c.
 */
#include "bench/machine/parts.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const nv_bench_names[NV_BENCH_CONTESTANTS] = {"nvrtl", "libpmem", "bare", "libpmem2", "msync", "fdatasync"};

double nv_bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

uint64_t nv_bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct nv_bench_case *nv_bench_add(struct nv_bench *bench, const char *group, const char *name)
{
    struct nv_bench_case *grown = reallocarray(bench->cases, bench->count + 1, sizeof *grown);
    if (!grown)
        abort();
    bench->cases = grown;
    struct nv_bench_case *test = &grown[bench->count++];
    *test = (struct nv_bench_case){.group = group, .count_max = NV_BENCH_COUNT_MAX};
    snprintf(test->name, sizeof test->name, "%s", name);
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++)
        test->flushes[i] = -1;
    return test;
}

void nv_bench_note(struct nv_bench *bench, const char *format, ...)
{
    va_list arguments;
    if (bench->note_count == NV_BENCH_NOTES)
        return;
    va_start(arguments, format);
    vsnprintf(bench->notes[bench->note_count++], NV_BENCH_NOTE_BYTES, format, arguments);
    va_end(arguments);
}

double nv_bench_ratio(const struct nv_bench_case *test, enum nv_bench_contestant over, enum nv_bench_contestant under)
{
    if (!test->times[over].measured || !test->times[under].measured)
        return 0;
    return test->times[over].median / test->times[under].median;
}

/* -- one pair of case and contestant -- */

struct pair {
    struct nv_bench_case *test;
    enum nv_bench_contestant contestant;
};

/* So many operations that a sample takes about NV_BENCH_BATCH_NS. It warms up, too. */
static bool calibrate(const struct pair *pair, double batch_ns)
{
    struct nv_bench_case *test = pair->test;
    size_t count = 1;
    for (;;) {
        double each = test->sample(test, pair->contestant, count);
        if (each < 0)
            return false;
        double wanted = batch_ns / (each > 0.1 ? each : 0.1);
        if (each * (double)count >= batch_ns / 4 || count == test->count_max) {
            size_t whole = wanted < 1 ? 1 : (size_t)wanted;
            test->counts[pair->contestant] = whole < test->count_max ? whole : test->count_max;
            return true;
        }
        count = count * 4 < test->count_max ? count * 4 : test->count_max;
    }
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void conclude(const struct pair *pair, unsigned rounds)
{
    double *samples = pair->test->samples[pair->contestant];
    qsort(samples, rounds, sizeof *samples, ascending);
    pair->test->times[pair->contestant] = (struct nv_bench_time){
        .measured = true,
        .median = samples[rounds / 2],
        .least = samples[0],
        .most = samples[rounds - 1],
        .device_flushes = pair->test->flushes[pair->contestant],
    };
}

/* -- all of them -- */

static struct pair *make_pairs(struct nv_bench *bench, size_t *count)
{
    struct pair *pairs = calloc(bench->count * NV_BENCH_CONTESTANTS, sizeof *pairs);
    *count = 0;
    for (size_t i = 0; pairs && i < bench->count; i++)
        for (int contestant = 0; contestant < NV_BENCH_CONTESTANTS; contestant++) {
            struct nv_bench_case *test = &bench->cases[i];
            if (!test->bodies[contestant])
                continue;
            test->samples[contestant] = calloc(bench->options.rounds, sizeof(double));
            if (!test->samples[contestant])
                abort();
            pairs[(*count)++] = (struct pair){test, (enum nv_bench_contestant)contestant};
        }
    if (!pairs)
        abort();
    return pairs;
}

static void shuffle(struct pair *pairs, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = nv_bench_random(random) % i;
        struct pair kept = pairs[i - 1];
        pairs[i - 1] = pairs[other];
        pairs[other] = kept;
    }
}

static const struct nv_bench_case *measure_pairs(struct nv_bench *bench, struct pair *pairs, size_t count)
{
    uint64_t random = bench->options.seed | 1;
    double batch_ns = bench->options.quick ? NV_BENCH_BATCH_NS / 10 : NV_BENCH_BATCH_NS;
    for (size_t i = 0; i < count; i++)
        if (!calibrate(&pairs[i], batch_ns))
            return pairs[i].test;
    for (unsigned round = 0; round < bench->options.rounds; round++) {
        shuffle(pairs, count, &random);
        for (size_t i = 0; i < count; i++) {
            struct nv_bench_case *test = pairs[i].test;
            enum nv_bench_contestant contestant = pairs[i].contestant;
            double each = test->sample(test, contestant, test->counts[contestant]);
            if (each < 0)
                return test;
            test->samples[contestant][round] = each;
        }
    }
    for (size_t i = 0; i < count; i++)
        conclude(&pairs[i], bench->options.rounds);
    return NULL;
}

const struct nv_bench_case *nv_bench_measure(struct nv_bench *bench)
{
    size_t count;
    struct pair *pairs = make_pairs(bench, &count);
    const struct nv_bench_case *failed = measure_pairs(bench, pairs, count);
    free(pairs);
    return failed;
}

/* -- the run -- */

static void pin(struct nv_bench *bench)
{
    int cpus[2], cpu = bench->options.cpu;
    bench->machine.pinned = NV_BENCH_CPU_NONE;
    if (cpu == NV_BENCH_CPU_NONE)
        return;
    if (cpu == NV_BENCH_CPU_ANY) {
        nv_bench_two_cpus(cpus);
        cpu = cpus[0];
    }
    if (nv_bench_pin(cpu))
        bench->machine.pinned = cpu;
    else
        nv_bench_note(bench, "not pinned: CPU %d may not be used", cpu);
}

static bool run_parts(struct nv_bench *bench, struct nv_bench_memory *memory, struct nv_bench_pages *pages, char *error,
                      size_t error_bytes)
{
    nv_bench_memory_cases(bench, memory);
    nv_bench_range_cases(bench, memory);
    nv_bench_thread_cases(bench, memory);
    if (pages)
        nv_bench_pages_cases(bench, pages);
    pin(bench);
    const struct nv_bench_case *failed = nv_bench_measure(bench);
    if (failed)
        snprintf(error, error_bytes, "%s, %s: an operation failed", failed->group, failed->name);
    return !failed;
}

bool nv_bench_run(const struct nv_bench_options *options, struct nv_bench *bench, char *error, size_t error_bytes)
{
    struct nv_bench_memory memory;
    struct nv_bench_pages *pages = NULL;
    *bench = (struct nv_bench){.options = *options};
    if (!nv_bench_libpmem_load(bench->machine.peer, sizeof bench->machine.peer))
        nv_bench_note(bench, "libpmem is not installed: there is no peer to compare with");
    nv_bench_describe(&bench->machine);
    if (!options->folder)
        nv_bench_note(bench, "page cache: left out; --dir=DIR names a folder on a disk for it");
    else if (!(pages = nv_bench_pages_open(options->folder, options->seed, options->quick, error, error_bytes)))
        return false;
    bool ok = nv_bench_memory_open(&memory, options->size_bytes, options->seed);
    if (ok)
        ok = run_parts(bench, &memory, pages, error, error_bytes);
    else
        snprintf(error, error_bytes, "no memory of %zu MiB to measure, or no token for it", options->size_bytes >> 20);
    nv_bench_memory_close(&memory);
    nv_bench_pages_close(pages);
    return ok;
}

void nv_bench_free(struct nv_bench *bench)
{
    for (size_t i = 0; i < bench->count; i++)
        for (int contestant = 0; contestant < NV_BENCH_CONTESTANTS; contestant++)
            free(bench->cases[i].samples[contestant]);
    free(bench->cases);
}
