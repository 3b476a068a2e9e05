/* SPDX-License-Identifier: MIT */
/*
 * Random operations under nvrtl check, in several threads, to a normal end. After any of them the files must be exactly
 * the model's durable image; at the end the report must name exactly what differs, and the files must hold everything.
 *
 * random-operations NVRTL WORKLOAD [--seed=N] [--runs=N] [--operations=N] [--every=N] [--verbose]
 */
#include "tests/verified/compare.h"
#include "tests/verified/follow.h"
#include "tests/verified/generate.h"
#include "tests/verified/options.h"
#include "tests/verified/report.h"

#include <stdio.h>

static struct model model;

static void one_operation(struct session *session, struct generator *generator, bool verbose)
{
    struct operation operation;

    generate_operation(generator, &model, &operation);
    if (verbose)
        session_show(&operation);
    follow_operation(session, &model, &operation);
}

static void run(const struct options *options, struct session_options *how, uint64_t seed)
{
    struct generator generator = {seed, true, false}, looks = {~seed, false, false};
    struct session session;

    how->domain = (NVRTL_DOMAIN)(NvrtlDomainPageCache + (int)generate_number(&generator, 3));
    how->posix = generate_number(&generator, 2);
    how->scratch = !generate_number(&generator, 4);
    /* it loses track of a file with a second name, as a move between folders is for a while in the posix model */
    how->overlay = generator.no_links = !how->posix && !how->scratch && !generate_number(&generator, 3);
    how->dirty = seed % 2 ? "hint" : "compare";
    session_describe("--seed=%lu --runs=1: %s, %s, %s", seed, NvrtlDomainName(how->domain),
                     how->posix ? "posix" : "journaled", how->dirty);
    model_init(&model, how->posix, how->domain);
    model_add_file(&model, "f0", seed, 8192);
    model_add_file(&model, "f1", seed + 1, MODEL_FILE_BYTES);
    session_guard(60);
    session_make(&session);
    session_write_files(&session, &model);
    session_start(&session, how);
    if (!session_hello(&session))
        session_fail("the workload did not start");
    for (unsigned i = 0; i < options->operations; i++) {
        one_operation(&session, &generator, options->verbose);
        if (!generate_number(&looks, options->every))
            compare_durable(&model, session.files);
    }
    follow_end(&session, &model);
    report_check(session.report);
    session_remove(&session);
}

int main(int argc, char **argv)
{
    struct options options = {.runs = 20, .operations = 150, .every = 3};
    struct session_options how = {0};

    options_parse(&options, argc, argv);
    how.nvrtl = options.nvrtl;
    how.workload = options.workload;
    for (unsigned i = 0; i < options.runs; i++)
        run(&options, &how, options.seed + i);
    printf("%u runs of %u operations\n", options.runs, options.operations);
    return 0;
}
