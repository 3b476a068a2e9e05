/* SPDX-License-Identifier: MIT */
/*
 * The guardian, and what it does: SIGKILL of nvrtl is a power failure for the whole program, and leaves nothing behind.
 */
#include "supervise/guardian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool same_namespace(const char *process, const char *own)
{
    char path[300], name[64];
    ssize_t length;

    snprintf(path, sizeof path, "/proc/%s/ns/mnt", process);
    length = readlink(path, name, sizeof name - 1);
    if (length < 0)
        return false;
    name[length] = 0;
    return !strcmp(name, own);
}

/* A process that is dead and only waits to be reaped has no namespace any more. Returns how many were there. */
static unsigned kill_once(const char *own, pid_t spared)
{
    DIR *stream = opendir("/proc");
    struct dirent *item;
    unsigned count = 0;

    while (stream && (item = readdir(stream))) {
        pid_t process = atoi(item->d_name);

        if (process <= 0 || process == getpid() || process == spared || !same_namespace(item->d_name, own))
            continue;
        kill(process, SIGKILL);
        count++;
    }
    if (stream)
        closedir(stream);
    return count;
}

void nv_kill_namespace(pid_t spared)
{
    char own[64];
    ssize_t length = readlink("/proc/self/ns/mnt", own, sizeof own - 1);

    if (length < 0)
        return;
    own[length] = 0;
    while (kill_once(own, spared)) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* a killed process tells nobody but its parent */
    }
}

static void guard(int line, const struct nv_view_context *view)
{
    char word;
    ssize_t got;

    (void)setsid();
    (void)!chdir("/");
    for (int signal_number = 1; signal_number < 32; signal_number++)
        (void)signal(signal_number, SIG_IGN);
    if (line != 3)
        (void)dup2(line, 3);
    (void)close_range(4, ~0u, 0);
    (void)close_range(0, 2, 0);
    do
        got = read(3, &word, 1);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        _exit(0);
    nv_kill_namespace(0);
    nv_view_remove_scratch(view);
    _exit(0);
}

int nv_guardian_start(struct nv_guardian *guardian, const struct nv_view_context *view)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    guardian->process = fork();
    if (guardian->process < 0) {
        int number = errno;

        close(ends[0]);
        close(ends[1]);
        return -number;
    }
    if (!guardian->process)
        guard(ends[0], view);
    close(ends[0]);
    guardian->line = ends[1];
    return 0;
}

void nv_guardian_dismiss(struct nv_guardian *guardian)
{
    if (guardian->process <= 0)
        return;
    (void)!write(guardian->line, "d", 1);
    close(guardian->line);
    (void)waitpid(guardian->process, NULL, 0);
    guardian->process = 0;
}
