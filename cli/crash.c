/* SPDX-License-Identifier: MIT */
/*
 * nvrtl crash: reads the options, has the program recorded or takes a trace, has its crash states judged, and writes
 * what was found. main.c calls it.
 */
#include "cli/command.h"
#include "cli/verified.h"
#include "explore/jobs.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_SECONDS 10
#define FAILURES_MAX 32 /* of a job: so many causes are enough to begin with */

struct crash {
    struct nv_verified verified;
    struct nv_jobs_options jobs;
    const char *record; /* file; NULL: the trace goes */
    const char *from;   /* file; NULL: the program is run */
    const char *replay; /* a state; NULL: explore */
    bool merge;
    struct nv_words arguments; /* the program, or reports */
};

/* -- options -- */

enum {
    OPTION_RECOVER = NV_OPTION_OWN,
    OPTION_RECOVER_FN,
    OPTION_TIMEOUT,
    OPTION_ACK_FD,
    OPTION_RECORD,
    OPTION_FROM,
    OPTION_MAX_STATES,
    OPTION_MAX_TIME,
    OPTION_SEED,
    OPTION_JOBS,
    OPTION_SHARD,
    OPTION_MERGE,
    OPTION_KEEP,
    OPTION_REPLAY,
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What is at stake", 1},
    {"dir", NV_OPTION_DIR, "DIR", 0, "Record the files in DIR (repeatable; default: the current folder)", 1},
    {"files", NV_OPTION_FILES, "GLOB", 0,
     "When one file's path in DIR, or name, matches GLOB, {} is that file instead of the folder (repeatable)", 1},
    {"ack-fd", OPTION_ACK_FD, "N", 0, "Take each line that the program writes to descriptor N as a promise", 1},
    {"record", OPTION_RECORD, "FILE", 0, "Write the trace of the run to FILE; without a recovery, do nothing else", 1},
    {"from", OPTION_FROM, "FILE", 0, "Take the trace in FILE instead of running a program", 1},
    {NULL, 0, NULL, 0, "How a state is judged", 2},
    {"recover", OPTION_RECOVER, "COMMAND", 0,
     "Run COMMAND on each state; {} in it is the state's folder, or its file when one file is at stake. The promises "
     "made before are in the file that NVRTL_PROMISES names. Any status but 0 is a failure",
     2},
    {"recover-fn", OPTION_RECOVER_FN, "LIBRARY:FUNCTION", 0,
     "Call a function of a shared library on each state, in memory: see nvrtl/recover.h", 2},
    {"timeout", OPTION_TIMEOUT, "SECONDS", 0, "It fails when it has not ended by then (default: 10)", 2},
    {NULL, 0, NULL, 0, "What is simulated", 3},
    NV_OPTIONS_SIMULATED(3),
    {NULL, 0, NULL, 0, "How much is explored", 4},
    {"max-states", OPTION_MAX_STATES, "N", 0, "Stop when so many distinct states have been met", 4},
    {"max-time", OPTION_MAX_TIME, "SECONDS", 0, "Stop after that time", 4},
    {"seed", OPTION_SEED, "N", 0, "Of the order in which states are tried, where not all are (default: 1)", 4},
    {"jobs", OPTION_JOBS, "N", 0, "Judge in N processes at once (default: one for each CPU)", 4},
    {"shard", OPTION_SHARD, "K/N", 0, "Judge the Kth of N shares of the states, of the same trace", 4},
    {"merge", OPTION_MERGE, NULL, 0, "Join the JSON reports of shards, which are the arguments", 4},
    {"scratch", NV_OPTION_SCRATCH, "DIR", 0, "Keep the view, and states, in DIR instead of memory", 4},
    {NULL, 0, NULL, 0, "What is reported", 5},
    NV_OPTIONS_REPORT(5),
    {"keep", OPTION_KEEP, "DIR", 0, "Keep failing states, each in DIR/ID: files, promises and output", 5},
    {"replay", OPTION_REPLAY, "ID", 0,
     "Build that state of the trace (--from) in DIR/ID (--keep), and judge it if there is a recovery", 5},
    NV_OPTION_STATUS(5),
    {0},
};

