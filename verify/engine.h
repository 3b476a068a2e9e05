/* SPDX-License-Identifier: MIT */
/* The engines that a token is bound to in a verified run, one for each domain that is simulated. */
#ifndef NV_VERIFY_ENGINE_H
#define NV_VERIFY_ENGINE_H

#include "src/nvm/seam.h"

/* NULL: nothing is simulated for it (volatile). A region's context is its struct nv_binding. */
const struct nv_engine *nv_verified_engine(NVRTL_DOMAIN domain);

/* Drain what this thread flushed, by whatever token. `frame` is of the seam's function, called from `place`. */
NTSTATUS nv_verified_drain(NVRTL_DOMAIN domain, const void *place, const void *frame);

#endif
