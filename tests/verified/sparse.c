/* SPDX-License-Identifier: MIT */
/*
 * Files of 64 GiB that are holes but for some pages, one from before the run and one made in it: a verified run takes
 * memory and time for the pages alone, and leaves the holes holes. Of a removed file it keeps nothing.
 *
 * sparse NVRTL SELF; it calls itself under nvrtl check: sparse
 */
#include "nvrtl/nvrtl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES ((off_t)64 << 30)
#define PAGE_BYTES ((size_t)4096)
#define MEMORY_KIB 65536
#define REMOVED_BYTES ((off_t)8 << 20)
#define DATA_BYTES ((off_t)4 << 20) /* a store into a mapped hole may allocate a whole folio */

static const off_t before[] = {0, (off_t)1 << 30, FILE_BYTES - (off_t)PAGE_BYTES};
/* In the run: written and synced, stored and synced, written by a token. */
static const off_t written = (off_t)20 << 30, stored = (off_t)40 << 30, persisted = (off_t)60 << 30;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void put_page(int fd, off_t at, int byte)
{
    uint8_t page[PAGE_BYTES];

    memset(page, byte, sizeof page);
    if (pwrite(fd, page, sizeof page, at) != (ssize_t)sizeof page)
        fail("pwrite");
}

/* ---- under nvrtl ---- */

static uint8_t *map_page(int fd, off_t at)
{
    uint8_t *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);

    if (page == MAP_FAILED)
        fail("mmap");
    return page;
}

static void change(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    uint8_t *page, text[] = "persisted";
    PVOID token;

    if (fd < 0 || ftruncate(fd, FILE_BYTES))
        fail(name);
    put_page(fd, written, 'w');
    if (fdatasync(fd))
        fail("fdatasync");
    put_page(fd, written + 3 * (off_t)PAGE_BYTES, 'w');
    page = map_page(fd, stored);
    memset(page, 's', PAGE_BYTES);
    if (msync(page, PAGE_BYTES, MS_SYNC) || fsync(fd))
        fail("msync");
    page = map_page(fd, persisted);
    if (RtlGetNonVolatileToken(page, PAGE_BYTES, &token) ||
        RtlWriteNonVolatileMemory(token, page, text, sizeof text, WRITE_NV_MEMORY_FLAG_PERSIST) ||
        RtlFreeNonVolatileToken(token))
        fail("a token");
    close(fd);
}

static fsblkcnt_t free_blocks(void)
{
    struct statvfs status;

    if (statvfs(".", &status))
        fail("statvfs");
    return status.f_bfree;
}

static void remove_one(void)
{
    fsblkcnt_t before_it = free_blocks();
    int fd = open("removed", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    for (off_t at = 0; at < REMOVED_BYTES; at += (off_t)PAGE_BYTES)
        put_page(fd, at, 'r');
    if (fd < 0 || close(fd) || unlink("removed"))
        fail("removed");
    sync();
    if (free_blocks() + REMOVED_BYTES / 2 / (off_t)PAGE_BYTES < before_it) {
        fprintf(stderr, "a removed file still takes memory\n");
        exit(1);
    }
}

/* ---- the driver ---- */

static void make_file(void)
{
    int fd = open("old", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || ftruncate(fd, FILE_BYTES))
        fail("old");
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        put_page(fd, before[i], 'b');
    close(fd);
}

static void check_byte(const char *name, int fd, off_t at, char wanted)
{
    char got = 0;

    if (pread(fd, &got, 1, at) != 1 || got != wanted) {
        fprintf(stderr, "%s: at %ld: %d, not %d\n", name, (long)at, got, wanted);
        exit(1);
    }
}

static void check_file(const char *name, bool old)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status))
        fail(name);
    if (status.st_size != FILE_BYTES || status.st_blocks * 512 > DATA_BYTES) {
        fprintf(stderr, "%s: %ld bytes, %ld blocks\n", name, (long)status.st_size, (long)status.st_blocks);
        exit(1);
    }
    for (size_t i = 0; old && i < sizeof before / sizeof *before; i++)
        check_byte(name, fd, before[i], 'b');
    check_byte(name, fd, written, 'w');
    check_byte(name, fd, written + 3 * (off_t)PAGE_BYTES, 'w');
    check_byte(name, fd, stored, 's');
    check_byte(name, fd, persisted, 'p');
    close(fd);
}

static void run(const char *nvrtl, const char *self, const char *option)
{
    pid_t child = fork();
    struct rusage usage;
    int status;

    if (!child) {
        execl(nvrtl, "nvrtl", "check", "--output=../report", option, "--", self, (char *)NULL);
        _exit(99);
    }
    if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "%s: nvrtl ended with %x\n", option, (unsigned)status);
        exit(1);
    }
    if (usage.ru_maxrss > MEMORY_KIB) {
        fprintf(stderr, "%s: it took %ld KiB of memory\n", option, usage.ru_maxrss);
        exit(1);
    }
    check_file("old", true);
    check_file("new", false);
    unlink("new");
}

int main(int argc, char **argv)
{
    static const char *const options[] = {"--format=text", "--format=html", "--dirty=compare", "--dirty=hint"};
    char folder[] = "sparse-XXXXXX", *nvrtl, *self;

    if (argc == 1) {
        change("old");
        change("new");
        remove_one();
        return 0;
    }
    if (argc != 3 || !(nvrtl = realpath(argv[1], NULL)) || !(self = realpath(argv[2], NULL)))
        fail("usage: sparse NVRTL SELF");
    if (!mkdtemp(folder) || chdir(folder) || mkdir("files", 0755) || chdir("files"))
        fail("make a folder");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        make_file();
        run(nvrtl, self, options[i]);
    }
    if (unlink("old") || chdir("..") || unlink("report") || rmdir("files") || chdir("..") || rmdir(folder))
        fail("remove the folder");
    free(nvrtl);
    free(self);
    return 0;
}
