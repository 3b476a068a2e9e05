/* SPDX-License-Identifier: MIT */
/*
 * The rules, one row each: every format, the suppressions and docs/RULES.md take their words from here. Severities and
 * levels have their words here, too.
 */
#include "report/report.h"

#include <string.h>

static const struct nv_rule_words rules[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = {"not-flushed", NV_SEVERITY_ERROR, "Written and never flushed",
                             "It was written, and no flush or sync has covered it since.",
                             "Flush the range after it is written, or sync the file.",
                             "What a program writes stays in the caches of the CPU or the kernel until it is flushed. "
                             "A power failure takes "
                             "it from there, although every read has seen it."},
    [NV_RULE_NOT_DRAINED] =
        {"not-drained", NV_SEVERITY_ERROR, "Flushed and never drained",
         "It was flushed, and nobody waited for the flush to end.",
         "Call RtlDrainNonVolatileFlush in the thread that flushed, or flush without NO_DRAIN.",
         "A flush without drain only starts the work. Until a drain returns, any part of it may be missing after a "
         "power failure, in any order."},
    [NV_RULE_CHANGED_AFTER_FLUSH] =
        {"changed-after-flush", NV_SEVERITY_ERROR, "Changed after it was flushed",
         "It was flushed, and changed again afterwards.", "Flush after the last write to the range, not before.",
         "A flush makes durable what is there at that moment. What is written to the same bytes later needs a flush of "
         "its own."},
    [NV_RULE_NAME_NOT_FLUSHED] =
        {"name-not-flushed", NV_SEVERITY_ERROR, "A name that is not durable",
         "The name was changed, and a power failure may undo that.", "Sync the folder that holds the name.",
         "The content of a file and its name become durable apart. A file whose name is lost cannot be opened, however "
         "durable its content is; a removed one may come back."},
    [NV_RULE_OUTSIDE_TOKEN] =
        {"outside-token", NV_SEVERITY_ERROR, "A range outside its token",
         "A range was refused that does not lie inside its token's.",
         "Take the token for the whole range, or correct address and size.",
         "The call failed with STATUS_INVALID_PARAMETER before it touched a byte, so nothing that it was to make "
         "durable is. Often the address is that of a pointer instead of what it points to."},
    [NV_RULE_TOKEN_MISUSE] =
        {"token-misuse", NV_SEVERITY_ERROR, "A call that was refused",
         "A call was refused: its token is not alive, or an argument is not valid.",
         "Check the status of each call, and free a token after its last use only.",
         "The token was freed before, or never given out, or a flag is not defined, or memory is missing. The call did "
         "nothing."},
    [NV_RULE_FLUSH_ERROR_IGNORED] =
        {"flush-error-ignored", NV_SEVERITY_ERROR, "A failed flush that was ignored",
         "A flush or sync failed, and the program went on as if it had not.",
         "Check its result, then write the data again: a second call alone is not enough.",
         "Linux reports a lost page once and may then drop it, so a second fsync can succeed without the data. After a "
         "failure, the file holds what was durable before it."},
    [NV_RULE_NEIGHBOUR_FLUSH] =
        {"neighbour-flush", NV_SEVERITY_WARNING, "Durable by a neighbour's flush",
         "It is durable only because something else on its cache line or page was flushed.",
         "Flush this range too: the neighbour may move, or be flushed earlier.",
         "No flush names these bytes. They were carried along with others on the same line, and will no longer be as "
         "soon as a field is added or an object is aligned in another way."},
    [NV_RULE_TORN_PUBLISH] =
        {"torn-publish", NV_SEVERITY_ERROR, "A published value that can be torn",
         "A value that recovery relies on can be durable in half.",
         "Publish by one aligned store of at most 8 bytes, after what it publishes is durable.",
         "Only an aligned store of 8 bytes is never torn by a power failure. A larger value, or one across two lines, "
         "may hold new bytes and old ones."},
    [NV_RULE_REDUNDANT_FLUSH] =
        {"redundant-flush", NV_SEVERITY_NOTE, "A flush of what was flushed already",
         "Nothing was written there since it was flushed last.",
         "Leave this flush out, or move it behind the next write.",
         "The data is safe without it. Each such flush costs a write to memory or disk; it is reported with "
         "--performance alone."},
    [NV_RULE_NEEDLESS_DRAIN] =
        {"needless-drain", NV_SEVERITY_NOTE, "A drain with nothing to wait for",
         "Nothing was flushed by this thread since its last drain.",
         "Leave this drain out, or drain once behind several flushes with NO_DRAIN.",
         "The data is safe without it. Each such drain costs a fence or a sync; it is reported with --performance "
         "alone."},
    [NV_RULE_BROKEN_EXPECTATION] =
        {"broken-expectation", NV_SEVERITY_ERROR, "Not what the program says of itself",
         "The program said that this holds here, and it did not.",
         "Make it durable before the statement, or state it later.",
         "A program can say what it relies on: that a range is durable, or durable before another. The statement was "
         "checked when it was made, and a power failure there would have shown it wrong."},
    [NV_RULE_WRONG_IRQL] =
        {"wrong-irql", NV_SEVERITY_ERROR, "Called at a wrong IRQL",
         "A routine was called at an IRQL above the one that it is documented for.",
         "Call it at PASSIVE_LEVEL, or queue the work to a thread that is there.",
         "A routine that may wait, or touch memory that is paged out, must not be called at a raised IRQL. On Windows "
         "that stops the machine, often only under load."},
    [NV_RULE_CRASH_STATE] = {"crash-state", NV_SEVERITY_ERROR, "Recovery fails after a power failure",
                             "A power failure may leave a state from which the recovery command fails.",
                             "Replay the state, and make durable in the right order what its report names.",
                             "Each line that is dirty or in flight may be durable or not, in any order between two "
                             "drains. One legal choice "
                             "was found that recovery does not survive."},
};

