/* SPDX-License-Identifier: MIT */
/*
 * The guardian, and what it does: SIGKILL of nvrtl is a power failure for all that the run has started, and leaves
 * nothing behind. It is the program's parent: who descends from it belongs to the run.
 */
#include "supervise/guardian.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the supervisor says: a signal's number, to be passed on, or this. */
enum { DISMISSED = 255 };

/* Out of the way of a terminal's signals, and of all others but what cannot be ignored. */
static void harden(int line)
{
    (void)setpgid(0, 0);
    (void)!chdir("/");
    for (int signal_number = 1; signal_number < 32; signal_number++)
        (void)signal(signal_number, signal_number == SIGCHLD ? SIG_DFL : SIG_IGN);
    if (line != 3)
        (void)dup2(line, 3);
    (void)close_range(4, ~0u, 0);
    (void)close_range(0, 2, 0);
}

static int wait_for_children(void)
{
    sigset_t children;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &children, NULL);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Returns whether the program has ended, and tells of it. */
static bool reap(int line, pid_t program)
{
    bool ended = false;
    pid_t process;
    int status;

    while ((process = waitpid(-1, &status, WNOHANG)) > 0)
        if (process == program) {
            ended = true;
            (void)send(line, &status, sizeof status, MSG_NOSIGNAL);
        }
    return ended;
}

/* Returns the next word of the supervisor; 0: it is gone; -1: nothing can be heard. */
static int hear(int line, int children, pid_t *program)
{
    for (;;) {
        struct pollfd wait[] = {{line, POLLIN, 0}, {children, POLLIN, 0}};
        struct signalfd_siginfo info;
        unsigned char word;
        ssize_t got;
        int number;

        while (read(children, &info, sizeof info) > 0)
            continue;
        if (reap(line, *program))
            *program = 0;
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (!wait[0].revents)
            continue;
        got = recv(line, &word, 1, MSG_DONTWAIT);
        number = errno;
        if (reap(line, *program)) /* just now */
            *program = 0;
        if (got > 0)
            return word;
        if (!got || (number != EAGAIN && number != EINTR))
            return got ? -1 : 0;
    }
}

/* While it lives, it takes what vanishes from the view for removed by the program. */
static void end_supervisor(pid_t supervisor)
{
    while (getppid() == supervisor) {
        kill(supervisor, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* a killed process tells only its parent */
    }
}

static void guard(int line, const struct nv_view_context *view, pid_t supervisor, pid_t program)
{
    int children, word;

    harden(line);
    children = wait_for_children();
    while ((word = hear(3, children, &program)) > 0 && word != DISMISSED)
        if (program <= 0)
            (void)nv_signal_descendants(0, word, NULL);
        else
            (void)kill(program, word);
    if (word > 0)
        _exit(0);
    if (word < 0)
        end_supervisor(supervisor);
    nv_kill_descendants(0);
    nv_view_remove_scratch(view);
    _exit(0);
}

int nv_guardian_start(struct nv_guardian *guardian, const struct nv_view_context *view, nv_guardian_starter *starter,
                      void *context)
{
    pid_t supervisor = getpid();
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return -errno;
    guardian->process = fork();
    if (guardian->process < 0) {
        int number = errno;

        close(ends[0]);
        close(ends[1]);
        return -number;
    }
    if (!guardian->process) {
        close(ends[1]);
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        guard(ends[0], view, supervisor, starter ? starter(context) : 0);
    }
    close(ends[0]);
    guardian->line = ends[1];
    return 0;
}

void nv_guardian_signal(const struct nv_guardian *guardian, int signal_number)
{
    unsigned char word = (unsigned char)signal_number;

    (void)send(guardian->line, &word, 1, MSG_NOSIGNAL);
}

bool nv_guardian_await(const struct nv_guardian *guardian, int *status)
{
    ssize_t got;

    do
        got = recv(guardian->line, status, sizeof *status, MSG_WAITALL);
    while (got < 0 && errno == EINTR);
    return got == sizeof *status;
}

void nv_guardian_dismiss(struct nv_guardian *guardian)
{
    if (guardian->process <= 0)
        return;
    nv_guardian_signal(guardian, DISMISSED);
    close(guardian->line);
    (void)waitpid(guardian->process, NULL, 0);
    guardian->process = 0;
}
