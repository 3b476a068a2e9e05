/* SPDX-License-Identifier: MIT */
/*
 * One file, changed in every way there is, by one thread or by several, and synced whole: after each sync the durable
 * file must be what the program had. That is so only if nothing is left out that may have changed.
 *
 * dirty NVRTL SELF [--seed=N] [--runs=N]; it calls itself under nvrtl check: dirty WAY SEED
 */
#include "tests/verified/options.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_BYTES = 3 << 20, CHANGE_BYTES = 20000, CHANGES = 120, THREADS = 4, ROUNDS = 100 };
enum { TO_DRIVER = 3, FROM_DRIVER = 4 };

static uint64_t random_state;
static uint8_t bytes[CHANGE_BYTES];
static int file = -1;

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(98);
}

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static uint64_t random_below(uint64_t limit)
{
    return random_next(&random_state) % limit;
}

static uint64_t hash_of(int fd)
{
    static uint8_t buffer[1 << 16];
    uint64_t sum = 14695981039346656037u;
    ssize_t got;

    for (off_t at = 0; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got)
        for (ssize_t i = 0; i < got; i++)
            sum = (sum ^ buffer[i]) * 1099511628211u;
    return sum;
}

/* ---- changes ---- */

static off_t offset;
static size_t length;

static void open_file(void)
{
    if (file >= 0)
        close(file);
    file = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0)
        fail("open");
}

static void by_pwrite(void)
{
    (void)!pwrite(file, bytes, length, offset);
}

static void by_write(void)
{
    (void)lseek(file, offset, SEEK_SET);
    (void)!write(file, bytes, length / 2);
    (void)!write(file, bytes, length / 2);
}

static void by_vectors(void)
{
    struct iovec parts[] = {{bytes, length / 2}, {bytes + length / 2, length - length / 2}};

    (void)lseek(file, offset, SEEK_SET);
    (void)!writev(file, parts, 2);
    (void)!pwritev(file, parts, 2, offset / 3);
    (void)!pwritev2(file, parts, 2, offset / 2, 0);
    (void)!pwritev2(file, parts, 2, -1, 0);
    (void)!pwritev2(file, parts, 1, 0, 0x10 /* RWF_APPEND */);
}

static void by_size(void)
{
    (void)!ftruncate(file, offset);
    (void)!ftruncate(file, FILE_BYTES);
}

static void by_fallocate(void)
{
    (void)!fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)length + 1);
}

static void by_copies(void)
{
    int other = open("g", O_RDONLY | O_CLOEXEC), ends[2];
    loff_t to = offset;

    (void)!copy_file_range(other, NULL, file, &to, length, 0);
    (void)lseek(file, offset / 2, SEEK_SET);
    (void)!sendfile(file, other, NULL, length);
    if (!pipe(ends)) {
        to = offset / 3;
        (void)!write(ends[1], bytes, 4000);
        (void)!splice(ends[0], NULL, file, &to, 4000, 0);
        close(ends[0]);
        close(ends[1]);
    }
    close(other);
}

