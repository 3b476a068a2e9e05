/* SPDX-License-Identifier: MIT */
/* What the variables of libpmem(7) say, read when the library is loaded (PMEM_IS_PMEM_FORCE: at the first question). */
#ifndef NV_PMEM_SETTINGS_H
#define NV_PMEM_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nv_pmem_settings {
    bool never_flush;       /* PMEM_NO_FLUSH=1 */
    bool always_flush;      /* PMEM_NO_FLUSH=0: where the caches survive, too */
    bool no_movnt;          /* PMEM_NO_MOVNT=1 */
    bool abort;             /* NVRTL_PMEM_ABORT=1 */
    size_t movnt_threshold; /* PMEM_MOVNT_THRESHOLD: smaller writes are ordinary stores, unless a flag asks */
    uintptr_t hint;         /* PMEM_MMAP_HINT; 0: none */
};

extern struct nv_pmem_settings nv_pmem_settings;

void nv_pmem_settings_read(void);

enum nv_pmem_force { NV_PMEM_ASK, NV_PMEM_NEVER, NV_PMEM_ALWAYS };

/* PMEM_IS_PMEM_FORCE as it is now. */
enum nv_pmem_force nv_pmem_force(void);

#endif
