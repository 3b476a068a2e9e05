/* SPDX-License-Identifier: MIT */
/*
 * Goes through the crash points of a trace, and at each through the states that a power failure could leave there;
 * every distinct image is handed to a judge once. `nvrtl crash` calls nv_explore, in one process for each of its jobs.
 */
#ifndef NV_EXPLORE_H
#define NV_EXPLORE_H

#include "explore/state.h"
#include "trace/file.h"

#include <stdbool.h>

struct nv_model;

enum nv_explore_model { NV_EXPLORE_JOURNALED, NV_EXPLORE_POSIX };

struct nv_explore_options {
    enum nv_explore_model model;
    uint64_t seed;
    uint64_t max_states;    /* distinct images over all shards; 0: as many as there are */
    double max_seconds;     /* 0: no limit */
    uint32_t shard, shards; /* those states whose id, modulo shards, is shard; shards 0: all */
    uint64_t max_failures;  /* stop when so many distinct ones were found and shrunk; 0: never */
};

enum nv_verdict {
    NV_VERDICT_GOOD,
    NV_VERDICT_BAD,
    NV_VERDICT_STOP /* the judge cannot go on, or was asked to end */
};

/* Contents of a file that a recovery read. */
struct nv_read {
    uint32_t object;
    uint64_t offset, length_bytes;
};

/*
 * What a state is judged by. base: a new crash point; the base state has no changes, and nv_model_read tells what its
 * files hold until the next call. judge: a state of that point.
 */
struct nv_judge {
    void *context;
    int (*base)(void *context, const struct nv_model *model, const struct nv_state *base);
    enum nv_verdict (*judge)(void *context, const struct nv_state *state);
    /*
     * Optional: which contents the recovery read in the state that was just judged, in any order, until the next call;
     * of names, modes and sizes it may have read all. False: it cannot be told. States that agree with a judged one on
     * all it read are skipped.
     */
    bool (*reads)(void *context, const struct nv_read **reads, size_t *count);
    /* Optional: progress, now and then. False: stop. */
    bool (*progress)(void *context, uint64_t point, uint64_t points, uint64_t states, uint64_t failures);
};

/* Bytes of a file in the base state. What lies behind its end reads as zeros. */
void nv_model_read(const struct nv_model *model, uint32_t object, uint64_t offset, void *bytes, size_t length_bytes);
/* The next range of it that may be other than zeros: at or behind *offset. False: there is none. */
bool nv_model_next_data(const struct nv_model *model, uint32_t object, uint64_t *offset, uint64_t *length_bytes);

/* One part of a crash state that a failure hangs on: it must be missing (or there) for recovery to fail. */
struct nv_cause {
    bool missing; /* else it is there */
    /* enum nv_trace_kind of the event that made it: STORE, CHANGED, WRITE, ZERO or one of names; SIZE: a file's length,
     * by whatever call: from offset to length_bytes */
    uint32_t kind;
    uint32_t object;
    uint64_t offset, length_bytes; /* of contents */
    const char *path;     /* of the file, as it was named then; both names of a rename, with " -> " between them */
    uint32_t place;       /* who wrote it */
    uint32_t guard_place; /* the flush, drain or sync that had (or would have) made it durable; 0: there was none */
    uint32_t guard_kind;  /* FLUSH: it was flushed, and never drained; DRAIN, SYNC: it came too late; 0: none came */
};

/* A failure, shrunk. */
struct nv_failure {
    char *id; /* for --replay: nv_explore_replay takes it */
    uint64_t point;
    uint64_t event; /* before which the power failed: its number in the trace */
    uint32_t place; /* its stack */
    struct nv_hash state;
    uint64_t promise_count;
    struct nv_cause *causes;
    size_t cause_count;
    uint64_t count; /* failing states that came down to the same causes */
};

struct nv_explore_result {
    uint64_t points, points_done, distinct_stacks;
    uint64_t states;   /* distinct images that were met, of all shards */
    uint64_t judged;   /* of this shard */
    uint64_t repeated; /* images that had been met before */
    uint64_t skipped;  /* not judged: what recovery reads of it had been judged before */
    bool exhaustive;   /* every legal state of every point was met; else they were chosen */
    bool stopped;      /* by the judge, the budget of time or of failures */
    struct nv_failure *failures;
    size_t failure_count;
};

/* 0 or a negative errno with a line in `error`. *result is to be freed in either case. */
int nv_explore(const struct nv_trace *trace, const struct nv_explore_options *options, const struct nv_judge *judge,
               struct nv_explore_result *result, char *error, size_t error_bytes);
void nv_explore_result_free(struct nv_explore_result *result);

/* Hand the one state that the id names to the judge. -EINVAL: it is no id of this trace and model. */
int nv_explore_replay(const struct nv_trace *trace, const struct nv_explore_options *options, const char *id,
                      const struct nv_judge *judge, char *error, size_t error_bytes);

#endif
