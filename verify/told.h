/* SPDX-License-Identifier: MIT */
/* Of a recorded run: a file's content as the program has it now, beside what events have told of it. */
#ifndef NV_VERIFY_TOLD_H
#define NV_VERIFY_TOLD_H

#include "trace/shadow.h"
#include "verify/files.h"

/* Never unmapped or freed, and never changed once it is seen. */
struct nv_told {
    uint64_t bytes;   /* both reach that far */
    const char *view; /* a mapping of our own: the program may unmap its own ones at any time */
    struct nv_shadow shadow;
    uint32_t object;         /* the file's number in the trace */
    struct nv_told *shorter; /* the one before it, which others may still use */
};

/* As far as there is, when the file ends before `end`. NULL: nothing can be told of the file. */
const struct nv_told *nv_told_reach(struct nv_file *file, uint64_t end);

/*
 * The next pages of [*offset, end) that memory holds; *offset moves behind them. Others are holes, which looking at
 * them would fill, or were cut off, or nobody has touched them for long. Returns where they begin; `end`: there are
 * none.
 */
uint64_t nv_told_next(const struct nv_told *told, uint64_t *offset, uint64_t end);

void nv_told_before_fork(void);
void nv_told_after_fork(void);

#endif
