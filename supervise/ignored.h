/* SPDX-License-Identifier: MIT */
/*
 * The parts of a file that are not meant to be durable: those that the program named by NvrtlIgnore, and those of the
 * suppressions. Byte by byte: what shares a line with such a part is judged all the same.
 */
#ifndef NV_IGNORED_H
#define NV_IGNORED_H

#include "report/finding.h"
#include "verify/ledger.h"

struct nv_ignored_part {
    uint64_t from, to;
    const char *rule; /* a glob; NULL: any */
    const char *why;
    bool *suppression_used; /* of a suppression; else NULL */
    uint64_t count;         /* of what it has left out */
    uint64_t reach;         /* the largest `to` of this part and of those before it */
};

/* Sorted, all zero is none. */
struct nv_ignored {
    struct nv_ignored_part *parts;
    size_t count, room;
};

struct nv_ignored_file {
    uint32_t number; /* in the ledger; 0: no verifier knows it */
    int view;        /* a descriptor of it as the program sees it */
    const char *path;
};

/* Of a file; `list` may be NULL. 0 or a negative errno. */
int nv_ignored_gather(struct nv_ignored *ignored, const struct nv_ledger *ledger, const struct nv_suppressions *list,
                      const struct nv_ignored_file *file);

/* A part, for any rule. `why` lives longer. */
int nv_ignored_add(struct nv_ignored *ignored, uint64_t from, uint64_t to, const char *why);

/* pmemobj.c: what libpmemobj keeps in its heap for its run time, if the file is a pool of it. */
int nv_pmemobj_gather(struct nv_ignored *ignored, int view);

/*
 * Shrinks [*from, *to), which differs, to what is left of it for this rule: without view and durable (what they hold
 * at *from) only if all of it is ignored. False: nothing is left.
 */
bool nv_ignored_trim(struct nv_ignored *ignored, enum nv_rule rule, uint64_t *from, uint64_t *to, const uint8_t *view,
                     const uint8_t *durable);

/* Tells what was left out. False: no memory. */
bool nv_ignored_tell(const struct nv_ignored *ignored, struct nv_report *report, const char *path);

void nv_ignored_free(struct nv_ignored *ignored);

#endif
