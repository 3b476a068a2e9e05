/* SPDX-License-Identifier: MIT */
/*
 * All processes that a run has started, whatever namespaces and sessions they made for themselves: those that descend
 * from the guardian, to which orphans fall. The supervisor and the guardian call it to end a run.
 */
#include "supervise/guardian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct process {
    pid_t number, parent;
    bool alive;
};

struct processes {
    struct process *items;
    size_t count, capacity;
};

/* A process whose first thread has ended is a zombie while the others go on. */
static bool read_process(const char *name, struct process *process)
{
    char path[300], text[512], state;
    const char *rest;
    long threads;
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%s/stat", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    rest = strrchr(text, ')'); /* the name before it may hold anything */
    if (!rest || sscanf(rest, ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld", &state,
                        &process->parent, &threads) != 3)
        return false;
    process->number = atoi(name);
    process->alive = (state != 'Z' && state != 'X') || threads > 1;
    return true;
}

static bool add_process(struct processes *processes, const struct process *process)
{
    if (processes->count == processes->capacity) {
        size_t capacity = processes->capacity * 2 + 256;
        struct process *grown = realloc(processes->items, capacity * sizeof *grown);

        if (!grown)
            return false;
        processes->items = grown;
        processes->capacity = capacity;
    }
    processes->items[processes->count++] = *process;
    return true;
}

static int by_number(const void *left, const void *right)
{
    const struct process *a = left, *b = right;

    return (a->number > b->number) - (a->number < b->number);
}

static struct processes list_processes(void)
{
    struct processes processes = {0};
    DIR *stream = opendir("/proc");
    struct process process;
    struct dirent *item;

    while (stream && (item = readdir(stream)))
        if (atoi(item->d_name) > 0 && read_process(item->d_name, &process) && !add_process(&processes, &process))
            break;
    if (stream)
        closedir(stream);
    if (processes.count)
        qsort(processes.items, processes.count, sizeof *processes.items, by_number);
    return processes;
}

static bool descends(const struct processes *processes, const struct process *process, pid_t from)
{
    for (size_t steps = 0; process && steps < processes->count; steps++) {
        struct process parent = {.number = process->parent};

        if (process->parent == from)
            return true;
        process = bsearch(&parent, processes->items, processes->count, sizeof parent, by_number);
    }
    return false;
}

unsigned nv_signal_descendants(pid_t spared, int signal_number, pid_t *some)
{
    struct processes processes = list_processes();
    unsigned count = 0;

    for (size_t i = 0; i < processes.count; i++) {
        const struct process *process = &processes.items[i];

        if (!process->alive || process->number == spared || !descends(&processes, process, getpid()) ||
            kill(process->number, signal_number))
            continue;
        if (some && !count)
            *some = process->number;
        count++;
    }
    free(processes.items);
    return count;
}

/*
 * The list is not of one moment: a process whose parent is reaped while it is being read descends from nobody. It falls
 * to a process that the next list shows, so that two lists in a row must show none.
 */
void nv_kill_descendants(pid_t spared)
{
    for (unsigned none = 0; none < 2;) {
        none = nv_signal_descendants(spared, SIGKILL, NULL) ? 0 : none + 1;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        if (!none)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* a killed process tells only its parent */
    }
}
