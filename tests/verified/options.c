/* SPDX-License-Identifier: MIT */
/* Reads NVRTL WORKLOAD [--seed=N] and the counts. The random tests call it first. */
#include "tests/verified/options.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool take(const char *argument, const char *name, unsigned *value)
{
    size_t length = strlen(name);

    if (strncmp(argument, name, length) != 0)
        return false;
    *value = (unsigned)strtoul(argument + length, NULL, 10);
    return true;
}

static void take_option(struct options *options, const char *argument)
{
    if (!strncmp(argument, "--seed=", 7))
        options->seed = strtoull(argument + 7, NULL, 10);
    else if (!strcmp(argument, "--once"))
        options->once = true;
    else if (!strcmp(argument, "--verbose"))
        options->verbose = true;
    else if (!take(argument, "--runs=", &options->runs) && !take(argument, "--operations=", &options->operations) &&
             !take(argument, "--every=", &options->every) && !take(argument, "--first=", &options->first) &&
             !take(argument, "--last=", &options->last) && !take(argument, "--step=", &options->step)) {
        fprintf(stderr, "unknown option %s\n", argument);
        exit(2);
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    static char nvrtl[PATH_MAX], workload[PATH_MAX];
    struct timespec now;

    if (argc < 3) {
        fprintf(stderr, "usage: %s NVRTL WORKLOAD [--seed=N] [--runs=N] ...\n", argv[0]);
        exit(2);
    }
    clock_gettime(CLOCK_REALTIME, &now);
    options->seed = (uint64_t)now.tv_sec * 1000003u + (uint64_t)now.tv_nsec;
    options->nvrtl = realpath(argv[1], nvrtl);
    options->workload = realpath(argv[2], workload);
    for (int i = 3; i < argc; i++)
        take_option(options, argv[i]);
    if (!options->nvrtl || !options->workload) {
        fprintf(stderr, "%s: no such program\n", argv[options->nvrtl ? 2 : 1]);
        exit(2);
    }
    printf("--seed=%lu\n", options->seed);
    fflush(stdout);
}
