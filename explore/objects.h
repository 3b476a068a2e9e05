/* SPDX-License-Identifier: MIT */
/*
 * What each file holds: its durable bytes, and for each unit (a line of mapped memory, or a sector) what has been
 * stored to it since, step by step; lengths likewise. The model tells what happens; points look at it.
 */
#ifndef NV_EXPLORE_OBJECTS_H
#define NV_EXPLORE_OBJECTS_H

#include "explore/hash.h"
#include "explore/pages.h"
#include "trace/event.h"

enum {
    NV_LINE_BYTES = 64,
    NV_SECTOR_BYTES = 512,
    NV_BLOCK_BYTES = 4096 /* what a file system gives and takes back */
};

/* One step of a unit: it is there as a whole, or not. */
struct nv_atom {
    uint64_t event;       /* its number in the trace, from 1 */
    const uint8_t *bytes; /* NULL: zeros */
    uint64_t words;       /* those of the unit that it touches, a bit each: steps on the same word keep their order */
    uint16_t offset, length_bytes; /* in the unit */
    bool ordered;                  /* after the ordered ones of all earlier events */
    bool cut;                      /* the file was cut here */
    bool freed;                    /* and the block given back: nothing later is there unless the file is cut */
};

struct nv_unit {
    struct nv_object *object;
    uint64_t index;
    struct nv_atom *atoms; /* pending */
    uint32_t count, capacity;
    size_t place;               /* among the pending ones, from 1; 0: it is not */
    uint64_t held;              /* it is durable as it was after this cut, which is not durable itself; 0: no */
    struct nv_choices *choices; /* what choices.c made of it */
};

/* A length that a file had; the last one pending is the newest. */
struct nv_length {
    uint64_t event, bytes;
    bool cut; /* it was longer */
};

struct nv_object {
    uint32_t number;
    bool known;
    bool fresh;    /* made in the run, and not synced itself */
    bool pristine; /* its durable bytes are those it had when the run began */
    bool hashed;   /* `content` is true */
    mode_t mode, newest_mode;
    const char *target;
    uint32_t unit_bytes;
    bool instant; /* stores are durable in their order: domain memory */

    struct nv_pages pages;
    struct nv_hash content; /* the sum of its durable units */
    uint64_t durable_bytes;
    struct nv_length *lengths;
    size_t length_count, length_capacity;

    struct nv_unit **table; /* all units that ever were pending, by index */
    size_t table_count, table_capacity;
    struct nv_unit **pending;
    size_t pending_count, pending_capacity;
};

enum nv_how {
    NV_HOW_WHOLE, /* each unit at once */
    NV_HOW_STORE, /* an aligned word at once; after earlier stores */
    NV_HOW_WORDS  /* each word at once, in any order */
};

/* Bytes come to be there; NULL: zeros. They stay as long as the trace. -ENOMEM. */
int nv_object_put(struct nv_object *object, uint64_t event, uint64_t offset, const uint8_t *bytes,
                  uint64_t length_bytes, enum nv_how how);
/* Its length is another: a shorter one cuts. */
int nv_object_resize(struct nv_object *object, uint64_t event, uint64_t bytes);
uint64_t nv_object_newest_bytes(const struct nv_object *object);

struct nv_unit *nv_object_unit(const struct nv_object *object, uint64_t index);
/* What was stored up to this event is durable. */
int nv_unit_commit(struct nv_unit *unit, uint64_t event);
int nv_object_commit(struct nv_object *object, uint64_t from, uint64_t to, uint64_t event);
int nv_object_commit_lengths(struct nv_object *object, uint64_t event);

/* Call for each pending unit that [from, to) touches. */
typedef int nv_unit_visit(void *context, struct nv_unit *unit);
int nv_object_each(struct nv_object *object, uint64_t from, uint64_t to, nv_unit_visit *visit, void *context);

/* The sum of the hashes of durable units before `bytes`; the last one as if it ended there. */
struct nv_hash nv_object_content(struct nv_object *object, uint64_t bytes);
void nv_object_free(struct nv_object *object);

void nv_choices_free(struct nv_choices *choices);

#endif
