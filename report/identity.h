/* SPDX-License-Identifier: MIT */
/* What tells the findings of a report apart: their numbers in it, and fingerprints that outlive the run. */
#ifndef NV_IDENTITY_H
#define NV_IDENTITY_H

#include "report/report.h"

/* Of the report's findings, in order, and of the suppressed ones behind them. */
struct nv_identities {
    struct nv_identity {
        const struct nv_finding *finding;
        uint64_t fingerprint; /* of the rule, the file's name and the functions: not of lines, offsets or builds */
        unsigned twin;        /* counts those with the same fingerprint, from 1 */
    } * items;
    size_t count;
    struct nv_index by_finding;
};

bool nv_identify(struct nv_identities *identities, const struct nv_report *report); /* false: no memory */
void nv_identities_free(struct nv_identities *identities);
/* The finding's number; SIZE_MAX: it is none of them. */
size_t nv_identity_number(const struct nv_identities *identities, const struct nv_finding *finding);

/* Whether it is of a library that came with the system. */
bool nv_frame_is_of_system(const struct nv_frame *frame);
/* The innermost frame whose source is the user's own. NULL: none. */
const struct nv_frame *nv_stack_user_frame(const struct nv_stack *stack);
/*
 * The same; else the innermost that has a name and is not of the C library; else the innermost. NULL: there are none.
 */
const struct nv_frame *nv_stack_nearest(const struct nv_stack *stack);
/* How many frames are of interest: those up to main, where it is among them. */
size_t nv_stack_shown(const struct nv_stack *stack);

#endif
