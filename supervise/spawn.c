/* SPDX-License-Identifier: MIT */
/*
 * Starting the program: the guardian's child installs the filter, hands its listener to the supervisor, and becomes the
 * program.
 */
#include "supervise/spawn.h"
#include "supervise/tracer.h"
#include "supervise/turns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the child could not do. */
enum step { STEP_STARTED, STEP_FILTER, STEP_TRACE, STEP_EXECUTE };

struct word {
    enum step step;
    int number;    /* errno */
    pid_t process; /* the child */
};

struct start {
    const struct nv_supervisor *supervisor;
    const struct nv_spawn *spawn;
    int line;
};

static void tell(int line, enum step step, int number, int listener)
{
    struct word word = {step, number, getpid()};
    struct iovec body = {&word, sizeof word};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};

    memset(&control, 0, sizeof control);
    if (listener >= 0) {
        struct cmsghdr *header;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &listener, sizeof listener);
    }
    (void)sendmsg(line, &message, MSG_NOSIGNAL | NV_FILTER_UNTOLD);
}

/* False: the line was closed, which execve does. */
static bool hear(int line, struct word *word, int *listener)
{
    struct iovec body = {word, sizeof *word};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &body, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header;
    ssize_t got;

    do
        got = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(listener, CMSG_DATA(header), sizeof *listener);
    return got == sizeof *word;
}

/* Let the tracer have the program before it is one. */
static void await_tracer(const struct nv_supervisor *supervisor, int line)
{
    char byte;

    if (supervisor->options->tracer || supervisor->turns)
        (void)!recv(line, &byte, 1, 0);
}

/* In front of what a list of paths in the environment holds. False: no memory. */
static bool prefer(const char *variable, const char *what)
{
    const char *before = getenv(variable);
    char *path;
    int status;

    if (!what)
        return true;
    if (asprintf(&path, "%s%s%s", what, before && *before ? ":" : "", before ? before : "") < 0)
        return false;
    status = setenv(variable, path, 1);
    free(path);
    return !status;
}

static void become_program(const struct nv_supervisor *supervisor, const struct nv_spawn *spawn, int line)
{
    char name[sizeof supervisor->socket_name + 1];
    int listener;

    snprintf(name, sizeof name, "@%s", supervisor->socket_name);
    if (setenv(NV_VERIFIER_VARIABLE, name, 1) ||
        setenv(NV_VERIFIER_PATH_VARIABLE, supervisor->options->verifier_path, 1) ||
        !prefer("LD_LIBRARY_PATH", supervisor->options->drop_in_path) ||
        !prefer("LD_PRELOAD", supervisor->options->traps_path) || chdir(spawn->working_folder)) {
        tell(line, STEP_EXECUTE, errno, -1);
        _exit(125);
    }
    listener = spawn->stops ? nv_filter_install_stops(spawn->stops) : 0;
    if (!listener)
        listener = nv_filter_install(spawn->filter);
    if (listener < 0) {
        tell(line, STEP_FILTER, -listener, -1);
        _exit(125);
    }
    tell(line, STEP_STARTED, 0, listener);
    close(listener);
    await_tracer(supervisor, line);
    nv_inherited_restore(&spawn->inherited);
    execvp(supervisor->options->program[0], supervisor->options->program);
    tell(line, STEP_EXECUTE, errno, -1);
    _exit(127);
}

static pid_t start_program(void *context)
{
    const struct start *start = context;
    pid_t program = fork();

    if (!program)
        become_program(start->supervisor, start->spawn, start->line);
    if (program < 0)
        tell(start->line, STEP_FILTER, errno, -1);
    close(start->line);
    return program;
}

static int refused(const struct word *word, const char *program, char *error, size_t error_bytes)
{
    const char *hint = "the kernel must be 5.9 or later, and a container must allow the seccomp system call";

    if (word->step == STEP_EXECUTE) {
        snprintf(error, error_bytes, "cannot run %s: %s", program, strerror(word->number));
        return word->number == ENOENT || word->number == ENOTDIR ? 127 : 126;
    }
    if (word->step == STEP_TRACE) {
        snprintf(error, error_bytes, "cannot record the program's calls (ptrace): %s", strerror(word->number));
        return 125;
    }
    if (word->number == EBUSY)
        hint = "another supervisor already hears of this program's system calls: nvrtl cannot run inside itself";
    else if (word->number == EMFILE || word->number == ENFILE)
        hint = "raise the limit of open files (ulimit -n)";
    else if (word->number == EAGAIN || word->number == ENOMEM)
        hint = "there are too many processes, or memory is short";
    snprintf(error, error_bytes, "cannot be told of system calls (%s): %s", strerror(word->number), hint);
    return 125;
}

/* A second run that cannot be traced is one that is not followed; a recorded one is none. */
static bool start_tracer(const struct nv_supervisor *supervisor, struct word *word, int line)
{
    struct nv_tracer *tracer = supervisor->options->tracer;
    int status = 0;

    if (!tracer && !supervisor->turns)
        return true;
    if (tracer)
        (void)nv_tracer_start(tracer, word->process);
    else
        status = nv_turns_seize(word->process);
    if (status) {
        *word = (struct word){STEP_TRACE, -status, word->process};
        return false;
    }
    (void)send(line, "", 1, MSG_NOSIGNAL);
    return true;
}

int nv_spawn(struct nv_supervisor *supervisor, const struct nv_spawn *spawn, const struct nv_view_context *view,
             struct nv_guardian *guardian, char *error, size_t error_bytes)
{
    struct word word = {STEP_FILTER, EIO, 0}, second;
    int line[2], listener = -1, status = 0;
    struct start start;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line))
        return refused(&(struct word){STEP_FILTER, errno, 0}, "", error, error_bytes);
    start = (struct start){supervisor, spawn, line[1]};
    status = nv_guardian_start(guardian, view, start_program, &start);
    close(line[1]);
    if (status)
        word.number = -status;
    else if (hear(line[0], &word, &listener) && word.step == STEP_STARTED && start_tracer(supervisor, &word, line[0]) &&
             hear(line[0], &second, &listener))
        word = second;
    status = word.step == STEP_STARTED ? 0 : refused(&word, supervisor->options->program[0], error, error_bytes);
    close(line[0]);
    supervisor->listener = listener;
    if (status)
        nv_kill_descendants(guardian->process); /* it may run, and wait for somebody who hears of it */
    return status;
}
