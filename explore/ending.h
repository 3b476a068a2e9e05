/* SPDX-License-Identifier: MIT */
/* How a recovery ended, and the last of what it said. command.c and function.c fill one for each state. */
#ifndef NV_ENDING_H
#define NV_ENDING_H

#include <stdbool.h>
#include <stddef.h>

enum nv_ending_kind { NV_ENDED_EXIT, NV_ENDED_SIGNAL, NV_ENDED_TIMEOUT };

#define NV_OUTPUT_BYTES ((size_t)8192) /* that are kept, the last ones */

struct nv_ending {
    enum nv_ending_kind kind;
    int number; /* exit status, or signal */
    size_t output_bytes;
    char output[NV_OUTPUT_BYTES];
};

static inline bool nv_ending_is_good(const struct nv_ending *ending)
{
    return ending->kind == NV_ENDED_EXIT && ending->number == 0;
}

/* Read what is there from a pipe that does not block, and keep the last of it. */
void nv_ending_read(struct nv_ending *ending, int descriptor);
/* "ended with status 1", for a sentence. */
void nv_ending_text(const struct nv_ending *ending, double timeout_seconds, char *text, size_t text_bytes);
/* A pipe for it: neither end goes to programs, only the end for reading does not block. 0 or a negative errno. */
int nv_ending_pipe(int ends[2]);

#endif
