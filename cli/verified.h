/* SPDX-License-Identifier: MIT */
/*
 * What nvrtl check and nvrtl crash have in common: the options of a verified run and of its report, and writing that.
 * check.c and crash.c put both into their own.
 */
#ifndef NV_VERIFIED_H
#define NV_VERIFIED_H

#include "report/report.h"
#include "supervise/run.h"

#include <argp.h>

/* A growing, NULL-terminated list of the user's words. */
struct nv_words {
    char **texts;
    size_t count;
};

struct nv_choice {
    const char *name;
    int value;
};

enum nv_format { NV_FORMAT_TEXT, NV_FORMAT_JSON, NV_FORMAT_SARIF, NV_FORMAT_HTML };

struct nv_verified {
    const char *command; /* "nvrtl check" */
    struct nv_run_options run;
    struct nv_words folders, globs, suppressions;
    enum nv_format format;
    const char *output; /* NULL: stderr */
    int descriptor;     /* of output */
    bool generate;
    int findings_status;
};

/* Keys of the options; those of a command begin at NV_OPTION_OWN. */
enum {
    NV_OPTION_DIR = 256,
    NV_OPTION_FILES,
    NV_OPTION_DOMAIN,
    NV_OPTION_FS,
    NV_OPTION_SCRATCH,
    NV_OPTION_FORMAT,
    NV_OPTION_OUTPUT,
    NV_OPTION_SUPPRESSIONS,
    NV_OPTION_GENERATE,
    NV_OPTION_ERROR_EXITCODE,
    NV_OPTION_OWN,
};

/* Entries of an argp table, by their groups. */
#define NV_OPTIONS_SIMULATED(group)                                                                                    \
    {"domain",                                                                                                         \
     NV_OPTION_DOMAIN,                                                                                                 \
     "NAME",                                                                                                           \
     0,                                                                                                                \
     "What survives a power failure of mapped memory: memory, cpu-cache or page-cache (default: cpu-cache, the "       \
     "strictest)",                                                                                                     \
     group},                                                                                                           \
    {                                                                                                                  \
        "fs", NV_OPTION_FS, "MODEL", 0,                                                                                \
            "When names are durable: journaled (default; as ext4 and XFS) or posix (by a sync of the folder alone)",   \
            group                                                                                                      \
    }
#define NV_OPTIONS_REPORT(group)                                                                                       \
    {"format", NV_OPTION_FORMAT, "NAME", 0, "text (default), json, sarif or html", group},                             \
        {"output", NV_OPTION_OUTPUT, "FILE", 0, "Write the findings to FILE instead of stderr", group},                \
        {"suppressions",                                                                                               \
         NV_OPTION_SUPPRESSIONS,                                                                                       \
         "FILE",                                                                                                       \
         0,                                                                                                            \
         "Leave out what the lines of FILE name, rule:file-glob:function-glob (repeatable)",                           \
         group},                                                                                                       \
    {                                                                                                                  \
        "gen-suppressions", NV_OPTION_GENERATE, NULL, 0, "Write the line that would suppress each finding, too", group \
    }
#define NV_OPTION_STATUS(group)                                                                                        \
    {                                                                                                                  \
        "error-exitcode", NV_OPTION_ERROR_EXITCODE, "N", 0,                                                            \
            "Exit with N when there are errors among the findings (default: 99)", group                                \
    }

void nv_verified_init(struct nv_verified *verified, const char *command);
void nv_verified_free(struct nv_verified *verified);
/* ARGP_ERR_UNKNOWN: it is none of the common options. */
error_t nv_verified_parse(struct nv_verified *verified, int key, char *argument, struct argp_state *state);
/* When all options have been read: the folders that are meant. */
error_t nv_verified_complete(struct nv_verified *verified);

/* The value of the choice that the user named; where there is none, says which there are, and exits. */
int nv_choose(const struct argp_state *state, const char *option, const struct nv_choice *choices, const char *name);
error_t nv_add_word(struct nv_words *words, char *text);
/* A whole number; where it is none, or out of bounds, says so, and exits. */
uint64_t nv_whole_number(const struct argp_state *state, const char *option, const char *text, uint64_t least,
                         uint64_t most);

/* All say what failed, and return the exit status. */
int nv_verified_fail(const struct nv_verified *verified, const char *what, const char *why);
int nv_verified_no_memory(const struct nv_verified *verified);
/* 0, or the exit status, when why was said. */
int nv_verified_read_suppressions(const struct nv_verified *verified, struct nv_suppressions *list);
/* A bad path is told before the program runs. What the file holds goes only when there is a new report for it. */
int nv_verified_open_output(struct nv_verified *verified);
/* Symbols, suppressions, and the report where the user wants it. */
int nv_verified_report(struct nv_verified *verified, const struct nv_suppressions *list, struct nv_report *report);
/* The verdict on standard error, where the report is elsewhere. */
void nv_verified_say_verdict(const struct nv_verified *verified, const struct nv_report *report);

#endif
