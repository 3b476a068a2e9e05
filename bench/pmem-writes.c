/* SPDX-License-Identifier: MIT */
/*
 * What programs do with libpmem: a log whose every append persists a record and then the count, or copies of one size
 * to random places. It runs in turns (bench/turns.h); opening the file and the first touch of its pages are not
 * measured.
 *
 *     pmem-writes FILE log|BYTES [MIB-OF-FILE]
 */
#include "bench/turns.h"
#include <libpmem.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES ((size_t)64)
#define COPY_MAX ((size_t)1 << 20)
enum { BATCH_BYTES = 32 << 20, BATCH_MAX = 20000 };

static char *base;
static size_t file_bytes, copy_bytes;
static char source[COPY_MAX];

static void append(long count)
{
    uint64_t *written = (uint64_t *)(void *)base;

    for (long i = 0; i < count; i++) {
        memcpy(source, written, sizeof *written);
        pmem_memcpy_persist(base + RECORD_BYTES + *written * RECORD_BYTES % (file_bytes - RECORD_BYTES), source,
                            RECORD_BYTES);
        ++*written;
        pmem_persist(written, sizeof *written);
    }
}

static void copy(long count)
{
    for (long i = 0; i < count; i++) {
        uint64_t random = turns_random();

        memcpy(source, &random, sizeof random);
        pmem_memcpy_persist(base + random % (file_bytes / copy_bytes) * copy_bytes, source, copy_bytes);
    }
}

int main(int argc, char **argv)
{
    int is_log = argc > 2 && strcmp(argv[2], "log") == 0;

    copy_bytes = argc > 2 && !is_log ? (size_t)atol(argv[2]) : RECORD_BYTES;
    file_bytes = (argc > 3 ? (size_t)atol(argv[3]) : 256) << 20;
    base = argc > 2 ? pmem_map_file(argv[1], file_bytes, PMEM_FILE_CREATE, 0600, NULL, NULL) : NULL;
    if (!base || copy_bytes < 8 || copy_bytes > COPY_MAX || copy_bytes > file_bytes) {
        fprintf(stderr, "usage: pmem-writes FILE log|BYTES [MIB-OF-FILE]\n");
        return 2;
    }
    pmem_memset_persist(base, 0, file_bytes);
    turns_take(is_log ? append : copy,
               BATCH_BYTES / copy_bytes < BATCH_MAX ? BATCH_BYTES / (long)copy_bytes : BATCH_MAX);
    return pmem_unmap(base, file_bytes) ? 1 : 0;
}
