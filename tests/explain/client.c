/* SPDX-License-Identifier: MIT */
/* Programs whose stores are explained by a second run, one by its name. None of them is seen by any interface. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 65536
#define APART __attribute__((noinline))

static volatile char *data;
static const char *outside; /* a file that is not at stake */

static int open_file(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        exit(1);
    return fd;
}

static void map_file(void)
{
    int fd = open_file("data");

    if (ftruncate(fd, SIZE) || fsync(fd))
        exit(1);
    data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED)
        exit(1);
    close(fd);
}

APART static void first_store(int value)
{
    data[64] = (char)value;
}

APART static void second_store(int value)
{
    data[4096 + 8] = (char)value;
    data[4096 + 9] = (char)value;
}

/* The bytes of a store may lie in two pages. */
APART static void store_across(void)
{
    typedef volatile unsigned long unaligned __attribute__((aligned(1), may_alias));

    *(unaligned *)(data + 8192 - 3) = 0x1111111111111111;
}

static void case_store(void)
{
    map_file();
    data[4096] = data[SIZE - 1]; /* others, in the same pages */
    second_store(1);
    first_store(1); /* not the last */
    data[64] = 5;
    first_store(2);
    data[65] = data[0];
    data[8191] = data[0];
}

static void case_places(void)
{
    map_file();
    first_store(1);
    second_store(1);
}

APART static void copy_many(size_t bytes)
{
    static char text[20000];

    memset(text, 'x', sizeof text);
    memcpy((char *)data + 100, text, bytes);
    memset((char *)data + 40000, 'y', bytes);
    data[200] = 'z';
}

static void case_copy(void)
{
    map_file();
    copy_many(20000);
}

static void case_across(void)
{
    map_file();
    store_across();
}

/* What the kernel stores for a call is that call's: and the call must not fail for it. */
APART static void read_into(void)
{
    struct iovec parts[] = {{(void *)(data + 64), 4}, {(void *)(data + 4096), 4}};
    int ends[2];

    if (pipe(ends) || write(ends[1], "12345678", 8) != 8 || readv(ends[0], parts, 2) != 8)
        exit(3);
}

static void case_read(void)
{
    map_file();
    read_into();
}

APART static void write_at(int fd, off_t offset)
{
    if (pwrite(fd, "written", 7, offset) != 7)
        exit(1);
}

static void case_write(void)
{
    int fd = open_file("log");

    if (fsync(fd))
        exit(1);
    write_at(fd, 10);
}

APART static void append(int fd)
{
    if (write(fd, "abc", 3) != 3 || write(fd, "def", 3) != 3)
        exit(1);
}

/* The file has another name when it is written. */
static void case_renamed(void)
{
    int fd = open_file("log.new");

    append(fd);
    if (rename("log.new", "log"))
        exit(1);
}

APART static void replace(const char *from, const char *to)
{
    if (rename(from, to))
        exit(1);
}

APART static void make_folder(const char *name)
{
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0 || mkdirat(folder, name, 0755))
        exit(1);
    close(folder);
}

APART static int make_file(const char *name)
{
    return open_file(name);
}

static void case_names(void)
{
    int fd = open_file("./new");

    append(fd);
    if (fsync(fd) || close(fd))
        exit(1);
    replace("new", ".//name");
    make_folder("folder");
    close(make_file("empty"));
    close(open_file("empty")); /* it is there */
}

static void case_child(void)
{
    int status;
    pid_t child;

    map_file();
    child = fork();
    if (!child) {
        second_store(3);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status)
        exit(1);
}

static void *store_in_thread(void *context)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 1000; i++)
        first_store(i);
    return context;
}

static void case_thread(void)
{
    pthread_t threads[3];

    map_file();
    for (int i = 0; i < 3; i++)
        if (pthread_create(&threads[i], NULL, store_in_thread, NULL))
            exit(1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void case_moved(void)
{
    int fd = open_file("data");

    if (ftruncate(fd, SIZE) || fsync(fd))
        exit(1);
    data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    data = mremap((void *)data, 4096, SIZE, MREMAP_MAYMOVE);
    if (data == MAP_FAILED)
        exit(1);
    second_store(4);
}

static sigjmp_buf out;

static void on_fault(int number)
{
    siglongjmp(out, number);
}

/* A fault of the program's own, in a mapping that is watched, is its own. */
static void case_fault(void)
{
    int fd;

    map_file();
    signal(SIGBUS, on_fault);
    first_store(7);
    fd = open_file("data");
    if (ftruncate(fd, 4096))
        exit(1);
    if (!sigsetjmp(out, 1)) {
        second_store(1);
        exit(4);
    }
}

/* Signals that come at any time reach the program, all of them. */
static volatile sig_atomic_t ticks;

static void tick(int number)
{
    (void)number;
    ticks++;
}

static void case_signals(void)
{
    map_file();
    signal(SIGUSR1, tick);
    for (int i = 0; i < 200; i++) {
        raise(SIGUSR1);
        first_store(i);
    }
    if (ticks != 200)
        exit(5);
}

static int runs_before(void)
{
    int fd = open(outside, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    off_t before = lseek(fd, 0, SEEK_END);

    if (fd < 0 || write(fd, "x", 1) != 1)
        exit(1);
    close(fd);
    return (int)before;
}

/* It goes differently: what the first run forgot is not forgotten again. */
static void case_differs(void)
{
    map_file();
    if (!runs_before())
        first_store(9);
}

static void case_differs_unseen(void)
{
    int before = runs_before();

    map_file();
    if (before) {
        data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, open_file("data"), 0);
        first_store(1);
    } else
        second_store(1);
}

/* What the file held before counts on, from the same in both runs; and the number of the run is left by the first. */
static void case_again(void)
{
    int before = runs_before();

    map_file();
    data[200] = (char)(data[200] + 1);
    first_store(before + 1);
}

/* Tells the number of its process by a fifo; the second run does not end by itself. */
static void case_endless(void)
{
    char line[32];
    int fd = open(outside, O_WRONLY | O_CLOEXEC), length = snprintf(line, sizeof line, "%d\n", (int)getpid());

    if (fd < 0 || write(fd, line, (size_t)length) != length)
        exit(1);
    close(fd);
    map_file();
    first_store(1);
    for (fd = open(outside, O_RDONLY | O_CLOEXEC); fd >= 0 && read(fd, line, 1) == 1 && *line != 'e';)
        continue;
}

static void case_clean(void)
{
    (void)runs_before();
    map_file();
    first_store(1);
    if (msync((void *)data, SIZE, MS_SYNC))
        exit(1);
}

static void case_input(void)
{
    char line[16] = "";

    map_file();
    if (fgets(line, sizeof line, stdin) && !strcmp(line, "store\n"))
        first_store(1);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"store", case_store},     {"places", case_places},   {"across", case_across},         {"copy", case_copy},
    {"read", case_read},       {"write", case_write},     {"renamed", case_renamed},       {"names", case_names},
    {"child", case_child},     {"thread", case_thread},   {"moved", case_moved},           {"fault", case_fault},
    {"signals", case_signals}, {"differs", case_differs}, {"unseen", case_differs_unseen}, {"again", case_again},
    {"endless", case_endless}, {"clean", case_clean},     {"input", case_input},
};

int main(int count, char **words)
{
    outside = count > 2 ? words[2] : "";
    for (size_t i = 0; count > 1 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, words[1])) {
            cases[i].run();
            return 0;
        }
    return 2;
}
