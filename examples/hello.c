/* SPDX-License-Identifier: MIT */
/* The smallest use: write to a mapped file, and know that a power failure does not take it. */
#include <nvrtl/nvrtl.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
    int file = open("hello.nv", O_RDWR | O_CREAT, 0666);
    if (file < 0 || ftruncate(file, 4096) || fsync(file))
        return 1;
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    PVOID token;
    if (memory == MAP_FAILED || RtlGetNonVolatileToken(memory, 4096, &token))
        return 1;
    return RtlWriteNonVolatileMemory(token, memory, "Hello", 5, WRITE_NV_MEMORY_FLAG_PERSIST) ||
           RtlFreeNonVolatileToken(token);
}
