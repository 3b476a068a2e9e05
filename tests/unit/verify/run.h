/* SPDX-License-Identifier: MIT */
/*
 * A verified run in one process, for the tests of verify/: a supervisor (a thread that serves the socket), files with a
 * view and a durable image, and a runtime that knows what is mapped where.
 */
#ifndef TEST_VERIFY_RUN_H
#define TEST_VERIFY_RUN_H

#include "src/nvm/seam.h"
#include "verify/page.h"

struct run_file {
    uint64_t device, inode, bytes;
    uint32_t id; /* 0: not at stake */
    char *view, *durable;
    struct nv_lines_header *header;
    struct nv_page_records *pages; /* all of them, whatever the verifier asked for */
    int view_fd, durable_fd, lines_fd;
    _Atomic uint64_t asked_end;
    _Atomic unsigned asked, named;
};

/* A view of a part of a file somewhere else, as from a second mmap. */
struct run_mapping {
    char *start, *end;
    uint64_t offset;
    struct run_file *file;
};

extern struct nv_ledger *run_ledger;
extern const struct nv_seam *run_seam;
extern _Atomic unsigned run_plain_binds, run_plain_drains;
extern _Atomic unsigned run_connections; /* that the supervisor, a thread of this process, has open */
extern _Atomic bool run_deaf;            /* the supervisor drops what it is asked */

/* Start the run; what the tests use of it is good until the process ends. */
void run_start(NVRTL_DOMAIN domain);

struct run_file *run_file(uint64_t bytes, bool at_stake);

/* Map `first` and, right behind it, `second` (which may be the same); returns where. */
char *run_map_both(struct run_file *first, struct run_file *second);

/* Forget a mapping, as munmap does. */
void run_unmap_all(struct run_file *file);

/* What the runtime finds under any token that is not NULL. */
extern const struct nv_region *run_live_token;

/* As RtlGetNonVolatileToken. */
NTSTATUS run_token(const void *address, size_t size_bytes, struct nv_region *region);

/* As a system call that syncs the file. */
void run_sync(struct run_file *file);

/* For use as the public functions are used: `place` is where they return to. */
__attribute__((noinline)) NTSTATUS run_write(const struct nv_region *region, void *destination, const void *source,
                                             size_t size_bytes, uint32_t flags);
__attribute__((noinline)) NTSTATUS run_flush(const struct nv_region *region, void *address, size_t size_bytes,
                                             uint32_t flags);
__attribute__((noinline)) NTSTATUS run_drain(const struct nv_region *region);

/* What is known of the line that lies at `offset`; and its page's record. */
static inline struct nv_line_record run_line(const struct run_file *file, uint64_t offset)
{
    return nv_page_line(&file->pages[offset / NV_PAGE_BYTES], offset / NV_LINE_BYTES % NV_PAGE_LINES);
}

static inline struct nv_page_record *run_page(const struct run_file *file, uint64_t offset)
{
    return &file->pages[offset / NV_PAGE_BYTES].page;
}

/* As the supervisor does it: at most `version` of the line is in the durable image. */
void run_commit(struct run_file *file, uint64_t offset, uint32_t version);

#endif
