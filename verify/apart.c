/* SPDX-License-Identifier: MIT */
/*
 * Owns the process that works apart, and how it holds the program's threads: by ptrace, which no thread can block or
 * notice, and which lets each system call go on. Called by alone_files.c and alone_views.c.
 */
#include "verify/apart.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 << 10)
#define THREADS_MAX 16384
#define LISTING_BYTES 4096
#define MOMENT_NS 20000
#define PATIENCE_NS 2000000000u /* for a thread that is in the kernel: it stores nothing there */

/* A thread that was taken. */
struct held {
    pid_t thread;
    int signal; /* that was on its way to it; 0: none */
};

struct apart {
    void (*work)(void *context);
    void *context;
    bool alone;   /* hold the others */
    pid_t caller; /* not to be held: it waits already */
    bool done;    /* the work is */
    size_t count; /* of `held` */
    char *stack;  /* of the process, and above it: */
    struct held *held;
};

/* As getdents64 has it. */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

static bool is_held(const struct apart *apart, pid_t thread)
{
    for (size_t i = 0; i < apart->count; i++)
        if (apart->held[i].thread == thread)
            return true;
    return false;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One that does not stop is in the kernel, and will before it is back. False: it has ended. */
static bool await_stop(struct held *held)
{
    const struct timespec moment = {.tv_nsec = MOMENT_NS};
    uint64_t begin = now_ns();
    int status;

    while (now_ns() - begin < PATIENCE_NS) {
        pid_t got = waitpid(held->thread, &status, __WALL | WNOHANG);

        if (got < 0 && errno != EINTR)
            return false;
        if (got <= 0) {
            nanosleep(&moment, NULL);
            continue;
        }
        if (!WIFSTOPPED(status))
            return false;
        if (status >> 16 != PTRACE_EVENT_STOP)
            held->signal = WSTOPSIG(status);
        return true;
    }
    return true;
}

/* 1: it is held now; 0: there is nothing to hold; -1: it cannot be. */
static int hold(struct apart *apart, pid_t thread)
{
    struct held *held = &apart->held[apart->count];

    if (thread <= 0 || thread == apart->caller || is_held(apart, thread))
        return 0;
    if (apart->count == THREADS_MAX)
        return -1;
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0)
        return errno == ESRCH ? 0 : -1;
    *held = (struct held){.thread = thread};
    if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0 || !await_stop(held))
        return 0;
    apart->count++;
    return 1;
}

/* Hold those that are listed; how many are new, or -1. */
static int hold_listed(struct apart *apart, int folder)
{
    char listing[LISTING_BYTES] __attribute__((aligned(8)));
    int fresh = 0;
    long bytes;

    while ((bytes = syscall(SYS_getdents64, folder, listing, sizeof listing)) > 0)
        for (long at = 0; at < bytes;) {
            const struct entry *entry = (const struct entry *)(const void *)(listing + at);
            int held = hold(apart, (pid_t)strtol(entry->name, NULL, 10));

            if (held < 0)
                return -1;
            fresh += held;
            at += entry->bytes;
        }
    return bytes < 0 ? -1 : fresh;
}

/* Until no thread is new: those that run may start others. */
static bool hold_all(struct apart *apart)
{
    char path[32] = "/proc/";
    char digits[16], *at = digits + sizeof digits - 1;
    int folder, fresh = -1;

    *at = '\0';
    for (pid_t left = getppid(); left != 0; left /= 10)
        *--at = (char)('0' + left % 10);
    strcat(strcat(path, at), "/task");
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    do {
        fresh = lseek(folder, 0, SEEK_SET) == 0 ? hold_listed(apart, folder) : -1;
    } while (fresh > 0);
    close(folder);
    return fresh == 0;
}

/* Those that have not stopped go when this process does. */
static void let_go(struct apart *apart)
{
    for (size_t i = 0; i < apart->count; i++)
        (void)ptrace(PTRACE_DETACH, apart->held[i].thread, NULL, (void *)(intptr_t)apart->held[i].signal);
}

static int begin(void *context)
{
    struct apart *apart = context;

    if (!apart->alone || hold_all(apart)) {
        apart->work(apart->context);
        apart->done = true;
    }
    let_go(apart);
    return 0;
}

/* Its end is told to nobody but us. */
static bool start(struct apart *apart)
{
    pid_t child = clone(begin, apart->stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_UNTRACED, apart);

    if (child < 0)
        return false;
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
        continue;
    return apart->done;
}

static bool run(struct apart *apart)
{
    size_t bytes = STACK_BYTES + THREADS_MAX * sizeof(struct held);
    sigset_t all, before;
    bool done;

    apart->stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (apart->stack == MAP_FAILED)
        return false;
    apart->held = (struct held *)(void *)(apart->stack + STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    apart->caller = (pid_t)syscall(SYS_gettid);
    done = start(apart);
    /* Where only a parent may trace its children, and not a child its parent. */
    if (!done && apart->alone && prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) == 0) {
        apart->count = 0;
        done = start(apart);
        (void)prctl(PR_SET_PTRACER, 0);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(apart->stack, bytes);
    return done;
}

bool nv_apart(void (*work)(void *context), void *context)
{
    struct apart apart = {.work = work, .context = context};

    return run(&apart);
}

bool nv_apart_alone(void (*work)(void *context), void *context)
{
    struct apart apart = {.work = work, .context = context, .alone = true};

    return run(&apart);
}

/* munmap() in all of verify/ (meson.build): the one by that name may be alone/calls.c's, which asks for the program. */
int munmap(void *address, size_t size_bytes)
{
    return (int)syscall(SYS_munmap, address, size_bytes);
}
