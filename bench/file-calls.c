/* SPDX-License-Identifier: MIT */
/*
 * What a read, a write and a flush by a handle cost over the bare system call: of eight bytes, in a file that lives in
 * memory, with no filter attached. The pointers lie on the caller's stack, are static (so that they have to be probed),
 * or are static and two. Takes turns between all of them; prints the medians of the rounds, and of the differences
 * within a round, with the least and most that half of the rounds had.
 *
 *     file-calls [ROUNDS]
 */
#include <nvrtl/nvrtl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 200, ROUNDS_MAX = 10001, WARM_UP = 20 };

static int file;
static HANDLE synchronous, asynchronous;

/* As a program's own would be. */
static IO_STATUS_BLOCK far_io __attribute__((aligned(4096)));
static LARGE_INTEGER far_offset __attribute__((aligned(4096)));

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* -- the contestants -- */

static long bare_read(void)
{
    char buffer[8];

    return syscall(SYS_pread64, file, buffer, sizeof buffer, 0L);
}

static long bare_write(void)
{
    char buffer[8] = "written";

    return syscall(SYS_pwrite64, file, buffer, sizeof buffer, 0L);
}

static long bare_flush(void)
{
    return syscall(SYS_fsync, file);
}

static long read_near(void)
{
    char buffer[8];
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtReadFile(synchronous, NULL, NULL, NULL, &io, buffer, sizeof buffer, &offset, NULL);
}

static long read_asynchronous(void)
{
    char buffer[8];
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtReadFile(asynchronous, NULL, NULL, NULL, &io, buffer, sizeof buffer, &offset, NULL);
}

static long read_far(void)
{
    char buffer[8];
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtReadFile(synchronous, NULL, NULL, NULL, &far_io, buffer, sizeof buffer, &offset, NULL);
}

static long read_both_far(void)
{
    char buffer[8];

    return NtReadFile(synchronous, NULL, NULL, NULL, &far_io, buffer, sizeof buffer, &far_offset, NULL);
}

static long write_near(void)
{
    char buffer[8] = "written";
    IO_STATUS_BLOCK io;
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtWriteFile(synchronous, NULL, NULL, NULL, &io, buffer, sizeof buffer, &offset, NULL);
}

static long write_far(void)
{
    char buffer[8] = "written";
    LARGE_INTEGER offset = {.QuadPart = 0};

    return NtWriteFile(synchronous, NULL, NULL, NULL, &far_io, buffer, sizeof buffer, &offset, NULL);
}

static long write_both_far(void)
{
    char buffer[8] = "written";

    return NtWriteFile(synchronous, NULL, NULL, NULL, &far_io, buffer, sizeof buffer, &far_offset, NULL);
}

static long flush_near(void)
{
    IO_STATUS_BLOCK io;

    return NtFlushBuffersFile(synchronous, &io);
}

static long flush_far(void)
{
    return NtFlushBuffersFile(synchronous, &far_io);
}

static struct contestant {
    const char *name;
    long (*call)(void);
    int bare; /* which contestant it is compared with */
    long expected;
    double times[ROUNDS_MAX];
    double over[ROUNDS_MAX];
} all[] = {
    {"pread", bare_read, 0, 8},
    {"NtReadFile, pointers on the stack", read_near, 0, 0},
    {"the same, an asynchronous handle", read_asynchronous, 0, 0},
    {"NtReadFile, the status block elsewhere", read_far, 0, 0},
    {"NtReadFile, block and offset elsewhere", read_both_far, 0, 0},
    {"pwrite", bare_write, 5, 8},
    {"NtWriteFile, pointers on the stack", write_near, 5, 0},
    {"NtWriteFile, the status block elsewhere", write_far, 5, 0},
    {"NtWriteFile, block and offset elsewhere", write_both_far, 5, 0},
    {"fsync", bare_flush, 9, 0},
    {"NtFlushBuffersFile, block on the stack", flush_near, 9, 0},
    {"NtFlushBuffersFile, block elsewhere", flush_far, 9, 0},
};
enum { COUNT = sizeof all / sizeof all[0] };

/* -- measuring -- */

static int measure(struct contestant *one, double *ns)
{
    double began = now_ns();

    for (int i = 0; i < CALLS; i++)
        if (one->call() != one->expected)
            return -1;
    *ns = (now_ns() - began) / CALLS;
    return 0;
}

static int play_round(int round)
{
    int first = rand() % COUNT;
    int at = round < 0 ? 0 : round;

    for (int i = 0; i < COUNT; i++) {
        struct contestant *one = &all[(first + i) % COUNT];

        if (measure(one, &one->times[at])) {
            fprintf(stderr, "file-calls: %s failed\n", one->name);
            return -1;
        }
    }
    for (int i = 0; i < COUNT; i++)
        all[i].over[at] = all[i].times[at] - all[all[i].bare].times[at];
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(struct contestant *one, int rounds)
{
    qsort(one->times, (size_t)rounds, sizeof(double), compare);
    qsort(one->over, (size_t)rounds, sizeof(double), compare);
    printf("%-40s %7.1f ns", one->name, one->times[rounds / 2]);
    if (&all[one->bare] != one)
        printf("  %+6.1f ns (%.1f to %.1f)", one->over[rounds / 2], one->over[rounds / 4], one->over[rounds * 3 / 4]);
    printf("\n");
}

static int open_all(void)
{
    const ACCESS_MASK access = FILE_READ_DATA | FILE_WRITE_DATA | SYNCHRONIZE;
    FILE_MODE_INFORMATION mode;
    IO_STATUS_BLOCK io;
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    char path[32];
    static WCHAR text[64];
    size_t length = 0;

    file = memfd_create("file-calls", MFD_CLOEXEC);
    snprintf(path, sizeof path, "\\??\\unix/proc/self/fd/%d", file);
    for (; path[length]; length++)
        text[length] = (WCHAR)path[length];
    name = (UNICODE_STRING){(USHORT)(2 * length), (USHORT)(2 * length), text};
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    return file >= 0 && ftruncate(file, 4096) == 0 && NT_SUCCESS(NvrtlHandleFromFd(file, access, &synchronous)) &&
                   NT_SUCCESS(NtOpenFile(&asynchronous, access, &attributes, &io, FILE_SHARE_VALID_FLAGS, 0)) &&
                   NT_SUCCESS(NtQueryInformationFile(asynchronous, &io, &mode, sizeof mode, FileModeInformation)) &&
                   mode.Mode == 0
               ? 0
               : -1;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 2001;

    if (rounds < 1 || rounds > ROUNDS_MAX || open_all()) {
        fprintf(stderr, "usage: file-calls [ROUNDS], at most %d\n", ROUNDS_MAX);
        return 2;
    }
    srand(1);
    for (int round = -WARM_UP; round < rounds; round++)
        if (play_round(round))
            return 1;
    for (int i = 0; i < COUNT; i++)
        print(&all[i], rounds);
    NtClose(synchronous);
    NtClose(asynchronous);
    return 0;
}
