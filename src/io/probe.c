/* SPDX-License-Identifier: MIT */
/* Owns the judging of pointers. Called by the public functions for what their callers pass in. */
#include "src/io/probe.h"

#include "src/io/thread.h"
#include "src/os/os.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <stdbool.h>

#define PAGE ((uintptr_t)4096) /* or a part of one, where pages are larger */

/* The bounds of a thread that libc does not know hold no address. */
static __attribute__((noinline)) void find_stack(void)
{
    if (nv_os->find_stack(&nv_io_thread.stack_low, &nv_io_thread.stack_high) < 0)
        nv_io_thread.stack_low = nv_io_thread.stack_high = 1;
}

/*
 * In the part of the thread's own stack that is in use: from this frame up. On another stack (a coroutine's, that of a
 * signal handler) this frame lies outside of the bounds, and nothing is known.
 */
static bool is_on_stack(uintptr_t start, size_t size_bytes)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (!nv_io_thread.stack_high)
        find_stack();
    uintptr_t high = nv_io_thread.stack_high;
    return here >= nv_io_thread.stack_low && start >= here && start < high && size_bytes <= high - start;
}

static NTSTATUS ask(int (*probe)(uintptr_t word), uintptr_t start, size_t size_bytes)
{
    uintptr_t last = start + (size_bytes - 1);
    if (last < start)
        return STATUS_ACCESS_VIOLATION;
    for (uintptr_t at = start;; at = (at | (PAGE - 1)) + 1) {
        if (probe(at & ~(uintptr_t)7) == -EFAULT)
            return STATUS_ACCESS_VIOLATION;
        if ((at | (PAGE - 1)) >= last)
            return STATUS_SUCCESS;
    }
}

NTSTATUS nv_probe_read(const void *start, size_t size_bytes)
{
    if (size_bytes == 0 || is_on_stack((uintptr_t)start, size_bytes))
        return STATUS_SUCCESS;
    return ask(nv_os->probe_read, (uintptr_t)start, size_bytes);
}

NTSTATUS nv_probe_write(void *start, size_t size_bytes)
{
    if (size_bytes == 0 || is_on_stack((uintptr_t)start, size_bytes))
        return STATUS_SUCCESS;
    return ask(nv_os->probe_write, (uintptr_t)start, size_bytes);
}

NTSTATUS nv_probe_status_block(IO_STATUS_BLOCK *io)
{
    uintptr_t start = (uintptr_t)io, gap = start + sizeof(io->Status);
    if (is_on_stack(start, sizeof(*io)))
        return STATUS_SUCCESS;
    bool is_in_one_page = (start & (PAGE - 1)) <= PAGE - sizeof(*io);
    int error = is_in_one_page ? nv_os->scribble(gap) : -ENOSYS;
    if (error == 0)
        return STATUS_SUCCESS;
    return error == -EFAULT ? STATUS_ACCESS_VIOLATION : ask(nv_os->probe_write, start, sizeof(*io));
}
