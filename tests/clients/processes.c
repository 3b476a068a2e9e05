/* SPDX-License-Identifier: MIT */
/*
 * processes FILE sync|forget: four processes share a counter in a mapping, lock the file, append a record each time
 * they have counted, and tell their parent through a pipe. Prints what came of it, which does not depend on their
 * order.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, ROUNDS = 25, PAGE = 4096 };

struct shared {
    uint64_t counter;
    uint64_t rounds[PROCESSES];
};

static void must(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    _exit(1);
}

static void lock(int file, short type)
{
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    must(fcntl(file, F_SETLKW, &whole) == 0, "fcntl");
}

static void work(const char *path, int number, int pipe_end, int sync)
{
    int file = open(path, O_RDWR);
    must(file >= 0, path);
    struct shared *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(shared != MAP_FAILED, "mmap");
    for (int round = 0; round < ROUNDS; round++) {
        lock(file, F_WRLCK);
        uint64_t turn = shared->counter++;
        shared->rounds[number]++;
        must(pwrite(file, "record.", 8, PAGE + (off_t)turn * 8) == 8, "pwrite");
        lock(file, F_UNLCK);
        must(write(pipe_end, &turn, sizeof turn) == sizeof turn, "write");
    }
    if (sync)
        must(msync(shared, PAGE, MS_SYNC) == 0 && fdatasync(file) == 0, "msync");
    _exit(0);
}

static uint64_t collect(int pipe_end)
{
    uint64_t turn, sum = 0;
    while (read(pipe_end, &turn, sizeof turn) == sizeof turn)
        sum += turn;
    return sum;
}

int main(int argc, char **argv)
{
    int ends[2], failed = 0, sync = argc == 3 && strcmp(argv[2], "sync") == 0;
    if (argc != 3)
        return 2;
    int file = open(argv[1], O_RDWR | O_CREAT, 0666);
    must(file >= 0 && ftruncate(file, PAGE) == 0 && fsync(file) == 0 && pipe(ends) == 0, argv[1]);
    for (int number = 0; number < PROCESSES; number++) {
        pid_t process = fork();
        must(process >= 0, "fork");
        if (process == 0)
            work(argv[1], number, ends[1], sync);
    }
    close(ends[1]);
    uint64_t sum = collect(ends[0]);
    for (int status; wait(&status) > 0;)
        failed |= status;
    printf("sum %llu, status %d, size %lld\n", (unsigned long long)sum, failed, (long long)lseek(file, 0, SEEK_END));
    return failed ? 1 : 0;
}
