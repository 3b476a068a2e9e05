/* SPDX-License-Identifier: MIT */
/* One run of `nvrtl check` over a folder of its own, with the workload under it, as the drivers see it. */
#ifndef NV_TEST_SESSION_H
#define NV_TEST_SESSION_H

#include "tests/verified/model.h"

#include <sys/types.h>

struct session_options {
    const char *nvrtl, *workload;
    bool posix, scratch, overlay;
    NVRTL_DOMAIN domain;
    const char *dirty;  /* how syncs find what changed; NULL: as nvrtl chooses */
    char **environment; /* NULL, or more variables, "NAME=VALUE", NULL-terminated */
};

struct session {
    char base[64]; /* files/, scratch/, report.json, messages */
    char files[80], scratch[80], report[80], messages[80];
    int line;
    pid_t nvrtl, workload;
    bool may_leave_scratch;
};

/* Make the folders. Everything that fails ends the test with a message. */
void session_make(struct session *session);
/* Write the model's durable image to disk: the files before the run. */
void session_write_files(const struct session *session, const struct model *model);
/* Start nvrtl. session_hello then waits for the workload; false: it never said hello. */
void session_start(struct session *session, const struct session_options *options);
bool session_hello(struct session *session);
void session_send(const struct session *session, const struct operation *operation);
/* The workload's answer; false: it is gone. */
bool session_hear(const struct session *session, int64_t *result);
/* Wait for nvrtl: its wait status. Then nothing may be left: no process, no scratch. */
int session_end(struct session *session);
/* Remove the folders. */
void session_remove(struct session *session);

/* What the test does, for its last words; and the end of it. */
void session_describe(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void session_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Nothing takes so long: the test fails, and kills what it started. */
void session_guard(unsigned seconds);
void session_show(const struct operation *operation);

#endif
