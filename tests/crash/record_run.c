/* SPDX-License-Identifier: MIT */
/*
 * Runs a program and records it, as `nvrtl crash --record` does.
 *
 *   record_run VERIFIER-FOLDER TRACE ACK-DESCRIPTOR MODEL FOLDER PROGRAM [ARG...]
 *
 * MODEL is journaled or posix; or another word, a folder: journaled, with the view in there.
 *
 * Ends as the program does, or with 125 when it could not be recorded whole.
 */
#include "supervise/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was not seen of the files is missing in the trace. */
static int tell_unseen(const struct nv_report *report)
{
    int count = 0;

    for (size_t i = 0; i < report->not_seen_count; i++)
        if (strstr(report->not_seen[i], "recorded"))
            fprintf(stderr, "record_run: %s\n", report->not_seen[i]), count++;
    return count;
}

int main(int argc, char **argv)
{
    struct nv_run_options options = {0};
    char *globs[] = {NULL}, *folders[] = {NULL, NULL}, error[512];
    struct nv_report *report;
    int status;

    if (argc < 7)
        return 2;
    folders[0] = argv[5];
    options = (struct nv_run_options){.program = argv + 6,
                                      .folders = folders,
                                      .file_globs = globs,
                                      .domain = NvrtlDomainCpuCache,
                                      .model = strcmp(argv[4], "posix") ? NV_FS_JOURNALED : NV_FS_POSIX,
                                      .scratch = strchr(argv[4], '/') ? argv[4] : NULL,
                                      .trace = argv[2],
                                      .ack_descriptor = atoi(argv[3]),
                                      .verifier_path = argv[1]};
    status = nv_run(&options, &report, error, sizeof error);
    if (status) {
        fprintf(stderr, "record_run: %s\n", error);
        return status;
    }
    status = tell_unseen(report) ? 125 : report->exit_status;
    nv_report_free(report);
    return status;
}
