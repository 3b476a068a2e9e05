/* SPDX-License-Identifier: MIT */
/* Owns the options of a verified run and of its report, and the writing of reports. check.c and crash.c use it. */
#include "cli/verified.h"
#include "cli/command.h"
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- options -- */

static const struct nv_choice domains[] = {
    {"memory", NvrtlDomainMemory}, {"cpu-cache", NvrtlDomainCpuCache}, {"page-cache", NvrtlDomainPageCache}, {0}};
static const struct nv_choice models[] = {{"journaled", NV_FS_JOURNALED}, {"posix", NV_FS_POSIX}, {0}};
static const struct nv_choice formats[] = {
    {"text", NV_FORMAT_TEXT}, {"json", NV_FORMAT_JSON}, {"sarif", NV_FORMAT_SARIF}, {"html", NV_FORMAT_HTML}, {0}};

int nv_choose(const struct argp_state *state, const char *option, const struct nv_choice *choices, const char *name)
{
    char known[80] = "";
    for (const struct nv_choice *choice = choices; choice->name; choice++) {
        if (strcmp(choice->name, name) == 0)
            return choice->value;
        strcat(strcat(known, *known ? ", " : ""), choice->name);
    }
    argp_error(state, "--%s=%s: must be one of %s", option, name, known);
    return 0;
}

error_t nv_add_word(struct nv_words *words, char *text)
{
    char **grown = reallocarray(words->texts, words->count + 2, sizeof *grown);
    if (!grown)
        return ENOMEM;
    words->texts = grown;
    words->texts[words->count++] = text;
    words->texts[words->count] = NULL;
    return 0;
}

uint64_t nv_whole_number(const struct argp_state *state, const char *option, const char *text, uint64_t least,
                         uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!errno && *text >= '0' && *text <= '9' && !*end && number >= least && number <= most)
        return number;
    if (most == UINT64_MAX)
        argp_error(state, "--%s=%s: must be a number from %llu on", option, text, (unsigned long long)least);
    else
        argp_error(state, "--%s=%s: must be a number from %llu to %llu", option, text, (unsigned long long)least,
                   (unsigned long long)most);
    return least;
}

