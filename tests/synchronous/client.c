/* SPDX-License-Identifier: MIT */
/*
 * Programs that make files durable in odd ways, each by the name of its case. Exit status 1, and a line that says why,
 * when a call does what it would not do without the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHERS = 20, LARGE = 1 << 20, LARGE_APPENDS = 10, SYNCS_MAX = 300 };

static void must(bool holds, const char *format, ...)
{
    va_list arguments;
    int number = errno;

    if (holds)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, " (%s)\n", strerror(number));
    exit(1);
}

static int opened(const char *path, int flags)
{
    int fd = open(path, flags, 0644);

    must(fd >= 0, "open %s", path);
    return fd;
}

static void put(int fd, const char *text)
{
    must(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write %s", text);
}

static void write_through(const char *path)
{
    int fd = opened(path, O_WRONLY | O_DSYNC);

    must(pwrite(fd, "MINE", 4, 0) == 4, "pwrite");
    close(fd);
}

/* The supervisor has descriptors of its own with the numbers that the program uses. */
static void own_names(void)
{
    static const char *const names[] = {"/dev/fd/%d", "/proc/thread-self/fd/%d", "/proc/self/fd/%d"};
    int base = opened("mine", O_RDWR | O_CREAT), number;
    char path[64];

    for (int i = 0; i < OTHERS; i++) {
        snprintf(path, sizeof path, "other%d", i);
        number = opened(path, O_RDWR | O_CREAT);
        put(number, "untouched");
        must(!fsync(number), "fsync");
        close(number);
    }
    must(!fsync(base), "fsync");
    for (number = 10; number < 40; number++) {
        dup2(base, number);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            snprintf(path, sizeof path, names[i], number);
            write_through(path);
        }
        must(!symlink(path, "link"), "symlink");
        write_through("link");
        must(!unlink("link"), "unlink");
    }
    dup2(base, 1);
    write_through("/dev/stdout");
    write_through("/proc/self/cwd/mine");
}

/* An overlay: what is mapped for reading shows what is written afterwards. */
static void read_first(void)
{
    const char *text;
    int writer;

    must(!chdir(".."), "chdir");
    text = mmap(NULL, 3, PROT_READ, MAP_SHARED, opened("/proc/self/cwd/stake/old", O_RDONLY), 0);
    writer = opened("stake/old", O_WRONLY);
    must(pwrite(writer, "new", 3, 0) == 3, "pwrite");
    must(!memcmp(text, "new", 3), "read %.3s", text);
    must(!fsync(writer), "fsync");
}

static void append(void)
{
    int fd = opened("appended", O_RDWR | O_CREAT);
    char text[] = "APP";
    struct iovec part = {text, 3};

    put(fd, "0123456789");
    must(!fsync(fd), "fsync");
    must(pwritev2(fd, &part, 1, 0, RWF_APPEND | RWF_DSYNC) == 3, "pwritev2");
    must(pwritev2(fd, &part, 1, 0, 0x400000 | RWF_DSYNC) < 0 && errno == EOPNOTSUPP, "an unknown flag");
    must(pwrite(opened("appended", O_WRONLY | O_SYNC), "x", 1, -1) < 0 && errno == EINVAL, "a negative offset");
}

