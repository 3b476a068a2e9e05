/* SPDX-License-Identifier: MIT */
/*
 * The program's own calls that matter to a run without a supervisor, where this library is preloaded (nvrtl check
 * --in-process does so): syncs make durable what is under tokens, and an end without exit() is an end. The verifier, if
 * it comes to such a run, enters itself into the table; the calls themselves are made by their numbers.
 */
#include "verify/alone_calls.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

EXPORTED struct nv_alone_calls nvrtl_alone_calls;

EXPORTED int msync(void *address, size_t size_bytes, int flags)
{
    int before = errno;

    if (nvrtl_alone_calls.sync_range != NULL && (flags & MS_SYNC) != 0)
        nvrtl_alone_calls.sync_range(address, size_bytes);
    errno = before;
    return (int)syscall(SYS_msync, address, size_bytes, flags);
}

static void sync_file(int descriptor)
{
    int before = errno;

    if (nvrtl_alone_calls.sync_file != NULL)
        nvrtl_alone_calls.sync_file(descriptor);
    errno = before;
}

EXPORTED int fsync(int descriptor)
{
    sync_file(descriptor);
    return (int)syscall(SYS_fsync, descriptor);
}

EXPORTED int fdatasync(int descriptor)
{
    sync_file(descriptor);
    return (int)syscall(SYS_fdatasync, descriptor);
}

EXPORTED int munmap(void *address, size_t size_bytes)
{
    int before = errno;

    if (nvrtl_alone_calls.unmap != NULL)
        nvrtl_alone_calls.unmap(address, size_bytes);
    errno = before;
    return (int)syscall(SYS_munmap, address, size_bytes);
}

EXPORTED _Noreturn void _exit(int status)
{
    if (nvrtl_alone_calls.exit != NULL)
        nvrtl_alone_calls.exit(status);
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

EXPORTED _Noreturn void _Exit(int status)
{
    _exit(status);
}
