/* SPDX-License-Identifier: MIT */
/*
 * What nvrtl crash adds to a report: how much was explored, and of each finding the state and its causes. The command
 * line fills it, and reads it back from JSON (read.c) to join what several processes, or machines, have found.
 */
#ifndef NV_REPORT_CRASH_H
#define NV_REPORT_CRASH_H

#include "report/finding.h"

/* A part of the state that the failure hangs on. */
struct nv_crash_cause {
    bool missing; /* else it is there */
    char *what;   /* "store", "line", "write", "zeros", "length", "new name", "link", "removal", "rename", "mode" */
    char *file;   /* both names of a rename, with " -> " between them */
    uint64_t offset, length_bytes;
    struct nv_stack stack; /* who made it */
    char *guard;           /* "flush", "drain", "sync": what had, or would have, made it durable; NULL: nothing */
    struct nv_stack guard_stack;
};

struct nv_crash_failure {
    char *id;    /* for --replay */
    char *image; /* hash of the state, 32 hexadecimal digits */
    uint64_t point, event;
    uint64_t promises;     /* that were made before it */
    char *ending;          /* of the recovery: "ended with status 1" */
    char *output;          /* its last lines */
    char *replay;          /* the command that builds the state; NULL: the trace was not kept */
    char *kept;            /* where the state was put; NULL: nowhere */
    bool unsteady;         /* it did not fail when it was tried again */
    struct nv_stack stack; /* where the power failed */
    struct nv_crash_cause *causes;
    size_t cause_count;
};

/* How much was explored, by all processes. */
struct nv_crash_coverage {
    char *recovery; /* as the user gave it; NULL: none */
    char *trace;    /* its file; NULL: it was not kept */
    char *identity; /* of trace and options: reports of one exploration have the same */
    uint64_t seed;
    uint32_t jobs;
    uint32_t shards; /* 0: it was not divided */
    uint32_t *shard; /* those that were explored, from 0, ascending */
    size_t shard_count;
    uint64_t points, points_done, stacks, states, judged, repeated, skipped, failures;
    bool exhaustive, stopped;
    double seconds;
};

struct nv_crash_failure *nv_crash_failure_new(void);
void nv_crash_failure_free(struct nv_crash_failure *failure);
/* Room for one more cause, empty. NULL: no memory. */
struct nv_crash_cause *nv_crash_add_cause(struct nv_crash_failure *failure);
/* Equal ones come down to the same causes. */
uint64_t nv_crash_hash(uint64_t hash, const struct nv_crash_failure *failure);
bool nv_crash_equal(const struct nv_crash_failure *a, const struct nv_crash_failure *b);

struct nv_crash_coverage *nv_crash_coverage_new(void);
void nv_crash_coverage_free(struct nv_crash_coverage *coverage);
bool nv_crash_add_shard(struct nv_crash_coverage *coverage, uint32_t shard);
/* Shards of it that are not there, "2, 5"; false: all are. */
bool nv_crash_missing_shards(const struct nv_crash_coverage *coverage, char *text, size_t text_bytes);
/* Add what another process has explored of the same. False: no memory. */
bool nv_crash_join(struct nv_crash_coverage *into, const struct nv_crash_coverage *other);

/* Fill in message, advice, file, range and stacks of a finding from its failure and causes. False: no memory. */
bool nv_crash_describe(struct nv_finding *finding);
/* "write of 27 bytes at 64 of journal.dat". */
void nv_crash_cause_text(const struct nv_crash_cause *cause, char *text, size_t text_bytes);
/* "340 distinct states at 12 of 12 crash points, exhaustively". */
void nv_crash_coverage_text(const struct nv_crash_coverage *coverage, char *text, size_t text_bytes);

/* read.c: a report that nv_report_json has written, of nvrtl crash. NULL: one line in `error`. */
struct nv_report *nv_report_read(FILE *in, char *error, size_t error_bytes);

#endif
