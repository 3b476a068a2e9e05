/* SPDX-License-Identifier: MIT */
/*
 * One state as a folder for the recovery command: plain files where that is cheap, else an overlay over the base, which
 * is changed for the state and back. Whatever the recovery does to the folder is gone before the next state.
 */
#ifndef NV_FOLDER_H
#define NV_FOLDER_H

#include "explore/explore.h"

#include <stddef.h>

enum nv_folder_way { NV_FOLDER_AUTO, NV_FOLDER_COPY, NV_FOLDER_OVERLAY };

struct nv_folder_options {
    const char *scratch; /* an empty folder that is this process' own: its mounts are seen by nobody else (cell.h) */
    bool on_disk;        /* it stays where it is; else memory is mounted there */
    size_t folder_count; /* that were at stake; more than one: each is a folder of its own in the state's */
    char *const *names;  /* of these */
    enum nv_folder_way way;
};

/* Functions that can fail return 0 or a negative errno. */
struct nv_folder;
int nv_folder_open(const struct nv_folder_options *options, struct nv_folder **folder);
void nv_folder_close(struct nv_folder *folder);

int nv_folder_base(struct nv_folder *folder, const struct nv_model *model, const struct nv_state *base);
/* Make the state, in nv_folder_path. */
int nv_folder_make(struct nv_folder *folder, const struct nv_state *state);
/* The state is gone, and whatever a recovery left. Call it before the next base or state. */
int nv_folder_clear(struct nv_folder *folder);
/* Where each state is: always the same path. */
const char *nv_folder_path(const struct nv_folder *folder);
/* The scratch folder, without symbolic links; what else is put there disturbs nothing. */
const char *nv_folder_scratch(const struct nv_folder *folder);
/* The part of a path in it that stands for a folder at stake: "", or a name and a slash. */
const char *nv_folder_prefix(const struct nv_folder *folder, uint32_t number);
/* How the last state was made. */
bool nv_folder_is_overlay(const struct nv_folder *folder);

/* The state as plain files in a folder that is there and empty: `folder` need not have a base for it. */
int nv_folder_write(struct nv_folder *folder, const struct nv_state *state, int target);

#endif
