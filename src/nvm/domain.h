/* SPDX-License-Identifier: MIT */
/* The persistence domain of a mapping: what of it survives a power failure. */
#ifndef NV_DOMAIN_H
#define NV_DOMAIN_H

#include "src/nvm/seam.h"

/*
 * Sets segment->domain and ->reason from the rest of it. Never fails: where nothing can be known it is page-cache,
 * whose msync is right for every file; so it is in place of cpu-cache where the CPU lets no program write lines back.
 */
void nv_domain_find(struct nv_segment *segment);

/* What NVRTL_DOMAIN says. False: it is not set, or names no domain. */
bool nv_domain_forced(NVRTL_DOMAIN *domain);

#endif
