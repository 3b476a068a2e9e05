/* SPDX-License-Identifier: MIT */
/* Owns the two forks that a process needs to be the first one in a namespace of processes. */
#include "explore/cell.h"
#include "supervise/unshare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct cell {
    int (*work)(void *context);
    void *context;
    int report;
    pid_t parent;
};

static void say(const struct cell *cell, const char *text)
{
    (void)!write(cell->report, text, strlen(text));
}

static int refuse(const struct cell *cell, int number)
{
    char text[512];
    nv_unshare_refused(number, text, sizeof text);
    say(cell, text);
    return NV_CELL_FAILED;
}

/* The parent holds the other end: its number cannot be asked for, it has none in this namespace. */
static bool die_with_line(int line)
{
    struct pollfd wait = {line, 0, 0};
    bool alive = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&wait, 1, 0) == 0;
    close(line);
    return alive;
}

/* /proc of the new namespace, where it may be mounted: else processes do not find themselves in it. */
static int run_inside(const struct cell *cell, const int line[2])
{
    const struct rlimit none = {0};
    close(line[1]);
    if (!die_with_line(line[0]))
        return NV_CELL_FAILED;
    (void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    setrlimit(RLIMIT_CORE, &none);
    return cell->work(cell->context);
}

static bool die_with_parent(const struct cell *cell)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == cell->parent;
}

/* The first process of the namespace is a child: this one waits for it, and ends as it does. */
static int enter(const struct cell *cell)
{
    int status, number = 0, line[2];
    if (unshare(CLONE_NEWNS | CLONE_NEWPID))
        number = errno == EPERM ? nv_unshare_as_user(CLONE_NEWNS | CLONE_NEWPID) : errno;
    if (number)
        return refuse(cell, number);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return refuse(cell, errno);
    if (!die_with_parent(cell)) /* again: a user namespace made it forget */
        return NV_CELL_FAILED;
    if (pipe2(line, O_CLOEXEC))
        return refuse(cell, errno);
    pid_t first = fork();
    if (first < 0)
        return refuse(cell, errno);
    if (!first)
        _exit(run_inside(cell, line));
    close(line[0]);
    while (waitpid(first, &status, 0) < 0)
        if (errno != EINTR)
            return NV_CELL_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : NV_CELL_FAILED;
}

pid_t nv_cell_start(int (*work)(void *context), void *context, int report)
{
    struct cell cell = {work, context, report, getpid()};
    pid_t child = fork();
    if (child)
        return child;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    _exit(die_with_parent(&cell) ? enter(&cell) : NV_CELL_FAILED);
}

void nv_cell_end_others(void)
{
    int status;
    for (;;) {
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended > 0 || (ended < 0 && errno == EINTR))
            continue;
        if (ended < 0)
            return;
        kill(-1, SIGKILL);
        (void)waitpid(-1, &status, 0);
    }
}
