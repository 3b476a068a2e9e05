/* SPDX-License-Identifier: MIT */
/*
 * A verified run: start a program on a view of its files, make durable what it syncs, and judge at its end what it
 * never did. `nvrtl check` calls nv_run; everything below supervise/ serves it.
 */
#ifndef NV_RUN_H
#define NV_RUN_H

#include "nvrtl/nvm.h"
#include "report/finding.h"

enum nv_file_system_model { NV_FS_JOURNALED, NV_FS_POSIX };
/* What a sync compares: all of a file, or of large ones what hints leave; or of any file, which is for tests. */
enum nv_dirty_way { NV_DIRTY_AUTO, NV_DIRTY_COMPARE, NV_DIRTY_HINT };
enum nv_view_kind { NV_VIEW_AUTO, NV_VIEW_COPY, NV_VIEW_OVERLAY };

struct nv_tracer;

struct nv_run_options {
    char **program;    /* NULL-terminated */
    char **folders;    /* NULL-terminated; at least one */
    char **file_globs; /* NULL-terminated, may be empty: judge only files whose path in the folder, or name, matches */
    NVRTL_DOMAIN domain; /* that tokens simulate */
    enum nv_file_system_model model;
    enum nv_view_kind view;
    enum nv_dirty_way dirty;
    uint64_t fail_sync;        /* the sync that is to fail, from 1; 0: none */
    bool performance;          /* tell of flushes and drains in vain */
    bool record;               /* the report has maps and a timeline, too */
    const char *trace;         /* the file that keeps all events of the run (trace/); NULL: none */
    int ack_descriptor;        /* of a recorded run: lines that the program writes there are promises; -1: none */
    const char *scratch;       /* NULL: memory */
    const char *verifier_path; /* folder of libnvrtl-verifier.so */
    const struct nv_suppressions *suppressions; /* whose parts of files are not judged; NULL: none */
    const char *drop_in_path; /* of the libraries that stand in for others (compat/), as LD_LIBRARY_PATH; NULL: none */
    const char *traps_path;   /* of libnvrtl-traps.so, which sees flush instructions in binaries; NULL: none */
    struct nv_tracer *tracer; /* that follows the program (tracer.h); NULL: none */
};

/*
 * Run it. 0: the program ran, and *report (to be freed) tells the rest. Otherwise the exit status of nvrtl itself (125,
 * 126 or 127; 128 + its number when a signal came before the program was started) with one line in `error` that says
 * why and what to do.
 */
int nv_run(const struct nv_run_options *options, struct nv_report **report, char *error, size_t error_bytes);

/*
 * Call `inside` in a copy of the folders at stake, which takes their place for this process and goes with it. As
 * nv_run, or what `inside` returns.
 */
int nv_run_in_copy(const struct nv_run_options *options, int (*inside)(void *context), void *context, char *error,
                   size_t error_bytes);

#endif
