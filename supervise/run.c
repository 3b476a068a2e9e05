/* SPDX-License-Identifier: MIT */
/* A verified run, from its namespaces to its end. `nvrtl check` calls nv_run, in a process that does nothing else. */
#include "supervise/run.h"
#include "supervise/guardian.h"
#include "supervise/hints.h"
#include "supervise/observer.h"
#include "supervise/record.h"
#include "supervise/signals.h"
#include "supervise/spawn.h"
#include "supervise/turns.h"
#include "supervise/view.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Descriptors that stand for synchronous opens: the last ones that the program may have. */
enum { RESERVED_MAX = 1024 };
/* Before them, those whose writes are told of; and how many small files may get one on trial. */
enum { WATCHED_MAX = 1024, WATCH_TRIALS = 64 };
/* After the program's end it is told what nvrtl waits for. */
enum { PATIENCE_MS = 1000 };

struct run {
    struct nv_supervisor supervisor;
    struct nv_view_context view;
    struct nv_guardian guardian; /* while the view is made, of the scratch folder; then of the program too */
    struct nv_filter filter, stops;
    struct nv_spawn spawn;
    char working_folder[PATH_MAX];
    struct nv_signals signals;
    unsigned requests;             /* to end what the program has left running */
    bool explained;                /* or need not be: what nvrtl waits for */
    uint64_t began_ns, started_ns; /* nvrtl, and the program */
    uint64_t ended_ns;
    char *error;
    size_t error_bytes;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return nv_nanoseconds(now);
}

/* From then to now. */
static double seconds_since(uint64_t from_ns)
{
    return (double)(now_ns() - from_ns) / 1e9;
}

static int fail(struct run *run, const char *what, int number)
{
    snprintf(run->error, run->error_bytes, "cannot %s: %s", what, strerror(number));
    return 125;
}

/* ---- preparing ---- */

static bool is_system_folder(const char *path)
{
    static const char *const folders[] = {"/proc", "/sys", "/dev"};

    if (!strcmp(path, "/"))
        return true;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (nv_path_below(path, folders[i]) && !nv_path_below(path, "/dev/shm"))
            return true;
    return false;
}

/* Folders that lie in another one at stake are at stake with it. */
static int add_folder(struct run *run, const char *name)
{
    struct nv_image *image = &run->supervisor.image;
    char *path = realpath(name, NULL);

    if (!path) {
        snprintf(run->error, run->error_bytes, "cannot open the folder %s: %s", name, strerror(errno));
        return 125;
    }
    if (is_system_folder(path)) {
        snprintf(run->error, run->error_bytes,
                 "%s cannot be at stake: name the folder of the program's files with --dir", path);
        free(path);
        return 125;
    }
    for (size_t i = 0; i < image->folder_count; i++)
        if (nv_path_below(path, image->folders[i].path)) {
            free(path);
            return 0;
        }
    image->folders[image->folder_count++] = (struct nv_folder){.path = path, .real = -1, .view = -1, .upper = -1};
    return 0;
}

/* A folder may lie in one that was named later. */
static void merge_folders(struct nv_image *image)
{
    size_t kept = 0;

    for (size_t i = 0; i < image->folder_count; i++) {
        bool inside = false;

        for (size_t k = 0; k < image->folder_count && !inside; k++)
            inside = k != i && image->folders[k].path && nv_path_below(image->folders[i].path, image->folders[k].path);
        if (inside) {
            free(image->folders[i].path);
            image->folders[i].path = NULL;
        }
    }
    for (size_t i = 0; i < image->folder_count; i++)
        if (image->folders[i].path)
            image->folders[kept++] = image->folders[i];
    image->folder_count = kept;
}

static int prepare_folders(struct run *run)
{
    struct nv_image *image = &run->supervisor.image;
    size_t count = 0;

    while (run->supervisor.options->folders[count])
        count++;
    image->folders = calloc(count + 1, sizeof *image->folders);
    if (!image->folders)
        return fail(run, "start", ENOMEM);
    for (size_t i = 0; i < count; i++) {
        int status = add_folder(run, run->supervisor.options->folders[i]);

        if (status)
            return status;
    }
    merge_folders(image);
    return 0;
}

