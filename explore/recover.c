/* SPDX-License-Identifier: MIT */
/*
 * A judge is a table: base, judge and reads, of commands on folders, of functions on memory, or of none. What is common
 * to them, the ending and the image that is kept, is here.
 */
#include "explore/recover.h"
#include "explore/command.h"
#include "explore/folder.h"
#include "explore/function.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct nv_recover {
    struct nv_recover_options options;
    const struct nv_stake *stake;
    struct nv_folder *folder; /* commands; and what is kept */
    struct nv_recovery_command *command;
    struct nv_function *function;
    char *promises;        /* the file */
    struct stat promised;  /* as it was written */
    uint64_t promised_for; /* point */
    struct nv_ending ending;
    int keep, kept;
    char error[512];
};

const struct nv_ending *nv_recover_ending(const struct nv_recover *recover)
{
    return &recover->ending;
}

const char *nv_recover_error(const struct nv_recover *recover)
{
    return recover->error;
}

void nv_recover_keep(struct nv_recover *recover, int folder)
{
    recover->keep = folder;
    recover->kept = 0;
}

int nv_recover_kept(const struct nv_recover *recover)
{
    return recover->kept;
}

static enum nv_verdict stop(struct nv_recover *recover, const char *what, int error)
{
    snprintf(recover->error, sizeof recover->error, "%s: %s", what, strerror(-error));
    return NV_VERDICT_STOP;
}

static void keep(struct nv_recover *recover, const struct nv_state *state)
{
    if (recover->keep >= 0)
        recover->kept = nv_folder_write(recover->folder, state, recover->keep);
}

/* -- commands -- */

/* Written again when a recovery has changed it, or taken it away. */
static bool promises_stand(const struct nv_recover *recover, const struct nv_state *state)
{
    struct stat status;
    const struct stat *was = &recover->promised;
    return recover->promised_for == state->point && stat(recover->promises, &status) == 0 &&
           status.st_ino == was->st_ino && status.st_size == was->st_size &&
           status.st_ctim.tv_sec == was->st_ctim.tv_sec && status.st_ctim.tv_nsec == was->st_ctim.tv_nsec;
}

