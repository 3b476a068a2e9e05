/* SPDX-License-Identifier: MIT */
/*
 * Each failure that was found is replayed once: for what the recovery says, for --keep, and to see whether it fails
 * again. The report goes out as the JSON that everybody can read.
 */
#include "explore/worker.h"
#include "explore/cell.h"
#include "explore/kept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct job {
    const struct nv_worker *worker;
    struct nv_recover *recover;
    struct nv_judge inner; /* of recover */
    struct nv_judge judge; /* what nv_explore gets */
    FILE *out;
    char *promises;
    size_t promises_bytes;
    uint64_t promise_count, files;
};

static int fail(const struct job *job, const char *text)
{
    fprintf(job->out, "%s\n", text);
    fflush(job->out);
    return NV_CELL_FAILED;
}

/* -- judging -- */

static int on_base(void *context, const struct nv_model *model, const struct nv_state *base)
{
    struct job *job = context;
    return job->inner.base(job->recover, model, base);
}

static enum nv_verdict on_state(void *context, const struct nv_state *state)
{
    struct job *job = context;
    return atomic_load(job->worker->stop) ? NV_VERDICT_STOP : job->inner.judge(job->recover, state);
}

static bool on_reads(void *context, const struct nv_read **reads, size_t *count)
{
    struct job *job = context;
    return job->inner.reads(job->recover, reads, count);
}

static bool on_progress(void *context, uint64_t point, uint64_t points, uint64_t states, uint64_t failures)
{
    const struct nv_worker *worker = ((struct job *)context)->worker;
    atomic_store(&worker->progress->point, point);
    atomic_store(&worker->progress->points, points);
    atomic_store(&worker->progress->states, states);
    atomic_store(&worker->progress->failures, failures);
    return !atomic_load(worker->stop);
}

static void make_judge(struct job *job)
{
    job->inner = nv_recover_judge(job->recover);
    job->judge = (struct nv_judge){.context = job,
                                   .base = on_base,
                                   .judge = on_state,
                                   .reads = job->inner.reads ? on_reads : NULL,
                                   .progress = on_progress};
}

/* -- stacks -- */

/* The field that `*text` begins with, which moves behind it; NULL: it is empty. */
static char *field(const char **text, const char *end, bool *ok)
{
    const char *from = *text;
    while (*text < end && **text != '\t' && **text != '\n')
        ++*text;
    size_t length = (size_t)(*text - from);
    if (*text < end && **text == '\t')
        ++*text;
    char *copy = length ? strndup(from, length) : NULL;
    *ok = *ok && (copy || !length);
    return copy;
}

static uint64_t number_field(const char **text, const char *end)
{
    bool ok = true;
    char *copy = field(text, end, &ok);
    uint64_t number = copy ? strtoull(copy, NULL, 0) : 0;
    free(copy);
    return number;
}

static bool stack_of(const struct nv_stake *stake, uint32_t place, struct nv_stack *stack)
{
    const struct nv_trace_event *event = place < stake->place_count ? stake->places[place] : NULL;
    if (!event)
        return true;
    const char *text = nv_trace_payload(event), *end = text + event->payload_bytes;
    bool ok = true;
    while (text < end && *text && stack->count < NV_STACK_FRAMES_MAX) {
        struct nv_frame *frame = &stack->frames[stack->count++];
        frame->function = field(&text, end, &ok);
        frame->source = field(&text, end, &ok);
        frame->line = (unsigned)number_field(&text, end);
        frame->module = field(&text, end, &ok);
        frame->offset = number_field(&text, end);
        while (text < end && *text != '\n')
            text++;
        text += text < end;
    }
    return ok;
}

/* -- findings -- */

static const char *what_of(uint32_t kind)
{
    static const char *const words[NV_TRACE_KINDS] = {
        [NV_TRACE_CREATE] = "new name", [NV_TRACE_LINK] = "link",   [NV_TRACE_UNLINK] = "removal",
        [NV_TRACE_RENAME] = "rename",   [NV_TRACE_MODE] = "mode",   [NV_TRACE_WRITE] = "write",
        [NV_TRACE_ZERO] = "zeros",      [NV_TRACE_SIZE] = "length", [NV_TRACE_STORE] = "store",
        [NV_TRACE_CHANGED] = "change",
    };
    return kind < NV_TRACE_KINDS && words[kind] ? words[kind] : "change";
}

static const char *guard_of(uint32_t kind)
{
    return kind == NV_TRACE_FLUSH ? "flush" : kind == NV_TRACE_DRAIN ? "drain" : kind == NV_TRACE_SYNC ? "sync" : NULL;
}

/* Each name in a path (a rename's has two) as nvrtl check shows it. */
static char *shown(const char *path, const char *here)
{
    size_t length = here ? strlen(here) : 0;
    char *text = malloc(strlen(path) + 1), *end = text;
    for (bool begins = true; text && *path; path++) {
        if (begins && length && strncmp(path, here, length) == 0 && path[length] == '/')
            path += length + 1;
        *end++ = *path;
        begins = end - text >= 4 && strncmp(end - 4, " -> ", 4) == 0;
    }
    if (text)
        *end = '\0';
    return text;
}

