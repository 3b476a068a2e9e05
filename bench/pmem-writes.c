/* SPDX-License-Identifier: MIT */
/*
 * What programs do with libpmem: a log whose every append persists a record and then the count, or copies of one size
 * to random places. Prints nanoseconds for each; the first touch of the pages and the opening are not counted.
 *
 *     pmem-writes FILE log|BYTES [THOUSAND-OPERATIONS]
 */
#include <libpmem.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILE_BYTES ((size_t)256 << 20)
#define RECORD_BYTES ((size_t)64)
#define COPY_MAX ((size_t)1 << 20)

static char *base;
static char source[COPY_MAX];

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void append(size_t size, long count)
{
    uint64_t *written = (uint64_t *)(void *)base;

    (void)size;
    for (long i = 0; i < count; i++) {
        memcpy(source, &i, sizeof i);
        pmem_memcpy_persist(base + RECORD_BYTES + (size_t)i * RECORD_BYTES % (FILE_BYTES - RECORD_BYTES), source,
                            RECORD_BYTES);
        *written = (uint64_t)i + 1;
        pmem_persist(written, sizeof *written);
    }
}

static void copy(size_t size, long count)
{
    uint64_t random = 88172645463325252u;

    for (long i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memcpy(source, &random, sizeof random);
        pmem_memcpy_persist(base + random % ((FILE_BYTES - size) / size) * size, source, size);
    }
}

int main(int argc, char **argv)
{
    long count = (argc > 3 ? atol(argv[3]) : 1000) * 1000;
    int is_log = argc > 2 && strcmp(argv[2], "log") == 0;
    size_t size = argc > 2 && !is_log ? (size_t)atol(argv[2]) : RECORD_BYTES;
    double began;

    base = argc > 2 ? pmem_map_file(argv[1], FILE_BYTES, PMEM_FILE_CREATE, 0600, NULL, NULL) : NULL;
    if (!base || size < 8 || size > COPY_MAX || count < 1) {
        fprintf(stderr, "usage: pmem-writes FILE log|BYTES [THOUSAND-OPERATIONS]\n");
        return 2;
    }
    pmem_memset_persist(base, 1, FILE_BYTES);
    began = now_ns();
    (is_log ? append : copy)(size, count);
    printf("%.1f\n", (now_ns() - began) / (double)count);
    return pmem_unmap(base, FILE_BYTES) ? 1 : 0;
}