/* A file that was there may be larger than what the program may write. */
static int prepare_limits(struct run *run)
{
    struct nv_inherited *inherited = &run->spawn.inherited;
    struct rlimit file_bytes;

    if (getrlimit(RLIMIT_NOFILE, &inherited->descriptors) || getrlimit(RLIMIT_FSIZE, &inherited->file_bytes))
        return fail(run, "read the limits", errno);
    file_bytes = inherited->file_bytes;
    file_bytes.rlim_cur = file_bytes.rlim_max;
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}))
        (void)setrlimit(RLIMIT_FSIZE, &file_bytes);
    return 0;
}

/* Where there are none, files are compared. */
static void prepare_hints(struct nv_supervisor *supervisor, uint64_t near_bytes)
{
    int part = supervisor->reserved_first / 4;

    if (supervisor->overlay || supervisor->options->trace || supervisor->options->dirty == NV_DIRTY_COMPARE ||
        nv_hints_open(&supervisor->image, near_bytes))
        return;
    supervisor->watched_first -= part < WATCHED_MAX ? part : WATCHED_MAX;
    supervisor->watch_trials = WATCH_TRIALS;
    nv_hints_begin_all(&supervisor->image);
}

static int prepare_filter(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    rlim_t limit = run->spawn.inherited.descriptors.rlim_cur;
    int end = limit > 1 << 14 ? 1 << 14 : (int)limit;
    uint64_t near_bytes = supervisor->options->dirty == NV_DIRTY_HINT ? 0 : NV_HINT_NEAR_BYTES;
    struct nv_filter_options options;
    int status;

    supervisor->reserved_end = end;
    supervisor->reserved_first = end / 4 < RESERVED_MAX ? end - end / 4 : end - RESERVED_MAX;
    supervisor->overlay = run->view.overlay;
    supervisor->watched_first = supervisor->reserved_first;
    prepare_hints(supervisor, near_bytes);
    options = (struct nv_filter_options){supervisor->reserved_first, supervisor->overlay,
                                         supervisor->image.hints ? supervisor->watched_first : 0, near_bytes};
    status = nv_filter_build(&options, &run->filter);
    if (!status)
        status = nv_notify_prepare();
    if (status)
        return fail(run, "build the system call filter", -status);
    run->spawn.filter = &run->filter;
    if (supervisor->options->trace && nv_filter_build_stops(&run->stops))
        return fail(run, "build the system call filter", EINVAL);
    run->spawn.stops = supervisor->options->trace ? &run->stops : NULL;
    return 0;
}

/* The guardian comes first: the scratch folder goes, whatever becomes of us. */
static int make_view(struct run *run)
{
    int status;

    if (nv_view_name_scratch(&run->view))
        return 125;
    status = nv_guardian_start(&run->guardian, &run->view, NULL, NULL);
    if (status)
        return fail(run, "start the guardian", -status);
    if (!nv_view_make(&run->view))
        return 0;
    return run->view.interrupted ? 128 + run->view.interrupted : 125;
}

static int prepare_view(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    int status;

    run->began_ns = now_ns();
    if (!getcwd(run->working_folder, sizeof run->working_folder))
        return fail(run, "find the current folder", errno);
    run->spawn.working_folder = run->working_folder;
    status = prepare_limits(run);
    if (status)
        return status;
    status = nv_image_init(&supervisor->image, supervisor->options->model);
    if (status)
        return fail(run, "watch files", -status);
    status = prepare_folders(run);
    if (status)
        return status;
    run->view = (struct nv_view_context){.image = &supervisor->image,
                                         .report = supervisor->report,
                                         .options = supervisor->options,
                                         .error = run->error,
                                         .error_bytes = run->error_bytes,
                                         .signals = &run->signals};
    if (nv_namespace_enter(&run->view))
        return 125;
    status = make_view(run);
    if (status)
        return status;
    return chdir(run->working_folder) ? fail(run, "enter the view", errno) : 0;
}

/* An overlay may take some files for others. */
static int prepare_trace(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    int status;

    if (supervisor->options->trace && run->view.overlay) {
        snprintf(run->error, run->error_bytes, "a run with --view=overlay cannot be recorded");
        return 125;
    }
    status = nv_observe_open(supervisor);
    if (!status)
        status = nv_turns_open(supervisor);
    if (status == -EBADF)
        snprintf(run->error, run->error_bytes, "there is no descriptor %d, to which promises would be written",
                 supervisor->options->ack_descriptor);
    else if (status == -ENOSYS)
        snprintf(run->error, run->error_bytes, "a run can be recorded by Linux 5.19 and later alone");
    else if (status)
        snprintf(run->error, run->error_bytes, "cannot record the run in %s: %s", supervisor->options->trace,
                 strerror(-status));
    return status ? 125 : 0;
}

