/* SPDX-License-Identifier: MIT */
/*
 * Owns the report of a run without a supervisor: what it stands on, what it could not see, and where it goes. judge.c
 * calls it when the program exits.
 */
#include "alone/judge.h"
#include "alone/version.h"
#include "nvrtl/nvm.h"
#include "supervise/told.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 256

static const char *const limits[] = {
    "this run had no supervisor: only what lies under tokens, and in mappings that libpmem was told of, was judged, "
    "from "
    "the time when it was; not what system calls and other processes wrote, and no names",
    "a second mapping of a file under a token showed what was durable, and not what was stored",
    "an end by a signal is a power failure: nothing is judged, and what was not durable is lost",
};
static const char without_calls[] = "msync, fsync, fdatasync, munmap and _exit were not seen (nvrtl check --in-process "
                                    "sees them): what such a sync made "
                                    "durable is found missing";

static const char *shown_domain(NVRTL_DOMAIN domain)
{
    static const char *const names[] = {
        [NvrtlDomainMemory] = "memory", [NvrtlDomainCpuCache] = "cpu-cache", [NvrtlDomainPageCache] = "page-cache"};

    return (size_t)domain < sizeof names / sizeof *names ? names[domain] : NULL;
}

/* The words of the command line, as the kernel has them. */
static char **read_program(void)
{
    char **words = calloc(WORDS_MAX + 1, sizeof *words), *text = NULL;
    FILE *in = fopen("/proc/self/cmdline", "re");
    size_t room = 0;

    for (size_t i = 0; words && in && i < WORDS_MAX && getdelim(&text, &room, '\0', in) > 0; i++)
        words[i] = strdup(text);
    free(text);
    if (in)
        fclose(in);
    return words;
}

static void read_suppressions(struct nv_alone_state *state, const char *list)
{
    char *paths = list ? strdup(list) : NULL, *rest = NULL;

    for (char *path = paths ? strtok_r(paths, ":", &rest) : NULL; path; path = strtok_r(NULL, ":", &rest)) {
        unsigned line;

        if (nv_suppressions_read(state->suppressions, path, &line))
            (void)nv_report_not_seen(state->report, "a file of suppressions, which could not be read");
    }
    free(paths);
}

static void describe(struct nv_report *report, const struct nv_alone_run *run)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    report->times.program =
        (double)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - run->ledger->began_ns) / 1e9;
    report->seconds = report->times.program;
    report->program = read_program();
    report->folders = calloc(1, sizeof *report->folders);
    report->version = NV_VERSION;
    report->level = atomic_load(&run->ledger->stores) ? "stores" : "pages";
    report->domain = shown_domain((NVRTL_DOMAIN)run->ledger->domain);
    report->view = "private mapping";
    report->files_watched = run->files;
    report->bytes_watched = run->bytes;
    report->bytes_made_durable = run->bytes_made_durable;
    report->syncs = run->syncs;
    report->exit_status = run->status & 0xff;
}

static bool fill(struct nv_alone_state *state, const struct nv_alone_run *run)
{
    struct nv_report *report = state->report;
    bool good = !nv_told_judge(run->ledger, report, nv_alone_path, state);

    if (run->ledger->performance)
        good = !nv_judge_waste(run->ledger, report) && good;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        good = nv_report_not_seen(report, limits[i]) && good;
    if (!run->calls)
        good = nv_report_not_seen(report, without_calls) && good;
    read_suppressions(state, run->suppressions);
    nv_report_sort(report);
    nv_report_symbolise(report);
    return nv_suppressions_apply(state->suppressions, report) && good && !state->incomplete;
}

/* Several processes of one program tell one after the other; a page or a document holds one report. */
static bool write_report(const struct nv_report *report, const struct nv_alone_run *run)
{
    static const struct {
        const char *name;
        bool (*write)(const struct nv_report *report, FILE *out);
    } formats[] = {{"json", nv_report_json}, {"sarif", nv_report_sarif}, {"html", nv_report_html}};
    const char *name = run->format ? run->format : "text";
    bool text = strcmp(name, "text") == 0, good = false;
    FILE *out = run->output && *run->output ? fopen(run->output, text ? "ae" : "we") : stderr;

    if (!out)
        return false;
    if (run->generate)
        nv_suppressions_generate(report, text ? out : stderr);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0)
            good = formats[i].write(report, out);
    if (text)
        good = nv_report_text(report, out, false);
    return (out == stderr ? fflush(out) : fclose(out)) == 0 && good;
}

/* For who started the program: a letter for each report. */
static void tell_result(const struct nv_alone_run *run, char letter)
{
    int file = run->result ? open(run->result, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

    if (file < 0)
        return;
    (void)!write(file, &letter, 1);
    close(file);
}

void nv_alone_report(struct nv_alone_state *state, const struct nv_alone_run *run)
{
    bool good;

    if (!atomic_load(&run->ledger->tokens) && !atomic_load(&run->ledger->events))
        return;
    describe(state->report, run);
    good = fill(state, run);
    good = write_report(state->report, run) && good;
    if (!good)
        fputs("nvrtl: the report could not be completed\n", stderr);
    tell_result(run, !good ? NV_ALONE_FAILED : nv_report_errors(state->report) ? NV_ALONE_ERRORS : NV_ALONE_CLEAN);
}
