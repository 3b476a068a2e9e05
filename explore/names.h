/* SPDX-License-Identifier: MIT */
/*
 * Names: which file each stands for durably, and the operations since that are not durable. The model tells what
 * happens; points choose which of the operations are there.
 */
#ifndef NV_EXPLORE_NAMES_H
#define NV_EXPLORE_NAMES_H

#include "explore/hash.h"
#include "trace/event.h"

#include <sys/types.h>

/* A place for a file: a name in a folder. */
struct nv_slot {
    uint32_t parent; /* object */
    const char *name;
    struct nv_hash hash;      /* of the name */
    uint32_t durable, newest; /* objects; 0: none */
    uint32_t next;            /* of the same folder; 0: the last */
};

/* An operation on names, modes or (in a journal) lengths that is not durable. */
struct nv_op {
    uint64_t event;
    uint32_t object;
    uint32_t folder;  /* posix: whose sync makes it durable; 0: the object's own */
    uint32_t slot[2]; /* 0: none */
    uint32_t gives[2];
    mode_t mode; /* MODE */
    bool is_mode, is_cut;
};

struct nv_names {
    struct nv_slot *slots; /* from 1 */
    uint32_t slot_count, slot_capacity;
    uint32_t *table;
    uint32_t table_capacity;
    uint32_t *first; /* by object: its first slot, as a folder */
    uint32_t first_count;
    uint32_t *roots;
    uint32_t root_count;
    struct nv_op *ops;
    size_t op_count, op_capacity;
};

/* The slot's number, made if need be. 0: no memory. */
uint32_t nv_names_slot(struct nv_names *names, uint32_t parent, const char *name);
int nv_names_root(struct nv_names *names, uint32_t object);
/* The newest names are as it says from now on. -ENOMEM. */
int nv_names_add(struct nv_names *names, struct nv_op op);
/* Durable at once. */
void nv_naming_apply(struct nv_names *names, const struct nv_op *op);
/* Drop operations that are durable: those whose event was set to 0. */
void nv_naming_settle(struct nv_names *names);
void nv_names_free(struct nv_names *names);

#endif