static void limit(void)
{
    struct rlimit few = {256, 256};

    must(!fsync(opened("seen", O_RDWR | O_CREAT)) && !setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
    put(opened("limited", O_RDWR | O_CREAT | O_SYNC), "hello");
}

static void hide(void)
{
    must(!prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl");
}

static void hidden(void)
{
    int fd;

    hide();
    fd = opened("hidden", O_RDWR | O_CREAT);
    put(fd, "hello");
    must(!fsync(fd), "fsync");
}

static void hidden_writes(void)
{
    hide();
    put(opened("hidden", O_RDWR | O_CREAT | O_SYNC), "hello");
}

/* Not dumpable when its file may not be read: nothing but what every program does. */
static void plain(void)
{
    int fd = opened("plain", O_RDWR | O_CREAT);
    char *bytes;

    put(fd, "hello");
    must(!fsync(fd), "fsync");
    put(opened("plain2", O_RDWR | O_CREAT | O_SYNC), "hello");
    bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(bytes != MAP_FAILED, "mmap");
    bytes[0] = 'H';
    must(!msync(bytes, 4096, MS_SYNC), "msync");
}

static char state_of(pid_t thread)
{
    char path[64], state = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %*s %c", &state) != 1) /* it has ended */
        state = 'X';
    if (file)
        fclose(file);
    return state;
}

static void *outlive(void *unused)
{
    while (state_of(getpid()) != 'Z')
        sched_yield();
    put(opened("outlived", O_RDWR | O_CREAT | O_SYNC), "hello");
    exit(0);
    return unused;
}

static void main_thread_ends(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, outlive, NULL);
    pthread_exit(NULL);
}

static pthread_barrier_t both;

static void *other_table(void *unused)
{
    int fd;

    must(!unshare(CLONE_FILES), "unshare");
    fd = opened("thread", O_RDWR | O_CREAT | O_SYNC);
    pthread_barrier_wait(&both);
    pthread_barrier_wait(&both);
    put(fd, "T");
    return unused;
}

static void two_tables(void)
{
    pthread_t thread;

    pthread_barrier_init(&both, NULL, 2);
    pthread_create(&thread, NULL, other_table, NULL);
    pthread_barrier_wait(&both);
    put(opened("main", O_RDWR | O_CREAT | O_SYNC), "M");
    pthread_barrier_wait(&both);
    pthread_join(thread, NULL);
}

static void in_child(void (*child)(void))
{
    pid_t process = fork();
    int status;

    if (!process) {
        child();
        exit(0);
    }
    must(waitpid(process, &status, 0) == process && !status, "a child failed");
}

static void other_root(void)
{
    int outside = opened(".", O_RDONLY | O_DIRECTORY);

    must(!mkdir("root", 0777) && !symlink("/behind", "root/link") && !fsync(outside) && !chroot("root"), "chroot");
    put(opened("/here", O_RDWR | O_CREAT | O_SYNC), "hello");
    put(opened("/../../link", O_RDWR | O_CREAT | O_SYNC), "hello");
    fsync(opened("/", O_RDONLY | O_DIRECTORY));
}

static void other_user(void)
{
    must(!setgid(1234) && !setuid(1234), "setuid");
    put(opened("theirs", O_RDWR | O_CREAT | O_SYNC), "hello");
    must(open("secret", O_WRONLY | O_SYNC) < 0 && errno == EACCES, "opened another user's file");
}

static void other_rights(void)
{
    must(!chmod(".", 0777), "chmod");
    in_child(other_root);
    in_child(other_user);
}

static void no_rights(void)
{
    fsync(opened("seen", O_RDWR | O_CREAT));
    must(open("protected", O_RDWR | O_SYNC) < 0 && errno == EACCES, "opened a file of mode 0400");
}

static void only_a_path(void)
{
    int fd;

    fsync(opened("path", O_RDWR | O_CREAT));
    put(opened("path", O_RDWR), "never durable");
    fd = opened("path", O_PATH);
    must(fsync(fd) < 0 && errno == EBADF, "fsync of a path");
}

static void beneath(void)
{
    struct open_how how = {.flags = O_RDWR | O_CREAT | O_DSYNC, .mode = 0644, .resolve = RESOLVE_BENEATH};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, "./beneath", &how, sizeof how);

    must(fd >= 0, "openat2");
    put(fd, "hello");
    must(syscall(SYS_openat2, AT_FDCWD, "../beneath", &how, sizeof how) < 0 && errno == EXDEV, "openat2 beyond");
}

static void nameless(void)
{
    char path[64];
    int fd = opened(".", O_TMPFILE | O_RDWR | O_SYNC);

    put(fd, "hello");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    must(!linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), "linkat");
    must(!fsync(opened(".", O_RDONLY | O_DIRECTORY)), "fsync");
}

static atomic_bool enough;

static void *append_bytes(void *unused)
{
    int fd = opened("log", O_WRONLY | O_APPEND);

    while (!enough)
        put(fd, "b");
    return unused;
}

