/* SPDX-License-Identifier: MIT */
/*
 * Owns the words for what the verifier told by the ledger. judge.c calls it when the run is over, and alone/judge.c
 * where there is no supervisor.
 */
#include "supervise/told.h"
#include "src/nvm/seam.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool nv_judge_place(struct nv_stack *stack, const struct nv_ledger *ledger, uint32_t number)
{
    const struct nv_ledger_place *place = &ledger->place[number % NV_LEDGER_PLACES];

    if (!number || !atomic_load(&place->ready))
        return true;
    for (uint32_t i = 0; i < place->count && i < NV_LEDGER_FRAMES; i++) {
        uint32_t module = place->frames[i].module;
        bool known = module < NV_LEDGER_MODULES && atomic_load(&ledger->module[module].ready);

        if (!nv_stack_push(stack, known ? ledger->module[module].path : "?", place->frames[i].offset))
            return false;
    }
    return true;
}

struct told {
    const struct nv_ledger *ledger;
    struct nv_report *report;
    nv_told_path *path_of;
    void *context;
};

struct event_kind {
    enum nv_rule rule;
    const char *message; /* behind the function's name */
    const char *advice;
};

static const char misuse_advice[] = "check the status of every call, and free a token once, after its last use";

static const struct event_kind event_kinds[] = {
    [NV_REFUSED_TOKEN] = {NV_RULE_TOKEN_MISUSE,
                          "refused a call: what was passed is no live token: it is garbage, or has been freed",
                          misuse_advice},
    [NV_REFUSED_RANGE] = {NV_RULE_OUTSIDE_TOKEN, "refused a call: the range does not lie inside the token's",
                          "pass a range inside the one that the token was made for"},
    [NV_REFUSED_FLAGS] = {NV_RULE_TOKEN_MISUSE, "refused a call: a flag was passed that is not defined", misuse_advice},
    [NV_REFUSED_POINTER] = {NV_RULE_TOKEN_MISUSE, "refused a call: NULL was passed where memory must be",
                            misuse_advice},
    [NV_REFUSED_MEMORY] = {NV_RULE_OUTSIDE_TOKEN, "was called on memory that is not persistent",
                           "ask pmem_is_pmem, and use pmem_msync where it says no"},
    [NV_REFUSED_DEVICE] = {NV_RULE_TOKEN_MISUSE, "could not make the range durable, and has no status to say so",
                           "use pmem_msync, which tells"},
    [NV_MISUSE_LEVEL] = {NV_RULE_WRONG_IRQL,
                         "was called above the IRQL that it is for, or with special kernel APCs disabled",
                         "flush files at PASSIVE_LEVEL, outside of guarded regions, and memory at "
                         "DISPATCH_LEVEL or below"},
    [NV_MISUSE_REENTRY] = {NV_RULE_WRONG_IRQL,
                           "was called from a minifilter's callback: the request passes the whole stack once more, "
                           "this filter included",
                           "use FltFlushBuffers, which goes to the filters below"},
    [NV_EVENT_NOT_DURABLE] = {NV_RULE_BROKEN_EXPECTATION, "was called for bytes that are not durable",
                              "write, flush and drain them (or sync the file) before this place"},
    [NV_EVENT_TORN] = {NV_RULE_TORN_PUBLISH,
                       "was told of a value that became durable in parts: a power failure could have left some of them",
                       "publish by one aligned store of at most 8 bytes (on a disk: within a sector)"},
    [NV_EVENT_SPLIT] = {NV_RULE_TORN_PUBLISH,
                        "stored a value that lies in two cache lines (on a disk: sectors): each becomes durable by "
                        "itself, and a power failure can leave one of them",
                        "align the value, so that it lies in one"},
    [NV_EVENT_OUT_OF_ORDER] = {NV_RULE_BROKEN_EXPECTATION,
                               "asked for an order that did not hold: the second range became durable while these "
                               "bytes, of the first, were not",
                               "flush and drain the first range before the second one is flushed"},
};

static const struct event_kind *kind_of(const struct nv_ledger_event *event)
{
    bool known = event->kind < sizeof event_kinds / sizeof *event_kinds && event_kinds[event->kind].message;

    return &event_kinds[known ? event->kind : NV_REFUSED_TOKEN];
}

/* What is flushed needlessly does no harm by itself. */
static enum nv_severity severity_of(const struct nv_ledger_event *event)
{
    return event->kind == NV_REFUSED_MEMORY && !event->file ? NV_SEVERITY_WARNING : NV_SEVERITY_ERROR;
}

static int judge_event(const struct told *told, const struct nv_ledger_event *event)
{
    const struct event_kind *kind = kind_of(event);
    struct nv_finding *finding = nv_finding_new(kind->rule, severity_of(event));
    int length;

    if (!finding)
        return -ENOMEM;
    length = asprintf(&finding->message, "%s %s", event->function, kind->message);
    finding->advice = strdup(kind->advice);
    finding->count = atomic_load(&event->count);
    finding->offset = event->offset;
    finding->length_bytes = event->size_bytes;
    if (event->file)
        finding->file = told->path_of(told->context, event->file);
    if (length < 0 || !finding->advice || !nv_judge_place(&finding->write_stack, told->ledger, event->place)) {
        if (length < 0)
            finding->message = NULL;
        nv_finding_free(finding);
        return -ENOMEM;
    }
    return nv_report_add(told->report, finding) ? 0 : -ENOMEM;
}

static int judge_sentences(const struct nv_ledger *ledger, struct nv_report *report)
{
    uint32_t sentences = atomic_load(&ledger->sentences);

    for (uint32_t i = 0; i < sentences && i < NV_LEDGER_SENTENCES; i++)
        if (atomic_load(&ledger->sentence[i].ready) && !nv_report_not_seen(report, ledger->sentence[i].text))
            return -ENOMEM;
    return 0;
}

int nv_told_judge(const struct nv_ledger *ledger, struct nv_report *report, nv_told_path *path_of, void *context)
{
    const struct told told = {ledger, report, path_of, context};
    uint32_t events = atomic_load(&ledger->events), marks = atomic_load(&ledger->marks);
    int status = judge_sentences(ledger, report);

    report->tokens = atomic_load(&ledger->tokens);
    for (uint32_t i = 0; i < events && i < NV_LEDGER_EVENTS && !status; i++)
        if (atomic_load(&ledger->event[i].ready) && ledger->event[i].kind != NV_EVENT_DRAIN_FAILED)
            status = judge_event(&told, &ledger->event[i]);
    for (uint32_t i = 0; i < marks && i < NV_LEDGER_MARKS && !status; i++) {
        struct nv_stack stack = {0};

        if (!atomic_load(&ledger->mark[i].ready))
            continue;
        if (!nv_judge_place(&stack, ledger, ledger->mark[i].place) ||
            !nv_report_add_mark(report, ledger->mark[i].text, ledger->mark[i].at_ns, &stack))
            status = -ENOMEM;
        for (size_t frame = 0; frame < stack.count; frame++)
            free(stack.frames[frame].module);
    }
    if (!status && atomic_load(&ledger->lost) &&
        !nv_report_not_seen(report, "more places, notes or ranges than the ledger holds"))
        status = -ENOMEM;
    return status;
}
