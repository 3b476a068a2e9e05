/* SPDX-License-Identifier: MIT */
/* nvrtl check: reads the options, has the program run verified, and writes what was found. main.c calls it. */
#include "cli/command.h"
#include "cli/config.h"
#include "cli/in_process.h"
#include "report/report.h"
#include "supervise/explain.h"
#include "supervise/run.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A growing, NULL-terminated list of the user's words. */
struct words {
    char **texts;
    size_t count;
};

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF, FORMAT_HTML };

struct check {
    struct nv_run_options run;
    struct words folders, globs, suppressions;
    enum format format;
    const char *output; /* NULL: stderr */
    int descriptor;     /* of output */
    bool generate, in_process;
    bool explain; /* by a second run */
    bool trap_flushes;
    int findings_status;
};

/* -- options -- */

enum {
    OPTION_DIR = 256,
    OPTION_FILES,
    OPTION_DOMAIN,
    OPTION_FS,
    OPTION_VIEW,
    OPTION_SCRATCH,
    OPTION_FORMAT,
    OPTION_OUTPUT,
    OPTION_SUPPRESSIONS,
    OPTION_GENERATE,
    OPTION_PERFORMANCE,
    OPTION_FAIL_SYNC,
    OPTION_EXPLAIN,
    OPTION_IN_PROCESS,
    OPTION_TRAP_FLUSHES,
    OPTION_ERROR_EXITCODE,
};

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "What is verified", 1},
    {"dir", OPTION_DIR, "DIR", 0, "Watch the files in DIR (repeatable; default: the current folder)", 1},
    {"files", OPTION_FILES, "GLOB", 0, "Judge only files whose path in DIR, or name, matches GLOB (repeatable)", 1},
    {"trap-flushes", OPTION_TRAP_FLUSHES, NULL, 0,
     "See the flush instructions in the code of PROGRAM and its libraries, too (clwb, clflush, clflushopt, sfence, "
     "mfence, and stores past the cache), where it was not compiled to show them",
     1},
    {NULL, 0, NULL, 0, "What is simulated", 2},
    {"domain", OPTION_DOMAIN, "NAME", 0,
     "What survives a power failure of mapped memory: memory, cpu-cache or page-cache (default: cpu-cache, the "
     "strictest)",
     2},
    {"fs", OPTION_FS, "MODEL", 0,
     "When names are durable: journaled (default; as ext4 and XFS) or posix (by a sync of the folder alone)", 2},
    {"view", OPTION_VIEW, "KIND", 0,
     "What the program sees in DIR: copy, overlay (see docs) or auto (default: a copy if it fits)", 2},
    {"scratch", OPTION_SCRATCH, "DIR", 0, "Keep that view in DIR instead of memory", 2},
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
    {"format", OPTION_FORMAT, "NAME", 0, "text (default), json, sarif or html", 3},
    {"output", OPTION_OUTPUT, "FILE", 0, "Write the findings to FILE instead of stderr", 3},
    {"suppressions", OPTION_SUPPRESSIONS, "FILE", 0,
     "Leave out what the lines of FILE name, rule:file-glob:function-glob (repeatable)", 3},
    {"gen-suppressions", OPTION_GENERATE, NULL, 0, "Write the line that would suppress each finding, too", 3},
    {"performance", OPTION_PERFORMANCE, NULL, 0, "Tell of flushes and drains that had nothing to do, too", 3},
    {"explain", OPTION_EXPLAIN, NULL, 0,
     "Run PROGRAM a second time when there are findings, on a copy of its files as they were, to tell the place in the "
     "code of each store they name",
     3},
    {"error-exitcode", OPTION_ERROR_EXITCODE, "N", 0,
     "Exit with N when there are errors among the findings (default: 99)", 3},
    {0},
};

