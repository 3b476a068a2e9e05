/* SPDX-License-Identifier: MIT */
/*
 * What a verified run found: findings, what was watched, and what was left out. The supervisor fills a report; text.c
 * and json.c write it. Everything is owned by the report and freed with it.
 */
#ifndef NV_FINDING_H
#define NV_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum nv_rule {
    NV_RULE_NOT_FLUSHED,
    NV_RULE_NOT_DRAINED,
    NV_RULE_CHANGED_AFTER_FLUSH,
    NV_RULE_NAME_NOT_FLUSHED,
    NV_RULE_OUTSIDE_TOKEN,
    NV_RULE_TOKEN_MISUSE,
    NV_RULE_FLUSH_ERROR_IGNORED,
    NV_RULE_NEIGHBOUR_FLUSH,
    NV_RULE_TORN_PUBLISH,
    NV_RULE_REDUNDANT_FLUSH,
    NV_RULE_NEEDLESS_DRAIN,
    NV_RULE_BROKEN_EXPECTATION,
    NV_RULE_WRONG_IRQL,
    NV_RULE_CRASH_STATE,
    NV_RULE_COUNT
};

enum nv_severity { NV_SEVERITY_ERROR, NV_SEVERITY_WARNING, NV_SEVERITY_NOTE };

#define NV_STACK_FRAMES_MAX 16
#define NV_SAMPLE_BYTES_MAX 32

/* One place in the code. module and offset are known from the run; the rest is looked up when the report is written. */
struct nv_frame {
    char *module;    /* path of the program or library */
    uint64_t offset; /* of the instruction in the module's load image (address minus load bias) */
    char *function;  /* NULL: unknown */
    char *source;
    unsigned line;
};

struct nv_stack {
    size_t count;
    struct nv_frame frames[NV_STACK_FRAMES_MAX]; /* [0] is the call into the interface */
};

/* Equal findings (rule, file or place in the code) are one, with a count. */
struct nv_finding {
    enum nv_rule rule;
    enum nv_severity severity;
    char *file;            /* as the program sees it; NULL: none */
    uint64_t offset;       /* of the first range, bytes */
    uint64_t length_bytes; /* of the first range */
    uint64_t total_bytes;  /* of all ranges */
    uint64_t count;        /* ranges, or events */
    char *message;         /* what happened, one sentence */
    char *advice;          /* what to do, one sentence */
    size_t sample_bytes;
    uint8_t view[NV_SAMPLE_BYTES_MAX];    /* the first bytes of the first range, as the program left them */
    uint8_t durable[NV_SAMPLE_BYTES_MAX]; /* and as a power failure would have left them */
    struct nv_stack write_stack;          /* count 0: not through the interface */
    struct nv_stack flush_stack;
    char *suppressed_by;            /* NULL: it counts */
    struct nv_crash_failure *crash; /* crash-state alone: what there is more (crash.h) */
};

/* A program's note (NvrtlMark). */
struct nv_mark {
    char *text;
    uint64_t at_ns; /* since the program's start; 0: unknown */
    struct nv_stack stack;
};

/* Where the time went, seconds. */
struct nv_times {
    double view;    /* making it */
    double program; /* from its start to its end */
    double stopped; /* of that: it waited for nvrtl to copy what it had synced */
    double judging;
    double finishing; /* bringing the view into the files */
};

/* Something that was not judged, and why: "lock.mdb": "built-in suppression *lock.mdb". */
struct nv_left_out {
    char *what;
    char *why;
    uint64_t count;
};

struct nv_report {
    char **program;                /* NULL-terminated */
    char **folders;                /* NULL-terminated: what was at stake */
    const char *version;           /* of nvrtl */
    const char *level;             /* "pages" */
    const char *domain;            /* that tokens simulated */
    const char *view;              /* "copy" or "overlay"; "private mapping" in a run without a supervisor */
    const char *file_system_model; /* "journaled" or "posix"; NULL: names are not judged */
    uint64_t files_watched, bytes_watched, files_changed /* when the program ended, or made durable */, syncs, tokens,
        bytes_made_durable, unseen_bytes /* changed where hooks tell of stores, and none told */;
    double seconds; /* until the program's end */
    struct nv_times times;
    bool blind;         /* the program could not be looked into: no file was judged */
    bool power_failure; /* SIGKILL: nothing was judged */
    int exit_status;    /* of the program: as a shell tells it (128 + signal) */

