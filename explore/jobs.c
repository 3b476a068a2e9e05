/* SPDX-License-Identifier: MIT */
/*
 * Shard K of N becomes N shards of M*N for the M jobs: they go through the same states, and each judges its own. A
 * signal asks all of them to stop; what they have found is reported.
 */
#include "explore/jobs.h"
#include "explore/cell.h"
#include "explore/tree.h"
#include "explore/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 250

struct job {
    struct nv_jobs_options options;
    struct nv_worker worker;
    char scratch[PATH_MAX];
    pid_t process;
    int pipe;   /* of its report; -1: it is over */
    char *text; /* of the report, so far */
    size_t length, room;
    int status;
};

/* In memory that all processes share. */
struct board {
    _Atomic bool stop;
    struct nv_worker_progress progress[];
};

struct run {
    const struct nv_jobs_options *options;
    struct board *board;
    size_t board_bytes;
    struct job *jobs;
    uint32_t count;
    double began;
    bool line; /* a progress line is on the screen */
    char *error;
    size_t error_bytes;
};

static volatile sig_atomic_t signals_seen;

static void on_signal(int number)
{
    (void)number;
    signals_seen++;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int fail(const struct run *run, const char *what, int number)
{
    snprintf(run->error, run->error_bytes, "%s: %s", what, strerror(number));
    return -1;
}

/* -- starting -- */

static int make_scratch(struct run *run, struct job *job)
{
    const char *above = run->options->scratch ? run->options->scratch : getenv("TMPDIR");
    above = above && *above ? above : "/tmp";
    if ((size_t)snprintf(job->scratch, sizeof job->scratch, "%s/nvrtl-crash-XXXXXX", above) >= sizeof job->scratch ||
        !mkdtemp(job->scratch)) {
        *job->scratch = '\0';
        return fail(run, above, errno ? errno : ENAMETOOLONG);
    }
    return 0;
}

static void remove_scratch(struct job *job)
{
    int folder = *job->scratch ? open(job->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder < 0)
        return;
    (void)nv_tree_empty(folder);
    close(folder);
    rmdir(job->scratch);
}

static int start_job(struct run *run, struct job *job)
{
    int ends[2];
    if (make_scratch(run, job))
        return -1;
    if (pipe2(ends, O_CLOEXEC))
        return fail(run, "a pipe", errno);
    job->options.recover.scratch = job->scratch;
    job->options.recover.on_disk = run->options->scratch != NULL;
    job->worker.options = &job->options;
    job->worker.report = ends[1];
    job->process = nv_cell_start(nv_worker_run, &job->worker, ends[1]);
    int error = errno;
    close(ends[1]);
    job->pipe = ends[0];
    return job->process < 0 ? fail(run, "a process", error) : 0;
}

static int start(struct run *run, const struct nv_trace *trace, const struct nv_stake *stake, const char *replay)
{
    run->board_bytes = sizeof *run->board + run->count * sizeof run->board->progress[0];
    void *board = mmap(NULL, run->board_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    run->jobs = calloc(run->count, sizeof *run->jobs);
    if (board == MAP_FAILED || !run->jobs)
        return fail(run, "cannot go on", ENOMEM);
    run->board = board;
    uint32_t shards = run->options->explore.shards ? run->options->explore.shards : 1;
    for (uint32_t i = 0; i < run->count; i++)
        run->jobs[i].pipe = run->jobs[i].process = -1;
    for (uint32_t i = 0; i < run->count; i++) {
        struct job *job = &run->jobs[i];
        job->options = *run->options;
        job->options.explore.shards = shards * run->count;
        job->options.explore.shard = run->options->explore.shard + shards * i;
        job->worker = (struct nv_worker){.trace = trace,
                                         .stake = stake,
                                         .progress = &run->board->progress[i],
                                         .stop = &run->board->stop,
                                         .replay = replay};
        if (start_job(run, job))
            return -1;
    }
    return 0;
}

/* -- hearing -- */

/* False: that was all. */
static bool hear(struct job *job)
{
    if (job->length + 65536 > job->room) {
        size_t room = job->room ? job->room * 2 : 131072;
        char *grown = realloc(job->text, room + 1);
        if (!grown)
            return false;
        job->text = grown;
        job->room = room;
    }
    ssize_t got = read(job->pipe, job->text + job->length, job->room - job->length);
    if (got < 0 && errno == EINTR)
        return true;
    if (got > 0)
        job->length += (size_t)got;
    job->text[job->length] = '\0';
    return got > 0;
}

static void collect(struct job *job)
{
    int status;
    close(job->pipe);
    job->pipe = -1;
    while (waitpid(job->process, &status, 0) < 0)
        if (errno != EINTR) {
            job->status = NV_CELL_FAILED;
            return;
        }
    job->process = -1;
    job->status = WIFEXITED(status) ? WEXITSTATUS(status) : NV_CELL_FAILED;
}

/* Until a budget is spent. 0: there is none, and how many states are left is known when all were met. */
static double seconds_left(const struct run *run, double passed, uint64_t states)
{
    const struct nv_explore_options *explore = &run->options->explore;
    double by_time = explore->max_seconds > passed ? explore->max_seconds - passed : 0;
    double by_states =
        explore->max_states > states && states ? passed / (double)states * (double)(explore->max_states - states) : 0;
    return by_time > 0 && (by_states <= 0 || by_time < by_states) ? by_time : by_states;
}

static void show_progress(struct run *run)
{
    uint64_t point = 0, points = 0, states = 0, failures = 0;
    double passed = seconds_now() - run->began;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct nv_worker_progress *progress = &run->board->progress[i];
        uint64_t here = atomic_load(&progress->point), all = atomic_load(&progress->points);
        uint64_t met = atomic_load(&progress->states); /* each job meets all, and judges its share */
        point = here > point ? here : point;
        points = all > points ? all : points;
        states = met > states ? met : states;
        failures += atomic_load(&progress->failures);
    }
    double left = seconds_left(run, passed, states);
    fprintf(stderr, "\r\033[Kpoint %" PRIu64 " of %" PRIu64 ", %" PRIu64 " states, %.0f/s, %" PRIu64 " failures", point,
            points, states, (double)states / (passed > 0 ? passed : 1), failures);
    if (left > 0)
        fprintf(stderr, ", %.0f s left", left);
    fflush(stderr);
    run->line = true;
}

/* The second signal does not wait for a recovery that is running. */
static void obey_signals(struct run *run)
{
    if (signals_seen)
        atomic_store(&run->board->stop, true);
    for (uint32_t i = 0; signals_seen > 1 && i < run->count; i++)
        if (run->jobs[i].process > 0)
            kill(run->jobs[i].process, SIGKILL);
}

/* One that fails stops the others. */
static void hear_all(struct run *run)
{
    struct pollfd *watched = calloc(run->count, sizeof *watched);
    uint32_t open = watched ? run->count : 0;
    while (open) {
        for (uint32_t i = 0; i < run->count; i++)
            watched[i] = (struct pollfd){.fd = run->jobs[i].pipe, .events = POLLIN};
        int ready = poll(watched, run->count, TICK_MS);
        obey_signals(run);
        if (run->options->progress)
            show_progress(run);
        for (uint32_t i = 0; ready > 0 && i < run->count; i++) {
            if (!watched[i].revents || hear(&run->jobs[i]))
                continue;
            collect(&run->jobs[i]);
            if (run->jobs[i].status == NV_CELL_FAILED)
                atomic_store(&run->board->stop, true);
            open--;
        }
    }
    free(watched);
    if (run->line)
        fputs("\r\033[K", stderr);
}

/* -- joining -- */

static bool take_findings(struct nv_report *into, struct nv_report *from)
{
    bool ok = true;
    for (size_t i = 0; i < from->finding_count; i++) {
        ok = ok && nv_report_add(into, from->findings[i]);
        from->findings[i] = NULL;
    }
    return ok;
}

static int join(struct run *run, struct job *job, struct nv_report **report)
{
    FILE *in = job->length ? fmemopen(job->text, job->length, "r") : NULL;
    struct nv_report *read = in ? nv_report_read(in, run->error, run->error_bytes) : NULL;
    if (in)
        fclose(in);
    if (!read) {
        if (!in)
            snprintf(run->error, run->error_bytes, "a job ended before it reported");
        return -1;
    }
    bool ok = true;
    if (!*report) {
        *report = read;
        return 0;
    }
    ok = nv_crash_join((*report)->crash, read->crash) && take_findings(*report, read);
    nv_report_free(read);
    return ok ? 0 : fail(run, "cannot go on", ENOMEM);
}

static int join_all(struct run *run, struct nv_report **report)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const struct job *job = &run->jobs[i];
        if (job->status != NV_CELL_FAILED)
            continue;
        const char *why = job->text && job->length ? job->text : "a job ended before it reported";
        snprintf(run->error, run->error_bytes, "%.*s", (int)strcspn(why, "\n"), why);
        return -1;
    }
    for (uint32_t i = 0; i < run->count; i++)
        if (join(run, &run->jobs[i], report))
            return -1;
    return 0;
}

