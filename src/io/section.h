/* SPDX-License-Identifier: MIT */
/* A section: what views are mapped from, a file or memory that lives as long as it. */
#ifndef NV_IO_SECTION_H
#define NV_IO_SECTION_H

#include "src/io/file.h"

struct nv_section {
    struct nv_object object;
    struct nv_file *file; /* with a reference; NULL: of memory */
    int descriptor;       /* the file's; or its own, of the memory */
    uint64_t size_bytes;
    unsigned rights; /* enum nv_page_right: what its views may */
};

extern const struct nv_object_type nv_section_type;

enum nv_page_right { NV_PAGE_READ = 1, NV_PAGE_WRITE = 2, NV_PAGE_COPY = 4, NV_PAGE_EXECUTE = 8 };

/* What a PAGE_* means. */
struct nv_protection {
    ULONG value;
    unsigned rights; /* of a view with it */
    int memory;      /* PROT_* */
    ACCESS_MASK of_file;
    ACCESS_MASK of_section;
};

/* NULL: there is no such PAGE_*. */
const struct nv_protection *nv_protection_find(ULONG value);

#endif
