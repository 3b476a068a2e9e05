/* SPDX-License-Identifier: MIT */
/* Whether the calling thread may flush: the IRQL and regions that it has put itself at, and the callback it is in. */
#ifndef NV_IO_IRQL_H
#define NV_IO_IRQL_H

#include "src/io/thread.h"

#include <stdbool.h>

/* Tells the verifier what is wrong. The caller goes on: on Windows it would be a bug that may or may not be noticed. */
void nv_flush_misused(const char *function, const void *place, bool from_the_top);

/* At the start of each flush function of minifilters, which goes to what is below them. */
static inline void nv_filter_flush_begins(const char *function, const void *place)
{
    if (__builtin_expect(nv_io_thread.irql | nv_io_thread.special_regions, 0))
        nv_flush_misused(function, place, false);
}

/* At the start of each Nt and Zw flush function; `place` is the function's return address. */
static inline void nv_flush_begins(const char *function, const void *place)
{
    if (__builtin_expect(nv_io_thread.irql | nv_io_thread.special_regions | nv_io_thread.minifilter, 0))
        nv_flush_misused(function, place, true);
}

#endif
