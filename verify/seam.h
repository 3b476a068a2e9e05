/* SPDX-License-Identifier: MIT */
/* The verifier library's one entry. */
#ifndef NV_VERIFY_SEAM_H
#define NV_VERIFY_SEAM_H

#include "src/nvm/seam.h"

/* The table for a verified run; NULL: no supervisor answers. */
NVRTL_API const struct nv_seam *nvrtl_verifier_seam(const struct nv_runtime *runtime);

#endif
