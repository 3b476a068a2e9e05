/* SPDX-License-Identifier: MIT */
/* Random operations that are possible in the model's present state. */
#ifndef NV_TEST_GENERATE_H
#define NV_TEST_GENERATE_H

#include "tests/verified/model.h"

struct generator {
    uint64_t state;
    bool tokens;   /* operations through the interface too */
    bool no_links; /* an overlay loses track of files with hard links */
};

uint64_t generate_number(struct generator *generator, uint64_t below);
/* The files that are there before the run, and the same in the model. */
void generate_operation(struct generator *generator, const struct model *model, struct operation *operation);

#endif
