/* SPDX-License-Identifier: MIT */
/* The lines of a text file that the kernel makes (/proc, /sys), one after another. */
#ifndef NV_LINES_H
#define NV_LINES_H

#include "src/os/os.h"

struct nv_lines {
    int descriptor;
    int error; /* a negative errno: the end was not reached, but a failure */
    char *buffer;
    size_t next;   /* where the next line begins in the buffer */
    size_t filled; /* bytes in the buffer */
};

/* Returns 0 or a negative errno; only after 0 must it be closed. */
int nv_lines_open(struct nv_lines *lines, const char *path);

/* The next line without its newline, good until the next call; NULL at the end, and on a failure (lines->error). */
char *nv_lines_next(struct nv_lines *lines);

void nv_lines_close(struct nv_lines *lines);

#endif
