/* SPDX-License-Identifier: MIT */
/*
 * The files that a run without a supervisor has met: each with the mapping that is its durable image, which is the file
 * itself, and the records of its lines, which are this process's.
 */
#ifndef NV_VERIFY_ALONE_FILES_H
#define NV_VERIFY_ALONE_FILES_H

#include "src/nvm/seam.h"
#include "verify/ledger.h"
#include <sys/types.h>

/* Lives as long as the process. */
struct nv_alone_file {
    struct nv_alone_file *next;
    uint64_t device, inode; /* as mappings tell it */
    dev_t found_device;     /* as stat() does */
    ino_t found_inode;
    uint32_t id;
    char *path;
    uint64_t bytes; /* of the file that `durable` and `pages` are for: more than it has */
    char *durable;
    struct nv_lines_header *header; /* in front of `pages` */
    struct nv_page_records *pages;
};

void nv_alone_files_open(const struct nv_runtime *runtime);

/* The file of a mapping, met if it was not known. NULL: it cannot be had by its path, or is of another kind. */
struct nv_alone_file *nv_alone_files_meet(const struct nv_segment *segment);

/* A file that was met before; NULL: it was not. */
struct nv_alone_file *nv_alone_files_find(uint64_t device, uint64_t inode);
struct nv_alone_file *nv_alone_files_at(uint32_t id);
struct nv_alone_file *nv_alone_files_of(dev_t found_device, ino_t found_inode);

/* Look how long it is now, and tell its header. Returns that, bytes. */
uint64_t nv_alone_files_measure(struct nv_alone_file *file);

/*
 * Put a private mapping of the file, from `offset`, in place of the one at [start, +size). False: it could not be had,
 * and all is as it was.
 */
bool nv_alone_files_map_private(const struct nv_alone_file *file, uint64_t offset, char *start, size_t size_bytes);

/* Around a fork. */
void nv_alone_files_before_fork(void);
void nv_alone_files_after_fork(void);

#endif
