/* SPDX-License-Identifier: MIT */
/*
 * New namespaces, for an ordinary user too, and which setting forbids them. Views and the cells of explore/ are in
 * such.
 */
#ifndef NV_UNSHARE_H
#define NV_UNSHARE_H

#include <stddef.h>

/* Those of `flags` (CLONE_NEWNS...) in a new user namespace, in which the user keeps its number. 0 or an errno. */
int nv_unshare_as_user(int flags);
/* One line: why there can be no namespace, and what to do. */
void nv_unshare_refused(int number, char *error, size_t error_bytes);

#endif
