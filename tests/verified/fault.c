/* SPDX-License-Identifier: MIT */
/*
 * Every call of the supervisor fails in turn, once and for good, while a small workload runs. Afterwards the files and
 * findings are exactly right; or nvrtl says why it failed, or the program was told, and nothing that was acknowledged
 * is lost. Nothing hangs, crashes or is left behind.
 *
 * fault NVRTL-WITH-FAILING-CALLS WORKLOAD [--seed=N] [--first=N] [--last=N] [--step=N] [--once] [--verbose]
 */
#include "tests/verified/compare.h"
#include "tests/verified/options.h"
#include "tests/verified/report.h"
#include "tests/verified/session.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct model model, everything;
static const struct operation *impossible;
static const struct operation *pending; /* sent, and perhaps not answered */

static const struct operation script[] = {
    {.kind = OP_PWRITE, .path = "f0", .seed = 10, .offset = 100, .length = 5000},
    {.kind = OP_FSYNC, .path = "f0"},
    {.kind = OP_CREATE, .path = "new"},
    {.kind = OP_PWRITE, .path = "new", .seed = 11, .length = 9000},
    {.kind = OP_FDATASYNC, .path = "new"},
    {.kind = OP_FSYNC_FOLDER, .path = "."},
    {.kind = OP_STORE, .path = "f1", .seed = 12, .offset = 4000, .length = 200},
    {.kind = OP_MSYNC, .path = "f1", .length = 8192, .flags = MS_SYNC},
    {.kind = OP_DSYNC_WRITE, .path = "f2", .seed = 13, .offset = 64, .length = 700, .flags = O_DSYNC},
    {.kind = OP_RWF_WRITE, .path = "f2", .seed = 14, .offset = 6000, .length = 30, .flags = 2},
    {.kind = OP_MKDIR, .path = "d0"},
    {.kind = OP_CREATE, .path = "d0/below"},
    {.kind = OP_PWRITE, .path = "d0/below", .seed = 15, .length = 300},
    {.kind = OP_FSYNC, .path = "d0/below"},
    {.kind = OP_FSYNC_FOLDER, .path = "d0"},
    {.kind = OP_RENAME, .path = "f3", .path2 = "f4"},
    {.kind = OP_LINK, .path = "f0", .path2 = "linked"},
    {.kind = OP_UNLINK, .path = "f5"},
    {.kind = OP_FSYNC_FOLDER, .path = "."},
    {.kind = OP_TOKEN, .path = "f6", .length = 8192},
    {.kind = OP_NV_WRITE, .seed = 16, .offset = 640, .length = 100, .flags = WRITE_NV_MEMORY_FLAG_PERSIST},
    {.kind = OP_NV_WRITE, .seed = 17, .offset = 1280, .length = 10, .flags = 0x101},
    {.kind = OP_FREE},
    {.kind = OP_TRUNCATE, .path = "f7", .offset = 1000},
    {.kind = OP_SYNCFS, .path = "."},
    {.kind = OP_PWRITE, .path = "f1", .seed = 18, .offset = 9000, .length = 64}, /* never made durable */
};

enum { STEPS = sizeof script / sizeof *script };

static const struct variant {
    const char *name;
    bool posix, scratch, overlay;
} variants[] = {
    {"journaled", false, false, false}, {"posix, on scratch", true, true, false}, {"overlay", false, false, true}};

static void add_files(struct model *files)
{
    for (int i = 0; i < 8; i++) {
        char name[8];

        snprintf(name, sizeof name, "f%d", i);
        model_add_file(files, name, 100 + (uint64_t)i, i == 1 ? 16384 : 8192);
    }
}

/* A write that failed may have written: write it again, so that the view is known. */
static void repeat_write(struct session *session, const struct operation *operation)
{
    struct operation plain = *operation;
    int64_t result;

    if (operation->kind != OP_DSYNC_WRITE && operation->kind != OP_RWF_WRITE)
        return;
    plain.kind = OP_PWRITE;
    session_send(session, &plain);
    if (session_hear(session, &result) && !result)
        model_apply(&model, &plain);
}

static bool may_fail(uint32_t kind)
{
    return kind == OP_MSYNC || kind == OP_FSYNC || kind == OP_FDATASYNC || kind == OP_FSYNC_FOLDER ||
           kind == OP_SYNCFS || kind == OP_DSYNC_WRITE || kind == OP_RWF_WRITE || kind == OP_TOKEN;
}

