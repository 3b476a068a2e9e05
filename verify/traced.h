/* SPDX-License-Identifier: MIT */
/* Verified engines that also tell the log of a recorded run what was called. No other run binds a token to one. */
#ifndef NV_VERIFY_TRACED_H
#define NV_VERIFY_TRACED_H

#include "src/nvm/seam.h"

/* The engine that does what `engine` does, and tells of it. One a process. NULL: the log cannot be had. */
const struct nv_engine *nv_traced_engine(const struct nv_engine *engine);

/* As nv_verified_drain. */
NTSTATUS nv_traced_drain(NVRTL_DOMAIN domain, const void *place, const void *frame);

void nv_traced_before_fork(void);
void nv_traced_after_fork(void);

#endif
