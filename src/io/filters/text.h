/* SPDX-License-Identifier: MIT */
/* What the library's own filters read and write of requests as text. */
#ifndef NV_IO_FILTERS_TEXT_H
#define NV_IO_FILTERS_TEXT_H

#include <nvrtl/minifilter.h>
#include <stdbool.h>

#define NV_FILTER_PATH_BYTES ((size_t)8192)

/*
 * The Linux path that the request's file was opened by; "-" where it has none. Where it is to be one field of a line,
 * what would break that is escaped: \t, \n, \\, \xHH; and a path that is too long then is cut.
 */
void nv_filter_path(PFLT_CALLBACK_DATA data, char path[NV_FILTER_PATH_BYTES], bool is_field);

/* "flush" of IRP_MJ_FLUSH_BUFFERS, ...; and the bit of a name, 0: there is none. */
const char *nv_filter_operation(UCHAR major);
uint32_t nv_filter_operation_bit(const char *name, size_t length);

#endif
