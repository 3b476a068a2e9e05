/* SPDX-License-Identifier: MIT */
/* The files that this process knows as verified: each with its durable image and the records of its lines. */
#ifndef NV_VERIFY_FILES_H
#define NV_VERIFY_FILES_H

#include "nvrtl/types.h"
#include "verify/flight.h"
#include "verify/ledger.h"
#include <stdbool.h>

struct nv_told;

/* A file as far as it is mapped. Never unmapped or freed, and never changed once it is seen. */
struct nv_file_map {
    uint64_t bytes; /* whole pages; both mappings reach that far */
    char *durable;
    const struct nv_lines_header *header; /* in front of `pages`; NULL without bytes */
    struct nv_page_records *pages;
    struct nv_file *file;
    struct nv_file_map *shorter; /* the one before it, which others may still use */
};

struct nv_file {
    uint64_t device, inode;
    uint32_t id; /* the supervisor's */
    _Atomic(struct nv_file_map *) map;
    struct nv_flight flight;        /* page-cache: of the process; under nv_files_flight_lock */
    _Atomic bool failed;            /* a drain of it was made to fail, and the program has not said that it knows */
    _Atomic(struct nv_told *) told; /* of a recorded run: told.h */
    struct nv_file *next;           /* in its bucket */
};

/*
 * The file of a mapping that ends at `end` in it. STATUS_SUCCESS, *file never dies; NV_VERIFIER_NOT_AT_STAKE;
 * STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS nv_files_get(uint64_t device, uint64_t inode, uint64_t end, struct nv_file **file);

/* The file's number alone: nothing of it becomes durable by asking. 0: it is not at stake, or nobody answers. */
uint32_t nv_files_name(uint64_t device, uint64_t inode);

/*
 * The file's map, long enough for `end`: asks the supervisor when the file has grown, or was cut and has grown again.
 * NULL: it is not that long. It may be cut again at any time; who has its page locked knows.
 */
const struct nv_file_map *nv_file_reach(struct nv_file *file, uint64_t end);

static inline struct nv_page_records *nv_file_page(const struct nv_file_map *map, uint64_t offset)
{
    return &map->pages[offset / NV_PAGE_BYTES];
}

static inline struct nv_line_record *nv_file_line(const struct nv_file_map *map, uint64_t offset)
{
    return &nv_file_page(map, offset)->lines[offset / 64 % NV_PAGE_LINES];
}

/* The one lock of the flights that belong to files, and what may be done under it. */
void nv_files_flight_lock(void);
void nv_files_flight_unlock(void);

/* Call `act` for every file. The first status that is none of success. */
NTSTATUS nv_files_each(NTSTATUS (*act)(struct nv_file *file));

/* Around a fork: nobody else changes the registry; in the child every file's flight is the parent's, and forgotten. */
void nv_files_before_fork(void);
void nv_files_after_fork(bool child);

#endif
