/* SPDX-License-Identifier: MIT */
/*
 * A store-heavy program: random 8-byte stores into a mapped file of 256 MiB, made durable by one msync at the end.
 *
 *     store-heavy FILE [MILLION-STORES]
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)256 << 20)

int main(int argc, char **argv)
{
    long stores = (argc > 2 ? atol(argv[2]) : 100) * 1000000;
    uint64_t random = 88172645463325252u;
    uint64_t *words;
    int file;

    if (argc < 2 || (file = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0 || ftruncate(file, FILE_BYTES)) {
        fprintf(stderr, "usage: store-heavy FILE [MILLION-STORES]\n");
        return 2;
    }
    words = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (words == MAP_FAILED)
        return 1;
    for (long i = 0; i < stores; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        words[random % (FILE_BYTES / sizeof *words)] = random;
    }
    return msync(words, FILE_BYTES, MS_SYNC) ? 1 : 0;
}
