/* SPDX-License-Identifier: MIT */
/* nvrtl check: reads the options, has the program run verified, and writes what was found. main.c calls it. */
#include "cli/command.h"
#include "cli/in_process.h"
#include "cli/verified.h"
#include "supervise/explain.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

struct check {
    struct nv_verified verified;
    bool explain; /* by a second run */
    bool in_process;
    bool trap_flushes;
};

/* -- options -- */

enum {
    OPTION_VIEW = NV_OPTION_OWN,
    OPTION_DIRTY,
    OPTION_PERFORMANCE,
    OPTION_FAIL_SYNC,
    OPTION_EXPLAIN,
    OPTION_IN_PROCESS,
    OPTION_TRAP_FLUSHES
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What is verified", 1},
    {"dir", NV_OPTION_DIR, "DIR", 0, "Watch the files in DIR (repeatable; default: the current folder)", 1},
    {"files", NV_OPTION_FILES, "GLOB", 0, "Judge only files whose path in DIR, or name, matches GLOB (repeatable)", 1},
    {"trap-flushes", OPTION_TRAP_FLUSHES, NULL, 0,
     "See the flush instructions in the code of PROGRAM and its libraries, too (clwb, clflush, clflushopt, sfence, "
     "mfence, and stores past the cache), where it was not compiled to show them",
     1},
    {NULL, 0, NULL, 0, "What is simulated", 2},
    NV_OPTIONS_SIMULATED(2),
    {"view", OPTION_VIEW, "KIND", 0,
     "What the program sees in DIR: copy, overlay (see docs) or auto (default: a copy if it fits)", 2},
    {"scratch", NV_OPTION_SCRATCH, "DIR", 0, "Keep that view in DIR instead of memory", 2},
    {"dirty", OPTION_DIRTY, "WAY", 0,
     "How a sync finds what changed: compare (the whole file), hint (what the program's calls told of) or auto "
     "(default: hints for large files)",
     2},
    {"fail-sync", OPTION_FAIL_SYNC, "N", 0,
     "Let the Nth sync of a file (or drain, with --domain=page-cache) fail with EIO: what it should have written is "
     "lost, as on Linux, and the program has to cope (with --in-process: the Nth drain)",
     2},
    {"in-process", OPTION_IN_PROCESS, NULL, 0,
     "Without a view of files, where no namespaces are allowed: the program verifies what lies under its tokens, and "
     "in "
     "its pools of libpmem, by itself",
     2},
    {NULL, 0, NULL, 0, "What is reported", 3},
    NV_OPTIONS_REPORT(3),
    {"performance", OPTION_PERFORMANCE, NULL, 0, "Tell of flushes and drains that had nothing to do, too", 3},
    {"explain", OPTION_EXPLAIN, NULL, 0,
     "Run PROGRAM a second time when there are findings, on a copy of its files as they were, to tell the place in the "
     "code of each store they name",
     3},
    NV_OPTION_STATUS(3),
    {0},
};

static const char documentation[] =
    "Run PROGRAM on a view of its files, and find what it wrote and never made durable.\v"
    "The program may be any binary. Exit status: 99 if there are errors among the findings, else the program's own "
    "(128+N "
    "if it died of signal N); 125 if nvrtl failed or nothing could be verified, 126 or 127 if the program could not be "
    "run, 2 for an option that is not known.";

static const struct nv_choice views[] = {
    {"auto", NV_VIEW_AUTO}, {"copy", NV_VIEW_COPY}, {"overlay", NV_VIEW_OVERLAY}, {0}};
