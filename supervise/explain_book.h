/* SPDX-License-Identifier: MIT */
/*
 * What the second run is asked and what it answers, in memory that it shares with the first run's process. One writes
 * while the other waits.
 */
#ifndef NV_EXPLAIN_BOOK_H
#define NV_EXPLAIN_BOOK_H

#include "verify/ledger.h"

#include <limits.h>
#include <stdbool.h>

#define NV_EXPLAIN_FILES 512
#define NV_EXPLAIN_PIECES 65536
#define NV_EXPLAIN_STACKS 4096
#define NV_EXPLAIN_MODULES 256

/* Bytes of one line of a file that a finding names; without length, the file's name. */
struct nv_explain_piece {
    uint64_t offset;
    uint32_t length_bytes;
    uint32_t file;    /* its number */
    uint32_t finding; /* its number in the first run's report */
    uint32_t rule;
    uint32_t stack; /* the answer: its number plus 1; 0: none */
    bool again;     /* the second run had the same finding there */
};

struct nv_explain_stack {
    uint32_t count;
    uint32_t modules[NV_LEDGER_FRAMES];
    uint64_t offsets[NV_LEDGER_FRAMES];
};

struct nv_explain_book {
    uint32_t file_count, piece_count, stack_count, module_count;
    int status;          /* of the second run, as of nv_run */
    char here[PATH_MAX]; /* the current folder, before the runs: after them it may not be told any more */
    char error[512];     /* why there was none, or why it was not followed; empty: it was */
    struct nv_explain_piece piece[NV_EXPLAIN_PIECES];
    struct nv_explain_stack stack[NV_EXPLAIN_STACKS];
    char module[NV_EXPLAIN_MODULES][PATH_MAX];
    char file[NV_EXPLAIN_FILES][PATH_MAX]; /* absolute */
};

#endif
