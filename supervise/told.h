/* SPDX-License-Identifier: MIT */
/* What the verifier told by the ledger, as findings and marks: misuse, and expectations that did not hold. */
#ifndef NV_TOLD_H
#define NV_TOLD_H

#include "report/report.h"
#include "verify/ledger.h"

/* The stack of a place in the code, pushed. False: no memory. */
bool nv_judge_place(struct nv_stack *stack, const struct nv_ledger *ledger, uint32_t number);

/* The path of a file by its number in the ledger, as findings show it; to be freed. NULL: it has none. */
typedef char *nv_told_path(void *context, uint32_t file);

/* Into the report; `path_of` is asked with `context`. 0 or a negative errno. */
int nv_told_judge(const struct nv_ledger *ledger, struct nv_report *report, nv_told_path *path_of, void *context);

/* waste.c: findings for flushes and drains in vain. 0 or a negative errno. */
int nv_judge_waste(const struct nv_ledger *ledger, struct nv_report *report);

#endif
