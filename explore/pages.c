/* SPDX-License-Identifier: MIT */
/* Owns sparse contents: leaves of 512 pages each, in the order of their numbers. The model's objects stand on it. */
#include "explore/pages.h"

#include <stdlib.h>
#include <string.h>

enum { LEAF_PAGES = 512 };

struct nv_leaf {
    uint64_t number;
    uint8_t *pages[LEAF_PAGES];
    uint8_t owned[LEAF_PAGES];
};

/* The place of the first leaf whose number is not smaller. */
static size_t leaf_place(const struct nv_pages *pages, uint64_t number)
{
    size_t low = 0, high = pages->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (pages->leaves[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct nv_leaf *find_leaf(const struct nv_pages *pages, uint64_t number)
{
    size_t place = leaf_place(pages, number);

    return place < pages->count && pages->leaves[place]->number == number ? pages->leaves[place] : NULL;
}

static struct nv_leaf *need_leaf(struct nv_pages *pages, uint64_t number)
{
    size_t place = leaf_place(pages, number);
    struct nv_leaf *leaf;

    if (place < pages->count && pages->leaves[place]->number == number)
        return pages->leaves[place];
    if (pages->count == pages->capacity) {
        size_t capacity = pages->capacity * 2 + 4;
        struct nv_leaf **grown = realloc(pages->leaves, capacity * sizeof *grown);

        if (!grown)
            return NULL;
        pages->leaves = grown;
        pages->capacity = capacity;
    }
    leaf = calloc(1, sizeof *leaf);
    if (!leaf)
        return NULL;
    leaf->number = number;
    memmove(pages->leaves + place + 1, pages->leaves + place, (pages->count - place) * sizeof(struct nv_leaf *));
    pages->leaves[place] = leaf;
    pages->count++;
    return leaf;
}

static void drop_page(struct nv_leaf *leaf, size_t i)
{
    if (leaf->owned[i])
        free(leaf->pages[i]);
    leaf->pages[i] = NULL;
    leaf->owned[i] = 0;
}

const uint8_t *nv_pages_find(const struct nv_pages *pages, uint64_t number)
{
    const struct nv_leaf *leaf = find_leaf(pages, number / LEAF_PAGES);

    return leaf ? leaf->pages[number % LEAF_PAGES] : NULL;
}

uint8_t *nv_pages_own(struct nv_pages *pages, uint64_t number)
{
    struct nv_leaf *leaf = need_leaf(pages, number / LEAF_PAGES);
    size_t i = number % LEAF_PAGES;
    uint8_t *bytes;

    if (!leaf)
        return NULL;
    if (leaf->owned[i])
        return leaf->pages[i];
    bytes = calloc(1, NV_PAGE_BYTES);
    if (!bytes)
        return NULL;
    if (leaf->pages[i])
        memcpy(bytes, leaf->pages[i], NV_PAGE_BYTES);
    leaf->pages[i] = bytes;
    leaf->owned[i] = 1;
    return bytes;
}

bool nv_pages_borrow(struct nv_pages *pages, uint64_t number, const uint8_t *bytes)
{
    struct nv_leaf *leaf = need_leaf(pages, number / LEAF_PAGES);

    if (!leaf)
        return false;
    drop_page(leaf, number % LEAF_PAGES);
    leaf->pages[number % LEAF_PAGES] = (uint8_t *)(uintptr_t)bytes;
    return true;
}

bool nv_pages_next(const struct nv_pages *pages, uint64_t *number)
{
    size_t i = *number % LEAF_PAGES;

    for (size_t place = leaf_place(pages, *number / LEAF_PAGES); place < pages->count; place++) {
        const struct nv_leaf *leaf = pages->leaves[place];

        for (i = leaf->number == *number / LEAF_PAGES ? i : 0; i < LEAF_PAGES; i++)
            if (leaf->pages[i]) {
                *number = leaf->number * LEAF_PAGES + i;
                return true;
            }
    }
    return false;
}

void nv_pages_cut(struct nv_pages *pages, uint64_t number)
{
    uint64_t next = number;

    while (nv_pages_next(pages, &next)) {
        drop_page(find_leaf(pages, next / LEAF_PAGES), next % LEAF_PAGES);
        next++;
    }
}

void nv_pages_read(const struct nv_pages *pages, uint64_t offset, void *bytes, size_t length_bytes)
{
    uint8_t *to = bytes;

    while (length_bytes) {
        size_t at = offset % NV_PAGE_BYTES, part = NV_PAGE_BYTES - at;
        const uint8_t *page = nv_pages_find(pages, offset / NV_PAGE_BYTES);

        if (part > length_bytes)
            part = length_bytes;
        if (page)
            memcpy(to, page + at, part);
        else
            memset(to, 0, part);
        to += part;
        offset += part;
        length_bytes -= part;
    }
}

bool nv_pages_write(struct nv_pages *pages, uint64_t offset, const void *bytes, size_t length_bytes)
{
    const uint8_t *from = bytes;

    while (length_bytes) {
        size_t at = offset % NV_PAGE_BYTES, part = NV_PAGE_BYTES - at;
        uint8_t *page;

        if (part > length_bytes)
            part = length_bytes;
        if (part == NV_PAGE_BYTES) {
            if (!nv_pages_borrow(pages, offset / NV_PAGE_BYTES, from))
                return false;
        } else {
            page = nv_pages_own(pages, offset / NV_PAGE_BYTES);
            if (!page)
                return false;
            memcpy(page + at, from, part);
        }
        from += part;
        offset += part;
        length_bytes -= part;
    }
    return true;
}

void nv_pages_free(struct nv_pages *pages)
{
    for (size_t i = 0; i < pages->count; i++) {
        for (size_t j = 0; j < LEAF_PAGES; j++)
            drop_page(pages->leaves[i], j);
        free(pages->leaves[i]);
    }
    free(pages->leaves);
    *pages = (struct nv_pages){0};
}
