/* SPDX-License-Identifier: MIT */
/* What the verifier tells of in a recorded run (trace/event.h). In any other run nothing of it is called. */
#ifndef NV_VERIFY_TELL_H
#define NV_VERIFY_TELL_H

#include "verify/binding.h"
#include "verify/thread.h"
#include "verify/told.h"

/* The log; NULL: the run is not recorded. */
extern struct nv_log *nv_tell_log;

/* Ask the supervisor for the log. `grain_bytes` is what the domain flushes at once. False: it cannot be had. */
bool nv_tell_open(NVRTL_DOMAIN domain, uint64_t grain_bytes);

/* Whether copies and non-temporal stores may survive in part, word by word. */
bool nv_tell_tears(void);

/* This thread's number in events. */
uint32_t nv_tell_thread(struct nv_thread *thread);

/* A region begins, at these segments; one that is bound for a call lasts as long as the process. */
void nv_tell_map(struct nv_thread *thread, const struct nv_region *region, const struct nv_binding *binding,
                 const struct nv_segment *segments, size_t count);
void nv_tell_unmap(struct nv_thread *thread, const struct nv_region *region);

/* The interface has stored: what is there now. */
void nv_tell_write(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, size_t size_bytes,
                   uint16_t place);
/* What these lines hold, and that they are flushed. */
void nv_tell_flush(struct nv_thread *thread, const struct nv_binding *binding, uintptr_t address, size_t size_bytes,
                   uint16_t place);
/* All that may have changed in any region of the process: a power failure may find it there. */
void nv_tell_rest(struct nv_thread *thread);
/* `object` 0: of all files. */
void nv_tell_drain(struct nv_thread *thread, uint32_t object, uint16_t flags, uint16_t place);
void nv_tell_promise(struct nv_thread *thread, const char *text, uint16_t place);

void nv_tell_before_fork(void);
void nv_tell_after_fork(bool child);

#endif
