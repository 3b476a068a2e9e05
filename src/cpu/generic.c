/* SPDX-License-Identifier: MIT */
/*
 * Owns the table for CPUs that give a program no way to write lines back. Where it is in force, no memory is of the
 * cpu-cache domain (src/nvm/domain.c): it is of page-cache, whose msync has the kernel do it.
 */
#include "src/cpu/cpu.h"

#include <stdatomic.h>
#include <string.h>

static bool supported(void)
{
    return true;
}

static void fence(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    __sync_synchronize();
}

static void copy(void *destination, const void *source, size_t size_bytes)
{
    memmove(destination, source, size_bytes);
}

static void fill(void *destination, uint8_t value, size_t size_bytes)
{
    memset(destination, value, size_bytes);
}

const struct nv_cpu nv_cpu_generic = {
    .name = "generic",
    .instruction = "none",
    .supported = supported,
    .write_back = NULL,
    .write_back_ranges = NULL,
    .fence = fence,
    .copy = copy,
    .fill = fill,
};
