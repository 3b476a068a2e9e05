/* SPDX-License-Identifier: MIT */
/* Syncs and unmappings, in a run without a supervisor. */
#ifndef NV_VERIFY_ALONE_SYNCS_H
#define NV_VERIFY_ALONE_SYNCS_H

#include "verify/alone.h"

/* Hear of a runtime's own calls. */
void nv_alone_syncs_of(const struct nv_runtime *runtime);

/* Hear of the program's; false: they are not seen. */
bool nv_alone_syncs_open(void);

/* For the report. */
void nv_alone_syncs_count(struct nv_alone_run *run);

#endif
