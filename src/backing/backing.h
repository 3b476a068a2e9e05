/* SPDX-License-Identifier: MIT */
/*
 * One object for each file that a token's pages come from, shared by all tokens of the file: it knows whether writing
 * the file back has failed. Linux tells of a lost page once; this object makes every later flush fail as well.
 */
#ifndef NV_BACKING_H
#define NV_BACKING_H

#include <nvrtl/types.h>

struct nv_backing;

/* The object of the file, with one reference more; NULL without memory. */
struct nv_backing *nv_backing_get(uint64_t device, uint64_t inode);

/*
 * Gives a reference back. An object without references goes, unless its file has failed: that is kept for later tokens.
 */
void nv_backing_put(struct nv_backing *backing);

/* The status of the first failure, or STATUS_SUCCESS. */
NTSTATUS nv_backing_failure(struct nv_backing *backing);

/* Makes the pages of the range durable. A failure is remembered, except STATUS_INVALID_PARAMETER: part of the range is
 * not mapped any more. Any thread may call it, with any reference. */
NTSTATUS nv_backing_sync(struct nv_backing *backing, char *start, size_t size_bytes);

void nv_backing_forget(struct nv_backing *backing);

/* Around fork(): the child has no thread that could be in a sync. */
void nv_backing_before_fork(void);
void nv_backing_after_fork(int in_child);

/* How many objects there are. For tests. */
size_t nv_backing_count(void);

#endif
