/* SPDX-License-Identifier: MIT */
/* The command line that the random tests share. */
#ifndef NV_TEST_OPTIONS_H
#define NV_TEST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *nvrtl, *workload; /* absolute */
    uint64_t seed;                /* printed; of the clock if none is given */
    unsigned runs, operations, every, first, last, step;
    bool verbose, once;
};

void options_parse(struct options *options, int argc, char **argv);

#endif
