/* SPDX-License-Identifier: MIT */
/* Runs the sources written for Windows on a mapped file, and reads from the file what they should have made of it. */
#include "sources.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 4096
#define BLOCKS 32

static int fd;
static int failures;

static void expect(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "not so: %s\n", what);
        failures++;
    }
}

/* Every block holds its own number, in the file as in the view. */
static int blocks_are_numbered(const unsigned char *view)
{
    unsigned char block[BLOCK];

    for (int i = 0; i < BLOCKS; i++) {
        if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK || memcmp(block, view + i * BLOCK, BLOCK) != 0 ||
            block[0] != i || block[BLOCK - 1] != i) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    const size_t size = (size_t)BLOCK * BLOCKS;
    char path[] = "compat-XXXXXX";
    unsigned char *view;

    fd = mkstemp(path);
    if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)size) != 0) {
        perror(path);
        return 1;
    }
    view = (unsigned char *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (view == MAP_FAILED) {
        perror("mmap");
        return 1;
    }

    expect(LanguageRun(0) == 0, "the dialect is understood");
    for (int no_drain = 0; no_drain < 2; no_drain++) {
        memset(view, 0xee, size);
        expect(BlockWriterRun(view, size, no_drain) == BLOCKS, "every block is written and flushed");
        expect(blocks_are_numbered(view), "each block holds its number");
    }
    expect(BlockWriterRun((char *)view + 2 * size + (1 << 20), 0, 0) == -1, "an empty range gets no token");
    memset(view, 0, size);
    expect(LogDriverRun(view, size) == 2, "two records in a new log");
    expect(LogDriverRun(view, size) == 4, "four records when it is opened again");
    munmap(view, size);
    close(fd);
    return failures ? 1 : 0;
}
