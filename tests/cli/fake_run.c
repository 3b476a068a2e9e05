/* SPDX-License-Identifier: MIT */
/*
 * A supervisor that runs nothing: it says what it was asked, and reports what the program's argument calls for. The
 * command line's own tests link it in the place of supervise/.
 */
#include "supervise/explain.h"
#include "supervise/run.h"

#include <stdlib.h>
#include <string.h>

static void say_words(const char *name, char *const *words)
{
    printf("%s:", name);
    for (; *words; words++)
        printf(" [%s]", *words);
    putchar('\n');
}

static void say_options(const struct nv_run_options *options)
{
    say_words("program", options->program);
    say_words("folders", options->folders);
    say_words("globs", options->file_globs);
    printf("domain %d, model %d, view %d, scratch %s, verifier %s\n", (int)options->domain, (int)options->model,
           (int)options->view, options->scratch ? options->scratch : "none", options->verifier_path);
}

static bool add(struct nv_report *report, enum nv_rule rule, enum nv_severity severity, const char *file)
{
    struct nv_finding *finding = nv_finding_new(rule, severity);
    if (!finding)
        return false;
    finding->file = strdup(file);
    finding->offset = 64;
    finding->length_bytes = finding->total_bytes = 64;
    return finding->file && nv_report_add(report, finding);
}

static char **copy_words(char *const *words)
{
    size_t count = 0;
    while (words[count])
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = strdup(words[i]);
    return copy;
}

/* Programs are named for what becomes of them: letters of the first argument. */
static bool fill(struct nv_report *report, const char *letters)
{
    bool ok = true;
    for (; ok && *letters; letters++) {
        if (*letters == 'e')
            ok = add(report, NV_RULE_NOT_FLUSHED, NV_SEVERITY_ERROR, "journal.bin");
        else if (*letters == 'w')
            ok = add(report, NV_RULE_NAME_NOT_FLUSHED, NV_SEVERITY_WARNING, "journal.new");
        else if (*letters == 'l')
            ok = add(report, NV_RULE_NOT_FLUSHED, NV_SEVERITY_ERROR, "db/lock.mdb");
        else if (*letters == 'p')
            report->power_failure = true;
        else if (*letters == 'f')
            report->files_watched = report->files_changed = 1;
        else if (*letters >= '0' && *letters <= '9')
            report->exit_status = *letters - '0';
    }
    return ok;
}

struct nv_explain *nv_explain_begin(const struct nv_run_options *options, char *error, size_t error_bytes)
{
    (void)options;
    snprintf(error, error_bytes, "nothing is explained");
    return NULL;
}

int nv_explain_end(struct nv_explain *explain, struct nv_report *report)
{
    (void)explain;
    (void)report;
    return 0;
}

int nv_run(const struct nv_run_options *options, struct nv_report **report, char *error, size_t error_bytes)
{
    const char *letters = options->program[1] ? options->program[1] : "";
    say_options(options);
    fflush(stdout);
    if (strcmp(options->program[0], "missing") == 0) {
        snprintf(error, error_bytes, "missing: No such file or directory");
        return 127;
    }
    *report = nv_report_new();
    if (!*report)
        return 125;
    (*report)->program = copy_words(options->program);
    (*report)->folders = copy_words(options->folders);
    (*report)->level = "pages";
    (*report)->domain = "cpu-cache";
    (*report)->view = "copy";
    (*report)->file_system_model = "journaled";
    return fill(*report, letters) ? 0 : 125;
}
