/* SPDX-License-Identifier: MIT */
/* The same two mistakes a million times: a store that is never flushed, and a call with a token that is none. */
#include <fcntl.h>
#include <nvrtl/nvrtl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TIMES = 1000000, APART = 128, BYTES = TIMES * APART }; /* every other line */

static void store(char *base, size_t number)
{
    *(volatile uint64_t *)(void *)(base + number * APART) = ~number;
}

int main(void)
{
    PVOID token;
    int file = open("data", O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0 || ftruncate(file, BYTES) != 0 || fsync(file) != 0)
        return 3;
    char *base = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (base == MAP_FAILED || RtlGetNonVolatileToken(base, BYTES, &token) != STATUS_SUCCESS)
        return 3;
    for (size_t i = 0; i < TIMES; i++) {
        store(base, i);
        if (RtlDrainNonVolatileFlush((PVOID)(uintptr_t)0x1234) != STATUS_INVALID_PARAMETER)
            return 3;
    }
    return RtlFreeNonVolatileToken(token) == STATUS_SUCCESS ? 0 : 3;
}
