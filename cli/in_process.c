/* SPDX-License-Identifier: MIT */
/*
 * Owns nvrtl check --in-process: the variables that have a program verify its tokens alone, and what becomes of its
 * exit status. check.c calls it.
 */
#include "cli/in_process.h"
#include "cli/command.h"
#include "verify/alone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_LIBRARY "libnvrtl-alone-calls.so"

/* -- the variables -- */

__attribute__((format(printf, 2, 3))) static bool set(const char *name, const char *format, ...)
{
    char *value;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (length < 0)
        return false;
    bool done = setenv(name, value, 1) == 0;
    free(value);
    return done;
}

/* What is loaded first, or found first, before what the user has there. */
static bool put_first(const char *name, const char *value)
{
    const char *before = getenv(name);
    return set(name, "%s%s%s", value, before && *before ? ":" : "", before ? before : "");
}

/* Beside the verifier, or in its place in the build tree. */
static bool preload_calls(const char *verifier)
{
    static const char *const places[] = {"%s/" CALLS_LIBRARY, "%s/../alone/" CALLS_LIBRARY};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int length = snprintf(path, sizeof path, places[i], verifier);
        if (length > 0 && (size_t)length < sizeof path && access(path, R_OK) == 0)
            return put_first("LD_PRELOAD", path);
    }
    return true; /* the report says what was not seen */
}

static bool set_words(const struct nv_in_process *options)
{
    char fail_sync[40] = "";
    if (options->run->fail_sync)
        snprintf(fail_sync, sizeof fail_sync, ",fail-sync=%llu", (unsigned long long)options->run->fail_sync);
    return set("NVRTL_VERIFIER", "1,domain=%s,format=%s%s%s%s", NvrtlDomainName(options->run->domain), options->format,
               options->run->performance ? ",performance" : "", options->generate ? ",gen-suppressions" : "",
               fail_sync);
}

/* The program may change its folder. */
static bool set_path(const char *name, const char *path)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    bool done = here ? set(name, "%s/%s", here, path) : set(name, "%s", path);
    free(here);
    return done;
}

static bool set_suppressions(char *const *paths)
{
    for (; paths && *paths; paths++) {
        char *path = realpath(*paths, NULL);
        bool done = path && put_first("NVRTL_VERIFIER_SUPPRESSIONS", path);
        free(path);
        if (!done)
            return false;
    }
    return true;
}

static bool set_variables(const struct nv_in_process *options, const char *result)
{
    const struct nv_run_options *run = options->run;
    return set_words(options) && set("NVRTL_VERIFIER_PATH", "%s", run->verifier_path) &&
           set("NVRTL_VERIFIER_RESULT", "%s", result) &&
           (!options->output || set_path("NVRTL_VERIFIER_OUTPUT", options->output)) &&
           set_suppressions(options->suppressions) &&
           (!run->drop_in_path || put_first("LD_LIBRARY_PATH", run->drop_in_path)) && preload_calls(run->verifier_path);
}

/* -- the run -- */

static int fail(const char *what, int number)
{
    fprintf(stderr, "nvrtl check: cannot %s: %s\n", what, strerror(number));
    return NV_EXIT_FAILED;
}

static void become_program(const struct nv_in_process *options, const char *result)
{
    if (!set_variables(options, result))
        _exit(fail("prepare the program", errno));
    execvp(options->run->program[0], options->run->program);
    int number = errno;
    fprintf(stderr, "nvrtl check: cannot run %s: %s\n", options->run->program[0], strerror(number));
    _exit(number == ENOENT || number == ENOTDIR ? 127 : 126);
}

/* A terminal's signals are the program's: it ends, and then so do we. */
static int run_program(const struct nv_in_process *options, const char *result, int *status)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    pid_t program = fork();
    if (program == 0) {
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
        become_program(options, result);
    }
    int error = program < 0 ? errno : 0;
    while (!error && waitpid(program, status, 0) < 0)
        error = errno == EINTR ? 0 : errno;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    return error;
}

/* What the reports of all processes come to; '\0': there is none. */
static char worst_of(int result)
{
    static const char worse[] = {NV_ALONE_CLEAN, NV_ALONE_ERRORS, NV_ALONE_FAILED, '\0'};
    const char *worst = NULL;
    char letter;
    while (read(result, &letter, 1) == 1) {
        const char *at = strchr(worse, letter);
        worst = at && (!worst || at > worst) ? at : worst;
    }
    return worst ? *worst : '\0';
}

static int conclude(const struct nv_in_process *options, int status, char worst)
{
    int own = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (worst == NV_ALONE_ERRORS)
        return options->findings_status;
    if (worst == NV_ALONE_FAILED)
        return NV_EXIT_FAILED;
    if (worst == NV_ALONE_CLEAN || own == 126 || own == 127)
        return own;
    fputs(WIFSIGNALED(status)
              ? "nvrtl check: the program was ended by a signal, which is a power failure: nothing was judged\n"
              : "nvrtl check: nothing could be verified: no token was taken, and no pool of libpmem's mapped, by a "
                "program "
                "that uses libnvrtl or libpmem as a shared library\n",
          stderr);
    return WIFSIGNALED(status) ? own : NV_EXIT_FAILED;
}

int nv_in_process(const struct nv_in_process *options)
{
    char path[] = "/tmp/nvrtl-result-XXXXXX";
    int result = mkostemp(path, O_CLOEXEC), status = 0;
    if (result < 0)
        return fail("make a file in /tmp", errno);
    int error = run_program(options, path, &status);
    int ended = error ? fail("run the program", error) : conclude(options, status, worst_of(result));
    unlink(path);
    close(result);
    return ended;
}
