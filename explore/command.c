/* SPDX-License-Identifier: MIT */
/* The words of the command are made once; a state costs a posix_spawn, and a look at the pipe of its output. */
#include "explore/command.h"
#include "explore/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define PROMISES_VARIABLE "NVRTL_PROMISES="

struct nv_recovery_command {
    char **words;       /* NULL-terminated */
    char **environment; /* ours, and one more in front */
    double timeout_seconds;
    int output[2]; /* a pipe */
    int nothing;   /* /dev/null */
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    bool ready; /* both of these */
};

/* -- words -- */

/* What a shell would not take as it stands. */
static bool needs_shell(const char *text)
{
    bool assigns = strchr(text, '=') && strcspn(text, "=") < strcspn(text, " \t");
    for (; *text; text++) {
        if (text[0] == '{' && text[1] == '}')
            text++;
        else if (strchr("|&;<>()$`\\\"'*?[]#~!{}\n", *text))
            return true;
    }
    return assigns;
}

static bool is_plain(const char *path)
{
    return strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@,=") == strlen(path);
}

/* The path as a shell takes it; where nothing in it means anything to a shell, it may stand in quotes of the user's. */
static char *quote(const char *path)
{
    char *quoted = malloc(4 * strlen(path) + 3), *to = quoted;
    if (!quoted || is_plain(path))
        return quoted ? strcpy(quoted, path) : NULL;
    *to++ = '\'';
    for (; *path; path++)
        to = *path == '\'' ? stpcpy(to, "'\\''") : (*to = *path, to + 1);
    strcpy(to, "'");
    return quoted;
}

/* A copy of `length` bytes of text, with the path for each {}. */
static char *fill_in(const char *text, size_t length, const char *path)
{
    size_t count = 0, path_length = strlen(path);
    for (size_t i = 0; i + 1 < length; i++)
        count += text[i] == '{' && text[i + 1] == '}';
    char *filled = malloc(length + count * path_length + 1), *to = filled;
    if (!filled)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        if (i + 1 < length && text[i] == '{' && text[i + 1] == '}') {
            to = stpcpy(to, path);
            i++;
        } else {
            *to++ = text[i];
        }
    }
    *to = '\0';
    return filled;
}

static bool shell_words(struct nv_recovery_command *command, const char *text, const char *path)
{
    char *quoted = quote(path);
    command->words = calloc(4, sizeof *command->words);
    if (!quoted || !command->words) {
        free(quoted);
        return false;
    }
    command->words[0] = strdup("sh");
    command->words[1] = strdup("-c");
    command->words[2] = fill_in(text, strlen(text), quoted);
    free(quoted);
    return command->words[0] && command->words[1] && command->words[2];
}

static bool plain_words(struct nv_recovery_command *command, const char *text, const char *path)
{
    size_t count = 0;
    command->words = calloc(strlen(text) / 2 + 2, sizeof *command->words);
    for (text += strspn(text, " \t"); command->words && *text; text += strspn(text, " \t")) {
        size_t length = strcspn(text, " \t");
        command->words[count] = fill_in(text, length, path);
        if (!command->words[count++])
            return false;
        text += length;
    }
    return command->words != NULL;
}

static bool make_environment(struct nv_recovery_command *command, const char *promises)
{
    size_t count = 0, kept = 1;
    while (environ[count])
        count++;
    command->environment = calloc(count + 2, sizeof *command->environment);
    if (!command->environment || asprintf(&command->environment[0], PROMISES_VARIABLE "%s", promises) < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], PROMISES_VARIABLE, sizeof PROMISES_VARIABLE - 1) != 0)
            command->environment[kept++] = environ[i];
    return true;
}

/* -- starting -- */

static bool prepare(struct nv_recovery_command *command)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (nv_ending_pipe(command->output) || posix_spawnattr_init(&command->attributes) ||
        posix_spawn_file_actions_init(&command->actions))
        return false;
    command->ready = true;
    command->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    posix_spawnattr_setsigmask(&command->attributes, &none);
    posix_spawnattr_setsigdefault(&command->attributes, &all);
    posix_spawnattr_setflags(&command->attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return command->nothing >= 0 &&
           !posix_spawn_file_actions_adddup2(&command->actions, command->nothing, STDIN_FILENO) &&
           !posix_spawn_file_actions_adddup2(&command->actions, command->output[1], STDOUT_FILENO) &&
           !posix_spawn_file_actions_adddup2(&command->actions, command->output[1], STDERR_FILENO);
}

struct nv_recovery_command *nv_recovery_command_new(const char *text, const char *path, const char *promises,
                                                    double timeout_seconds)
{
    struct nv_recovery_command *command = calloc(1, sizeof *command);
    if (!command)
        return NULL;
    command->timeout_seconds = timeout_seconds;
    command->output[0] = command->output[1] = command->nothing = -1;
    bool ok = needs_shell(text) ? shell_words(command, text, path) : plain_words(command, text, path);
    if (ok && make_environment(command, promises) && prepare(command))
        return command;
    nv_recovery_command_free(command);
    return NULL;
}

void nv_recovery_command_free(struct nv_recovery_command *command)
{
    if (!command)
        return;
    for (size_t i = 0; command->words && command->words[i]; i++)
        free(command->words[i]);
    free(command->words);
    free(command->environment ? command->environment[0] : NULL);
    free(command->environment);
    if (command->ready) {
        posix_spawnattr_destroy(&command->attributes);
        posix_spawn_file_actions_destroy(&command->actions);
    }
    for (int i = 0; i < 2; i++)
        if (command->output[i] >= 0)
            close(command->output[i]);
    if (command->nothing >= 0)
        close(command->nothing);
    free(command);
}

/* -- running -- */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Until it ends, or its time is over: then false. */
static bool wait_for_end(const struct nv_recovery_command *command, int process, struct nv_ending *ending)
{
    double until = seconds_now() + command->timeout_seconds;
    for (;;) {
        struct pollfd watched[] = {{process, POLLIN, 0}, {command->output[0], POLLIN, 0}};
        double left = until - seconds_now();
        int ready = left > 0 ? poll(watched, 2, left > 1e6 ? 1000000000 : (int)(left * 1e3) + 1) : 0;
        if (watched[1].revents)
            nv_ending_read(ending, command->output[0]);
        if (ready > 0 && watched[0].revents)
            return true;
        if (ready == 0)
            return false;
    }
}

static void collect(pid_t child, struct nv_ending *ending)
{
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)child, &info, WEXITED) && errno == EINTR)
        ;
    ending->kind = info.si_code == CLD_EXITED ? NV_ENDED_EXIT : NV_ENDED_SIGNAL;
    ending->number = info.si_status;
}

int nv_recovery_command_run(struct nv_recovery_command *command, struct nv_ending *ending)
{
    pid_t child;
    int error = posix_spawnp(&child, command->words[0], &command->actions, &command->attributes, command->words,
                             command->environment);
    ending->output_bytes = 0;
    if (error)
        return -error;
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    bool ended = process >= 0 && wait_for_end(command, process, ending);
    ending->kind = NV_ENDED_TIMEOUT;
    if (ended)
        collect(child, ending);
    nv_cell_end_others();
    nv_ending_read(ending, command->output[0]);
    if (process >= 0)
        close(process);
    return process < 0 ? -ENOSYS : 0;
}
