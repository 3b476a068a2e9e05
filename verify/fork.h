/* SPDX-License-Identifier: MIT */
/* The verifier across a fork of the program. */
#ifndef NV_VERIFY_FORK_H
#define NV_VERIFY_FORK_H

#include <stdbool.h>

/* From now on; false: no memory for it. */
bool nv_fork_open(void);

#endif
