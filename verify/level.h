/* SPDX-License-Identifier: MIT */
/* The IRQL at which the functions of the memory plane are called. */
#ifndef NV_VERIFY_LEVEL_H
#define NV_VERIFY_LEVEL_H

#include "src/nvm/seam.h"

void nv_level_open(const struct nv_runtime *runtime);

/* Notes a call above DISPATCH_LEVEL; `place` is the public function's return address, `frame` the caller's. */
void nv_level_check(const char *function, const void *place, const void *frame);

#endif