error_t nv_verified_parse(struct nv_verified *verified, int key, char *argument, struct argp_state *state)
{
    switch (key) {
    case NV_OPTION_DIR:
        return nv_add_word(&verified->folders, argument);
    case NV_OPTION_FILES:
        return nv_add_word(&verified->globs, argument);
    case NV_OPTION_DOMAIN:
        verified->run.domain = (NVRTL_DOMAIN)nv_choose(state, "domain", domains, argument);
        return 0;
    case NV_OPTION_FS:
        verified->run.model = (enum nv_file_system_model)nv_choose(state, "fs", models, argument);
        return 0;
    case NV_OPTION_SCRATCH:
        verified->run.scratch = argument;
        return 0;
    case NV_OPTION_FORMAT:
        verified->format = (enum nv_format)nv_choose(state, "format", formats, argument);
        return 0;
    case NV_OPTION_OUTPUT:
        verified->output = argument;
        return 0;
    case NV_OPTION_SUPPRESSIONS:
        return nv_add_word(&verified->suppressions, argument);
    case NV_OPTION_GENERATE:
        verified->generate = true;
        return 0;
    case NV_OPTION_ERROR_EXITCODE:
        verified->findings_status = (int)nv_whole_number(state, "error-exitcode", argument, 0, 255);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

error_t nv_verified_complete(struct nv_verified *verified)
{
    static char here[] = ".";
    static char *no_words[] = {NULL};
    error_t error = verified->folders.count ? 0 : nv_add_word(&verified->folders, here);
    verified->run.folders = verified->folders.texts;
    verified->run.file_globs = verified->globs.count ? verified->globs.texts : no_words;
    return error;
}

void nv_verified_init(struct nv_verified *verified, const char *command)
{
    *verified = (struct nv_verified){
        .command = command,
        .descriptor = -1,
        .findings_status = NV_EXIT_FINDINGS,
        .run = {.domain = NvrtlDomainCpuCache, .model = NV_FS_JOURNALED, .view = NV_VIEW_AUTO, .ack_descriptor = -1}};
}

void nv_verified_free(struct nv_verified *verified)
{
    if (verified->descriptor >= 0)
        close(verified->descriptor);
    free(verified->folders.texts);
    free(verified->globs.texts);
    free(verified->suppressions.texts);
}

/* -- before the run -- */

int nv_verified_fail(const struct nv_verified *verified, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", verified->command, what, why);
    return NV_EXIT_FAILED;
}

int nv_verified_no_memory(const struct nv_verified *verified)
{
    return nv_verified_fail(verified, "cannot go on", strerror(ENOMEM));
}

int nv_verified_read_suppressions(const struct nv_verified *verified, struct nv_suppressions *list)
{
    for (size_t i = 0; i < verified->suppressions.count; i++) {
        const char *path = verified->suppressions.texts[i];
        unsigned line = 0;
        int error = nv_suppressions_read(list, path, &line);
        if (error == -EINVAL && line) {
            fprintf(stderr, "%s: %s: line %u is no suppression: rule:file-glob:function-glob\n", verified->command,
                    path, line);
            return NV_EXIT_USAGE;
        }
        if (error)
            return nv_verified_fail(verified, path, strerror(-error));
    }
    return 0;
}

int nv_verified_open_output(struct nv_verified *verified)
{
    if (!verified->output)
        return 0;
    verified->descriptor = open(verified->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    return verified->descriptor < 0 ? nv_verified_fail(verified, verified->output, strerror(errno)) : 0;
}

/* -- after the run -- */

static bool colour_wanted(void)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !(no_colour && *no_colour) && isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* A regular file is opened anew: when it lies in a watched folder, the run may have put another in its place. */
static FILE *output_stream(struct nv_verified *verified)
{
    struct stat status;
    if (!verified->output)
        return stderr;
    if (fstat(verified->descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        close(verified->descriptor);
        verified->descriptor = open(verified->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    }
    FILE *out = verified->descriptor < 0 ? NULL : fdopen(verified->descriptor, "w");
    if (out)
        verified->descriptor = -1;
    return out;
}

static bool write_format(const struct nv_verified *verified, const struct nv_report *report, FILE *out)
{
    static bool (*const writers[])(const struct nv_report *report, FILE *out) = {
        [NV_FORMAT_JSON] = nv_report_json, [NV_FORMAT_SARIF] = nv_report_sarif, [NV_FORMAT_HTML] = nv_report_html};
    if (verified->generate)
        nv_suppressions_generate(report, verified->format == NV_FORMAT_TEXT ? out : stderr);
    if (verified->format == NV_FORMAT_TEXT)
        return nv_report_text(report, out, !verified->output && colour_wanted());
    return writers[verified->format](report, out);
}

/* 0, or the exit status. */
static int write_report(struct nv_verified *verified, const struct nv_report *report)
{
    const char *name = verified->output ? verified->output : "standard error";
    FILE *out = output_stream(verified);
    if (!out)
        return nv_verified_fail(verified, name, strerror(errno));
    errno = 0;
    bool ok = write_format(verified, report, out);
    int error = errno;
    if (out != stderr && fclose(out) != 0 && ok) {
        ok = false;
        error = errno;
    }
    return ok ? 0 : nv_verified_fail(verified, name, error ? strerror(error) : "the report could not be written");
}

int nv_verified_report(struct nv_verified *verified, const struct nv_suppressions *list, struct nv_report *report)
{
    report->version = NV_VERSION;
    nv_report_symbolise(report);
    bool applied = nv_suppressions_apply(list, report);
    int failed = write_report(verified, report);
    return applied ? failed : nv_verified_no_memory(verified);
}

void nv_verified_say_verdict(const struct nv_verified *verified, const struct nv_report *report)
{
    if (!verified->output && verified->format == NV_FORMAT_TEXT)
        return;
    nv_report_verdict(report, stderr);
    fputc('\n', stderr);
}
