/* SPDX-License-Identifier: MIT */
/* Runs of nvrtl check: starting, talking, ending, and looking for what was left behind. The drivers call it. */
#include "tests/verified/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char context[256];
static struct session *current;

void session_describe(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
}

/* What this test started, and no more. */
static void kill_started(void)
{
    if (!current)
        return;
    if (current->workload > 0)
        kill(current->workload, SIGKILL);
    if (current->nvrtl > 0)
        kill(current->nvrtl, SIGKILL);
}

static void show_file(const char *path, const char *who)
{
    char line[512];
    FILE *messages = fopen(path, "r");

    while (messages && fgets(line, sizeof line, messages))
        fprintf(stderr, "    %s: %s", who, line);
    if (messages)
        fclose(messages);
}

static void show_messages(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s/hit", current ? current->base : ".");
    show_file(path, "the call that failed");
    if (current)
        show_file(current->messages, "nvrtl");
}

void session_fail(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "FAIL (%s): ", context);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    show_messages();
    if (current)
        fprintf(stderr, "    kept: %s\n", current->base);
    kill_started();
    exit(1);
}

static void out_of_time(int number)
{
    (void)number;
    session_fail("this run takes too long"); /* it is the end of the test in any case */
}

void session_guard(unsigned seconds)
{
    signal(SIGALRM, out_of_time);
    alarm(seconds);
}

void session_make(struct session *session)
{
    memset(session, 0, sizeof *session);
    session->line = -1;
    snprintf(session->base, sizeof session->base, "run.XXXXXX");
    if (!mkdtemp(session->base))
        session_fail("mkdtemp: %s", strerror(errno));
    snprintf(session->files, sizeof session->files, "%s/files", session->base);
    snprintf(session->scratch, sizeof session->scratch, "%s/scratch", session->base);
    snprintf(session->report, sizeof session->report, "%s/report.json", session->base);
    snprintf(session->messages, sizeof session->messages, "%s/messages", session->base);
    if (mkdir(session->files, 0755) || mkdir(session->scratch, 0755))
        session_fail("mkdir: %s", strerror(errno));
    current = session;
}

void session_write_files(const struct session *session, const struct model *model)
{
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_name *name = &model->durable[i];
        const struct model_inode *inode = &model->inodes[name->inode];
        char path[160], relative[64];
        int fd;

        if (!name->used || !model_path(model->durable, name, relative, sizeof relative))
            continue;
        snprintf(path, sizeof path, "%s/%s", session->files, relative);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, inode->durable, inode->durable_size) != (ssize_t)inode->durable_size)
            session_fail("write %s: %s", path, strerror(errno));
        close(fd);
    }
}

static void become_nvrtl(const struct session *session, const struct session_options *options, int line)
{
    char number[16], scratch[PATH_MAX + 16], domain[64], dirty[32], output[PATH_MAX + 32], where[PATH_MAX];
    const char *arguments[] = {options->nvrtl,
                               "check",
                               "--dir=.",
                               scratch,
                               domain,
                               dirty,
                               output,
                               "--format=json",
                               options->posix ? "--fs=posix" : "--fs=journaled",
                               options->overlay ? "--view=overlay" : "--view=copy",
                               "--",
                               options->workload,
                               number,
                               NULL};
    int messages = open(session->messages, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (!realpath(session->base, where))
        _exit(99);
    snprintf(number, sizeof number, "%d", line);
    snprintf(scratch, sizeof scratch, options->scratch ? "--scratch=%s/scratch" : "--dir=.", where);
    snprintf(domain, sizeof domain, "--domain=%s", NvrtlDomainName(options->domain));
    snprintf(dirty, sizeof dirty, "--dirty=%s", options->dirty ? options->dirty : "auto");
    snprintf(output, sizeof output, "--output=%s/report.json", where);
    if (messages < 0 || dup2(messages, 2) < 0 || chdir(session->files))
        _exit(99);
    for (char **variable = options->environment; variable && *variable; variable++)
        putenv(*variable);
    if (setenv("TMPDIR", where, 1)) /* what cannot be brought home is saved there, and goes with the session */
        _exit(99);
    execv(options->nvrtl, (char **)(uintptr_t)arguments);
    _exit(99);
}

void session_start(struct session *session, const struct session_options *options)
{
    int ends[2];

    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ||
        fcntl(ends[0], F_SETFD, FD_CLOEXEC))
        session_fail("socketpair: %s", strerror(errno));
    unlink(session->report);
    session->nvrtl = fork();
    if (session->nvrtl < 0)
        session_fail("fork: %s", strerror(errno));
    if (!session->nvrtl)
        become_nvrtl(session, options, ends[1]);
    close(ends[1]);
    session->line = ends[0];
}

static bool hear(const struct session *session, struct acknowledgement *word)
{
    ssize_t got;

    do
        got = recv(session->line, word, sizeof *word, 0);
    while (got < 0 && errno == EINTR);
    return got == sizeof *word;
}

bool session_hello(struct session *session)
{
    struct acknowledgement word;

    if (!hear(session, &word))
        return false;
    session->workload = word.process;
    return true;
}

void session_send(const struct session *session, const struct operation *operation)
{
    (void)!send(session->line, operation, sizeof *operation, MSG_NOSIGNAL);
}

bool session_hear(const struct session *session, int64_t *result)
{
    struct acknowledgement word;

    if (!hear(session, &word))
        return false;
    *result = word.result;
    return true;
}

static bool is_empty(const char *path)
{
    DIR *stream = opendir(path);
    struct dirent *item;
    bool empty = true;

    while (stream && (item = readdir(stream)))
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            empty = false;
    if (stream)
        closedir(stream);
    return empty;
}

/*
 * The test is the subreaper of all that nvrtl starts. After an orderly end every process is dead; when nvrtl was
 * killed, its guardian needs a moment, and ends too: so this waits until there is no child.
 */
static void wait_for_the_rest(bool killed)
{
    int status;
    pid_t process;

    do {
        process = waitpid(-1, &status, killed ? 0 : WNOHANG);
        if (!process)
            session_fail("nvrtl has ended and left a process behind");
    } while (process > 0 || errno == EINTR);
}

int session_end(struct session *session)
{
    int status = -1;

    while (waitpid(session->nvrtl, &status, 0) < 0)
        if (errno != EINTR)
            session_fail("waitpid: %s", strerror(errno));
    wait_for_the_rest(WIFSIGNALED(status));
    session->nvrtl = session->workload = 0;
    if (session->line >= 0)
        close(session->line);
    session->line = -1;
    if (!session->may_leave_scratch && !is_empty(session->scratch))
        session_fail("the scratch folder is not empty");
    return status;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void session_remove(struct session *session)
{
    nftw(session->base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    current = NULL;
}

void session_show(const struct operation *operation)
{
    static const char *const names[OP_COUNT] = {
        "create", "mkdir", "rmdir",     "unlink",       "rename",  "link",     "truncate",    "pwrite",    "store",
        "msync",  "fsync", "fdatasync", "fsync-folder", "sync",    "syncfs",   "dsync-write", "rwf-write", "sync-range",
        "token",  "free",  "nv-store",  "nv-write",     "nv-fill", "nv-flush", "nv-ranges",   "nv-drain",  "exit"};

    fprintf(stderr, "  %s t%u s%u flags %x %s%s%s offset %lu length %lu (%lu %lu)%s seed %lx\n", names[operation->kind],
            operation->thread, operation->slot, operation->flags, operation->path, *operation->path2 ? " -> " : "",
            operation->path2, operation->offset, operation->length, operation->offset2, operation->length2,
            operation->default_token ? " default" : "", operation->seed);
}
