/* SPDX-License-Identifier: MIT */
/* Stacks of stopped threads, by libdw. x86-64 alone: elsewhere they have no frames. */
#ifndef NV_UNWIND_H
#define NV_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#define NV_UNWOUND_FRAMES 48

/* One frame. */
struct nv_unwound {
    const char *module; /* its path, as long as the unwinder lives; "?": none */
    uint64_t address;   /* of its instruction, or of what follows its call */
    uint64_t offset;    /* the same, in the module's load image */
    bool exact;         /* the instruction, and no call */
    uint64_t kept_at;   /* where on the stack its address was found; 0: that is not known */
};

/* Of a process. */
struct nv_unwinder;

/* NULL: no memory. */
struct nv_unwinder *nv_unwinder_new(pid_t thread);
/* The frames of a stopped thread with these registers, innermost first: how many. */
size_t nv_unwind_frames(struct nv_unwinder *unwinder, pid_t thread, const struct user_regs_struct *registers,
                        struct nv_unwound *frames, size_t frames_max);
/* The instruction, and the top of the stack. */
void nv_unwind_where(const struct user_regs_struct *registers, uint64_t *instruction, uint64_t *stack);
/* What the address lies in: the module's path and the function's name, each NULL when it is not known. */
bool nv_unwinder_look(struct nv_unwinder *unwinder, uint64_t address, const char **module, const char **function);
/* New code may be mapped. */
void nv_unwinder_refresh(struct nv_unwinder *unwinder);
void nv_unwinder_free(struct nv_unwinder *unwinder);

#endif
