/* SPDX-License-Identifier: MIT */
/*
 * What a program can do to files, one deed after another, each by its name.
 *
 *   record_client FOLDER DEED...
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif
#ifndef RWF_APPEND
#define RWF_DSYNC 2
#define RWF_APPEND 0x10
#endif

#define MUST(call)                                                                                                     \
    do                                                                                                                 \
        if ((call) == -1) {                                                                                            \
            fprintf(stderr, "record_client: line %d: %s: %s\n", __LINE__, #call, strerror(errno));                     \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    while (0)
#define MUST_FAIL(call)                                                                                                \
    do                                                                                                                 \
        if ((call) != -1) {                                                                                            \
            fprintf(stderr, "record_client: line %d: %s: it succeeded\n", __LINE__, #call);                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    while (0)

static int make(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

    MUST(fd);
    MUST(write(fd, text, strlen(text)));
    return fd;
}

/* ---- names ---- */

static void do_names(void)
{
    int folder;

    close(make("one", "1"));
    MUST(mkdir("dir", 0751));
    MUST(mkdir("dir/with-slash/", 0700));
    folder = open("dir", O_RDONLY | O_DIRECTORY);
    MUST(mkdirat(folder, "at", 0755));
    MUST(symlink("../one", "dir/link"));
    MUST(symlinkat("nowhere", folder, "dangling"));
    MUST(link("one", "two"));
    MUST(linkat(AT_FDCWD, "dir/link", folder, "three", AT_SYMLINK_FOLLOW));
    MUST(linkat(folder, "link", folder, "link-of-link", 0));
    MUST(mknod("pipe", S_IFIFO | 0600, 0));
    MUST(mknodat(folder, "file", S_IFREG | 0640, 0));
    MUST(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&(struct sockaddr_un){AF_UNIX, "dir/socket"},
              sizeof(struct sockaddr_un)));
    MUST(rename("one", "dir/at/moved"));
    MUST(renameat(folder, "at/moved", folder, "three")); /* the same file: nothing happens */
    MUST(renameat(folder, "file", AT_FDCWD, "two"));     /* takes the place of another */
    MUST(syscall(SYS_renameat2, AT_FDCWD, "two", folder, "at", RENAME_EXCHANGE));
    MUST(syscall(SYS_renameat2, folder, "at", folder, "alone", RENAME_NOREPLACE));
    MUST(rename("dir", "other")); /* a folder, with what is in it */
    MUST(rename("other/with-slash/", "moved-folder/"));
    close(make("other/link-target", "x"));
    MUST(unlink("other/dangling"));
    MUST(unlinkat(folder, "link-target", 0));
    MUST(mkdir("gone", 0700));
    MUST(rmdir("gone/"));
    MUST(mkdirat(folder, "gone", 0700));
    MUST(unlinkat(folder, "gone", AT_REMOVEDIR));
    close(make("one", "again"));
    MUST(chmod("other/link-of-link", 0600)); /* by a link of a link */
    MUST(fchmodat(folder, "alone", 0400, 0));
    MUST(fchmod(folder, 0711));
    close(folder);
    close(make("other/./../moved-folder/../client-file", "by a long way"));
}

/* By a link to a folder, and through /proc: as the kernel follows it. */
static void do_paths(void)
{
    char path[64];
    int fd, folder;

    MUST(mkdir("real", 0755));
    MUST(symlink("real", "way"));
    close(make("way/file", "through a link"));
    MUST(symlink("real/new", "to-be"));
    close(make("to-be", "made at the end of a link"));
    folder = open("real", O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof path, "/proc/self/fd/%d/by-proc", folder);
    close(make(path, "proc"));
    MUST(chdir("real"));
    close(make("../up", "up"));
    MUST(rename("../way", "../way2"));
    MUST(truncate("../way2/file", 7));
    fd = (int)syscall(SYS_openat2, folder, "by-openat2",
                      &(struct { uint64_t flags, mode, resolve; }){O_CREAT | O_WRONLY, 0600, 8 /* BENEATH */}, 24);
    if (fd >= 0) {
        MUST(write(fd, "beneath", 7));
        close(fd);
    }
    MUST(chdir(".."));
}

