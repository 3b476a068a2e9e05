/* SPDX-License-Identifier: MIT */
/*
 * What engines without a context of their own have in common: nothing to forget, nothing to free. Their tables name it.
 */
#include "src/nvm/engines.h"

#include <nvrtl/status.h>

NTSTATUS nv_nothing_to_forget(const struct nv_region *region)
{
    (void)region;
    return STATUS_SUCCESS;
}

void nv_nothing_to_release(const struct nv_region *region, const void *place)
{
    (void)region;
    (void)place;
}
