/* SPDX-License-Identifier: MIT */
/* How an open file is made durable: by the system call that says so. */
#ifndef NV_FILES_H
#define NV_FILES_H

#include "src/backing/backing.h"
#include "src/backing/syncs.h"

struct nv_files_sync {
    struct nv_sync sync;
    int descriptor;
    enum nv_file_sync how;
};

void nv_files_sync_begin(struct nv_files_sync *sync, int descriptor, enum nv_file_sync how);

#endif
