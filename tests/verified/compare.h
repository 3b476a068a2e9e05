/* SPDX-License-Identifier: MIT */
/* The files on disk against the model. Any difference ends the test. */
#ifndef NV_TEST_COMPARE_H
#define NV_TEST_COMPARE_H

#include "tests/verified/model.h"

/* Exactly the model's durable image. */
void compare_durable(const struct model *model, const char *folder);
/* Exactly its view: after an end that was no power failure. */
void compare_view(const struct model *model, const char *folder);
/* Between two models: before, and after, the operation that was in progress. */
void compare_between(const struct model *before, const struct model *after, const char *folder);

#endif
