/* SPDX-License-Identifier: MIT */
/*
 * The durable bytes of one file, as far as they may be other than zeros: pages that lie in the trace until something
 * changes them. The model keeps one for each file.
 */
#ifndef NV_EXPLORE_PAGES_H
#define NV_EXPLORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NV_PAGE_BYTES = 4096 };

struct nv_pages {
    struct nv_leaf **leaves; /* by number */
    size_t count, capacity;
};

/* NULL: zeros. */
const uint8_t *nv_pages_find(const struct nv_pages *pages, uint64_t number);
/* To write into. NULL: no memory. */
uint8_t *nv_pages_own(struct nv_pages *pages, uint64_t number);
/* The page is these bytes, which stay. False: no memory. */
bool nv_pages_borrow(struct nv_pages *pages, uint64_t number, const uint8_t *bytes);
/* The first page at or behind *number that is there. */
bool nv_pages_next(const struct nv_pages *pages, uint64_t *number);
/* From this one on all are zeros. */
void nv_pages_cut(struct nv_pages *pages, uint64_t number);
void nv_pages_read(const struct nv_pages *pages, uint64_t offset, void *bytes, size_t length_bytes);
/* The bytes stay as long as the pages: whole pages are not copied. */
bool nv_pages_write(struct nv_pages *pages, uint64_t offset, const void *bytes, size_t length_bytes);
void nv_pages_free(struct nv_pages *pages);

#endif
