/* SPDX-License-Identifier: MIT */
/*
 * What events have told so far of a file's content: as large as the file, in memory that the supervisor makes and every
 * verifier maps, so that no change is told twice. Whoever compares or tells has the page locked meanwhile, and so the
 * events of a page come in the order in which its content was read.
 */
#ifndef NV_TRACE_SHADOW_H
#define NV_TRACE_SHADOW_H

#include "trace/log.h"

#define NV_SHADOW_LINE_BYTES ((uint64_t)64)
#define NV_SHADOW_PAGE_BYTES ((uint64_t)4096)

/* All zero: none. */
struct nv_shadow {
    char *memory;
    uint64_t bytes; /* of the file, as far as it reaches */
};

/* How much memory it takes for so many bytes of a file. What is there stays when it grows. */
uint64_t nv_shadow_memory_bytes(uint64_t file_bytes);

/* Map it, as far as the descriptor's file reaches. False: errno. */
bool nv_shadow_open(struct nv_shadow *shadow, int descriptor);
void nv_shadow_close(struct nv_shadow *shadow);

/* Who tells: the fields of an event. */
struct nv_teller {
    struct nv_log *log;
    uint32_t object, thread, place;
    uint16_t flags;
    uint64_t unit_bytes; /* what is told as a whole: a multiple of the line; 0: the line */
};

/*
 * Tell of the lines of [offset, +length) that are otherwise than they were last told of. Both are multiples of the
 * line; `view` has what the file holds from `offset` on. Behind the shadow's end nothing is told.
 */
void nv_shadow_tell_changes(const struct nv_shadow *shadow, const struct nv_teller *teller, uint64_t offset,
                            const void *view, uint64_t length);

/* A store was made: tell of it or, with `news`, only if that is not known yet. Whether it was told. */
bool nv_shadow_tell_store(const struct nv_shadow *shadow, const struct nv_teller *teller, uint64_t offset,
                          const void *view, uint64_t length, bool news);

/* For what is told by other events: hold the pages of [from, to), tell, say what the file holds by it, and let go. */
void nv_shadow_hold(const struct nv_shadow *shadow, uint64_t from, uint64_t to);
void nv_shadow_set(const struct nv_shadow *shadow, uint64_t offset, const void *bytes, uint64_t length);
void nv_shadow_zero(const struct nv_shadow *shadow, uint64_t offset, uint64_t length);
void nv_shadow_let_go(const struct nv_shadow *shadow, uint64_t from, uint64_t to);

#endif
