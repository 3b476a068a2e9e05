/* SPDX-License-Identifier: MIT */
/*
 * Small commits to a large file: random pages, each changed and made durable. Prints what a commit took, in us. A file
 * that is not there is written first, and made durable.
 *
 *     large-commits FILE MEBIBYTES COMMITS (write | map | log)
 *
 * write: pwrite of 4 KiB, and fdatasync. map: a store, and msync of its page. log: write of 4 KiB behind the end.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 };

static uint8_t bytes[1 << 20];
static int file;
static off_t size_bytes;

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* By pages: what fills the page cache by more makes the file system write more for each of them. */
static bool fill(void)
{
    struct stat status;

    if (fstat(file, &status))
        return false;
    if (status.st_size >= size_bytes)
        return true;
    for (off_t at = 0; at < size_bytes; at += PAGE_BYTES) {
        memset(bytes, (int)(at >> 12), PAGE_BYTES);
        if (pwrite(file, bytes, PAGE_BYTES, at) != PAGE_BYTES)
            return false;
    }
    return !fsync(file);
}

static bool commit_write(off_t at, long number)
{
    memset(bytes, (int)number, PAGE_BYTES);
    return pwrite(file, bytes, PAGE_BYTES, at) == PAGE_BYTES && !fdatasync(file);
}

static bool commit_map(off_t at, long number)
{
    static uint8_t *start;

    if (!start)
        start = mmap(NULL, (size_t)size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (start == MAP_FAILED || madvise(start, (size_t)size_bytes, MADV_RANDOM))
        return false;
    start[at] = (uint8_t)number;
    return !msync(start + at, PAGE_BYTES, MS_SYNC);
}

static bool commit_log(off_t at, long number)
{
    (void)at;
    if (!number && lseek(file, 0, SEEK_END) < 0)
        return false;
    memset(bytes, (int)number, PAGE_BYTES);
    return write(file, bytes, PAGE_BYTES) == PAGE_BYTES && !fdatasync(file);
}

static const struct {
    const char *name;
    bool (*commit)(off_t at, long number);
} ways[] = {{"write", commit_write}, {"map", commit_map}, {"log", commit_log}};

int main(int argc, char **argv)
{
    long commits = argc == 5 ? atol(argv[3]) : 0;
    uint64_t random = 88172645463325252u;
    bool (*commit)(off_t, long) = NULL;
    double began;

    for (size_t i = 0; argc == 5 && i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(argv[4], ways[i].name))
            commit = ways[i].commit;
    if (!commit || commits <= 0 || (file = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0) {
        fprintf(stderr, "usage: large-commits FILE MEBIBYTES COMMITS (write | map | log)\n");
        return 2;
    }
    size_bytes = (off_t)atol(argv[2]) << 20;
    if (!fill())
        return 1;
    began = now_us();
    for (long i = 0; i < commits; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (!commit((off_t)(random % (uint64_t)(size_bytes / PAGE_BYTES)) * PAGE_BYTES, i))
            return 1;
    }
    printf("%.1f\n", (now_us() - began) / (double)commits);
    return 0;
}
