/* SPDX-License-Identifier: MIT */
/* Which pages of a range of addresses this process may have written since it was last asked. */
#ifndef NV_VERIFY_DIRTY_H
#define NV_VERIFY_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

/* From now on writes there are noticed; whole pages. False: the kernel cannot, and every page may have been written. */
bool nv_dirty_watch(uintptr_t start, uintptr_t end);

/*
 * Visit what may have been written since the last call for the range, or ever; from here on it counts as not written.
 * Writes that go on meanwhile are found now or the next time.
 */
typedef void nv_dirty_visitor(void *context, uintptr_t start, uintptr_t end);
void nv_dirty_each(uintptr_t start, uintptr_t end, nv_dirty_visitor *visit, void *context);

/* In the child of a fork nothing is watched. */
void nv_dirty_after_fork(void);

#endif