static int prepare(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    int status = prepare_view(run);

    if (!status)
        status = prepare_filter(run);
    if (!status && (status = nv_server_open(supervisor)))
        status = fail(run, "serve verifiers", -status);
    if (!status && (status = nv_record_open(supervisor)))
        status = fail(run, "record the run", -status);
    return status ? status : prepare_trace(run);
    return status;
}

/* ---- running ---- */

/*
 * A process that sends nvrtl a signal means the program; when that has ended, what it has left running. That is asked
 * to end first, and killed when there is another signal.
 */
static void take_signals(struct run *run)
{
    struct nv_signal signal;

    while (nv_signals_next(&run->signals, &signal)) {
        if (!run->supervisor.ended && signal.sent)
            nv_guardian_signal(&run->guardian, signal.number);
        if (run->supervisor.ended && (signal.sent || !signal.ignored) && !run->requests++)
            (void)nv_signal_descendants(run->guardian.process, SIGTERM, NULL);
    }
}

/* For whoever waits at a terminal: the program's own end is seen there, and that it left something running is not. */
static void explain_wait(struct run *run)
{
    pid_t some = 0;
    unsigned count = nv_signal_descendants(run->guardian.process, 0, &some);

    run->explained = true;
    if (count)
        fprintf(stderr,
                "nvrtl check: the program has ended and left %u process%s running (%d%s): waiting for %s; "
                "Ctrl-C asks %s to end, and again kills\n",
                count, count > 1 ? "es" : "", (int)some, count > 1 ? ", ..." : "", count > 1 ? "them" : "it",
                count > 1 ? "them" : "it");
}

/* In a recorded run the guardian hears of the program's end when it has been taken note of here. */
static void await_stops(struct run *run)
{
    struct pollfd line = {run->guardian.line, POLLIN, 0};

    while (run->supervisor.turns && !poll(&line, 1, nv_turns_patience_ms(run->supervisor.turns)))
        nv_turns_serve(run->supervisor.turns);
}

static bool must_explain(const struct run *run)
{
    return run->supervisor.ended && !run->explained && seconds_since(run->ended_ns) * 1000 > PATIENCE_MS * 0.9;
}

/* Without its guardian nothing holds the program: that is the end of it, too. */
static void await_program(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;

    if (!supervisor->ended)
        await_stops(run);
    if (!supervisor->ended && !nv_guardian_await(&run->guardian, &supervisor->status))
        supervisor->status = SIGKILL;
    if (!supervisor->ended)
        run->ended_ns = now_ns();
    supervisor->ended = true;
}

static bool lost_power(const struct run *run)
{
    return run->supervisor.ended && WIFSIGNALED(run->supervisor.status) && WTERMSIG(run->supervisor.status) == SIGKILL;
}

/* False, with errno: there is nobody left to serve. The program, or one thread of it, waits meanwhile. */
static bool serve_one(struct run *run, bool (*serve)(struct nv_supervisor *supervisor))
{
    uint64_t from_ns = now_ns();
    bool served = serve(&run->supervisor);
    int number = errno;

    run->supervisor.report->times.stopped += seconds_since(from_ns);
    errno = number;
    return served;
}

/* How long the loop may sleep. */
static int patience_ms(const struct run *run)
{
    if (run->supervisor.turns)
        return nv_turns_patience_ms(run->supervisor.turns);
    return run->supervisor.ended && !run->explained ? PATIENCE_MS : -1;
}

/* In a recorded run: stops, and what was recorded. */
static void serve_recording(struct nv_supervisor *supervisor)
{
    if (!supervisor->turns)
        return;
    nv_turns_serve(supervisor->turns);
    nv_observe_drain(supervisor->observer);
}

