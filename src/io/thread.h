/* SPDX-License-Identifier: MIT */
/* What the file plane knows of the calling thread: whether it is inside a driver, its IRQL, its regions. */
#ifndef NV_IO_THREAD_H
#define NV_IO_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct nv_io_thread {
    uint32_t kernel;          /* depth: inside a driver or filter, Zw calls have previous mode kernel */
    uint32_t requests;        /* depth: inside one that has a request */
    uint32_t minifilter;      /* depth: inside a minifilter's callback */
    uint32_t special_regions; /* depth: special kernel APCs are disabled (guarded regions) */
    uint32_t regions;         /* depth: normal kernel APCs are disabled (critical regions) */
    uint8_t irql;
    uintptr_t stack_low; /* the stack that libc made for the thread; both 0 until it is asked for */
    uintptr_t stack_high;
};

extern __thread struct nv_io_thread nv_io_thread __attribute__((tls_model("initial-exec")));

/* A Zw function called from inside a driver or a filter trusts its pointers, and checks no access. */
static inline bool nv_io_is_trusted(void)
{
    return nv_io_thread.kernel > 0;
}

/*
 * Who is called: a driver's routine, or a minifilter's callback; for a request, or to come, go, and be told of volumes.
 */
enum nv_inside { NV_INSIDE_DRIVER, NV_INSIDE_DISPATCH, NV_INSIDE_MINIFILTER };

/* Around each call of a driver's code. A driver that is called by way of a minifilter is no minifilter itself. */
static inline uint32_t nv_enter_driver(enum nv_inside where)
{
    uint32_t minifilter = nv_io_thread.minifilter;
    nv_io_thread.kernel++;
    nv_io_thread.requests += where != NV_INSIDE_DRIVER;
    nv_io_thread.minifilter = where == NV_INSIDE_MINIFILTER;
    return minifilter;
}

static inline void nv_leave_driver(enum nv_inside where, uint32_t minifilter)
{
    nv_io_thread.kernel--;
    nv_io_thread.requests -= where != NV_INSIDE_DRIVER;
    nv_io_thread.minifilter = minifilter;
}

#endif
