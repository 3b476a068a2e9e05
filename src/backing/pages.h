/* SPDX-License-Identifier: MIT */
/*
 * How pages of a mapped file are made durable. One msync over the hull of the pages does it on every file system, and
 * writes what else is dirty there. Where other pages lie between, and a keeper has the file, only the pages themselves
 * are written (sync_file_range), and an msync of one of them does the rest: docs/PERSISTENCE.md says why that is
 * enough.
 */
#ifndef NV_PAGES_H
#define NV_PAGES_H

#include "src/backing/extents.h"
#include "src/backing/syncs.h"

/* How many other pages a hull may have: they cost less than to write page by page would. */
#define NV_PAGES_BETWEEN_MAX 16u

/* Pages of one mapping. */
struct nv_pages {
    const struct nv_extents *extents; /* at least one */
    uintptr_t start;                  /* the address that stands for the offset */
    uint64_t offset;
    uintptr_t mapping_start; /* the whole mapping, as the kernel tells it */
    uintptr_t mapping_end;
};

struct nv_pages_sync {
    struct nv_sync sync;
    struct nv_os_keeper *keeper; /* NULL: none */
    const struct nv_pages *pages;
    struct nv_os_pages written;
};

void nv_pages_sync_begin(struct nv_pages_sync *sync, struct nv_os_keeper *keeper, const struct nv_pages *pages);

/* Whether a keeper would be of use for these. */
bool nv_pages_are_scattered(const struct nv_extents *extents);

/* The file systems on which a keeper may serve. */
extern const uint64_t nv_pages_systems[];
extern const size_t nv_pages_system_count;

#endif