static void do_nameless(void)
{
    char path[64];
    int fd = open(".", O_TMPFILE | O_RDWR, 0600), lost = open(".", O_TMPFILE | O_RDWR, 0600);

    MUST(fd);
    MUST(lost);
    MUST(write(lost, "nobody reads it", 15));
    MUST(write(fd, "no name yet", 11));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    MUST(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    MUST(pwrite(fd, "NAME", 4, 3));
    close(fd);
    close(lost);
    fd = make("unlinked", "written when it has no name any more");
    MUST(unlink("unlinked"));
    MUST(pwrite(fd, "x", 1, 100));
    close(make("unlinked", "another"));
    MUST(pwrite(fd, "y", 1, 0));
    close(fd);
}

/* ---- contents ---- */

static void do_writes(void)
{
    struct iovec parts[3] = {{(char[]){"abc"}, 3}, {(char[]){""}, 0}, {(char[]){"defgh"}, 5}};
    int fd = make("written", "0123456789"), append, in = make("in", "what is sent and copied"), lines[2];
    off_t at = 3;
    loff_t to = 70;

    MUST(write(fd, "ABC", 3));
    MUST(pwrite(fd, "xy", 2, 20));
    MUST(writev(fd, parts, 3));
    MUST(pwritev(fd, parts, 3, 40));
    MUST(pwritev2(fd, parts, 3, 50, 0));
    MUST(pwritev2(fd, parts, 3, -1, 0));
    MUST(pwritev2(fd, parts, 3, 5, RWF_APPEND));
    MUST(pwritev2(fd, parts, 2, 1, RWF_DSYNC));
    MUST(sendfile(fd, in, &at, 9));
    MUST(lseek(in, 0, SEEK_SET));
    MUST(copy_file_range(in, NULL, fd, &to, 10, 0));
    MUST(copy_file_range(in, NULL, fd, NULL, 4, 0));
    MUST(pipe(lines));
    MUST(write(lines[1], "through a pipe", 14));
    to = 90;
    MUST(splice(lines[0], NULL, fd, &to, 9, 0));
    MUST(splice(lines[0], NULL, fd, NULL, 5, 0));
    append = open("written", O_WRONLY | O_APPEND);
    MUST(write(append, "appended", 8));
    MUST(pwrite(append, "appended, too", 13, 2));
    MUST(dup2(append, 900));
    MUST(write(900, "by a high number", 16));
    MUST(write(fd, "", 0));
    close(open("in", O_WRONLY | O_TRUNC));
    close(creat("written-2", 0600));
    close(make("written-2", "again"));
    close(creat("written-2", 0600));
    close(900);
    close(append);
    close(fd);
    close(in);
}

#define LARGE_BYTES (20 << 20)

static void do_sizes(void)
{
    static char block[10000];
    char *large;
    int fd = make("sized", "");

    memset(block, 'b', sizeof block);
    MUST(write(fd, block, sizeof block));
    large = calloc(1, LARGE_BYTES);
    memset(large, 'l', LARGE_BYTES);
    MUST(write(fd, large, LARGE_BYTES));
    close(make("large", ""));
    MUST(syscall(SYS_copy_file_range, fd, &(loff_t){1}, open("large", O_WRONLY), NULL, LARGE_BYTES - 1, 0));
    free(large);
    MUST(ftruncate(fd, 5000));
    MUST(ftruncate(fd, 20000));
    MUST(ftruncate(fd, 20000));
    MUST(truncate("sized", 15000));
    MUST(pwrite(fd, block, 100, 100000));
    MUST(fallocate(fd, 0, 0, 200000));
    MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 400000));
    MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 2000));
    MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100050, 1000000));
    (void)!fallocate(fd, FALLOC_FL_ZERO_RANGE, 3000, 300000);
    (void)!fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096);
    (void)!fallocate(fd, FALLOC_FL_INSERT_RANGE, 8192, 4096);
    close(fd);
}

/* What fails leaves nothing, in the trace either. */
static void do_failures(void)
{
    int fd = make("there", "there"), reader = open("there", O_RDONLY), lines[2];

    MUST(mkdir("full", 0755));
    close(make("full/file", ""));
    MUST_FAIL(mkdir("there", 0755));
    MUST_FAIL(mkdir("missing/there", 0755));
    MUST_FAIL(open("there", O_CREAT | O_EXCL | O_WRONLY, 0644));
    MUST_FAIL(unlink("missing"));
    MUST_FAIL(rmdir("full"));
    MUST_FAIL(rename("missing", "there"));
    MUST_FAIL(rename("there", "full"));
    MUST_FAIL(rename("full", "full/in-itself"));
    MUST_FAIL(link("there", "full/file"));
    MUST_FAIL(symlink("x", "there"));
    MUST_FAIL(write(reader, "x", 1));
    MUST_FAIL(ftruncate(reader, 0));
    MUST_FAIL(syscall(SYS_pwrite64, fd, 1L, 10L, 0L));
    MUST_FAIL(pwrite(fd, "x", 1, -1));
    MUST_FAIL(unlink("."));
    MUST_FAIL(mkdir("", 0755));
    MUST_FAIL(write(-1, "x", 1));
    MUST_FAIL(chmod("missing", 0600));
    MUST_FAIL(truncate("missing", 0));
    MUST(pipe(lines));
    close(lines[0]);
    signal(SIGPIPE, SIG_IGN);
    MUST_FAIL(write(lines[1], "x", 1));
    signal(SIGXFSZ, SIG_IGN);
    close(fd);
    close(reader);
}

