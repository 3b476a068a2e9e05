/* SPDX-License-Identifier: MIT */
/* Stores that the program's own hooks tell: where each was made, and which bytes no flush has named since. */
#ifndef NV_VERIFY_STORES_H
#define NV_VERIFY_STORES_H

#include "nvrtl/stores.h"
#include "verify/binding.h"
#include <stdbool.h>

/* Some part of the program has hooks. */
extern _Atomic bool nv_stores_watched;

void nv_stores_watch(NVRTL_STORE_WATCH *watch);

/* A token's region: stores there are of interest, until it ends. */
void nv_stores_add(const struct nv_binding *binding, const void *base, size_t size_bytes);
void nv_stores_remove(const void *base, size_t size_bytes);

void nv_stores_see(const void *address, size_t size_bytes, const void *place);
/* What this thread was seen to be about to store is stored now. */
void nv_stores_made(void);

/* The interface itself is about to store there. */
void nv_stores_write(const struct nv_binding *binding, uintptr_t address, size_t size_bytes, uint16_t place);

/* A flush has named these bytes. */
void nv_stores_cover(const struct nv_binding *binding, uintptr_t address, size_t size_bytes);

void nv_stores_before_fork(void);
void nv_stores_after_fork(void);

#endif
