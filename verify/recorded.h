/* SPDX-License-Identifier: MIT */
/* Verified engines that also tell when each call was. Only where the report will draw it is a token bound to one. */
#ifndef NV_VERIFY_RECORDED_H
#define NV_VERIFY_RECORDED_H

#include "src/nvm/seam.h"

/* The engine that does what `engine` does, and records it in the ledger. One a process. */
const struct nv_engine *nv_recorded_engine(const struct nv_engine *engine);

/* A drain that names no token, and what came of it. */
void nv_recorded_drain(NTSTATUS status, const void *place);

#endif
