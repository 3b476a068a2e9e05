/* SPDX-License-Identifier: MIT */
/*
 * A loop of 64-byte durable writes to random lines of a 256 MiB file, through a token. Prints nanoseconds for each; the
 * first touch of the pages and the opening are not counted.
 *
 *     token-writes FILE [MILLION-WRITES]
 */
#include <nvrtl/nvrtl.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)256 << 20)
enum { LINE = 64 };

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static char *map_file(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char *base;

    if (file < 0 || ftruncate(file, FILE_BYTES))
        return NULL;
    base = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return base == MAP_FAILED ? NULL : base;
}

int main(int argc, char **argv)
{
    long writes = (argc > 2 ? atol(argv[2]) : 4) * 1000000;
    uint64_t random = 88172645463325252u, line[LINE / 8] = {0};
    char *base = argc > 1 ? map_file(argv[1]) : NULL;
    NTSTATUS status;
    double began;
    PVOID token;

    if (!base || RtlGetNonVolatileToken(base, FILE_BYTES, &token) != STATUS_SUCCESS) {
        fprintf(stderr, "usage: token-writes FILE [MILLION-WRITES]\n");
        return 2;
    }
    memset(base, 1, FILE_BYTES);
    status = RtlFlushNonVolatileMemory(token, base, FILE_BYTES, 0);
    began = now_ns();
    for (long i = 0; i < writes; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        line[0] = random;
        status |= RtlWriteNonVolatileMemory(token, base + random % (FILE_BYTES / LINE) * LINE, line, LINE,
                                            WRITE_NV_MEMORY_FLAG_PERSIST);
    }
    printf("%.1f\n", (now_ns() - began) / (double)writes);
    status |= RtlFreeNonVolatileToken(token);
    return status == STATUS_SUCCESS ? 0 : 1;
}