const struct nv_rule_words *nv_rule_words(enum nv_rule rule)
{
    static const struct nv_rule_words unknown = {"unknown", NV_SEVERITY_ERROR, "", "", "", ""};
    return (unsigned)rule < NV_RULE_COUNT ? &rules[rule] : &unknown;
}

const char *nv_rule_name(enum nv_rule rule)
{
    return nv_rule_words(rule)->name;
}

const char *nv_rule_message(enum nv_rule rule)
{
    return nv_rule_words(rule)->message;
}

const char *nv_rule_advice(enum nv_rule rule)
{
    return nv_rule_words(rule)->advice;
}

bool nv_rule_is_refusal(enum nv_rule rule)
{
    return rule == NV_RULE_OUTSIDE_TOKEN || rule == NV_RULE_TOKEN_MISUSE || rule == NV_RULE_WRONG_IRQL;
}

const char *nv_severity_name(enum nv_severity severity)
{
    static const char *const names[] = {
        [NV_SEVERITY_ERROR] = "error", [NV_SEVERITY_WARNING] = "warning", [NV_SEVERITY_NOTE] = "note"};
    return (unsigned)severity < sizeof names / sizeof names[0] ? names[severity] : "unknown";
}

/* What each level can know, and what it cannot. */
static const struct level {
    const char *name, *sees, *misses;
} levels[] = {
    {"pages", "what the files hold at the end is compared with what is durable",
     "bytes written with the value they had, and the order of stores between two syncs"},
    {"explain",
     "what the files hold at the end is compared with what is durable; a second run told which code stored it last",
     "bytes written with the value they had, and the order of stores between two syncs"},
    {"stores", "each store that the compiler's hooks saw, and what the files hold at the end",
     "stores of code that was compiled without the hooks, and those of assembly: only what they left is compared"},
};

/* Of a recorded run: the same levels, and what they mean for its states. */
static const struct level crash_levels[] = {
    {"pages", "each call on files, and each line of mapped memory as it was at flushes and syncs",
     "values that a line had between two looks at it, and io_uring"},
    {"stores", "each call on files, and each store that the compiler's hooks saw",
     "stores of code that was compiled without the hooks, and those of assembly: only what they left is seen"},
};

/* NULL: a level that this version does not know. */
static const struct level *find_level(const struct nv_report *report)
{
    const struct level *known = report->crash ? crash_levels : levels;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (report->level && strcmp(known[i].name, report->level) == 0)
            return &known[i];
    return NULL;
}

const char *nv_report_level_sees(const struct nv_report *report)
{
    const struct level *level = find_level(report);
    return level ? level->sees : NULL;
}

const char *nv_report_level_misses(const struct nv_report *report)
{
    const struct level *level = find_level(report);
    return level ? level->misses : NULL;
}
