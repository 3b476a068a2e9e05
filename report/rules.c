/* SPDX-License-Identifier: MIT */
/* The names of rules and severities, and what is said of a rule when a finding says nothing itself. Everyone reads
 * these. */
#include "report/report.h"

static const struct {
    const char *name;
    const char *message;
    const char *advice;
} rules[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = {"not-flushed", "It was written, and no flush or sync has covered it since.",
                             "Flush the range after it is written, or sync the file."},
    [NV_RULE_NOT_DRAINED] = {"not-drained", "It was flushed, and nobody waited for the flush to end.",
                             "Call RtlDrainNonVolatileFlush in the thread that flushed, or flush without NO_DRAIN."},
    [NV_RULE_CHANGED_AFTER_FLUSH] = {"changed-after-flush", "It was flushed, and changed again afterwards.",
                                     "Flush after the last write to the range, not before."},
    [NV_RULE_NAME_NOT_FLUSHED] = {"name-not-flushed", "The name was changed, and a power failure may undo that.",
                                  "Sync the folder that holds the name."},
    [NV_RULE_OUTSIDE_TOKEN] = {"outside-token", "A range was refused that does not lie inside its token's.",
                               "Take the token for the whole range, or correct address and size."},
    [NV_RULE_TOKEN_MISUSE] = {"token-misuse",
                              "A call was refused: its token is not alive, or an argument is not valid.",
                              "Check the status of each call, and free a token after its last use only."},
};

const char *nv_rule_name(enum nv_rule rule)
{
    return (unsigned)rule < NV_RULE_COUNT ? rules[rule].name : "unknown";
}

const char *nv_rule_message(enum nv_rule rule)
{
    return (unsigned)rule < NV_RULE_COUNT ? rules[rule].message : "";
}

const char *nv_rule_advice(enum nv_rule rule)
{
    return (unsigned)rule < NV_RULE_COUNT ? rules[rule].advice : "";
}

const char *nv_severity_name(enum nv_severity severity)
{
    static const char *const names[] = {
        [NV_SEVERITY_ERROR] = "error", [NV_SEVERITY_WARNING] = "warning", [NV_SEVERITY_NOTE] = "note"};
    return (unsigned)severity < sizeof names / sizeof names[0] ? names[severity] : "unknown";
}
