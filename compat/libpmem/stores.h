/* SPDX-License-Identifier: MIT */
/*
 * memmove and memset by ordinary stores of which none is of less than 8 bytes, where destination and size are multiples
 * of 8: the interface promises that, and libc does not.
 */
#ifndef NV_PMEM_STORES_H
#define NV_PMEM_STORES_H

#include <stddef.h>
#include <stdint.h>

void nv_pmem_move(void *destination, const void *source, size_t size_bytes);
void nv_pmem_set(void *destination, uint8_t value, size_t size_bytes);

#endif
