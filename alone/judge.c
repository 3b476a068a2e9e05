/* SPDX-License-Identifier: MIT */
/*
 * Owns the judgement of a run without a supervisor: the pages that differed when a token was freed become findings, by
 * the rules of supervise/. The verifier calls it by its table, one thread at a time.
 */
#include "alone/judge.h"
#include "supervise/ignored.h"
#include "supervise/kinds.h"
#include "supervise/told.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 64, PAGE = 4096, PAGE_LINES = PAGE / LINE };

static struct nv_alone_state state;

/* The pages of one file, while they are judged. */
struct judgement {
    const struct nv_alone_page *pages;
    size_t lines; /* of all pages */
    bool drain_failed, gives_up;
    struct nv_ignored ignored;
    struct nv_kinds kinds;
};

static const struct nv_alone_page *page_of(const struct judgement *judgement, size_t line)
{
    return &judgement->pages[line / PAGE_LINES];
}

static size_t at_of(size_t line)
{
    return line % PAGE_LINES * LINE;
}

static uint64_t offset_of(const struct judgement *judgement, size_t line)
{
    return page_of(judgement, line)->offset + at_of(line);
}

static const uint8_t *view_of(const struct judgement *judgement, size_t line)
{
    return (const uint8_t *)page_of(judgement, line)->view + at_of(line);
}

static const uint8_t *durable_of(const struct judgement *judgement, size_t line)
{
    return (const uint8_t *)page_of(judgement, line)->durable + at_of(line);
}

static bool differs(const struct judgement *judgement, size_t line)
{
    return memcmp(view_of(judgement, line), durable_of(judgement, line), LINE) != 0;
}

/* Bytes [from, to) of a line. */
static int judge_line(struct judgement *judgement, size_t line, size_t from, size_t to)
{
    const struct nv_line_record *record = &page_of(judgement, line)->records[line % PAGE_LINES];
    const uint8_t *view = view_of(judgement, line), *durable = durable_of(judgement, line);
    struct nv_kind wanted = nv_kind_classify(record, view, false), *kind;
    uint64_t begin = offset_of(judgement, line), left = begin + from, right = begin + to;

    if (!nv_ignored_trim(&judgement->ignored, wanted.rule, &left, &right, view + from, durable + from))
        return 0;
    if (judgement->drain_failed && wanted.rule == NV_RULE_NOT_DRAINED) {
        if (judgement->gives_up)
            return 0;
        wanted.rule = NV_RULE_FLUSH_ERROR_IGNORED;
    }
    kind = nv_kinds_note(&judgement->kinds, &wanted, left, right);
    if (!kind)
        return -ENOMEM;
    if (kind->count == 1)
        nv_kind_take_sample(kind, view + (left - begin), durable + (left - begin), right - left);
    return 0;
}

/* Lines that differ, one after the other in the file, without the equal bytes at both ends. */
static int judge_run(struct judgement *judgement, size_t first, size_t end)
{
    size_t from = 0, to = LINE;
    int status = 0;

    while (view_of(judgement, first)[from] == durable_of(judgement, first)[from])
        from++;
    while (view_of(judgement, end - 1)[to - 1] == durable_of(judgement, end - 1)[to - 1])
        to--;
    for (size_t line = first; line < end && !status; line++)
        status = judge_line(judgement, line, line == first ? from : 0, line + 1 == end ? to : LINE);
    return status;
}

static int judge_lines(struct judgement *judgement)
{
    int status = 0;

    for (size_t first = 0; first < judgement->lines && !status;) {
        size_t end = first;

        while (end < judgement->lines && differs(judgement, end) &&
               offset_of(judgement, end) == offset_of(judgement, first) + (end - first) * LINE)
            end++;
        if (end > first)
            status = judge_run(judgement, first, end);
        first = end > first ? end : first + 1;
    }
    return status;
}

static bool drain_failed(const struct nv_ledger *ledger, uint32_t file)
{
    uint32_t count = atomic_load(&ledger->events);

    for (uint32_t i = 0; i < count && i < NV_LEDGER_EVENTS; i++)
        if (atomic_load(&ledger->event[i].ready) && ledger->event[i].kind == NV_EVENT_DRAIN_FAILED &&
            ledger->event[i].file == file)
            return true;
    return false;
}

/* The view is in the file by now. */
static int judge_file(struct judgement *judgement, const struct nv_ledger *ledger, uint32_t number)
{
    const struct nv_alone_name *name = &state.names[number - 1];
    const struct nv_kind_file told = {name->shown, true, true};
    const struct nv_ignored_file file = {number, open(name->path, O_RDONLY | O_CLOEXEC), name->shown};
    int status = nv_ignored_gather(&judgement->ignored, ledger, state.suppressions, &file);

    if (!status)
        status = judge_lines(judgement);
    if (!status)
        status = nv_kinds_report(&judgement->kinds, &told, ledger, state.report);
    if (!nv_ignored_tell(&judgement->ignored, state.report, name->shown))
        status = -ENOMEM;
    nv_ignored_free(&judgement->ignored);
    nv_kinds_free(&judgement->kinds);
    if (file.view >= 0)
        close(file.view);
    return status;
}

static void judge(const struct nv_ledger *ledger, uint32_t file, const struct nv_alone_page *pages, size_t count,
                  bool gives_up)
{
    struct judgement *judgement = calloc(1, sizeof *judgement);

    if (!judgement || !file || file > state.name_count) {
        state.incomplete = true;
        free(judgement);
        return;
    }
    judgement->pages = pages;
    judgement->lines = count * PAGE_LINES;
    judgement->drain_failed = drain_failed(ledger, file);
    judgement->gives_up = gives_up;
    if (judge_file(judgement, ledger, file))
        state.incomplete = true;
    free(judgement);
}

/* -- what is told before -- */

/* From the current folder on, if it is below. */
static const char *shown(const char *path)
{
    char *here = getcwd(NULL, 0);
    size_t length = here ? strlen(here) : 0;
    bool below = length && !strncmp(path, here, length) && path[length] == '/';

    free(here);
    return below ? path + length + 1 : path;
}

/* Files are met in the order of their numbers. */
static bool meet(uint32_t file, const char *path)
{
    struct nv_alone_name *grown = reallocarray(state.names, file, sizeof *grown), name = {NULL, NULL};

    if (!grown)
        return false;
    state.names = grown;
    name.path = strdup(path);
    name.shown = strdup(shown(path));
    while (state.name_count < file)
        grown[state.name_count++] = (struct nv_alone_name){NULL, NULL};
    grown[file - 1] = name;
    return name.path && name.shown;
}

char *nv_alone_path(void *context, uint32_t file)
{
    const struct nv_alone_state *known = context;

    return file && file <= known->name_count && known->names[file - 1].shown ? strdup(known->names[file - 1].shown)
                                                                             : NULL;
}

static void not_seen(const char *sentence)
{
    if (!nv_report_not_seen(state.report, sentence))
        state.incomplete = true;
}

static void report(const struct nv_alone_run *run)
{
    nv_alone_report(&state, run);
}

__attribute__((visibility("default"))) const struct nv_alone_judge *nvrtl_alone_judge(void);
const struct nv_alone_judge *nvrtl_alone_judge(void)
{
    static const struct nv_alone_judge table = {NV_ALONE_VERSION, meet, judge, not_seen, report};

    state.report = nv_report_new();
    state.suppressions = nv_suppressions_new();
    return state.report && state.suppressions ? &table : NULL;
}