/* Nothing of another's comes between the bytes of one write. */
static void large_appends(void)
{
    int fd = opened("log", O_WRONLY | O_CREAT | O_APPEND | O_SYNC);
    char *large = malloc(LARGE), *all;
    struct iovec halves[] = {{large, LARGE / 2}, {large + LARGE / 2, LARGE / 2}};
    pthread_t thread;
    size_t length, run = 0;

    memset(large, 'a', LARGE);
    pthread_create(&thread, NULL, append_bytes, NULL);
    for (int i = 0; i < LARGE_APPENDS; i++)
        must((i & 1 ? write(fd, large, LARGE) : writev(fd, halves, 2)) == LARGE, "append");
    enough = true;
    pthread_join(thread, NULL);
    must(!fsync(fd), "fsync");
    length = (size_t)lseek(fd, 0, SEEK_END);
    all = mmap(NULL, length, PROT_READ, MAP_PRIVATE, opened("log", O_RDONLY), 0);
    for (size_t i = 0; i < length; i++) {
        must(all[i] == 'a' || run % LARGE == 0, "an append of %d bytes was torn", LARGE);
        run = all[i] == 'a' ? run + 1 : 0;
    }
    munmap(all, length);
    free(large);
}

/* Memory that ends within what is to be written. */
static void half_there(void)
{
    char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = opened("half", O_RDWR | O_CREAT | O_SYNC);

    munmap(bytes + 4096, 4096);
    must(write(fd, bytes, 8192) == 4096, "write");
    must(write(fd, bytes + 4096, 1) < 0 && errno == EFAULT, "write of nothing");
}

/* A thread that syncs again and again. */
struct syncer {
    const char *path;
    size_t bytes;
    int syncs_max;
    pthread_t thread;
    atomic_int number, syncs;
};

static sigset_t interruptions;

static void *sync_often(void *context)
{
    struct syncer *syncer = context;
    int fd = opened(syncer->path, O_RDWR | O_CREAT);
    char *bytes = calloc(1, syncer->bytes);

    must(bytes && write(fd, bytes, syncer->bytes) == (ssize_t)syncer->bytes, "write");
    syncer->number = (int)gettid();
    for (; !enough && syncer->syncs < syncer->syncs_max; syncer->syncs++)
        must(pwrite(fd, &syncer->number, 4, 0) == 4 && (!fsync(fd) || errno == EINTR), "fsync");
    enough = true;
    pthread_sigmask(SIG_BLOCK, &interruptions, NULL);
    must(!fsync(fd), "fsync");
    free(bytes);
    return NULL;
}

static void handle(int number)
{
    (void)number;
}

/* A signal interrupts no call that the supervisor has received: the thread falls into disk sleep instead. */
static bool is_received(const struct syncer *syncer)
{
    return syncer->number && state_of(syncer->number) == 'D';
}

/* The small file's sync is received while the supervisor is busy with the large one's. */
static void received(void)
{
    struct syncer large = {.path = "large", .bytes = 64 << 20, .syncs_max = SYNCS_MAX};
    struct syncer small = {.path = "small", .bytes = 4, .syncs_max = INT_MAX};
    struct sigaction action = {.sa_handler = handle};
    bool both_received = false;

    sigemptyset(&interruptions);
    sigaddset(&interruptions, SIGUSR1);
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&large.thread, NULL, sync_often, &large);
    pthread_create(&small.thread, NULL, sync_often, &small);
    while (!enough) {
        int syncs = large.syncs;

        pthread_kill(large.thread, SIGUSR1);
        pthread_kill(small.thread, SIGUSR1);
        both_received = is_received(&large) && is_received(&small) && is_received(&large) && large.syncs == syncs;
        enough = enough || both_received;
    }
    pthread_join(large.thread, NULL);
    pthread_join(small.thread, NULL);
    must(both_received, "a sync was received only when another had ended");
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"own-names", own_names},
    {"read-first", read_first},
    {"append", append},
    {"limit", limit},
    {"hidden", hidden},
    {"hidden-writes", hidden_writes},
    {"plain", plain},
    {"main-thread-ends", main_thread_ends},
    {"two-tables", two_tables},
    {"other-rights", other_rights},
    {"no-rights", no_rights},
    {"only-a-path", only_a_path},
    {"beneath", beneath},
    {"nameless", nameless},
    {"large-appends", large_appends},
    {"half-there", half_there},
    {"received", received},
};

int main(int count, char **words)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (count == 2 && !strcmp(words[1], cases[i].name)) {
            cases[i].run();
            return 0;
        }
    return 2;
}
