/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL of the program, or of nvrtl, at random points of random operations. What was acknowledged must be in the
 * files, what was only written must not be; of the operation in progress any part may be. Nothing else may be left.
 *
 * power-failure NVRTL WORKLOAD [--seed=N] [--runs=N] [--operations=N] [--verbose]
 */
#include "tests/verified/compare.h"
#include "tests/verified/generate.h"
#include "tests/verified/options.h"
#include "tests/verified/session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum moment { BEFORE_THE_PROGRAM, BETWEEN_OPERATIONS, IN_AN_OPERATION, MOMENTS };

static struct model before, after;

/* A random instant: nothing waits for it, and nothing depends on how long it is. */
static void spin(struct generator *generator, unsigned most)
{
    uint64_t turns = generate_number(generator, UINT64_C(1) << generate_number(generator, most));

    for (volatile uint64_t i = 0; i < turns; i++)
        continue;
}

static void run_operations(const struct options *options, struct session *session, struct generator *generator)
{
    uint64_t count = generate_number(generator, options->operations);

    for (uint64_t i = 0; i < count; i++) {
        struct operation operation;
        int64_t result;

        generate_operation(generator, &before, &operation);
        if (options->verbose)
            session_show(&operation);
        session_send(session, &operation);
        if (!session_hear(session, &result) || result) {
            session_show(&operation);
            session_fail("the operation failed: %lx", (long)result);
        }
        model_apply(&before, &operation);
    }
}

/* The operation that the power failure meets. */
static void begin_operation(const struct options *options, const struct session *session, struct generator *generator)
{
    struct operation operation;

    generate_operation(generator, &before, &operation);
    if (options->verbose)
        session_show(&operation);
    model_apply(&after, &operation);
    session_send(session, &operation);
    spin(generator, 20);
}

/* Who is killed, where the run has come to `moment`. */
static pid_t choose_victim(struct generator *generator, const struct session *session, enum moment moment)
{
    /* what the caches of the memory domain hold is saved by nvrtl, which must live to do it */
    bool program = before.domain == NvrtlDomainMemory || generate_number(generator, 2);

    return moment != BEFORE_THE_PROGRAM && program ? session->workload : session->nvrtl;
}

static void lose_power(struct session *session, pid_t victim)
{
    bool program = victim == session->workload;
    int status;

    if (kill(victim, SIGKILL))
        session_fail("there is nothing to kill");
    status = session_end(session);
    if (program && (!WIFEXITED(status) || WEXITSTATUS(status) != 128 + SIGKILL))
        session_fail("the program was killed, and nvrtl ended with %x", status);
    if (!program && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL))
        session_fail("nvrtl was killed, and ended with %x", status);
    if (program) {
        model_persist_caches(&before);
        model_persist_caches(&after);
    }
}

static void choose_run(struct session_options *how, struct generator *generator)
{
    how->domain = (NVRTL_DOMAIN)(NvrtlDomainPageCache + (int)generate_number(generator, 3));
    how->posix = generate_number(generator, 2);
    how->scratch = !generate_number(generator, 4);
}

static void run(const struct options *options, struct session_options *how, uint64_t seed)
{
    static const char *const moments[MOMENTS] = {"before the program", "between operations", "in an operation"};
    struct generator generator = {seed, true, false};
    struct session session;
    enum moment moment;

    choose_run(how, &generator);
    how->dirty = seed % 2 ? "hint" : "compare";
    moment = generate_number(&generator, 8) ? (enum moment)(1 + generate_number(&generator, 2)) : BEFORE_THE_PROGRAM;
    session_describe("--seed=%lu --runs=1: %s, %s, %s, %s", seed, NvrtlDomainName(how->domain),
                     how->posix ? "posix" : "journaled", how->dirty, moments[moment]);
    model_init(&before, how->posix, how->domain);
    model_add_file(&before, "f0", seed, 8192);
    model_add_file(&before, "f1", seed + 1, MODEL_FILE_BYTES);
    session_guard(60);
    session_make(&session);
    session_write_files(&session, &before);
    session_start(&session, how);
    if (moment == BEFORE_THE_PROGRAM)
        spin(&generator, 26);
    else if (!session_hello(&session))
        session_fail("the workload did not start");
    else
        run_operations(options, &session, &generator);
    after = before;
    if (moment == IN_AN_OPERATION)
        begin_operation(options, &session, &generator);
    lose_power(&session, choose_victim(&generator, &session, moment));
    if (moment == IN_AN_OPERATION)
        compare_between(&before, &after, session.files);
    else
        compare_durable(&before, session.files);
    session_remove(&session);
}

int main(int argc, char **argv)
{
    struct options options = {.runs = 100, .operations = 40};
    struct session_options how = {0};

    options_parse(&options, argc, argv);
    how.nvrtl = options.nvrtl;
    how.workload = options.workload;
    for (unsigned i = 0; i < options.runs; i++)
        run(&options, &how, options.seed + i);
    printf("%u power failures\n", options.runs);
    return 0;
}