static const char documentation[] =
    "Run PROGRAM on a view of its files, and find what it wrote and never made durable.\v"
    "The program may be any binary. Exit status: 99 if there are errors among the findings, else the program's own "
    "(128+N "
    "if it died of signal N); 125 if nvrtl failed or nothing could be verified, 126 or 127 if the program could not be "
    "run, 2 for an option that is not known.";

struct choice {
    const char *name;
    int value;
};

static const struct choice domains[] = {
    {"memory", NvrtlDomainMemory}, {"cpu-cache", NvrtlDomainCpuCache}, {"page-cache", NvrtlDomainPageCache}, {0}};
static const struct choice models[] = {{"journaled", NV_FS_JOURNALED}, {"posix", NV_FS_POSIX}, {0}};
static const struct choice views[] = {
    {"auto", NV_VIEW_AUTO}, {"copy", NV_VIEW_COPY}, {"overlay", NV_VIEW_OVERLAY}, {0}};
static const struct choice formats[] = {
    {"text", FORMAT_TEXT}, {"json", FORMAT_JSON}, {"sarif", FORMAT_SARIF}, {"html", FORMAT_HTML}, {0}};

/* The value of the choice that the user named; where there is none, says which there are, and exits. */
static int choose(const struct argp_state *state, const char *option, const struct choice *choices, const char *name)
{
    char known[80] = "";
    for (const struct choice *choice = choices; choice->name; choice++) {
        if (strcmp(choice->name, name) == 0)
            return choice->value;
        strcat(strcat(known, *known ? ", " : ""), choice->name);
    }
    argp_error(state, "--%s=%s: must be one of %s", option, name, known);
    return 0;
}

static error_t add_word(struct words *words, char *text)
{
    char **grown = reallocarray(words->texts, words->count + 2, sizeof *grown);
    if (!grown)
        return ENOMEM;
    words->texts = grown;
    words->texts[words->count++] = text;
    words->texts[words->count] = NULL;
    return 0;
}

static int exit_status(const struct argp_state *state, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || number < 0 || number > 255)
        argp_error(state, "--error-exitcode=%s: must be a number from 0 to 255", text);
    return (int)number;
}

static uint64_t sync_number(const struct argp_state *state, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || !number)
        argp_error(state, "--fail-sync=%s: must be a number from 1 on", text);
    return number;
}