/* Until the last process of the program is gone, or the power is: 0; or a negative errno. */
static int serve(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;

    for (;;) {
        bool busy = nv_turns_is_busy(supervisor->turns);
        struct pollfd wait[] = {{busy ? -1 : supervisor->calls, POLLIN, 0},
                                {supervisor->server, POLLIN, 0},
                                {run->signals.descriptor, POLLIN, 0},
                                {supervisor->ended ? -1 : run->guardian.line, POLLIN, 0}};

        int ready = poll(wait, 4, patience_ms(run));

        if (ready < 0 && errno != EINTR)
            return -errno;
        take_signals(run);
        serve_recording(supervisor);
        if (!ready && must_explain(run))
            explain_wait(run);
        if (ready <= 0)
            continue;
        if (wait[3].revents)
            await_program(run);
        if (lost_power(run) || run->requests > 1)
            return 0;
        if ((wait[1].revents & POLLIN) && !serve_one(run, nv_server_serve))
            return -errno;
        if ((wait[0].revents & POLLIN) && !nv_turns_is_busy(supervisor->turns) && !serve_one(run, nv_notify_serve))
            return -errno;
        if ((wait[0].revents & (POLLHUP | POLLERR)) && !(wait[0].revents & POLLIN))
            return 0;
    }
}

/* ---- ending ---- */

static void describe(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    struct nv_report *report = supervisor->report;

    report->seconds = seconds_since(run->began_ns);
    report->times.view = (double)(run->started_ns - run->began_ns) / 1e9;
    report->times.program = seconds_since(run->started_ns);
    report->level = atomic_load(&supervisor->ledger->stores) ? "stores" : "pages";
    report->domain = NvrtlDomainName(supervisor->options->domain);
    report->view = run->view.overlay ? "overlay" : "copy";
    report->file_system_model = supervisor->options->model == NV_FS_POSIX ? "posix" : "journaled";
    report->syncs = supervisor->image.syncs;
    report->bytes_made_durable = supervisor->image.bytes_made_durable;
    report->exit_status =
        WIFSIGNALED(supervisor->status) ? 128 + WTERMSIG(supervisor->status) : WEXITSTATUS(supervisor->status);
}

static int copy_strings(char ***to, char *const *from, size_t count)
{
    *to = calloc(count + 1, sizeof **to);
    for (size_t i = 0; *to && i < count; i++)
        if (!((*to)[i] = strdup(from[i])))
            return -ENOMEM;
    return *to ? 0 : -ENOMEM;
}

static int name_report(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    char *folders[64];
    size_t count = 0, words = 0;

    while (supervisor->options->program[words])
        words++;
    for (; count < supervisor->image.folder_count && count < 64; count++)
        folders[count] = supervisor->image.folders[count].path;
    return copy_strings(&supervisor->report->folders, folders, count) ||
           copy_strings(&supervisor->report->program, supervisor->options->program, words);
}

static int finish(struct run *run, char *path, size_t path_bytes)
{
    uint64_t from_ns = now_ns();
    int status = nv_finish(&run->supervisor, path, path_bytes);

    run->supervisor.report->times.finishing = seconds_since(from_ns);
    return status;
}

static int judge(struct run *run)
{
    uint64_t from_ns = now_ns();
    int status = nv_judge(&run->supervisor);

    run->supervisor.report->times.judging = seconds_since(from_ns);
    return status;
}

static int end(struct run *run)
{
    struct nv_supervisor *supervisor = &run->supervisor;
    char path[PATH_MAX];
    int judged = 0, finished = 0;

    describe(run);
    if (lost_power(run)) {
        supervisor->report->power_failure = true;
        nv_kill_descendants(run->guardian.process);
        finished = nv_finish_persistent_caches(supervisor);
    } else {
        if (run->requests > 1)
            nv_kill_descendants(run->guardian.process); /* whoever does not end when asked */
        judged = judge(run);
        finished = finish(run, path, sizeof path);
    }
    if (finished) {
        snprintf(run->error, run->error_bytes, "cannot bring %s from the view into the files: %s%s%s",
                 supervisor->report->power_failure ? "the memory domain's lines" : path, strerror(-finished),
                 *supervisor->image.rescued ? "; what is missing was saved in " : "", supervisor->image.rescued);
        return 125;
    }
    if (!judged)
        judged = nv_record_timeline(supervisor);
    if (supervisor->observer && (finished = nv_observe_end(supervisor->observer))) {
        snprintf(run->error, run->error_bytes, "cannot record the run in %s: %s", supervisor->options->trace,
                 strerror(-finished));
        return 125;
    }
    if (judged || name_report(run))
        return fail(run, "judge what differs", judged ? -judged : ENOMEM);
    return 0;
}

