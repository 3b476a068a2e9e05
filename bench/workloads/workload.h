/* SPDX-License-Identifier: MIT */
/* What the workloads share: a mapped file, its token, and what they do to it. */
#ifndef NV_BENCH_WORKLOAD_H
#define NV_BENCH_WORKLOAD_H

#include "bench/turns.h"
#include <nvrtl/nvrtl.h>
#include <stddef.h>

#define MIB ((size_t)1 << 20)
#define LINE ((size_t)64)

extern char *workload_base; /* of the file */
extern PVOID workload_token;
extern NTSTATUS workload_status; /* of all calls, or-ed */

static inline void flush(void *address, size_t size_bytes)
{
    workload_status |= RtlFlushNonVolatileMemory(workload_token, address, size_bytes, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
}

static inline void drain(void)
{
    workload_status |= RtlDrainNonVolatileFlush(workload_token);
}

/* Flush, and drain. */
static inline void persist(void *address, size_t size_bytes)
{
    workload_status |= RtlFlushNonVolatileMemory(workload_token, address, size_bytes, 0);
}

static inline void write_durably(void *destination, const void *source, size_t size_bytes)
{
    workload_status |=
        RtlWriteNonVolatileMemory(workload_token, destination, source, size_bytes, WRITE_NV_MEMORY_FLAG_PERSIST);
}

/* An undo log in the first MiB of the file: what was there, before it is changed. */
void undo_note(void *address, size_t size_bytes);
/* Make durable what was noted, as it is now, and forget the log. */
void undo_commit(void);

void tree_insert(long count);
void tree_insert_undone(long count);
void hash_insert(long count);
void transaction(long count);

#endif