static int write_promises(struct nv_recover *recover, const struct nv_state *state)
{
    if (promises_stand(recover, state))
        return 0;
    unlink(recover->promises);
    int error = 0, file = open(recover->promises, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (file < 0)
        return -errno;
    for (size_t at = 0; !error && at < state->promises_bytes;) {
        ssize_t done = write(file, state->promises + at, state->promises_bytes - at);
        if (done < 0)
            error = -errno;
        else
            at += (size_t)done;
    }
    if (!error && fstat(file, &recover->promised))
        error = -errno;
    close(file);
    recover->promised_for = error ? 0 : state->point;
    return error;
}

static int command_base(void *context, const struct nv_model *model, const struct nv_state *base)
{
    struct nv_recover *recover = context;
    return nv_folder_base(recover->folder, model, base);
}

/* What a shell says when there is no such program: no state is to blame for it. */
static bool is_not_found(const struct nv_ending *ending)
{
    return ending->kind == NV_ENDED_EXIT && (ending->number == 126 || ending->number == 127);
}

static enum nv_verdict not_found(struct nv_recover *recover)
{
    const struct nv_ending *ending = &recover->ending;
    snprintf(recover->error, sizeof recover->error, "the recovery command could not be run (status %d): %.*s",
             ending->number,
             (int)strcspn(ending->output, "\n") < (int)ending->output_bytes ? (int)strcspn(ending->output, "\n")
                                                                            : (int)ending->output_bytes,
             ending->output);
    return NV_VERDICT_STOP;
}

static enum nv_verdict run_command(struct nv_recover *recover)
{
    int error = nv_recovery_command_run(recover->command, &recover->ending);
    if (error)
        return stop(recover, "the recovery command could not be run", error);
    if (is_not_found(&recover->ending))
        return not_found(recover);
    return nv_ending_is_good(&recover->ending) ? NV_VERDICT_GOOD : NV_VERDICT_BAD;
}

static enum nv_verdict command_judge(void *context, const struct nv_state *state)
{
    struct nv_recover *recover = context;
    keep(recover, state);
    int error = nv_folder_make(recover->folder, state);
    error = error ? error : write_promises(recover, state);
    enum nv_verdict verdict = error ? stop(recover, "a state could not be built", error) : run_command(recover);
    error = nv_folder_clear(recover->folder);
    return error && verdict != NV_VERDICT_STOP ? stop(recover, "a state could not be removed", error) : verdict;
}

static const struct nv_judge of_command = {.base = command_base, .judge = command_judge};

/* -- functions -- */

static int function_base(void *context, const struct nv_model *model, const struct nv_state *base)
{
    struct nv_recover *recover = context;
    int error = nv_folder_base(recover->folder, model, base);
    return error ? error : nv_function_base(recover->function, model, base);
}

static enum nv_verdict function_judge(void *context, const struct nv_state *state)
{
    struct nv_recover *recover = context;
    keep(recover, state);
    int error = nv_function_run(recover->function, state, &recover->ending);
    if (error)
        return stop(recover, "the recovery function could not be called", error);
    return nv_ending_is_good(&recover->ending) ? NV_VERDICT_GOOD : NV_VERDICT_BAD;
}

static bool function_reads(void *context, const struct nv_read **reads, size_t *count)
{
    return nv_function_reads(((struct nv_recover *)context)->function, reads, count);
}

static const struct nv_judge of_function = {.base = function_base, .judge = function_judge, .reads = function_reads};

/* -- no recovery: a state is built, and that is all -- */

static enum nv_verdict no_judge(void *context, const struct nv_state *state)
{
    struct nv_recover *recover = context;
    keep(recover, state);
    return NV_VERDICT_GOOD;
}

static const struct nv_judge of_nothing = {.base = command_base, .judge = no_judge};

struct nv_judge nv_recover_judge(struct nv_recover *recover)
{
    struct nv_judge judge = recover->command ? of_command : recover->function ? of_function : of_nothing;
    judge.context = recover;
    return judge;
}

/* -- opening -- */

static int failed(char *error, size_t error_bytes, const char *what, int number)
{
    snprintf(error, error_bytes, "%s: %s", what, strerror(-number));
    return -1;
}

static int open_command(struct nv_recover *recover)
{
    const struct nv_stake *stake = recover->stake;
    char path[2 * PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s%s%s", nv_folder_path(recover->folder), stake->file_path ? "/" : "",
                          stake->file_path ? nv_folder_prefix(recover->folder, stake->file_folder) : "",
                          stake->file_path ? stake->file_path : "");
    if (length < 0 || (size_t)length >= sizeof path)
        return -ENAMETOOLONG;
    if (asprintf(&recover->promises, "%s/promises", nv_folder_scratch(recover->folder)) < 0) {
        recover->promises = NULL;
        return -ENOMEM;
    }
    recover->command =
        nv_recovery_command_new(recover->options.command, path, recover->promises, recover->options.timeout_seconds);
    return recover->command ? 0 : -ENOMEM;
}

static int open_all(struct nv_recover *recover, char *error, size_t error_bytes)
{
    const struct nv_recover_options *options = &recover->options;
    struct nv_folder_options folder = {.scratch = options->scratch,
                                       .on_disk = options->on_disk,
                                       .folder_count = recover->stake->folder_count,
                                       .names = recover->stake->folders};
    int number = nv_folder_open(&folder, &recover->folder);
    if (number)
        return failed(error, error_bytes, "cannot make a folder for states", number);
    number = options->command ? open_command(recover) : 0;
    if (number)
        return failed(error, error_bytes, "cannot run a recovery command", number);
    if (!options->function)
        return 0;
    recover->function = nv_function_open(options, recover->stake, error, error_bytes);
    return recover->function ? 0 : -1;
}

int nv_recover_open(const struct nv_recover_options *options, const struct nv_stake *stake, struct nv_recover **recover,
                    char *error, size_t error_bytes)
{
    struct nv_recover *made = calloc(1, sizeof *made);
    *recover = NULL;
    if (!made)
        return failed(error, error_bytes, "cannot go on", -ENOMEM);
    made->options = *options;
    made->stake = stake;
    made->keep = -1;
    if (open_all(made, error, error_bytes)) {
        nv_recover_close(made);
        return -1;
    }
    *recover = made;
    return 0;
}

void nv_recover_close(struct nv_recover *recover)
{
    if (!recover)
        return;
    nv_function_close(recover->function);
    nv_recovery_command_free(recover->command);
    nv_folder_close(recover->folder);
    free(recover->promises);
    free(recover);
}
