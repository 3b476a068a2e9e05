/* SPDX-License-Identifier: MIT */
/* The runtime's own engines, one for each persistence domain. */
#ifndef NV_ENGINES_H
#define NV_ENGINES_H

#include "src/nvm/seam.h"

#include <string.h>

extern const struct nv_engine nv_engine_memory;
extern const struct nv_engine nv_engine_cpu_cache;
extern const struct nv_engine nv_engine_page_cache;
extern const struct nv_engine nv_engine_volatile;

/* For engines that keep nothing: see nothing.c. */
NTSTATUS nv_nothing_to_forget(const struct nv_region *region);
void nv_nothing_to_release(const struct nv_region *region, const void *place);

/* Binds to the page-cache engine, whatever the domains are. */
NTSTATUS nv_bind_page_cache(struct nv_region *region, const struct nv_segment *segments, size_t count);

/* The same, but an msync covers whatever is drained: for a supervisor that sees nothing else. */
NTSTATUS nv_bind_msync(struct nv_region *region, const struct nv_segment *segments, size_t count);

/* The table that the environment asks for. Called by the constructor, and by tests. */
const struct nv_seam *nv_seam_choose(void);

/* Plain stores. A call with no bytes may come with a NULL, which the C library's functions must not be given. */
static inline void nv_plain_write(void *destination, const void *source, size_t size_bytes)
{
    if (size_bytes)
        memmove(destination, source, size_bytes);
}

static inline void nv_plain_fill(void *destination, uint8_t value, size_t size_bytes)
{
    if (size_bytes)
        memset(destination, value, size_bytes);
}

#endif
