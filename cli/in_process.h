/* SPDX-License-Identifier: MIT */
/* A program that verifies its tokens by itself, without a supervisor: for containers that allow no namespaces. */
#ifndef NV_IN_PROCESS_H
#define NV_IN_PROCESS_H

#include "supervise/run.h"

struct nv_in_process {
    const struct nv_run_options *run; /* of which the program, domain, fail_sync and performance count, and the paths */
    const char *format;
    const char *output;        /* NULL: stderr */
    char *const *suppressions; /* paths; NULL-terminated, or NULL */
    bool generate;
    int findings_status;
};

/* Run it. The exit status of nvrtl check. */
int nv_in_process(const struct nv_in_process *options);

#endif
