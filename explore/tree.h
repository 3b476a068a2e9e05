/* SPDX-License-Identifier: MIT */
/* Names of a state, brought into a folder: anew as copies, or by moving the files of a store. folder.c has two. */
#ifndef NV_TREE_H
#define NV_TREE_H

#include "explore/store.h"

struct nv_name {
    char *path;                         /* below the tree's folder */
    const struct nv_state_entry *entry; /* of the state that is being made */
    uint32_t object;
    mode_t mode;
    char *target;
};

struct nv_tree {
    struct nv_name *names;
    size_t count, room;
};

void nv_tree_free(struct nv_tree *tree);
/*
 * The names of a state, in order; prefixes: of the folders at stake, with what lies between them. 0 or a negative
 * errno.
 */
int nv_tree_of(struct nv_tree *tree, const struct nv_state *state, char *const *prefixes, size_t prefix_count);

/* Make an empty folder hold it, with copies of what the store's files hold now. */
int nv_tree_copy(const struct nv_tree *tree, struct nv_store *store, int target);
/*
 * Make "tree" beside the store's files hold `next` instead of `now`, which becomes it: the files themselves are moved
 * there, and back when they have no name.
 */
int nv_tree_move(struct nv_tree *now, struct nv_tree *next, struct nv_store *store, int folder);
/* Everything in the folder, whatever its modes. 0 or a negative errno; what can be removed is. */
int nv_tree_empty(int folder);

#define NV_TREE "tree"

#endif