static const char usage[] = "-- PROGRAM [ARG...]\n--from=FILE\n--merge REPORT...";
static const char documentation[] =
    "Record what PROGRAM does to its files and mapped memory, build the states in which a power failure could have "
    "left them, and run the program's own recovery or check on each.\v"
    "Exit status: 99 if a state fails, 0 if none does; 125 if nvrtl failed or no state was judged, 126 or 127 if the "
    "program could not be run, 130 if it was interrupted before a state had failed, 2 for a usage that is not known.";

static double seconds(const struct argp_state *state, const char *option, const char *text)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (errno || end == text || *end || !isfinite(number) || number <= 0)
        argp_error(state, "--%s=%s: must be a number of seconds", option, text);
    return number;
}

/* K/N, K from 1. */
static void parse_shard(struct nv_explore_options *explore, const struct argp_state *state, const char *text)
{
    unsigned shard = 0, shards = 0;
    int length = 0;
    if (sscanf(text, "%9u/%9u%n", &shard, &shards, &length) != 2 || text[length] || !shard || shard > shards)
        argp_error(state, "--shard=%s: must be K/N, with K from 1 to N", text);
    explore->shard = shard - 1;
    explore->shards = shards;
}

static void parse_function(struct nv_recover_options *recover, const struct argp_state *state, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        argp_error(state, "--recover-fn=%s: must be LIBRARY:FUNCTION", text);
    recover->function = text;
}

/* What cannot be meant together. */
static void check_usage(const struct crash *crash, const struct argp_state *state)
{
    const struct nv_recover_options *recover = &crash->jobs.recover;
    bool recovers = recover->command || recover->function, arguments = crash->arguments.count != 0;
    if (crash->merge && (recovers || crash->from || crash->record || crash->replay))
        argp_error(state, "--merge only joins reports");
    else if (crash->merge && !arguments)
        argp_error(state, "no reports to join");
    else if (crash->merge)
        return;
    if (recover->command && recover->function)
        argp_error(state, "--recover and --recover-fn exclude one another");
    else if (crash->from && (arguments || crash->record))
        argp_error(state, "--from takes a trace instead of a program");
    else if (!crash->from && !arguments)
        argp_error(state, "no program to run");
    else if (crash->replay && !crash->from)
        argp_error(state, "--replay needs the trace: --from=FILE");
    else if (crash->replay && !crash->jobs.keep && !recovers)
        argp_error(state, "--replay needs a place for the state, or a recovery: --keep=DIR, --recover");
    else if (!recovers && !crash->record && !crash->replay)
        argp_error(state, "no recovery to judge by: --recover or --recover-fn");
}

static error_t take_arguments(struct crash *crash, struct argp_state *state)
{
    error_t error = 0;
    for (; !error && state->next < state->argc; state->next++)
        error = nv_add_word(&crash->arguments, state->argv[state->next]);
    return error;
}

