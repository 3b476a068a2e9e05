/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory in which all processes of a recorded run append their events, and so bring them into one order. The
 * supervisor makes it, reads it while it grows, and gives back what it has read; the verifier appends, any thread.
 */
#ifndef NV_TRACE_LOG_H
#define NV_TRACE_LOG_H

#include "trace/event.h"

#include <stdbool.h>

struct nv_log; /* the mapping: the same pages in all processes */

/* A descriptor of a new log, or a negative errno. */
int nv_log_new(void);
/* Map it. NULL: errno. */
struct nv_log *nv_log_open(int descriptor);
void nv_log_close(struct nv_log *log);

/*
 * Take the next place in the order; fill in everything but `bytes`, then commit it. Never NULL until the log is full
 * (NV_LOG_BYTES), which is told to nv_log_full. Lock-free.
 */
struct nv_trace_event *nv_log_begin(struct nv_log *log, uint32_t payload_bytes);
void nv_log_commit(struct nv_trace_event *event);
bool nv_log_full(const struct nv_log *log);

/*
 * The next event behind *cursor (0: the first), which moves behind it. NULL: there is none yet. `over`: nobody appends
 * any more, and what was begun and never committed (its process was killed) is passed over.
 */
const struct nv_trace_event *nv_log_next(const struct nv_log *log, uint64_t *cursor, bool over);
/* The memory of all that lies before the cursor is free again. */
void nv_log_give_back(struct nv_log *log, int descriptor, uint64_t cursor);

#define NV_LOG_BYTES ((uint64_t)1 << 36) /* of addresses; memory is used for what is not yet given back */

#endif
