/* SPDX-License-Identifier: MIT */
/*
 * Programs that are measured side by side take turns: each waits for a line, runs one batch of operations, and prints
 * the nanoseconds of CPU time that one took: none of them waits for anything, and others may be using the machine.
 */
#ifndef NV_BENCH_TURNS_H
#define NV_BENCH_TURNS_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

static inline double turns_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline uint64_t turns_random(void)
{
    static uint64_t random = 88172645463325252u;

    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
}

/* Until the input ends. */
static inline void turns_take(void (*batch)(long count), long count)
{
    char line[16];

    while (fgets(line, sizeof line, stdin)) {
        double began = turns_now_ns();

        batch(count);
        printf("%.1f\n", (turns_now_ns() - began) / (double)count);
        fflush(stdout);
    }
}

#endif