/* -- the whole -- */

static void catch_signals(struct sigaction *old)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    signals_seen = 0;
    for (size_t i = 0; i < 3; i++)
        sigaction(numbers[i], &action, &old[i]);
}

static void release_signals(const struct sigaction *old)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < 3; i++)
        sigaction(numbers[i], &old[i], NULL);
}

static void finish(struct run *run)
{
    for (uint32_t i = 0; run->jobs && i < run->count; i++) {
        struct job *job = &run->jobs[i];
        if (job->process > 0) {
            kill(job->process, SIGKILL);
            waitpid(job->process, NULL, 0);
        }
        if (job->pipe >= 0)
            close(job->pipe);
        remove_scratch(job);
        free(job->text);
    }
    free(run->jobs);
    if (run->board)
        munmap(run->board, run->board_bytes);
}

/* 0: all jobs have been heard. */
static int run_all(struct run *run, const struct nv_trace *trace, const struct nv_stake *stake, const char *replay)
{
    run->began = seconds_now();
    if (start(run, trace, stake, replay))
        return -1;
    hear_all(run);
    return 0;
}

int nv_jobs_run(const struct nv_trace *trace, const struct nv_stake *stake, const struct nv_jobs_options *options,
                struct nv_report **report, bool *interrupted, char *error, size_t error_bytes)
{
    struct sigaction old[3];
    struct run run = {.options = options, .count = options->jobs, .error = error, .error_bytes = error_bytes};
    *report = NULL;
    catch_signals(old);
    int failed = run_all(&run, trace, stake, NULL);
    failed = failed ? failed : join_all(&run, report);
    if (!failed)
        (*report)->crash->seconds = seconds_now() - run.began;
    *interrupted = signals_seen != 0;
    finish(&run);
    release_signals(old);
    if (failed) {
        nv_report_free(*report);
        *report = NULL;
    }
    return failed;
}

int nv_jobs_replay(const struct nv_trace *trace, const struct nv_stake *stake, const struct nv_jobs_options *options,
                   const char *id, char **told, bool *failed, char *error, size_t error_bytes)
{
    struct run run = {.options = options, .count = 1, .error = error, .error_bytes = error_bytes};
    int wrong = run_all(&run, trace, stake, id);
    struct job *job = wrong ? NULL : &run.jobs[0];
    *told = NULL;
    if (job && job->status != NV_CELL_FAILED) {
        *told = job->text;
        *failed = job->status != 0;
        job->text = NULL;
    } else if (job) {
        const char *why = job->text && job->length ? job->text : "it could not be replayed";
        snprintf(error, error_bytes, "%.*s", (int)strcspn(why, "\n"), why);
        wrong = -1;
    }
    finish(&run);
    return wrong;
}