static bool add_cause(const struct job *job, struct nv_crash_failure *failure, const struct nv_cause *from)
{
    const struct nv_stake *stake = job->worker->stake;
    struct nv_crash_cause *cause = nv_crash_add_cause(failure);
    if (!cause)
        return false;
    const char *guard = guard_of(from->guard_kind);
    cause->missing = from->missing;
    cause->what = strdup(what_of(from->kind));
    cause->file = from->path ? shown(from->path, stake->here) : NULL;
    cause->offset = from->offset;
    cause->length_bytes = from->length_bytes;
    cause->guard = guard ? strdup(guard) : NULL;
    return cause->what && (cause->file || !from->path) && (cause->guard || !guard) &&
           stack_of(stake, from->place, &cause->stack) && stack_of(stake, from->guard_place, &cause->guard_stack);
}

/* A word as a shell takes it. */
static void put_word(FILE *out, const char *word)
{
    if (*word &&
        strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@,=") == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}

static char *replay_text(const struct job *job, const char *id)
{
    const struct nv_jobs_options *options = job->worker->options;
    char *text = NULL;
    size_t size;
    FILE *out = options->trace ? open_memstream(&text, &size) : NULL;
    if (!out)
        return NULL;
    fputs("nvrtl crash --from=", out);
    put_word(out, options->trace);
    if (options->explore.model == NV_EXPLORE_POSIX)
        fputs(" --fs=posix", out);
    fputs(" --replay=", out);
    put_word(out, id);
    fprintf(out, " --keep=%s", options->keep ? "" : ".");
    if (options->keep)
        put_word(out, options->keep);
    return fclose(out) ? NULL : text;
}

/* -- replaying -- */

static enum nv_verdict on_replayed(void *context, const struct nv_state *state)
{
    struct job *job = context;
    enum nv_verdict verdict = job->inner.judge(job->recover, state);
    free(job->promises);
    job->promises = malloc(state->promises_bytes + 1);
    job->promises_bytes = job->promises ? state->promises_bytes : 0;
    if (job->promises && state->promises_bytes)
        memcpy(job->promises, state->promises, state->promises_bytes);
    job->promise_count = state->promise_count;
    job->files = 0;
    for (size_t i = 0; i < state->entry_count; i++)
        job->files += S_ISREG(state->entries[i].mode);
    return verdict;
}

static int replay(struct job *job, const char *id, char *error, size_t error_bytes)
{
    struct nv_judge judge = job->judge;
    judge.judge = on_replayed;
    judge.reads = NULL;
    judge.progress = NULL;
    return nv_explore_replay(job->worker->trace, &job->worker->options->explore, id, &judge, error, error_bytes);
}

static char *output_of(const struct nv_ending *ending)
{
    return strndup(ending->output, ending->output_bytes);
}

/* *kept: the path of what was kept, to be freed. */
static int replay_and_keep(struct job *job, const char *id, char **kept, char *error, size_t error_bytes)
{
    const struct nv_jobs_options *options = job->worker->options;
    struct nv_kept place = {.files = -1};
    bool keeps = options->keep != NULL, recovers = options->recover.command || options->recover.function;
    int number = keeps ? nv_kept_begin(&place, options->keep, id) : 0;
    *kept = NULL;
    if (number) {
        snprintf(error, error_bytes, "%s: %s", options->keep, strerror(-number));
    } else {
        nv_recover_keep(job->recover, place.files);
        number = replay(job, id, error, error_bytes);
        nv_recover_keep(job->recover, -1);
    }
    if (!number && keeps) {
        char *output = recovers ? output_of(nv_recover_ending(job->recover)) : NULL;
        number = nv_recover_kept(job->recover);
        number =
            number ? number : nv_kept_finish(&place, job->promises ? job->promises : "", job->promises_bytes, output);
        free(output);
        if (number)
            snprintf(error, error_bytes, "%s: %s", place.path, strerror(-number));
    }
    nv_kept_drop(&place);
    if (!number)
        *kept = place.path;
    else
        free(place.path);
    return number;
}

static int tell_replay(struct job *job)
{
    const struct nv_jobs_options *options = job->worker->options;
    const struct nv_ending *ending = nv_recover_ending(job->recover);
    char error[512] = "", how[128], *kept;
    if (replay_and_keep(job, job->worker->replay, &kept, error, sizeof error))
        return fail(job, error);
    if (*nv_recover_error(job->recover))
        return fail(job, nv_recover_error(job->recover));
    fprintf(job->out, "state %s: %" PRIu64 " file%s, %" PRIu64 " promise%s", job->worker->replay, job->files,
            job->files == 1 ? "" : "s", job->promise_count, job->promise_count == 1 ? "" : "s");
    if (kept)
        fprintf(job->out, "; its files are in %s/files, the promises in %s/promises", kept, kept);
    fputc('\n', job->out);
    free(kept);
    if (!options->recover.command && !options->recover.function)
        return fflush(job->out) ? NV_CELL_FAILED : 0;
    nv_ending_text(ending, options->recover.timeout_seconds, how, sizeof how);
    fprintf(job->out, "recovery %s\n", how);
    fwrite(ending->output, 1, ending->output_bytes, job->out);
    return fflush(job->out) ? NV_CELL_FAILED : nv_ending_is_good(ending) ? 0 : 99;
}

/* -- the report -- */

/* What the recovery says of it, a second time. */
static bool fill_ending(struct job *job, struct nv_crash_failure *failure)
{
    const struct nv_ending *ending = nv_recover_ending(job->recover);
    char error[512] = "", how[128] = "failed";
    if (replay_and_keep(job, failure->id, &failure->kept, error, sizeof error)) {
        failure->output = strdup(error);
    } else {
        nv_ending_text(ending, job->worker->options->recover.timeout_seconds, how, sizeof how);
        failure->unsteady = nv_ending_is_good(ending);
        failure->output = ending->output_bytes ? output_of(ending) : NULL;
    }
    failure->ending = strdup(failure->unsteady ? "failed, and did not when it was tried again" : how);
    return failure->ending != NULL;
}

static bool add_failure(struct job *job, struct nv_report *report, const struct nv_failure *from)
{
    struct nv_finding *finding = nv_finding_new(NV_RULE_CRASH_STATE, NV_SEVERITY_ERROR);
    struct nv_crash_failure *failure = finding ? nv_crash_failure_new() : NULL;
    char image[40];
    if (!failure) {
        nv_finding_free(finding);
        return false;
    }
    finding->crash = failure;
    finding->count = from->count ? from->count : 1;
    snprintf(image, sizeof image, "%016" PRIx64 "%016" PRIx64, from->state.high, from->state.low);
    failure->id = strdup(from->id);
    failure->image = strdup(image);
    failure->point = from->point;
    failure->event = from->event;
    failure->promises = from->promise_count;
    failure->replay = replay_text(job, from->id);
    bool ok = failure->id && failure->image && stack_of(job->worker->stake, from->place, &failure->stack);
    for (size_t i = 0; ok && i < from->cause_count; i++)
        ok = add_cause(job, failure, &from->causes[i]);
    ok = ok && fill_ending(job, failure) && nv_crash_describe(finding);
    if (ok)
        return nv_report_add(report, finding);
    nv_finding_free(finding);
    return false;
}

static bool fill(struct job *job, struct nv_report *report, const struct nv_explore_result *result)
{
    struct nv_crash_coverage *coverage = report->crash = nv_crash_coverage_new();
    if (!coverage)
        return false;
    coverage->points = result->points;
    coverage->points_done = result->points_done;
    coverage->stacks = result->distinct_stacks;
    coverage->states = result->states;
    coverage->judged = result->judged;
    coverage->repeated = result->repeated;
    coverage->skipped = result->skipped;
    coverage->failures = result->failure_count;
    coverage->exhaustive = result->exhaustive;
    coverage->stopped = result->stopped;
    coverage->jobs = 1;
    for (size_t i = 0; i < result->failure_count; i++)
        if (!add_failure(job, report, &result->failures[i]))
            return false;
    return true;
}

static int explore(struct job *job)
{
    struct nv_explore_result result = {0};
    char error[512] = "";
    const struct nv_worker *worker = job->worker;
    int failed = nv_explore(worker->trace, &worker->options->explore, &job->judge, &result, error, sizeof error);
    if (!failed && *nv_recover_error(job->recover)) {
        snprintf(error, sizeof error, "%s", nv_recover_error(job->recover));
        failed = -EIO;
    }
    struct nv_report *report = failed ? NULL : nv_report_new();
    bool ok = report && fill(job, report, &result) && nv_report_json(report, job->out) && fflush(job->out) == 0;
    nv_report_free(report);
    nv_explore_result_free(&result);
    if (ok)
        return 0;
    return fail(job, *error ? error : strerror(ENOMEM));
}

int nv_worker_run(void *context)
{
    const struct nv_worker *worker = context;
    struct job job = {.worker = worker, .out = fdopen(worker->report, "w")};
    struct rlimit files;
    char error[512];
    if (!job.out)
        return NV_CELL_FAILED;
    /* A function's files are in memory, each with a descriptor; commands get what they are used to. */
    if (worker->options->recover.function && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (nv_recover_open(&worker->options->recover, worker->stake, &job.recover, error, sizeof error))
        return fail(&job, error);
    make_judge(&job);
    int status = worker->replay ? tell_replay(&job) : explore(&job);
    nv_recover_close(job.recover);
    free(job.promises);
    fclose(job.out);
    return status;
}
