/* SPDX-License-Identifier: MIT */
/* Making the view: a copy of the folder, or an overlay, mounted over it for this process and its children alone. */
#ifndef NV_VIEW_H
#define NV_VIEW_H

#include "supervise/image.h"
#include "supervise/live.h"
#include "supervise/signals.h"

struct nv_view_context {
    struct nv_image *image;
    struct nv_report *report;
    const struct nv_run_options *options;
    char *scratch; /* a folder under options->scratch, to be made and removed; or NULL */
    char *error;
    size_t error_bytes;
    struct nv_link **links;
    struct nv_live live;
    struct stat *held; /* regular files that the caller has open (its output, say): they cannot be part of the view */
    size_t held_count;
    bool overlay;
    const struct nv_signals *signals;
    int interrupted; /* the number of the signal that ended the making */
};

/*
 * Enter a mount namespace of our own (and, for an ordinary user, a user namespace, in which owners cannot be told
 * apart). 0 or -1 with the error text.
 */
int nv_namespace_enter(struct nv_view_context *context);

/* Choose the scratch folder's name, for the guardian to know before there is one. 0 or -1 with the error text. */
int nv_view_name_scratch(struct nv_view_context *context);
/* Mount the view of every folder, and take in its files. 0 or -1 with the error text. A signal interrupts it. */
int nv_view_make(struct nv_view_context *context);
/* Whether a signal has come that was to end nvrtl: nobody else can be meant while there is no program. */
bool nv_view_interrupted(struct nv_view_context *context);
void nv_view_context_free(struct nv_view_context *context);

/* Remove the scratch folder, if there is one. The views that lie on it are unmounted first: they would hold it. */
void nv_view_remove_scratch(const struct nv_view_context *context);

#endif