static const struct nv_choice dirty_ways[] = {
    {"auto", NV_DIRTY_AUTO}, {"compare", NV_DIRTY_COMPARE}, {"hint", NV_DIRTY_HINT}, {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check *check = state->input;
    struct nv_run_options *run = &check->verified.run;
    switch (key) {
    case OPTION_VIEW:
        run->view = (enum nv_view_kind)nv_choose(state, "view", views, argument);
        return 0;
    case OPTION_DIRTY:
        run->dirty = (enum nv_dirty_way)nv_choose(state, "dirty", dirty_ways, argument);
        return 0;
    case OPTION_FAIL_SYNC:
        run->fail_sync = nv_whole_number(state, "fail-sync", argument, 1, UINT64_MAX);
        return 0;
    case OPTION_PERFORMANCE:
        run->performance = true;
        return 0;
    case OPTION_IN_PROCESS:
        check->in_process = true;
        return 0;
    case OPTION_TRAP_FLUSHES:
        check->trap_flushes = true;
        return 0;
    case OPTION_EXPLAIN:
        check->explain = true;
        return 0;
    case ARGP_KEY_ARGS: /* what is left is the program's; none of it is an option of ours */
        run->program = state->argv + state->next;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no program to run");
        return 0;
    default:
        return nv_verified_parse(&check->verified, key, argument, state);
    }
}

/* -- the run -- */

static int conclude(struct nv_verified *verified, const struct nv_suppressions *list, struct nv_report *report)
{
    int failed = nv_verified_report(verified, list, report);
    if (failed)
        return failed;
    if (nv_report_errors(report))
        return verified->findings_status;
    if (!nv_report_watched_nothing(report))
        return report->exit_status;
    nv_verified_say_verdict(verified, report);
    return NV_EXIT_FAILED;
}

/* As nv_run, and where it is wanted a second run after it. */
static int run_and_explain(const struct check *check, struct nv_report **report, char *error, size_t error_bytes)
{
    struct nv_explain *explain = check->explain ? nv_explain_begin(&check->verified.run, error, error_bytes) : NULL;
    if (check->explain && !explain)
        return NV_EXIT_FAILED;
    int failed = nv_run(&check->verified.run, report, error, error_bytes);
    if (explain && nv_explain_end(explain, failed ? NULL : *report) && !failed) {
        snprintf(error, error_bytes, "cannot explain: %s", strerror(ENOMEM));
        return NV_EXIT_FAILED;
    }
    return failed;
}

static int run(struct check *check, const struct nv_suppressions *list)
{
    char verifier[PATH_MAX], drop_in[PATH_MAX], traps[PATH_MAX], error[512] = "";
    struct nv_verified *verified = &check->verified;
    struct nv_report *report = NULL;
    verified->run.verifier_path = nv_verifier_path(verifier, sizeof verifier);
    verified->run.record = check->explain || verified->format == NV_FORMAT_JSON || verified->format == NV_FORMAT_HTML;
    verified->run.suppressions = list;
    if (check->trap_flushes &&
        !(verified->run.traps_path = nv_traps_path(verified->run.verifier_path, traps, sizeof traps)))
        return nv_verified_fail(verified, "cannot trap flush instructions",
                                "there is no libnvrtl-traps.so beside the verifier");
    verified->run.drop_in_path = nv_drop_in_path(verified->run.verifier_path, drop_in, sizeof drop_in);
    int failed = run_and_explain(check, &report, error, sizeof error);
    if (failed) {
        fprintf(stderr, "nvrtl check: %s\n", error);
        nv_report_free(report);
        return failed;
    }
    int status = conclude(verified, list, report);
    nv_report_free(report);
    return status;
}

/* The report is written by the program. */
static int run_in_process(struct check *check)
{
    struct nv_verified *verified = &check->verified;
    static const char *const names[] = {
        [NV_FORMAT_TEXT] = "text", [NV_FORMAT_JSON] = "json", [NV_FORMAT_SARIF] = "sarif", [NV_FORMAT_HTML] = "html"};
    char verifier[PATH_MAX], drop_in[PATH_MAX];
    if (check->explain || check->trap_flushes) {
        nv_verified_fail(verified, "--in-process", "not with --explain or --trap-flushes, which need a supervisor");
        return NV_EXIT_USAGE;
    }
    verified->run.verifier_path = nv_verifier_path(verifier, sizeof verifier);
    verified->run.drop_in_path = nv_drop_in_path(verified->run.verifier_path, drop_in, sizeof drop_in);
    if (verified->output && ftruncate(verified->descriptor, 0) != 0 && errno != EINVAL)
        return nv_verified_fail(verified, verified->output, strerror(errno));
    return nv_in_process(&(struct nv_in_process){.run = &verified->run,
                                                 .format = names[verified->format],
                                                 .output = verified->output,
                                                 .suppressions = verified->suppressions.texts,
                                                 .generate = verified->generate,
                                                 .findings_status = verified->findings_status});
}

static int prepare_and_run(struct check *check)
{
    struct nv_suppressions *list = nv_suppressions_new();
    if (!list)
        return nv_verified_no_memory(&check->verified);
    int status = nv_verified_read_suppressions(&check->verified, list);
    status = status ? status : nv_verified_open_output(&check->verified);
    if (!status)
        status = check->in_process ? run_in_process(check) : run(check, list);
    nv_suppressions_free(list);
    return status;
}

int nv_command_check(int argc, char **argv)
{
    static const struct argp argp = {options, parse, "-- PROGRAM [ARG...]", documentation, NULL, NULL, NULL};
    struct check check = {.explain = false};
    nv_verified_init(&check.verified, "nvrtl check");
    error_t error = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &check);
    error = error ? error : nv_verified_complete(&check.verified);
    int status = error ? nv_verified_fail(&check.verified, "cannot go on", strerror(error)) : prepare_and_run(&check);
    nv_verified_free(&check.verified);
    return status;
}
