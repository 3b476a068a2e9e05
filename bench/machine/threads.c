/* SPDX-License-Identifier: MIT */
/*
 * Owns the case of two threads beside one, each on a CPU and in a region of its own. A time is that of all threads
 * together: two that do not hinder each other take half the time of one.
 */
#include "bench/machine/parts.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS_MAX = 2, WRITE_BYTES = 64 };

struct thread {
    pthread_t id;
    pthread_barrier_t *start;
    nv_bench_body *body;
    struct nv_bench_batch batch;
    int cpu;
    double took_ns;
    bool ok;
};

static void *work(void *argument)
{
    struct thread *thread = argument;
    nv_bench_pin(thread->cpu);
    pthread_barrier_wait(thread->start);
    double began = nv_bench_now_ns();
    thread->ok = thread->body(&thread->batch);
    thread->took_ns = nv_bench_now_ns() - began;
    return NULL;
}

/* Half of the memory each. */
static bool prepare(struct nv_bench_memory *memory, struct thread *thread, size_t number, size_t count)
{
    size_t half = memory->size_bytes / THREADS_MAX;
    thread->batch = memory->batch;
    thread->batch.count = count;
    thread->batch.size_bytes = WRITE_BYTES;
    thread->batch.at = calloc(count, sizeof(char *));
    for (size_t i = 0; thread->batch.at && i < count; i++)
        thread->batch.at[i] =
            memory->base + number * half + nv_bench_random(&memory->random) % (half / NV_BENCH_LINE) * NV_BENCH_LINE;
    return thread->batch.at != NULL;
}

static double run(struct thread *threads, size_t count)
{
    double rate = 0;
    size_t started = 0;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (; started < count; started++) {
        threads[started].start = &start;
        if (pthread_create(&threads[started].id, NULL, work, &threads[started]) != 0)
            abort(); /* those that wait for it could not be ended */
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i].id, NULL);
        rate += threads[i].ok ? (double)threads[i].batch.count / threads[i].took_ns : -1e9;
    }
    pthread_barrier_destroy(&start);
    return rate > 0 ? 1 / rate : -1;
}

static double sample(struct nv_bench_case *test, enum nv_bench_contestant contestant, size_t count)
{
    struct thread threads[THREADS_MAX] = {0};
    int cpus[2];
    bool ok = nv_bench_two_cpus(cpus);
    for (size_t i = 0; i < test->parameter; i++) {
        threads[i].body = test->bodies[contestant];
        threads[i].cpu = cpus[i];
        ok = prepare(test->context, &threads[i], i, count) && ok;
    }
    double each = ok ? run(threads, test->parameter) : -1;
    for (size_t i = 0; i < test->parameter; i++)
        free(threads[i].batch.at);
    return each;
}

static void add(struct nv_bench *bench, struct nv_bench_memory *memory, const char *name, size_t threads)
{
    struct nv_bench_case *test = nv_bench_add(bench, "threads, 64 B each to its own region", name);
    test->context = memory;
    test->sample = sample;
    test->parameter = threads;
    test->size_bytes = WRITE_BYTES;
    test->bodies[NV_BENCH_NVRTL] = nv_bench_write_nvrtl;
    test->bodies[NV_BENCH_LIBPMEM] = nv_bench_libpmem.drain ? nv_bench_write_libpmem : NULL;
    test->bodies[NV_BENCH_BARE] = nv_bench_bare_bodies().write;
}

void nv_bench_thread_cases(struct nv_bench *bench, struct nv_bench_memory *memory)
{
    int cpus[2];
    if (!nv_bench_two_cpus(cpus)) {
        nv_bench_note(bench, "threads: left out; only one CPU may be used");
        return;
    }
    add(bench, memory, "one thread", 1);
    add(bench, memory, "two threads", 2);
}
