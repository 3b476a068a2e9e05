/* SPDX-License-Identifier: MIT */
/* Makes a new file durable by a token alone, and says so: no sync names it, or its size. */
#include <nvrtl/nvm.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
    int fd = open("new", O_RDWR | O_CREAT, 0644);
    char *bytes = MAP_FAILED;
    PVOID token;

    if (fd >= 0 && !ftruncate(fd, 4096))
        bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED || RtlGetNonVolatileToken(bytes, 4096, &token))
        return 1;
    memcpy(bytes, "hello", 5);
    if (RtlFlushNonVolatileMemory(token, bytes, 5, 0) || RtlDrainNonVolatileFlush(token))
        return 1;
    puts("hello");
    fflush(stdout);
    return (int)RtlFreeNonVolatileToken(token);
}