static void by_child(void)
{
    pid_t child = fork();

    if (!child) {
        by_pwrite();
        by_write();
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

static void by_copy_of_descriptor(void)
{
    int first = dup(file), second = fcntl(file, F_DUPFD_CLOEXEC, 0);

    (void)!pwrite(first, bytes, length, offset);
    (void)!pwrite(second, bytes, length, offset / 2);
    close(first);
    close(second);
}

static void by_synchronous(void)
{
    int fd = open("f", O_WRONLY | O_DSYNC | O_CLOEXEC);

    (void)!pwrite(fd, bytes, length, offset);
    close(fd);
}

static void by_reopening(void)
{
    open_file();
    by_pwrite();
}

/* From here on, what ends a hint. */

static void by_low_number(void)
{
    int low = dup2(file, 9);

    (void)!pwrite(low, bytes, length, offset);
    close(low);
}

static void by_another_open(void)
{
    char path[64];
    int fd = open("f", O_WRONLY | O_CLOEXEC);

    (void)!pwrite(fd, bytes, length, offset);
    close(fd);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    (void)!write(fd, bytes, length);
    close(fd);
}

static void by_store(void)
{
    char *start = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    (void)!ftruncate(file, FILE_BYTES);
    if (start == MAP_FAILED)
        fail("mmap");
    memcpy(start + offset, bytes, length);
    munmap(start, FILE_BYTES);
}

static void by_path(void)
{
    (void)!truncate("f", offset);
}

static void by_appending(void)
{
    (void)fcntl(file, F_SETFL, O_APPEND);
    (void)!pwrite(file, bytes, length, 0);
    (void)fcntl(file, F_SETFL, 0);
}

static void by_asynchronous(void)
{
    aio_context_t context = 0;
    struct iocb block = {.aio_lio_opcode = IOCB_CMD_PWRITE,
                         .aio_fildes = (uint32_t)file,
                         .aio_buf = (uintptr_t)bytes,
                         .aio_nbytes = length,
                         .aio_offset = offset},
                *blocks = &block;
    struct io_event done;

    if (syscall(SYS_io_setup, 1, &context))
        return;
    if (syscall(SYS_io_submit, context, 1L, &blocks) == 1)
        (void)syscall(SYS_io_getevents, context, 1L, 1L, &done, NULL);
    (void)syscall(SYS_io_destroy, context);
}

/* The descriptor arrives under another number. */
static void by_passing(void)
{
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec body = {bytes, 1};
    struct msghdr message = {
        .msg_iov = &body, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    int ends[2], received;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
        return;
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(item), &file, sizeof file);
    if (sendmsg(ends[0], &message, 0) == 1 && recvmsg(ends[1], &message, 0) == 1) {
        memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
        (void)!pwrite(received, bytes, length, offset);
        close(received);
    }
    close(ends[0]);
    close(ends[1]);
}

static void (*const changes[])(void) = {
    by_pwrite,     by_pwrite,       by_pwrite, by_write,       by_vectors,   by_size,
    by_fallocate,  by_copies,       by_child,  by_synchronous, by_reopening, by_copy_of_descriptor,
    by_low_number, by_another_open, by_store,  by_path,        by_appending, by_asynchronous,
    by_passing,
};
enum { CHANGES_OFTEN = 5, CHANGES_TOLD = 12, CHANGES_ALL = sizeof changes / sizeof *changes };

/* ---- under nvrtl ---- */

/* The driver looks at the durable file now. */
static void compare(void)
{
    uint64_t hash = hash_of(file);
    char answer;

    if (write(TO_DRIVER, &hash, sizeof hash) != sizeof hash || read(FROM_DRIVER, &answer, 1) != 1)
        fail("the driver has gone");
}

static void sync_in_some_way(void)
{
    switch (random_below(4)) {
    case 0:
        sync();
        break;
    case 1:
        (void)fsync(file);
        break;
    default:
        (void)fdatasync(file);
    }
}

static void change_one_by_one(void)
{
    uint64_t ways = random_below(3) ? CHANGES_ALL : CHANGES_TOLD;

    for (int i = 0; i < CHANGES; i++) {
        length = 1 + random_below(CHANGE_BYTES - 1);
        offset = (off_t)random_below(FILE_BYTES - CHANGE_BYTES) & (random_below(2) ? ~0L : 0x1ffffL);
        for (size_t at = 0; at < length; at++)
            bytes[at] = (uint8_t)random_next(&random_state);
        changes[random_below(random_below(3) ? CHANGES_OFTEN : ways)]();
        if (!random_below(2)) {
            sync_in_some_way();
            compare();
        }
        if (!random_below(5)) { /* what was given up is taken up again */
            open_file();
            sync_in_some_way();
        }
    }
    (void)fsync(file);
    compare();
}

struct writer {
    pthread_t thread;
    unsigned number;
    bool maps;
    atomic_bool *ends;
};

/* Each has every fourth page to itself; half of them go by the file's position. */
static void *write_all_the_time(void *context)
{
    struct writer *writer = context;
    uint64_t state = writer->number * 77u + 1, page[512];
    int own = writer->number % 2 ? open("f", O_RDWR | O_CLOEXEC) : dup(file);
    char *start = writer->maps ? mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0) : NULL;

    if (own < 0 || start == MAP_FAILED)
        fail("a thread's file");
    while (!atomic_load(writer->ends)) {
        off_t at = (off_t)(random_next(&state) % (FILE_BYTES / 4096 / THREADS) * THREADS + writer->number) * 4096;

        for (int i = 0; i < 512; i++)
            page[i] = random_next(&state);
        if (start && state % 2)
            memcpy(start + at, page, sizeof page);
        else if (writer->number % 2 && (lseek(own, at, SEEK_SET) != at || write(own, page, 4096) != 4096))
            fail("write");
        else if (!(writer->number % 2) && pwrite(own, page, 4096, at) != 4096)
            fail("pwrite");
    }
    if (start)
        munmap(start, FILE_BYTES);
    close(own);
    return NULL;
}

static void change_in_threads(void)
{
    atomic_bool ends = false;
    struct writer writers[THREADS];
    bool maps = random_below(2);

    if (ftruncate(file, FILE_BYTES))
        fail("ftruncate");
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.number = i, .maps = maps && i == 1, .ends = &ends};
        if (pthread_create(&writers[i].thread, NULL, write_all_the_time, &writers[i]))
            fail("pthread_create");
    }
    for (int i = 0; i < ROUNDS; i++)
        if (fdatasync(file))
            fail("fdatasync");
    atomic_store(&ends, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    (void)fdatasync(file);
    compare();
}

