/* SPDX-License-Identifier: MIT */
/* A file's line records, and the ranges that the supervisor holds: there no verifier writes to the durable file. */
#ifndef NV_LINES_H
#define NV_LINES_H

#include "supervise/image.h"

#define NV_LINES_HELD_MAX (NV_CHUNK_BYTES / 64)

/* What was flushed of each line when the range was held. */
struct nv_lines_hold {
    const struct nv_object *object;
    struct nv_lines_header *header; /* NULL: no verifier knows the file, and nothing is held */
    uint64_t first, end;            /* lines of the file */
    uint32_t versions[NV_LINES_HELD_MAX];
};

/* What is known of the line at `offset`. False: nothing can be. */
bool nv_lines_know(const struct nv_object *object, uint64_t offset, struct nv_line_record *known);

/* The first line of [offset, end) that has something in flight; UINT64_MAX: none. */
uint64_t nv_lines_in_flight(const struct nv_object *object, uint64_t offset, uint64_t end);

/* Call `act` with the offset of each line that was ever committed, in order, until it returns what is not 0. */
int nv_lines_each_committed(const struct nv_object *object, int (*act)(void *context, uint64_t offset), void *context);

/* Call `act` for each line with bytes that were stored and that no flush has named since: a bit for each. */
int nv_lines_each_unnamed(const struct nv_object *object, int (*act)(void *context, uint64_t offset, uint64_t bytes),
                          void *context);

/* Bytes that a flush brought into the durable image, and of whose stores nobody had told; where the first page is. */
uint64_t nv_lines_unseen(const struct nv_object *object, uint64_t *first);

/*
 * Hold a range of at most NV_CHUNK_BYTES while the view is read and the durable file written. `alone`: the program is
 * gone, and no lock that it left is waited for.
 */
void nv_lines_hold(struct nv_object *object, uint64_t offset, size_t length, bool alone, struct nv_lines_hold *hold);

/* Let go; `copied`: what had been flushed when the range was held is older than what stands in the durable file. */
void nv_lines_let_go(struct nv_lines_hold *hold, bool copied);

/* Hold every line that begins at or behind `offset`; whatever is in flight for one is given up. */
void nv_lines_hold_tail(struct nv_object *object, uint64_t offset, bool alone);
void nv_lines_let_go_tail(struct nv_object *object);

/* How long the durable file is: told before it is cut, with its tail held, and after it has grown. */
void nv_lines_resized(struct nv_object *object, uint64_t size_bytes);

#endif
