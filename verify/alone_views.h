/* SPDX-License-Identifier: MIT */
/*
 * The views of a run without a supervisor: private mappings of files, in the place of the program's shared ones. They
 * do not lie over each other; tokens count themselves in. Whoever calls has alone.c's lock.
 */
#ifndef NV_VERIFY_ALONE_VIEWS_H
#define NV_VERIFY_ALONE_VIEWS_H

#include "verify/alone.h"
#include "verify/alone_files.h"

struct nv_alone_view {
    char *start, *end;
    struct nv_alone_file *file;
    uint64_t offset; /* of start */
    unsigned tokens;
};

/* What became of a view. */
enum nv_alone_end {
    NV_ALONE_ENDED,   /* its content is in the file, and the mapping is shared again */
    NV_ALONE_RACED,   /* so it is, but other threads could not be held meanwhile: what they stored may be lost */
    NV_ALONE_MISSING, /* the program has mapped something else there, or nothing: its content is lost */
    NV_ALONE_STAYS,   /* no memory: it stays private, and is a view no longer */
};

/* Pages that differed when a view ended. */
struct nv_alone_pages {
    struct nv_alone_file *file;
    struct nv_alone_page *pages;
    size_t count, room;
};

/* Make views of all of a segment that is none yet. False: it could not be, and some of it may be one by now. */
bool nv_alone_views_add(struct nv_alone_file *file, const struct nv_segment *segment);

/* The next view that shares bytes with [start, end), from *number on, which moves behind it. NULL: there is none. */
struct nv_alone_view *nv_alone_views_next(size_t *number, const char *start, const char *end);

/*
 * End the first part of a view that is in the list, as much as is kept at once, and take it out; `view` is not good any
 * more. Its pages are to be freed by nv_alone_pages_free. Nothing that any thread stores meanwhile is lost, but in the
 * cases that the return value tells.
 */
enum nv_alone_end nv_alone_views_end(struct nv_alone_view *view, const struct nv_runtime *runtime,
                                     struct nv_alone_pages *pages);
void nv_alone_pages_free(struct nv_alone_pages *pages);

#endif
