/* SPDX-License-Identifier: MIT */
/* The views of sections that are mapped into this process, by their addresses. */
#ifndef NV_IO_VIEW_H
#define NV_IO_VIEW_H

#include "src/io/section.h"

struct nv_view {
    uintptr_t start;
    uintptr_t end;
    struct nv_section *section; /* the view has a reference */
    bool is_shared;             /* what is stored into it gets to the file */
};

/* Notes a view that is mapped. False without memory. */
bool nv_view_add(const struct nv_view *view);

/* Takes out the view that the address lies in; the caller unmaps it and has its reference. False: there is none. */
bool nv_view_remove(uintptr_t address, struct nv_view *view);

/* Finds it; the caller gets a reference to the section of its own. */
bool nv_view_find(uintptr_t address, struct nv_view *view);

/* How many there are. For tests. */
size_t nv_view_count(void);

/* Around fork(): the child has the views, too. */
void nv_view_before_fork(void);
void nv_view_after_fork(void);

#endif
