/* SPDX-License-Identifier: MIT */
/*
 * The contents of all files of the base state, each in a file of its own, or in memory: changed to what one state
 * holds, and back again, at the price of what differs. folder.c and function.c keep one for the recovery that they run.
 */
#ifndef NV_STORE_H
#define NV_STORE_H

#include "explore/explore.h"

/* Functions that can fail return 0 or a negative errno. */
struct nv_store;

struct nv_stored {
    uint32_t object;     /* in the trace */
    int descriptor;      /* in memory; -1: a file */
    char *path;          /* of the file: where it lies now, below the store's folder */
    uint64_t size_bytes; /* now */
    uint64_t base_bytes; /* when nothing is changed */
    uint64_t point;      /* for which its content is the base's; 0: for none */
    struct nv_hash content;
    bool hashed;            /* the base state has it, and `content` is its hash */
    bool resized;           /* its size is not the base's */
    unsigned copies, links; /* names in the copy, and in the tree; of tree.c */
    bool parked;            /* it is where the store made it; of tree.c */
    mode_t mode;            /* of tree.c */
};

/* folder: where the files are, as park/NUMBER; -1: in memory. */
int nv_store_new(int folder, struct nv_store **store);
void nv_store_free(struct nv_store *store);
/* A new crash point. Nothing is changed (nv_store_restore). What its files hold is read when a state needs it. */
int nv_store_base(struct nv_store *store, const struct nv_model *model, const struct nv_state *base);
/* Make a file hold what the entry of a state says. */
int nv_store_apply(struct nv_store *store, const struct nv_state_entry *entry, struct nv_stored **stored);
/* All files hold what the base does. */
int nv_store_restore(struct nv_store *store);
/* The file for an object, empty when it is new. */
int nv_store_get(struct nv_store *store, uint32_t object, struct nv_stored **stored);
/* NULL: it is not there (yet). */
struct nv_stored *nv_store_find(const struct nv_store *store, uint32_t object);
/* A file's descriptor, and what is to be closed again. Negative errno. */
int nv_store_open(const struct nv_store *store, const struct nv_stored *stored);
void nv_store_close(const struct nv_stored *stored, int descriptor);

#define NV_STORE_PARK "park"

#endif