    struct nv_finding **findings;
    size_t finding_count;
    struct nv_finding **suppressed; /* counted in left_out */
    size_t suppressed_count;
    char **unused_suppressions; /* lines of the user's lists that nothing matched */
    size_t unused_suppression_count;
    struct nv_mark *marks;
    size_t mark_count;
    struct nv_left_out *left_out;
    size_t left_out_count;
    char **not_seen; /* sentences: what this run could not see */
    size_t not_seen_count;

    /* Of a run that recorded them (map.h). */
    struct nv_report_map **maps;
    size_t map_count;
    uint64_t maps_left_out;
    struct nv_report_timeline *timeline; /* NULL: none */

    struct nv_crash_coverage *crash; /* of nvrtl crash: what was explored (crash.h); NULL: of nvrtl check */
};

const char *nv_rule_name(enum nv_rule rule);
const char *nv_severity_name(enum nv_severity severity);

struct nv_report *nv_report_new(void); /* NULL: no memory */
void nv_report_free(struct nv_report *report);

/*
 * Add a finding (taken over, and freed if it is merged). Merged into an equal one when rule, file and the innermost
 * frames of both stacks are the same. False: no memory.
 */
bool nv_report_add(struct nv_report *report, struct nv_finding *finding);
/* The same, and tells which finding stands for it now; it lives as long as the report. NULL: no memory. */
const struct nv_finding *nv_report_take(struct nv_report *report, struct nv_finding *finding);
/* By severity, file and offset, once the last finding has been added. */
void nv_report_sort(struct nv_report *report);
struct nv_finding *nv_finding_new(enum nv_rule rule, enum nv_severity severity);
void nv_finding_free(struct nv_finding *finding);
/* The stack is copied. */
bool nv_report_add_mark(struct nv_report *report, const char *text, uint64_t at_ns, const struct nv_stack *stack);
bool nv_report_leave_out(struct nv_report *report, const char *what, const char *why); /* counts equal ones */
bool nv_report_not_seen(struct nv_report *report, const char *sentence);               /* once each */
bool nv_report_unused_suppression(struct nv_report *report, const char *line);
void nv_stack_clear(struct nv_stack *stack);
bool nv_stack_push(struct nv_stack *stack, const char *module, uint64_t offset);
size_t nv_report_errors(const struct nv_report *report); /* findings of severity error */

/* symbols.c: fill function, source and line of every frame, by libdw. What cannot be found stays NULL. */
void nv_report_symbolise(struct nv_report *report);
/* The same, of one stack after another. NULL: no memory. */
struct nv_symboliser;
struct nv_symboliser *nv_symboliser_new(void);
void nv_symbolise(struct nv_symboliser *symboliser, struct nv_stack *stack);
void nv_symboliser_free(struct nv_symboliser *symboliser);

/* suppress.c */
struct nv_suppressions;
struct nv_suppressions *nv_suppressions_new(void); /* holds the built-in list */
/*
 * Reads `rule:file-glob:function-glob` lines; '#' begins a comment. `rule:file-glob@0xFROM-0xTO:*` is a part of a file
 * (TO is not in it) that need not be durable; <TEXT> in front of that glob: only of files that begin with the text. 0,
 * or a negative errno; *line tells a bad one.
 */
int nv_suppressions_read(struct nv_suppressions *list, const char *path, unsigned *line);
void nv_suppressions_free(struct nv_suppressions *list);
struct nv_suppressed_part {
    uint64_t from, to;
    const char *rule; /* a glob */
    const char *why;
    bool *used; /* to be set when it has mattered */
};
/* Of the parts of a file (by its first bytes, too), one by number. False: it has not so many. */
bool nv_suppressions_part(const struct nv_suppressions *list, size_t number, const char *file, const void *head,
                          size_t head_bytes, struct nv_suppressed_part *part);
/*
 * Move suppressed findings to `suppressed` and left_out, and note which of the user's lines matched nothing. Call after
 * nv_report_symbolise. False: no memory.
 */
bool nv_suppressions_apply(const struct nv_suppressions *list, struct nv_report *report);
/* The line that would suppress the finding, without its newline; and one line for each. */
void nv_suppression_print(const struct nv_finding *finding, FILE *out);
void nv_suppressions_generate(const struct nv_report *report, FILE *out);

/* text.c, json.c, sarif.c, html.c: false when writing failed. */
bool nv_report_text(const struct nv_report *report, FILE *out, bool colour);
bool nv_report_json(const struct nv_report *report, FILE *out);
bool nv_report_sarif(const struct nv_report *report, FILE *out);
bool nv_report_html(const struct nv_report *report, FILE *out);

#endif
