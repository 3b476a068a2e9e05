/* SPDX-License-Identifier: MIT */
/* Putting one node into a view. Functions return 0 or a negative errno. */
#ifndef NV_COPY_H
#define NV_COPY_H

#include "supervise/view.h"

/*
 * Copy `name` of the folder `real` to the folder `view`: a folder without what is in it, a regular file, a symbolic
 * link, a socket or a fifo.
 */
int nv_copy_node(struct nv_view_context *context, int real, int view, const char *name, const struct stat *status);
/* Give the owner, where a view can tell owners apart. */
int nv_copy_owner(struct nv_view_context *context, int to, const struct stat *status);
/*
 * What cannot be copied (a device, a live socket, a file that the caller holds open) is mounted: the same node in both
 * images. It cannot be renamed or removed then.
 */
int nv_copy_through(int real, int view, const char *name, const struct stat *status);

#endif
