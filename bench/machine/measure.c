/* SPDX-License-Identifier: MIT */
/*
 * Owns the method: how many operations a sample has, rounds in random order over all cases, the contestants of a case
 * side by side, and medians. Parts add their cases; nv_bench_run is called by cli/bench.c.
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

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts them. */
static double median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, ascending);
    return samples[count / 2];
}

double nv_bench_ratio(const struct nv_bench_case *test, enum nv_bench_contestant over, enum nv_bench_contestant under)
{
    double ratios[NV_BENCH_ROUNDS_MAX];
    if (!test->times[over].measured || !test->times[under].measured)
        return 0;
    for (unsigned round = 0; round < test->rounds; round++)
        ratios[round] = test->samples[over][round] / test->samples[under][round];
    return median(ratios, test->rounds);
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

static void conclude(struct nv_bench_case *test, enum nv_bench_contestant contestant)
{
    double sorted[NV_BENCH_ROUNDS_MAX];
    memcpy(sorted, test->samples[contestant], test->rounds * sizeof *sorted);
    test->times[contestant] = (struct nv_bench_time){
        .measured = true,
        .median = median(sorted, test->rounds),
        .least = sorted[0],
        .most = sorted[test->rounds - 1],
        .device_flushes = test->flushes[contestant],
    };
}

/* -- all of them -- */

static bool start(struct nv_bench_case *test, const struct nv_bench_options *options)
{
    double batch_ns = options->quick ? NV_BENCH_BATCH_NS / 10 : NV_BENCH_BATCH_NS;
    test->rounds = options->rounds;
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++) {
        if (!test->bodies[i])
            continue;
        test->samples[i] = calloc(options->rounds, sizeof(double));
        if (!test->samples[i])
            abort();
        if (!calibrate(&(struct pair){test, (enum nv_bench_contestant)i}, batch_ns))
            return false;
    }
    return true;
}

static void shuffle(int *numbers, size_t count, uint64_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = nv_bench_random(random) % i;
        int kept = numbers[i - 1];
        numbers[i - 1] = numbers[other];
        numbers[other] = kept;
    }
}

/*
 * One round of one case: its contestants in turn, in random order, NV_BENCH_TURNS times; the median of its turns is
 * what a contestant's round is. So close together that the machine is the same for all of them.
 */
static bool measure_round(struct nv_bench_case *test, unsigned round, uint64_t *random)
{
    double turns[NV_BENCH_CONTESTANTS][NV_BENCH_TURNS];
    int order[NV_BENCH_CONTESTANTS];
    size_t count = 0;
    for (int i = 0; i < NV_BENCH_CONTESTANTS; i++)
        if (test->bodies[i])
            order[count++] = i;
    for (int turn = 0; turn < NV_BENCH_TURNS; turn++) {
        shuffle(order, count, random);
        for (size_t i = 0; i < count; i++) {
            enum nv_bench_contestant contestant = (enum nv_bench_contestant)order[i];
            turns[contestant][turn] = test->sample(test, contestant, test->counts[contestant]);
            if (turns[contestant][turn] < 0)
                return false;
        }
    }
    for (size_t i = 0; i < count; i++)
        test->samples[order[i]][round] = median(turns[order[i]], NV_BENCH_TURNS);
    return true;
}

static const struct nv_bench_case *measure_cases(struct nv_bench *bench, int *order)
{
    uint64_t random = bench->options.seed | 1;
    for (size_t i = 0; i < bench->count; i++) {
        order[i] = (int)i;
        if (!start(&bench->cases[i], &bench->options))
            return &bench->cases[i];
    }
    for (unsigned round = 0; round < bench->options.rounds; round++) {
        shuffle(order, bench->count, &random);
        for (size_t i = 0; i < bench->count; i++)
            if (!measure_round(&bench->cases[order[i]], round, &random))
                return &bench->cases[order[i]];
    }
    for (size_t i = 0; i < bench->count; i++)
        for (int contestant = 0; contestant < NV_BENCH_CONTESTANTS; contestant++)
            if (bench->cases[i].bodies[contestant])
                conclude(&bench->cases[i], (enum nv_bench_contestant)contestant);
    return NULL;
}

const struct nv_bench_case *nv_bench_measure(struct nv_bench *bench)
{
    int *order = calloc(bench->count, sizeof *order);
    if (!order)
        abort();
    const struct nv_bench_case *failed = measure_cases(bench, order);
    free(order);
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