static int be_the_program(const char *way, const char *seed)
{
    random_state = strtoull(seed, NULL, 10);
    open_file();
    if (!strcmp(way, "threads"))
        change_in_threads();
    else
        change_one_by_one();
    return 0;
}

/* ---- the driver ---- */

static void make_file(const char *name, size_t size)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    for (size_t at = 0; at < size; at += sizeof bytes)
        if (write(fd, bytes, sizeof bytes) != sizeof bytes)
            fail(name);
    close(fd);
}

static void become_nvrtl(const struct options *options, const char *dirty, const char *way, uint64_t seed,
                         const int *ends)
{
    char choice[32], number[32];
    int line;

    snprintf(choice, sizeof choice, "--dirty=%s", dirty);
    snprintf(number, sizeof number, "%lu", seed);
    line = fcntl(ends[1], F_DUPFD_CLOEXEC, FROM_DRIVER + 1);
    if (dup2(line, TO_DRIVER) < 0 || dup2(line, FROM_DRIVER) < 0)
        _exit(97);
    execl(options->nvrtl, "nvrtl", "check", "--dir=.", choice, "--output=../report", "--", options->workload, way,
          number, (char *)NULL);
    _exit(97);
}

/* Whatever else the report says, no write was missed. */
static void check_report(const char *described)
{
    char text[65536];
    int fd = open("../report", O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof text - 1);

    text[got > 0 ? got : 0] = 0;
    close(fd);
    if (!strstr(text, "nvrtl check: ") || strstr(text, "not told of") || strstr(text, ": f\n")) {
        fprintf(stderr, "%s: %s\n", described, text);
        exit(1);
    }
}

static void run(const struct options *options, uint64_t seed)
{
    static const char *const dirty_ways[] = {"hint", "auto", "hint", "compare"};
    const char *dirty = dirty_ways[seed % 4], *way = seed % 5 ? "changes" : "threads";
    uint64_t hash;
    int ends[2], status;
    char described[80];
    pid_t child;

    snprintf(described, sizeof described, "--seed=%lu --runs=1: %s, %s", seed, dirty, way);
    make_file("g", 200000);
    if (seed % 3)
        make_file("f", FILE_BYTES);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) || (child = fork()) < 0)
        fail("start");
    if (!child)
        become_nvrtl(options, dirty, way, seed, ends);
    close(ends[1]);
    while (read(ends[0], &hash, sizeof hash) == sizeof hash) {
        int durable = open("f", O_RDONLY | O_CLOEXEC);

        if (durable < 0 || hash_of(durable) != hash) {
            fprintf(stderr, "%s: what was synced is not durable\n", described);
            exit(1);
        }
        close(durable);
        (void)!write(ends[0], "", 1);
    }
    close(ends[0]);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "%s: nvrtl ended with %x\n", described, (unsigned)status);
        exit(1);
    }
    check_report(described);
    unlink("f");
}

int main(int argc, char **argv)
{
    struct options options = {.runs = 20};
    char folder[] = "dirty-XXXXXX";

    if (argc == 3 && argv[1][0] != '/')
        return be_the_program(argv[1], argv[2]);
    options_parse(&options, argc, argv);
    if (!mkdtemp(folder) || chdir(folder) || mkdir("files", 0755) || chdir("files"))
        fail("make a folder");
    for (unsigned i = 0; i < options.runs; i++)
        run(&options, options.seed + i);
    if (unlink("g") || chdir("..") || unlink("report") || rmdir("files") || chdir("..") || rmdir(folder))
        fail("remove the folder");
    printf("%u runs\n", options.runs);
    return 0;
}