/* The program waits for answers that nobody can give it any more. */
static int abandon(struct run *run, int number)
{
    char path[PATH_MAX];
    int finished;

    nv_kill_descendants(run->guardian.process);
    await_program(run);
    finished = nv_finish(&run->supervisor, path, sizeof path);
    snprintf(run->error, run->error_bytes, "cannot hear of the program's system calls any more: %s; it was ended%s%s",
             strerror(-number), finished ? ", and this could not be brought into the files: " : "",
             finished ? path : "");
    return 125;
}

/* At no time is there no guardian. Should it be killed, what it was to end falls to us. */
static int spawn(struct run *run)
{
    struct nv_guardian first = run->guardian;
    int status;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    run->guardian.process = 0;
    run->started_ns = now_ns();
    nv_record_start(&run->supervisor, run->started_ns);
    status = nv_spawn(&run->supervisor, &run->spawn, &run->view, &run->guardian, run->error, run->error_bytes);
    nv_guardian_dismiss(&first);
    return status;
}

static int go(struct run *run)
{
    int status = nv_signals_begin(&run->signals, &run->spawn.inherited), received;

    if (status)
        return fail(run, "wait for signals", -status);
    status = prepare(run);
    if (status)
        return status;
    if (nv_view_interrupted(&run->view))
        return 128 + run->view.interrupted;
    status = spawn(run);
    if (status)
        return status;
    status = nv_notify_begin(&run->supervisor);
    if (!status)
        status = serve(run);
    received = nv_notify_end(&run->supervisor);
    if (status || received)
        return abandon(run, status ? status : received);
    await_program(run);
    return end(run);
}

/* The mounts go with the process; a scratch folder on a disk must be removed. */
static void clean(struct run *run)
{
    struct nv_image *image = &run->supervisor.image;

    nv_view_remove_scratch(&run->view);
    nv_guardian_dismiss(&run->guardian);
    umask(run->spawn.inherited.creation_mask);
    nv_turns_close(&run->supervisor);
    nv_observe_close(&run->supervisor);
    nv_server_close(&run->supervisor);
    nv_record_close(&run->supervisor);
    nv_image_free(image);
    nv_view_context_free(&run->view);
    free(run->filter.instructions);
    free(run->stops.instructions);
    if (run->supervisor.listener >= 0)
        close(run->supervisor.listener);
    if (run->signals.descriptor >= 0)
        close(run->signals.descriptor);
}

/* With a report of its own; NULL: no memory. */
static struct run *new_run(const struct nv_run_options *options, struct nv_report **report, char *error,
                           size_t error_bytes)
{
    struct run *run = calloc(1, sizeof *run);

    *report = nv_report_new();
    if (!run || !*report) {
        free(run);
        nv_report_free(*report);
        *report = NULL;
        snprintf(error, error_bytes, "cannot start: %s", strerror(ENOMEM));
        return NULL;
    }
    run->error = error;
    run->error_bytes = error_bytes;
    run->signals.descriptor = -1;
    run->explained = !isatty(STDERR_FILENO);
    run->spawn.inherited.creation_mask = umask(0); /* files get the modes that the program gave them */
    run->supervisor = (struct nv_supervisor){.options = options,
                                             .report = *report,
                                             .listener = -1,
                                             .calls = -1,
                                             .server = -1,
                                             .ledger_fd = -1,
                                             .log_fd = -1};
    return run;
}

int nv_run_in_copy(const struct nv_run_options *options, int (*inside)(void *context), void *context, char *error,
                   size_t error_bytes)
{
    struct nv_report *report;
    struct run *run = new_run(options, &report, error, error_bytes);
    int status;

    if (!run)
        return 125;
    status = nv_signals_begin(&run->signals, &run->spawn.inherited);
    status = status ? fail(run, "wait for signals", -status) : prepare_view(run);
    if (!status) {
        nv_inherited_restore(&run->spawn.inherited);
        status = inside(context);
    }
    clean(run);
    free(run);
    nv_report_free(report);
    return status;
}

int nv_run(const struct nv_run_options *options, struct nv_report **report, char *error, size_t error_bytes)
{
    struct run *run = new_run(options, report, error, error_bytes);
    int status;

    if (!run)
        return 125;
    status = go(run);
    clean(run);
    free(run);
    if (status) {
        nv_report_free(*report);
        *report = NULL;
    }
    return status;
}
