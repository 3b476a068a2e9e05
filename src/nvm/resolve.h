/* SPDX-License-Identifier: MIT */
/* What is mapped at a range of addresses, as the kernel tells it. */
#ifndef NV_RESOLVE_H
#define NV_RESOLVE_H

#include "src/nvm/seam.h"

/*
 * The shared, writable mappings of files that make up [address, address + size), each with its domain, in order. The
 * caller frees *segments with free().
 *
 * STATUS_INVALID_PARAMETER (the range is empty or wraps; private or anonymous memory), STATUS_INFO_LENGTH_MISMATCH (not
 * mapped), STATUS_ACCESS_DENIED (not writable), STATUS_INSUFFICIENT_RESOURCES (the kernel could not be asked).
 */
NTSTATUS nv_resolve(const void *address, size_t size_bytes, struct nv_segment **segments, size_t *count);

/*
 * The whole mapping that `address` lies in. The statuses of nv_resolve; for what is mapped there and is not to be had,
 * start and end are set all the same.
 */
NTSTATUS nv_resolve_mapping(const void *address, struct nv_segment *segment);

#endif
