/* SPDX-License-Identifier: MIT */
/*
 * One state in which a power failure could have left the files: a tree of names, and for each file what it holds.
 * nv_explore makes states of a trace; the runner builds them, and lets the program's recovery judge.
 */
#ifndef NV_STATE_H
#define NV_STATE_H

#include "trace/event.h"

#include <sys/stat.h>

struct nv_hash {
    uint64_t low, high;
};

/* Bytes that are otherwise than in the base: the file as it is durable at the crash point, with nothing pending. */
struct nv_state_change {
    uint64_t offset;
    uint64_t length_bytes;
    const uint8_t *bytes;
};

/* A name, and what it stands for. Hard links are entries with the same object. */
struct nv_state_entry {
    uint32_t folder;    /* which of the folders at stake, from 0 */
    const char *path;   /* below that folder; no "." or ".." */
    const char *target; /* of a symbolic link */
    uint32_t object;    /* in the trace */
    mode_t mode;        /* with S_IFMT */
    uint64_t size_bytes;
    struct nv_hash content;                /* of a file: size and bytes */
    const struct nv_state_change *changes; /* in order, not overlapping, none behind size_bytes */
    size_t change_count;
};

struct nv_state {
    struct nv_hash id; /* of all names and contents: two states with the same one are the same image */
    uint64_t point;    /* the crash point's number, from 1 */
    size_t entry_count;
    const struct nv_state_entry *entries; /* a folder comes before what is in it; else by folder and path */
    /* The promises that were made before it: lines, each with its newline. */
    const char *promises;
    size_t promises_bytes;
    uint64_t promise_count;
};

#endif
