/* SPDX-License-Identifier: MIT */
/*
 * Work in a short-lived process that shares this one's memory and nothing else: what it opens and closes touches
 * neither the program's descriptors nor its fcntl locks, and it may hold all of the program's threads still.
 */
#ifndef NV_VERIFY_APART_H
#define NV_VERIFY_APART_H

#include <stdbool.h>

/*
 * Call `work` there, and wait for its end, with all signals blocked. False: no such process could be made, and nothing
 * was done. The caller's thread-local state (errno, too) is that of the work.
 */
bool nv_apart(void (*work)(void *context), void *context);

/*
 * The same, with every other thread of the program held still for as long as it takes: `work` may use no lock, and so
 * no malloc. False: they could not be held (a debugger has them, or the kernel does not let us); nothing was done.
 */
bool nv_apart_alone(void (*work)(void *context), void *context);

#endif
