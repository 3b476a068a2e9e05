/* SPDX-License-Identifier: MIT */
/*
 * Stores that the program's hooks told, of a recorded run. A hook is called before its store is made: so that is
 * pending until the thread's next call, when its bytes are read.
 */
#ifndef NV_VERIFY_PENDING_H
#define NV_VERIFY_PENDING_H

#include "verify/binding.h"
#include "verify/thread.h"

/* This thread is about to store; what it stored before is told. */
void nv_pending_note(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, size_t size_bytes,
                     uint16_t place);

/* What this thread has pending is made, and told. */
void nv_pending_made(struct nv_thread *thread);

/*
 * Likewise for the other threads, as far as the stores can be seen to be made: who took a lock over from another thread
 * finds what that stored in front of its own.
 */
void nv_pending_settle_all(struct nv_thread *thread);

/* The thread ends. */
void nv_pending_end(struct nv_thread *thread);

/* In the child of a fork there is one thread, which had nothing pending. */
void nv_pending_after_fork(void);

#endif
