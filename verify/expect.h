/* SPDX-License-Identifier: MIT */
/* What the program says must hold: that a range is durable, or that one becomes so before another. */
#ifndef NV_VERIFY_EXPECT_H
#define NV_VERIFY_EXPECT_H

#include "src/nvm/seam.h"
#include "verify/flight.h"

void nv_expect_durable(const struct nv_runtime *runtime, const void *address, size_t size_bytes, uint16_t place);
void nv_expect_order(const struct nv_runtime *runtime, const NV_MEMORY_RANGE *first, const NV_MEMORY_RANGE *then,
                     uint16_t place);

/* Whether there are orders to watch. */
bool nv_expect_orders(void);

/* What is in flight is about to become durable: whether all that must be so before it is. */
void nv_expect_before_drain(const struct nv_flight *flight);

#endif
