/* SPDX-License-Identifier: MIT */
/* A caller's I/O status block, which need not be aligned. */
#ifndef NV_IO_STATUS_BLOCK_H
#define NV_IO_STATUS_BLOCK_H

#include <nvrtl/file.h>
#include <string.h>

static inline void nv_status_block_set(PIO_STATUS_BLOCK block, NTSTATUS status, ULONG_PTR information)
{
    char *bytes = (char *)block;
    memcpy(bytes + offsetof(IO_STATUS_BLOCK, Status), &status, sizeof(status));
    memcpy(bytes + offsetof(IO_STATUS_BLOCK, Information), &information, sizeof(information));
}

#endif
