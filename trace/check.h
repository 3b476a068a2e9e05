/* SPDX-License-Identifier: MIT */
/*
 * Whether the events of a trace make sense together: whoever reads a trace that passed may rely on what event.h says of
 * them. The loader calls it.
 */
#ifndef NV_TRACE_CHECK_H
#define NV_TRACE_CHECK_H

#include "trace/file.h"

/*
 * Objects, names and ranges exist where an event says so; no two objects have one name, folders are no circle, and no
 * offset is out of bounds. 0; -ENOMEM; or -EINVAL with a line in `error`.
 */
int nv_trace_check(const struct nv_trace *trace, char *error, size_t error_bytes);

/* No content reaches behind it. */
#define NV_TRACE_SIZE_MAX ((uint64_t)1 << 62)

#endif