static error_t parse_explored(struct crash *crash, int key, char *argument, struct argp_state *state)
{
    struct nv_explore_options *explore = &crash->jobs.explore;
    switch (key) {
    case OPTION_MAX_STATES:
        explore->max_states = nv_whole_number(state, "max-states", argument, 1, UINT64_MAX);
        return 0;
    case OPTION_MAX_TIME:
        explore->max_seconds = seconds(state, "max-time", argument);
        return 0;
    case OPTION_SEED:
        explore->seed = nv_whole_number(state, "seed", argument, 0, UINT64_MAX);
        return 0;
    case OPTION_JOBS:
        crash->jobs.jobs = (uint32_t)nv_whole_number(state, "jobs", argument, 1, 4096);
        return 0;
    case OPTION_SHARD:
        parse_shard(explore, state, argument);
        return 0;
    case ARGP_KEY_ARGS:
        return take_arguments(crash, state);
    case ARGP_KEY_SUCCESS:
        check_usage(crash, state);
        return 0;
    default:
        return nv_verified_parse(&crash->verified, key, argument, state);
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct crash *crash = state->input;
    switch (key) {
    case OPTION_RECOVER:
        crash->jobs.recover.command = argument;
        return 0;
    case OPTION_RECOVER_FN:
        parse_function(&crash->jobs.recover, state, argument);
        return 0;
    case OPTION_TIMEOUT:
        crash->jobs.recover.timeout_seconds = seconds(state, "timeout", argument);
        return 0;
    case OPTION_ACK_FD:
        crash->verified.run.ack_descriptor = (int)nv_whole_number(state, "ack-fd", argument, 0, INT_MAX);
        return 0;
    case OPTION_RECORD:
        crash->record = argument;
        return 0;
    case OPTION_FROM:
        crash->from = argument;
        return 0;
    case OPTION_MERGE:
        crash->merge = true;
        return 0;
    case OPTION_KEEP:
        crash->jobs.keep = argument;
        return 0;
    case OPTION_REPLAY:
        crash->replay = argument;
        return 0;
    default:
        return parse_explored(crash, key, argument, state);
    }
}

static int fail(const char *why)
{
    fprintf(stderr, "nvrtl crash: %s\n", why);
    return NV_EXIT_FAILED;
}

/* -- recording -- */

/* A file for a trace that goes when it was read. False: there can be none. */
static bool name_trace(char *path, size_t path_bytes)
{
    const char *above = getenv("TMPDIR");
    int length = snprintf(path, path_bytes, "%s/nvrtl-trace-XXXXXX", above && *above ? above : "/tmp");
    int file = length > 0 && (size_t)length < path_bytes ? mkstemp(path) : -1;
    if (file >= 0)
        close(file);
    return file >= 0;
}

/* 0, or the exit status. */
static int record(struct crash *crash, const char *trace, struct nv_report **report)
{
    char verifier[PATH_MAX], drop_in[PATH_MAX], error[512] = "";
    struct nv_run_options *run = &crash->verified.run;
    run->program = crash->arguments.texts;
    run->trace = trace;
    run->verifier_path = nv_verifier_path(verifier, sizeof verifier);
    run->drop_in_path = nv_drop_in_path(run->verifier_path, drop_in, sizeof drop_in);
    int failed = nv_run(run, report, error, sizeof error);
    if (failed)
        fail(error);
    return failed;
}

/* -- the report -- */

static char **copy_words(char *const *words)
{
    size_t count = 0;
    while (words && words[count])
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = strdup(words[i]);
    return copy;
}

/* A job's report has none, in a list. */
static void free_words(char **words)
{
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

/* Of the trace's events and what decides which states there are: shards of the same exploration agree on it. */
static char *identity_of(const struct crash *crash, const struct nv_trace *trace)
{
    const struct nv_explore_options *explore = &crash->jobs.explore;
    const struct nv_recover_options *recover = &crash->jobs.recover;
    uint64_t numbers[] = {explore->model, explore->seed, explore->max_states}, hash = 1;
    char *text;
    for (size_t i = 0; i < trace->event_count; i++)
        hash = nv_hash_bytes(hash, trace->events[i], trace->events[i]->bytes);
    hash = nv_hash_bytes(hash, numbers, sizeof numbers);
    hash = nv_hash_text(nv_hash_text(hash, recover->command), recover->function);
    return asprintf(&text, "%016llx", (unsigned long long)hash) < 0 ? NULL : text;
}

/* What the jobs do not know. */
static bool complete(struct crash *crash, const struct nv_trace *trace, const struct nv_stake *stake,
                     struct nv_report *report)
{
    struct nv_crash_coverage *coverage = report->crash;
    const struct nv_explore_options *explore = &crash->jobs.explore;
    const struct nv_recover_options *recover = &crash->jobs.recover;
    const char *recovery = recover->command ? recover->command : recover->function;
    free_words(report->program);
    free_words(report->folders);
    report->program = copy_words(stake->program);
    report->folders = copy_words(stake->folders);
    report->exit_status = stake->exit_status;
    report->level = stake->stores ? "stores" : "pages";
    report->file_system_model = explore->model == NV_EXPLORE_POSIX ? "posix" : "journaled";
    coverage->recovery = strdup(recovery);
    coverage->trace = crash->jobs.trace ? strdup(crash->jobs.trace) : NULL;
    coverage->identity = identity_of(crash, trace);
    coverage->seed = explore->seed;
    coverage->shards = explore->shards;
    return report->program && report->folders && coverage->recovery && coverage->identity &&
           (!explore->shards || nv_crash_add_shard(coverage, explore->shard));
}

/* What the recording could not see, this report cannot know either. */
static bool take_not_seen(struct nv_report *into, const struct nv_report *from)
{
    for (size_t i = 0; from && i < from->not_seen_count; i++)
        if (!nv_report_not_seen(into, from->not_seen[i]))
            return false;
    return true;
}

static int conclude(struct crash *crash, const struct nv_suppressions *list, struct nv_report *report)
{
    char missing[256];
    nv_report_sort(report);
    int failed = nv_verified_report(&crash->verified, list, report);
    if (failed)
        return failed;
    if (nv_report_errors(report))
        return crash->verified.findings_status;
    if (!nv_report_watched_nothing(report) && !nv_crash_missing_shards(report->crash, missing, sizeof missing))
        return 0;
    if (nv_report_watched_nothing(report) || crash->merge)
        nv_verified_say_verdict(&crash->verified, report);
    return nv_report_watched_nothing(report) || crash->merge ? NV_EXIT_FAILED : 0;
}

/* -- exploring -- */

static int replay(struct crash *crash, const struct nv_trace *trace, const struct nv_stake *stake)
{
    char error[512] = "", *told;
    bool failed;
    if (nv_jobs_replay(trace, stake, &crash->jobs, crash->replay, &told, &failed, error, sizeof error))
        return fail(error);
    fputs(told, stdout);
    free(told);
    return failed ? crash->verified.findings_status : 0;
}

static int explore(struct crash *crash, const struct nv_suppressions *list, const struct nv_trace *trace,
                   const struct nv_stake *stake, const struct nv_report *recorded)
{
    char error[512] = "";
    bool interrupted;
    struct nv_report *report;
    crash->jobs.progress = isatty(STDERR_FILENO);
    if (nv_jobs_run(trace, stake, &crash->jobs, &report, &interrupted, error, sizeof error))
        return fail(error);
    int status = complete(crash, trace, stake, report) && take_not_seen(report, recorded)
                     ? conclude(crash, list, report)
                     : nv_verified_no_memory(&crash->verified);
    nv_report_free(report);
    return interrupted && !status ? NV_EXIT_SIGNAL : status;
}

/* The trace is in a file now. */
static int explore_file(struct crash *crash, const struct nv_suppressions *list, const char *path,
                        const struct nv_report *recorded)
{
    struct nv_trace *trace;
    struct nv_stake stake;
    char error[512] = "", host[PATH_MAX];
    if (nv_trace_load(path, &trace, error, sizeof error))
        return fail(error);
    int status = nv_stake_find(&stake, trace, crash->verified.run.file_globs);
    if (status) {
        status = nv_verified_fail(&crash->verified, path, strerror(-status));
    } else {
        crash->jobs.recover.host = nv_recovery_host_path(host, sizeof host);
        crash->jobs.explore.model = crash->verified.run.model == NV_FS_POSIX ? NV_EXPLORE_POSIX : NV_EXPLORE_JOURNALED;
        crash->jobs.scratch = crash->verified.run.scratch;
        status = crash->replay ? replay(crash, trace, &stake) : explore(crash, list, trace, &stake, recorded);
        nv_stake_free(&stake);
    }
    nv_trace_free(trace);
    return status;
}

static int record_and_explore(struct crash *crash, const struct nv_suppressions *list)
{
    char path[PATH_MAX];
    const char *trace = crash->record ? crash->record : path;
    struct nv_report *recorded = NULL;
    if (!crash->record && !name_trace(path, sizeof path))
        return fail("cannot make a file for the trace");
    bool recovers = crash->jobs.recover.command || crash->jobs.recover.function;
    int status = record(crash, trace, &recorded);
    if (!status && recovers)
        status = explore_file(crash, list, trace, recorded);
    nv_report_free(recorded);
    if (!crash->record)
        unlink(path);
    return status;
}

/* -- joining reports -- */

static struct nv_report *read_report(const char *path)
{
    char error[256] = "";
    FILE *in = fopen(path, "re");
    struct nv_report *report = in ? nv_report_read(in, error, sizeof error) : NULL;
    if (!report)
        fprintf(stderr, "nvrtl crash: %s: %s\n", path, in ? error : strerror(errno));
    if (in)
        fclose(in);
    return report;
}

static bool same_exploration(const struct nv_crash_coverage *a, const struct nv_crash_coverage *b)
{
    return a->identity && b->identity && strcmp(a->identity, b->identity) == 0 && a->shards == b->shards;
}

static bool has_shard(const struct nv_crash_coverage *coverage, const struct nv_crash_coverage *other)
{
    for (size_t i = 0; i < coverage->shard_count; i++)
        for (size_t k = 0; k < other->shard_count; k++)
            if (coverage->shard[i] == other->shard[k])
                return true;
    return !other->shards;
}

static bool move_findings(struct nv_report *into, struct nv_report *from)
{
    bool ok = take_not_seen(into, from);
    for (size_t i = 0; i < from->finding_count; i++) {
        ok = ok && nv_report_add(into, from->findings[i]);
        from->findings[i] = NULL;
    }
    from->finding_count = 0;
    return ok;
}

/* 0, or the exit status. */
static int join(const struct crash *crash, struct nv_report **report, const char *path)
{
    struct nv_report *read = read_report(path);
    int status = read ? 0 : NV_EXIT_FAILED;
    if (!read || !*report) {
        *report = read;
        return status;
    }
    if (!same_exploration((*report)->crash, read->crash))
        status = nv_verified_fail(&crash->verified, path, "it is of another trace, or of other options");
    else if (has_shard((*report)->crash, read->crash))
        status = nv_verified_fail(&crash->verified, path, "its shard is in another report, too");
    else if (!nv_crash_join((*report)->crash, read->crash) || !move_findings(*report, read))
        status = nv_verified_no_memory(&crash->verified);
    nv_report_free(read);
    return status;
}

static int merge(struct crash *crash, const struct nv_suppressions *list)
{
    struct nv_report *report = NULL;
    int status = 0;
    for (size_t i = 0; !status && i < crash->arguments.count; i++) {
        struct nv_report *before = report;
        status = join(crash, &report, crash->arguments.texts[i]);
        if (status && !report)
            report = before;
    }
    status = status ? status : conclude(crash, list, report);
    nv_report_free(report);
    return status;
}

/* -- the command -- */

static int prepare_and_run(struct crash *crash)
{
    struct nv_suppressions *list = nv_suppressions_new();
    if (!list)
        return nv_verified_no_memory(&crash->verified);
    int status = nv_verified_read_suppressions(&crash->verified, list);
    status = status ? status : nv_verified_open_output(&crash->verified);
    crash->jobs.trace = crash->from ? crash->from : crash->record;
    crash->verified.run.suppressions = list;
    if (!status)
        status = crash->merge  ? merge(crash, list)
                 : crash->from ? explore_file(crash, list, crash->from, NULL)
                               : record_and_explore(crash, list);
    nv_suppressions_free(list);
    return status;
}

int nv_command_crash(int argc, char **argv)
{
    static const struct argp argp = {options, parse, usage, documentation, NULL, NULL, NULL};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct crash crash = {.jobs = {.jobs = cpus > 0 ? (uint32_t)cpus : 1,
                                   .explore = {.seed = 1, .max_failures = FAILURES_MAX},
                                   .recover = {.timeout_seconds = TIMEOUT_SECONDS}}};
    nv_verified_init(&crash.verified, "nvrtl crash");
    error_t error = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &crash);
    error = error ? error : nv_verified_complete(&crash.verified);
    int status = error ? nv_verified_fail(&crash.verified, "cannot go on", strerror(error)) : prepare_and_run(&crash);
    free(crash.arguments.texts);
    nv_verified_free(&crash.verified);
    return status;
}