/* What is left of the command line is the program's; none of it is an option of ours. */
static void take_program(struct check *check, struct argp_state *state)
{
    check->run.program = state->argv + state->next;
    state->next = state->argc;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check *check = state->input;
    switch (key) {
    case OPTION_DIR:
        return add_word(&check->folders, argument);
    case OPTION_FILES:
        return add_word(&check->globs, argument);
    case OPTION_DOMAIN:
        check->run.domain = (NVRTL_DOMAIN)choose(state, "domain", domains, argument);
        return 0;
    case OPTION_FS:
        check->run.model = (enum nv_file_system_model)choose(state, "fs", models, argument);
        return 0;
    case OPTION_VIEW:
        check->run.view = (enum nv_view_kind)choose(state, "view", views, argument);
        return 0;
    case OPTION_SCRATCH:
        check->run.scratch = argument;
        return 0;
    case OPTION_FORMAT:
        check->format = (enum format)choose(state, "format", formats, argument);
        return 0;
    case OPTION_OUTPUT:
        check->output = argument;
        return 0;
    case OPTION_SUPPRESSIONS:
        return add_word(&check->suppressions, argument);
    case OPTION_GENERATE:
        check->generate = true;
        return 0;
    case OPTION_FAIL_SYNC:
        check->run.fail_sync = sync_number(state, argument);
        return 0;
    case OPTION_IN_PROCESS:
        check->in_process = true;
        return 0;
    case OPTION_PERFORMANCE:
        check->run.performance = true;
        return 0;
    case OPTION_TRAP_FLUSHES:
        check->trap_flushes = true;
        return 0;
    case OPTION_EXPLAIN:
        check->explain = true;
        return 0;
    case OPTION_ERROR_EXITCODE:
        check->findings_status = exit_status(state, argument);
        return 0;
    case ARGP_KEY_ARGS:
        take_program(check, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no program to run");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* -- before the run -- */

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "nvrtl check: %s: %s\n", what, why);
    return NV_EXIT_FAILED;
}

static int no_memory(void)
{
    return fail("cannot go on", strerror(ENOMEM));
}

/* 0, or the exit status. */
static int read_suppressions(const struct check *check, struct nv_suppressions *list)
{
    for (size_t i = 0; i < check->suppressions.count; i++) {
        const char *path = check->suppressions.texts[i];
        unsigned line = 0;
        int error = nv_suppressions_read(list, path, &line);
        if (error == -EINVAL && line) {
            fprintf(stderr, "nvrtl check: %s: line %u is no suppression: rule:file-glob:function-glob\n", path, line);
            return NV_EXIT_USAGE;
        }
        if (error)
            return fail(path, strerror(-error));
    }
    return 0;
}

/* A bad path is told before the program runs. What the file holds goes only when there is a new report for it. */
static int open_output(struct check *check)
{
    if (!check->output)
        return 0;
    check->descriptor = open(check->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    return check->descriptor < 0 ? fail(check->output, strerror(errno)) : 0;
}

/* -- after the run -- */

static bool colour_wanted(void)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(no_colour && *no_colour) && isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* A regular file is opened anew: when it lies in a watched folder, the run may have put another in its place. */
static FILE *output_stream(struct check *check)
{
    struct stat status;
    if (!check->output)
        return stderr;
    if (fstat(check->descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        close(check->descriptor);
        check->descriptor = open(check->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    }
    FILE *out = check->descriptor < 0 ? NULL : fdopen(check->descriptor, "w");
    if (out)
        check->descriptor = -1;
    return out;
}

static bool write_format(const struct check *check, const struct nv_report *report, FILE *out)
{
    static bool (*const writers[])(const struct nv_report *report, FILE *out) = {
        [FORMAT_JSON] = nv_report_json, [FORMAT_SARIF] = nv_report_sarif, [FORMAT_HTML] = nv_report_html};
    if (check->generate)
        nv_suppressions_generate(report, check->format == FORMAT_TEXT ? out : stderr);
    if (check->format == FORMAT_TEXT)
        return nv_report_text(report, out, !check->output && colour_wanted());
    return writers[check->format](report, out);
}

/* 0, or the exit status. */
static int write_report(struct check *check, const struct nv_report *report)
{
    const char *name = check->output ? check->output : "standard error";
    FILE *out = output_stream(check);
    if (!out)
        return fail(name, strerror(errno));
    errno = 0;
    bool ok = write_format(check, report, out);
    int error = errno;
    if (out != stderr && fclose(out) != 0 && ok) {
        ok = false;
        error = errno;
    }
    return ok ? 0 : fail(name, error ? strerror(error) : "the report could not be written");
}

static int conclude(struct check *check, const struct nv_suppressions *list, struct nv_report *report)
{
    report->version = NV_VERSION;
    nv_report_symbolise(report);
    bool applied = nv_suppressions_apply(list, report);
    int failed = write_report(check, report);
    if (!applied)
        failed = no_memory();
    if (failed)
        return failed;
    if (nv_report_errors(report))
        return check->findings_status;
    if (!nv_report_watched_nothing(report))
        return report->exit_status;
    if (check->output || check->format != FORMAT_TEXT) {
        nv_report_verdict(report, stderr);
        fputc('\n', stderr);
    }
    return NV_EXIT_FAILED;
}

/* As nv_run, and where it is wanted a second run after it. */
static int run_and_explain(const struct check *check, struct nv_report **report, char *error, size_t error_bytes)
{
    struct nv_explain *explain = check->explain ? nv_explain_begin(&check->run, error, error_bytes) : NULL;
    if (check->explain && !explain)
        return NV_EXIT_FAILED;
    int failed = nv_run(&check->run, report, error, error_bytes);
    if (explain && nv_explain_end(explain, failed ? NULL : *report) && !failed) {
        snprintf(error, error_bytes, "cannot explain: %s", strerror(ENOMEM));
        return NV_EXIT_FAILED;
    }
    return failed;
}

static int run(struct check *check, const struct nv_suppressions *list)
{
    char verifier[PATH_MAX], drop_in[PATH_MAX], traps[PATH_MAX], error[512] = "";
    struct nv_report *report = NULL;
    check->run.verifier_path = nv_verifier_path(verifier, sizeof verifier);
    check->run.record = check->explain || check->format == FORMAT_JSON || check->format == FORMAT_HTML;
    check->run.suppressions = list;
    if (check->trap_flushes && !(check->run.traps_path = nv_traps_path(check->run.verifier_path, traps, sizeof traps)))
        return fail("cannot trap flush instructions", "there is no libnvrtl-traps.so beside the verifier");
    check->run.drop_in_path = nv_drop_in_path(check->run.verifier_path, drop_in, sizeof drop_in);
    int failed = run_and_explain(check, &report, error, sizeof error);
    if (failed) {
        fprintf(stderr, "nvrtl check: %s\n", error);
        nv_report_free(report);
        return failed;
    }
    int status = conclude(check, list, report);
    nv_report_free(report);
    return status;
}

/* The report is written by the program. */
static int run_in_process(struct check *check)
{
    static const char *const names[] = {
        [FORMAT_TEXT] = "text", [FORMAT_JSON] = "json", [FORMAT_SARIF] = "sarif", [FORMAT_HTML] = "html"};
    char verifier[PATH_MAX], drop_in[PATH_MAX];
    if (check->explain || check->trap_flushes) {
        fail("--in-process", "not with --explain or --trap-flushes, which need a supervisor");
        return NV_EXIT_USAGE;
    }
    check->run.verifier_path = nv_verifier_path(verifier, sizeof verifier);
    check->run.drop_in_path = nv_drop_in_path(check->run.verifier_path, drop_in, sizeof drop_in);
    if (check->output && ftruncate(check->descriptor, 0) != 0 && errno != EINVAL)
        return fail(check->output, strerror(errno));
    return nv_in_process(&(struct nv_in_process){.run = &check->run,
                                                 .format = names[check->format],
                                                 .output = check->output,
                                                 .suppressions = check->suppressions.texts,
                                                 .generate = check->generate,
                                                 .findings_status = check->findings_status});
}

static int prepare_and_run(struct check *check)
{
    struct nv_suppressions *list = nv_suppressions_new();
    if (!list)
        return no_memory();
    int status = read_suppressions(check, list);
    status = status ? status : open_output(check);
    if (!status)
        status = check->in_process ? run_in_process(check) : run(check, list);
    if (check->descriptor >= 0)
        close(check->descriptor);
    nv_suppressions_free(list);
    return status;
}

int nv_command_check(int argc, char **argv)
{
    static char here[] = ".";
    static char *no_words[] = {NULL};
    static const struct argp argp = {options, parse, "-- PROGRAM [ARG...]", documentation, NULL, NULL, NULL};
    struct check check = {.descriptor = -1,
                          .findings_status = NV_EXIT_FINDINGS,
                          .run = {.domain = NvrtlDomainCpuCache, .model = NV_FS_JOURNALED, .view = NV_VIEW_AUTO}};
    error_t error = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &check);
    if (!error && !check.folders.count)
        error = add_word(&check.folders, here);
    int status = NV_EXIT_FAILED;
    if (error) {
        fail("cannot go on", strerror(error));
    } else {
        check.run.folders = check.folders.texts;
        check.run.file_globs = check.globs.count ? check.globs.texts : no_words;
        status = prepare_and_run(&check);
    }
    free(check.folders.texts);
    free(check.globs.texts);
    free(check.suppressions.texts);
    return status;
}
