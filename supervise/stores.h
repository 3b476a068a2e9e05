/* SPDX-License-Identifier: MIT */
/* What changed where the program's hooks tell of stores, and none told: a part of what a report could not see. */
#ifndef NV_SUPERVISE_STORES_H
#define NV_SUPERVISE_STORES_H

#include "report/finding.h"
#include "supervise/image.h"
#include "verify/ledger.h"

/* Of one file. */
struct nv_stores_unseen {
    uint64_t bytes, first; /* first: where the first of them is, or its page */
    uint32_t region;       /* that was found last */
};

/* At the end: bytes [from, to) of a line, of which some may differ. */
void nv_stores_compare(struct nv_stores_unseen *unseen, const struct nv_ledger *ledger, const struct nv_object *object,
                       uint64_t from, uint64_t to, const uint8_t *view, const uint8_t *durable);

/* With what was found while the program ran. False: no memory. */
bool nv_stores_tell(struct nv_stores_unseen *unseen, const struct nv_ledger *ledger, const struct nv_object *object,
                    const char *path, struct nv_report *report);

#endif
