/* SPDX-License-Identifier: MIT */
/* What a trace is about: its program, the folders and the one file at stake, its stacks. recover.c and jobs.c ask. */
#ifndef NV_STAKE_H
#define NV_STAKE_H

#include "trace/file.h"

#include <stdbool.h>

/* A file that was mapped, or is at stake at all. */
struct nv_stake_object {
    uint64_t address;      /* of its first byte, in the program's last longest mapping; 0: it was not mapped */
    uint64_t mapped_bytes; /* from its first byte to the end of that mapping */
    uint64_t extent_bytes; /* the largest it ever was */
};

struct nv_stake {
    char *here;     /* the current folder: paths below are shown from there on; NULL: it has no path */
    char **folders; /* paths, in the order of the trace; NULL-terminated */
    size_t folder_count;
    /* When one regular file is at stake (or one matches the globs), where it lies; path NULL: more, or none. */
    uint32_t file_folder;
    char *file_path;
    char **program; /* its words, NULL-terminated; NULL: the trace does not tell */
    int exit_status;
    bool stores, pages;              /* events of that level are in it */
    struct nv_stake_object *objects; /* by number */
    size_t object_count;
    const struct nv_trace_event **places; /* by number */
    size_t place_count;
};

/* globs: NULL-terminated, as of --files. 0 or a negative errno. */
int nv_stake_find(struct nv_stake *stake, const struct nv_trace *trace, char *const *globs);
void nv_stake_free(struct nv_stake *stake);

#endif