/* The number of operations that failed; -1: the program did not live to the end. */
static int run_script(struct session *session, bool no_links)
{
    int failed = 0;
    bool has_token = true;

    for (size_t i = 0; i < STEPS; i++) {
        int64_t result;

        if ((script[i].kind > OP_TOKEN && !has_token) || (script[i].kind == OP_LINK && no_links))
            continue;
        pending = &script[i];
        session_send(session, pending);
        if (!session_hear(session, &result))
            return -1;
        if (!result) {
            model_apply(&model, &script[i]);
            continue;
        }
        if (!may_fail(script[i].kind)) { /* unless nvrtl has just been killed */
            impossible = &script[i];
            return -1;
        }
        has_token = has_token && script[i].kind != OP_TOKEN;
        failed++;
        repeat_write(session, &script[i]);
    }
    pending = NULL;
    session_send(session, &(struct operation){.kind = OP_EXIT});
    return failed;
}

static bool says_why(const struct session *session)
{
    struct stat status;

    return !stat(session->messages, &status) && status.st_size > 0;
}

/* What must be found in any case: the last write. */
static void expect_last_write(const struct session *session)
{
    static struct model_finding findings[MODEL_FINDINGS];
    size_t count = report_read(session->report, findings);

    for (size_t i = 0; count != SIZE_MAX && i < count; i++)
        if (!strcmp(findings[i].file, "f1") && strcmp(findings[i].rule, "name-not-flushed"))
            return;
    session_fail("the write that was never made durable is not found");
}

static void expect_nothing_lost(const struct session *session)
{
    everything = model;
    if (pending)
        model_apply(&everything, pending);
    model_sync_everything(&everything);
    compare_between(&model, &everything, session->files);
}

static void judge(struct session *session, int failed, int status)
{
    /* by the guardian, which could not guard: the power is lost, of nvrtl or of the program */
    if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) || (WIFEXITED(status) && WEXITSTATUS(status) == 137)) {
        expect_nothing_lost(session);
        return;
    }
    if (impossible) {
        session_show(impossible);
        session_fail("this operation cannot fail");
    }
    if (!WIFEXITED(status))
        session_fail("nvrtl died of signal %d", WTERMSIG(status));
    switch (WEXITSTATUS(status)) {
    case 99:
        compare_view(&model, session->files);
        expect_last_write(session);
        if (!failed && !report_not_seen(session->report))
            report_compare(&model, session->report);
        break;
    case 125:
    case 126:
    case 127:
        if (!says_why(session))
            session_fail("nvrtl ended with %d and does not say why", WEXITSTATUS(status));
        expect_nothing_lost(session);
        break;
    default:
        session_fail("nvrtl ended with %d", WEXITSTATUS(status));
    }
}

/* False: the call was never reached. */
static bool run(const struct options *options, struct session_options *how, const struct variant *variant,
                unsigned number, bool for_good)
{
    char fail[48], log[PATH_MAX + 40], path[160], where[PATH_MAX];
    char *environment[] = {fail, log, NULL};
    struct session session;
    int failed = -1;
    bool reached;

    session_describe("--first=%u --last=%u: %s, call %u fails %s", number, number, variant->name, number,
                     for_good ? "for good" : "once");
    how->posix = variant->posix;
    how->scratch = variant->scratch;
    how->overlay = variant->overlay;
    how->environment = environment;
    pending = impossible = NULL;
    model_init(&model, how->posix, how->domain);
    add_files(&model);
    session_guard(30);
    session_make(&session);
    session.may_leave_scratch = how->scratch; /* removing it may be what fails */
    session_write_files(&session, &model);
    snprintf(path, sizeof path, "%s/hit", session.base);
    if (!realpath(session.base, where))
        session_fail("realpath");
    snprintf(log, sizeof log, "NVRTL_TEST_FAIL_LOG=%s/hit", where);
    snprintf(fail, sizeof fail, "NVRTL_TEST_FAIL=%u%s", number, for_good ? "+" : "");
    session_start(&session, how);
    if (session_hello(&session))
        failed = run_script(&session, variant->overlay); /* it loses track of files with hard links */
    judge(&session, failed, session_end(&session));
    reached = !access(path, F_OK);
    if (options->verbose)
        printf("%u %s: %s\n", number, for_good ? "for good" : "once", reached ? "failed" : "not reached");
    session_remove(&session);
    return reached;
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .last = 100000, .step = 1};
    struct session_options how = {.domain = NvrtlDomainCpuCache};
    unsigned count = 0;

    options_parse(&options, argc, argv);
    how.nvrtl = options.nvrtl;
    how.workload = options.workload;
    if (!getenv("NVRTL_VERIFIER_PATH"))
        session_fail("NVRTL_VERIFIER_PATH must name the verifier's folder");
    if (options.step > 1)
        options.first += (unsigned)(options.seed % options.step);
    for (size_t i = 0; i < 2 * sizeof variants / sizeof *variants; i += options.once ? 2 : 1)
        for (unsigned number = options.first; number <= options.last; number += options.step, count++)
            if (!run(&options, &how, &variants[i / 2], number, i % 2))
                break;
    printf("%u failures\n", count);
    return 0;
}
