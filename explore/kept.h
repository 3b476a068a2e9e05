/* SPDX-License-Identifier: MIT */
/* A state that is kept: a folder with the state's files, the promises, and what recovery said. worker.c makes them. */
#ifndef NV_KEPT_H
#define NV_KEPT_H

#include "explore/recover.h"

struct nv_kept {
    char *path;      /* as it will be: FOLDER/ID */
    char *temporary; /* as it is until then */
    int files;       /* descriptor of the folder for the state's files */
};

/* Functions return 0 or a negative errno. */
int nv_kept_begin(struct nv_kept *kept, const char *folder, const char *id);
/* `output` NULL: there was no recovery. It is the whole, or an older one stays. */
int nv_kept_finish(struct nv_kept *kept, const char *promises, size_t promises_bytes, const char *output);
/* The path stays, until freed by the caller. */
void nv_kept_drop(struct nv_kept *kept);

#endif
