/* SPDX-License-Identifier: MIT */
/* Tokens: what RtlGetNonVolatileToken gives out stands for a region, and for nothing once it is freed. */
#ifndef NV_TOKEN_H
#define NV_TOKEN_H

#include "src/nvm/pool.h"
#include "src/nvm/seam.h"

/* Makes a token for the region. `reason` lives as long as the process. NULL: no slot is left. */
PVOID nv_token_new(const struct nv_region *region, NVRTL_DOMAIN domain, const char *reason);

/* Copies out the region of a live token. False for everything else, whatever its bits. */
bool nv_token_find(PVOID token, struct nv_region *region);

/* Likewise what the token was made with besides its region. */
bool nv_token_query(PVOID token, struct nv_region *region, NVRTL_DOMAIN *domain, const char **reason);

/* Ends a token's life and copies out its region, which is then the caller's to release. False if it was not live. */
bool nv_token_free(PVOID token, struct nv_region *region);

extern struct nv_pool nv_token_pool;

#endif