/* Half of it is written, and then there is no more memory to read. */
static void do_partial(void)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = make("partial", "");

    memset(pages, 'p', 8192);
    munmap(pages + 4096, 4096);
    MUST(write(fd, pages + 4000, 2000));
    close(fd);
}

/* ---- several at once ---- */

#define THREADS 4
#define ROUNDS 60

static void *work(void *number)
{
    char name[64], text[64];
    int own, shared = open("shared", O_WRONLY | O_CREAT | O_APPEND, 0644);

    for (int i = 0; i < ROUNDS; i++) {
        int length = snprintf(text, sizeof text, "%lu:%d\n", (unsigned long)(uintptr_t)number, i);

        snprintf(name, sizeof name, "of-%lu-%d", (unsigned long)(uintptr_t)number, i % 3);
        own = make(name, text);
        MUST(write(shared, text, (size_t)length));
        MUST(pwrite(own, "#", 1, i));
        if (i % 5 == 0)
            MUST(fdatasync(own));
        if (i % 4 == 0)
            MUST(rename(name, i % 8 ? "winner" : "second"));
        else if (i % 7 == 0)
            MUST(unlink(name));
        close(own);
    }
    close(shared);
    return NULL;
}

static void do_threads(void)
{
    pthread_t threads[THREADS];

    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* They share a descriptor and its position with their parent, too. */
static void do_processes(void)
{
    int fd = make("inherited", "parent\n");

    for (uintptr_t i = 10; i < 10 + THREADS; i++)
        if (!fork()) {
            MUST(write(fd, "child\n", 6));
            work((void *)i);
            if (i == 10)
                execl("/bin/sh", "sh", "-c", "echo executed > executed", NULL);
            _exit(0);
        }
    while (wait(NULL) > 0)
        continue;
    close(fd);
}

/* One that waits for a pipe does not hold up the others. */
static void *feed(void *pipe_end)
{
    for (int i = 0; i < 5; i++)
        close(make("meanwhile", "others go on"));
    MUST(write(*(int *)pipe_end, "late", 4));
    return NULL;
}

static void do_waits(void)
{
    int fd = make("waited", ""), lines[2];
    pthread_t thread;

    MUST(pipe(lines));
    pthread_create(&thread, NULL, feed, &lines[1]);
    MUST(splice(lines[0], NULL, fd, NULL, 4, 0));
    pthread_join(thread, NULL);
    close(fd);
}

#define RUNNERS 3
#define LAPS 100

/* Runners write one number after another, each to a file of its own; some are threads, some processes. */
struct runner {
    int index, lines[RUNNERS][2];
};

static void *run(void *argument)
{
    struct runner *runner = argument;
    char name[32], text[32];
    int fd, number;

    snprintf(name, sizeof name, "runner-%d", runner->index);
    fd = make(name, "");
    while (read(runner->lines[runner->index][0], &number, sizeof number) == sizeof number) {
        int length = snprintf(text, sizeof text, "seq %d\n", number);

        if (number < LAPS)
            MUST(write(fd, text, (size_t)length));
        if (number % 7 == 0)
            MUST(fdatasync(fd));
        number++;
        MUST(write(runner->lines[(runner->index + 1) % RUNNERS][1], &number, sizeof number));
        if (number > LAPS)
            break;
    }
    close(fd);
    return NULL;
}

static void do_order(void)
{
    static struct runner runners[RUNNERS];
    pthread_t thread;
    int start = 0;

    for (int i = 0; i < RUNNERS; i++)
        MUST(pipe(runners[0].lines[i]));
    for (int i = 0; i < RUNNERS; i++) {
        memcpy(runners[i].lines, runners[0].lines, sizeof runners[i].lines);
        runners[i].index = i;
    }
    for (int i = 1; i < RUNNERS; i++)
        if (i % 2)
            pthread_create(&thread, NULL, run, &runners[i]);
        else if (!fork()) {
            run(&runners[i]);
            _exit(0);
        }
    MUST(write(runners[0].lines[0][1], &start, sizeof start));
    run(&runners[0]);
    pthread_join(thread, NULL);
    while (wait(NULL) > 0)
        continue;
}

static void ignore(int number)
{
    (void)number;
}

/* Signals come while calls are under way. */
static void do_signals(void)
{
    struct sigaction action = {.sa_handler = ignore};
    pid_t parent = getpid(), child;

    sigaction(SIGUSR1, &action, NULL);
    child = fork();
    if (!child)
        for (;;)
            kill(parent, SIGUSR1);
    for (int i = 0; i < 100; i++)
        close(make(i % 2 ? "s1" : "s2", "signals\n"));
    MUST(kill(child, SIGSTOP));
    MUST(kill(child, SIGCONT));
    MUST(kill(child, SIGKILL));
    MUST(waitpid(child, NULL, 0));
}

/* ---- mappings, syncs, promises ---- */

static char *map(int fd, size_t bytes, int protection)
{
    char *address = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

    MUST((intptr_t)address);
    return address;
}

static void do_mapped(void)
{
    int fd = make("mapped", "m"), second = make("protected", "p");
    char *bytes, *more;

    MUST(ftruncate(fd, 20000));
    bytes = map(fd, 20000, PROT_READ | PROT_WRITE);
    memset(bytes + 100, '1', 10);
    MUST(msync(bytes, 20000, MS_SYNC));
    MUST(pwrite(fd, "by a call", 9, 5000));
    MUST(pwrite(fd, "by a call alone", 15, 12000));
    memset(bytes + 5003, '2', 3);
    memset(bytes + 19990, '3', 10);
    MUST(fdatasync(fd));
    MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
    MUST(ftruncate(fd, 30000));
    MUST(ftruncate(second, 8192));
    more = map(second, 8192, PROT_READ);
    MUST(mprotect(more, 8192, PROT_READ | PROT_WRITE));
    more[0] = 'q';
    more[8191] = 'r';
    if (!fork()) {
        bytes[0] = 'c'; /* of another process */
        _exit(0);
    }
    wait(NULL);
    MUST(munmap(bytes, 20000));
    sync();
}

static void do_syncs(void)
{
    int fd = make("synced", "s"), folder = open(".", O_RDONLY | O_DIRECTORY), direct;

    MUST(fsync(fd));
    MUST(fdatasync(fd));
    MUST(fsync(folder));
    MUST(syncfs(fd));
    sync();
    direct = open("direct", O_WRONLY | O_CREAT | O_DSYNC, 0644);
    MUST(write(direct, "at once", 7));
    MUST(pwrite(direct, "A", 1, 0));
    close(direct);
    direct = open("direct", O_WRONLY | O_TRUNC | O_SYNC);
    MUST(write(direct, "again", 5));
    close(fd);
}

static void do_promises(void)
{
    int fd = make("promised", "");

    for (int i = 0; i < 3; i++) {
        MUST(write(fd, "x", 1));
        MUST(fsync(fd));
        printf("promise %d\n", i);
        fflush(stdout);
    }
    MUST(write(1, "half a ", 7));
    MUST(write(fd, "y", 1));
    MUST(write(1, "line\nanother", 12));
    close(fd);
}

/* The power fails while others write. */
static void do_killed(void)
{
    close(make("before", "the power fails"));
    if (!fork())
        for (;;)
            close(make("on and on", "x"));
    raise(SIGKILL);
}

static const struct {
    const char *name;
    void (*act)(void);
} deeds[] = {
    {"names", do_names},         {"paths", do_paths},       {"nameless", do_nameless}, {"writes", do_writes},
    {"sizes", do_sizes},         {"failures", do_failures}, {"partial", do_partial},   {"threads", do_threads},
    {"processes", do_processes}, {"waits", do_waits},       {"signals", do_signals},   {"mapped", do_mapped},
    {"syncs", do_syncs},         {"promises", do_promises}, {"killed", do_killed},     {"order", do_order},
};

int main(int argc, char **argv)
{
    if (argc < 3 || chdir(argv[1]))
        return 2;
    umask(022);
    for (int k = 2; k < argc; k++)
        for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
            if (!strcmp(argv[k], deeds[i].name))
                deeds[i].act();
    return 0;
}
