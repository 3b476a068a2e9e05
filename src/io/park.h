/* SPDX-License-Identifier: MIT */
/*
 * Where threads sleep for an object that has no lock of its own. Nothing is kept in the object: so it needs no
 * destruction, and its memory may go as soon as the last waiter has been released.
 *
 * Every change of an object's state is made between nv_park_lock and nv_park_unlock of its address.
 */
#ifndef NV_IO_PARK_H
#define NV_IO_PARK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Until when; .clock CLOCK_MONOTONIC or CLOCK_REALTIME. */
struct nv_deadline {
    clockid_t clock;
    struct timespec time;
};

void nv_park_lock(const void *object);
void nv_park_unlock(const void *object);

/*
 * Under the lock, which is given up meanwhile: sleep until released; false: the deadline came first. NULL: no deadline.
 */
bool nv_park_wait(const void *object, const struct nv_deadline *deadline);

/* Under the lock: release who has waited longest. What nv_park_self gives in that thread; NULL: nobody waits. */
void *nv_park_release(const void *object);
void nv_park_release_all(const void *object);

/* Stands for the calling thread. */
void *nv_park_self(void);

/* In the child of a fork: it has no other threads. */
void nv_park_after_fork(void);

#endif
