/* SPDX-License-Identifier: MIT */
/*
 * A report for code scanning and editors: SARIF 2.1.0 (OASIS), with what GitHub and the viewer of VS Code need. Each
 * finding is a result at the innermost place in the user's own code; one without such a place is at its data file.
 */
#include "report/identity.h"
#include "report/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE "%SRCROOT%"
#define SCHEMA "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

struct writer {
    const struct nv_report *report;
    struct nv_identities identities;
    char folder[PATH_MAX]; /* the current one; empty: unknown */
};

static json_t *message_value(const char *text)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "text", nv_text_value(text), &ok);
    return nv_whole(object, ok);
}

/* -- places -- */

/* A path as a URI, byte by byte. */
static json_t *uri_value(const char *before, const char *path, const char *behind)
{
    size_t length = strlen(before);
    char *uri = malloc(length + 3 * strlen(path) + strlen(behind) + 1);
    if (!uri)
        return NULL;
    char *to = stpcpy(uri, before);
    for (; *path; path++) {
        if (isalnum((unsigned char)*path) || strchr("-._~/+,=@", *path))
            *to++ = *path;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*path);
    }
    strcpy(to, behind);
    json_t *value = json_string(uri);
    free(uri);
    return value;
}

/* Relative to the base where it is below the current folder. */
static json_t *artifact_value(const char *path)
{
    bool ok = true;
    json_t *object = json_object();
    if (*path == '/') {
        nv_set(object, "uri", uri_value("file://", path, ""), &ok);
    } else {
        nv_set(object, "uri", uri_value("", path, ""), &ok);
        nv_set(object, "uriBaseId", json_string(BASE), &ok);
    }
    return nv_whole(object, ok);
}

static json_t *physical_value(const char *path, json_t *region)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "artifactLocation", artifact_value(path), &ok);
    nv_set(object, "region", region, &ok);
    return nv_whole(object, ok);
}

static json_t *line_region(unsigned line)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "startLine", nv_number_value(line ? line : 1), &ok);
    return nv_whole(object, ok);
}

static json_t *byte_region(const struct nv_finding *finding)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "byteOffset", nv_number_value(finding->offset), &ok);
    nv_set(object, "byteLength", nv_number_value(finding->length_bytes), &ok);
    return nv_whole(object, ok);
}

static json_t *logical_value(const char *function)
{
    bool ok = true, all = true;
    json_t *array = json_array(), *object = json_object();
    nv_set(object, "name", nv_text_value(function), &ok);
    nv_set(object, "kind", json_string("function"), &ok);
    nv_append(array, nv_whole(object, ok), &all);
    return nv_whole(array, all);
}

/*
 * message NULL: none. Where the system's libraries were built is no folder here: their relative sources lead nowhere.
 */
static json_t *frame_location(const struct nv_frame *frame, const char *message)
{
    bool ok = true;
    json_t *object = json_object();
    if (frame->source && (*frame->source == '/' || !nv_frame_is_of_system(frame)))
        nv_set(object, "physicalLocation", physical_value(frame->source, line_region(frame->line)), &ok);
    if (frame->function)
        nv_set(object, "logicalLocations", logical_value(frame->function), &ok);
    if (message)
        nv_set(object, "message", message_value(message), &ok);
    return nv_whole(object, ok);
}

/* The first place that is the user's own: where it was written, or the refused call; else where it was flushed. */
static const struct nv_frame *place_of(const struct nv_finding *finding)
{
    const struct nv_frame *frame = nv_stack_user_frame(&finding->write_stack);
    return frame ? frame : nv_stack_user_frame(&finding->flush_stack);
}

/* None, where nothing is known but the rule. */
static json_t *locations_value(const struct nv_finding *finding)
{
    bool ok = true, all = true;
    const struct nv_frame *frame = place_of(finding);
    json_t *array = json_array();
    if (frame) {
        nv_append(array, frame_location(frame, NULL), &all);
    } else if (finding->file && *finding->file) {
        json_t *object = json_object();
        nv_set(object, "physicalLocation", physical_value(finding->file, line_region(1)), &ok);
        nv_append(array, nv_whole(object, ok), &all);
    }
    return nv_whole(array, all);
}

/* The bytes in the data file. */
static json_t *related_value(const struct nv_finding *finding)
{
    bool ok = true, all = true;
    json_t *array = json_array(), *object = json_object();
    nv_set(object, "id", json_integer(1), &ok);
    nv_set(object, "physicalLocation", physical_value(finding->file, byte_region(finding)), &ok);
    nv_set(object, "message", message_value("the bytes that are not durable"), &ok);
    nv_append(array, nv_whole(object, ok), &all);
    return nv_whole(array, all);
}

/* -- stacks and flows -- */

static json_t *stack_value(const struct nv_stack *stack, const char *what)
{
    bool all = true;
    json_t *object = json_object(), *frames = json_array();
    for (size_t i = 0; i < stack->count; i++) {
        bool ok = true;
        json_t *frame = json_object();
        nv_set(frame, "location", frame_location(&stack->frames[i], NULL), &ok);
        if (stack->frames[i].module)
            nv_set(frame, "module", nv_text_value(stack->frames[i].module), &ok);
        nv_append(frames, nv_whole(frame, ok), &all);
    }
    nv_set(object, "message", message_value(what), &all);
    nv_set(object, "frames", frames, &all);
    return nv_whole(object, all);
}

static json_t *stacks_value(const struct nv_finding *finding)
{
    bool ok = true;
    json_t *array = json_array();
    if (finding->write_stack.count)
        nv_append(array, stack_value(&finding->write_stack, nv_rule_is_refusal(finding->rule) ? "called" : "written"),
                  &ok);
    if (finding->flush_stack.count)
        nv_append(array, stack_value(&finding->flush_stack, "flushed"), &ok);
    return nv_whole(array, ok);
}

/* From the outermost call inwards, as it happened; only what has a source can be stepped through. */
static void add_steps(json_t *steps, const struct nv_stack *stack, const char *what, bool *all)
{
    uint64_t depth = 0;
    for (size_t i = nv_stack_shown(stack); i-- > 0;) {
        bool ok = true;
        if (!stack->frames[i].source || nv_frame_is_of_system(&stack->frames[i]))
            continue;
        json_t *step = json_object();
        nv_set(step, "location", frame_location(&stack->frames[i], i ? "calls" : what), &ok);
        nv_set(step, "nestingLevel", nv_number_value(depth++), &ok);
        nv_set(step, "importance", json_string(i ? "unimportant" : "essential"), &ok);
        nv_append(steps, nv_whole(step, ok), all);
    }
}

/* NULL in *flows: there is nothing to step through. False: no memory. */
static bool make_flows(const struct nv_finding *finding, json_t **flows)
{
    bool ok = true, refused = nv_rule_is_refusal(finding->rule);
    bool flushed_first = finding->rule == NV_RULE_CHANGED_AFTER_FLUSH;
    json_t *steps = json_array(), *thread = json_object(), *threads = json_array(), *flow = json_object();
    if (flushed_first)
        add_steps(steps, &finding->flush_stack, "flushed here", &ok);
    add_steps(steps, &finding->write_stack, refused ? "called here" : "written here", &ok);
    if (!flushed_first)
        add_steps(steps, &finding->flush_stack, "flushed here", &ok);
    bool empty = ok && !json_array_size(steps);
    nv_set(thread, "locations", steps, &ok);
    nv_append(threads, thread, &ok);
    nv_set(flow, "threadFlows", threads, &ok);
    *flows = json_array();
    nv_append(*flows, flow, &ok);
    *flows = nv_whole(*flows, ok && !empty);
    return ok;
}

/* -- results -- */

/* Braces and brackets mean something in a message: a file may be called so. NULL: no memory. */
static char *escape(const char *text)
{
    char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;
    for (; escaped && *text; text++) {
        if (strchr("{}", *text))
            *to++ = *text;
        if (strchr("[]\\", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    if (escaped)
        *to = '\0';
    return escaped;
}

/* What happened and what to do, each a sentence. */
static json_t *result_message(const struct nv_finding *finding)
{
    const char *message = finding->message ? finding->message : nv_rule_message(finding->rule);
    const char *advice = finding->advice ? finding->advice : nv_rule_advice(finding->rule);
    bool ok = true, ended = strchr(".!?", message[strlen(message) - (*message != 0)]) != NULL;
    json_t *object = json_object();
    char *file = escape(finding->file ? finding->file : ""), *what = escape(message);
    if (file && what)
        nv_set(object, "text",
               nv_format_value("%s%s%s%s To do: %s", file, *file ? ": " : "", what, ended ? "" : ".", advice), &ok);
    ok = ok && file && what;
    free(file);
    free(what);
    return nv_whole(object, ok);
}

static json_t *properties_value(const struct nv_finding *finding)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "file", nv_text_value(finding->file), &ok);
    nv_set(object, "offset", nv_number_value(finding->offset), &ok);
    nv_set(object, "length", nv_number_value(finding->length_bytes), &ok);
    nv_set(object, "totalBytes", nv_number_value(finding->total_bytes), &ok);
    nv_set(object, "suppression", nv_suppression_value(finding), &ok);
    return nv_whole(object, ok);
}

/* An empty array says that it is known not to be suppressed. */
static json_t *suppressions_value(const struct nv_finding *finding)
{
    bool ok = true, all = true;
    json_t *array = json_array(), *object;
    if (!finding->suppressed_by)
        return array;
    object = json_object();
    nv_set(object, "kind", json_string("external"), &ok);
    nv_set(object, "status", json_string("accepted"), &ok);
    nv_set(object, "justification", nv_text_value(finding->suppressed_by), &ok);
    nv_append(array, nv_whole(object, ok), &all);
    return nv_whole(array, all);
}

static json_t *fingerprints_value(const struct nv_identity *identity)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "nvrtlFinding/v1", nv_fingerprint_value(identity), &ok);
    return nv_whole(object, ok);
}

static json_t *result_value(const struct nv_identity *identity)
{
    const struct nv_finding *finding = identity->finding;
    bool ok = true;
    json_t *object = json_object(), *flows;
    nv_set(object, "ruleId", nv_text_value(nv_rule_name(finding->rule)), &ok);
    nv_set(object, "ruleIndex", nv_number_value(finding->rule), &ok);
    nv_set(object, "level", nv_text_value(nv_severity_name(finding->severity)), &ok);
    nv_set(object, "message", result_message(finding), &ok);
    nv_set(object, "locations", locations_value(finding), &ok);
    if (finding->file && *finding->file && finding->length_bytes)
        nv_set(object, "relatedLocations", related_value(finding), &ok);
    nv_set(object, "stacks", stacks_value(finding), &ok);
    ok = make_flows(finding, &flows) && ok;
    if (flows)
        nv_set(object, "codeFlows", flows, &ok);
    nv_set(object, "occurrenceCount", nv_number_value(finding->count), &ok);
    nv_set(object, "partialFingerprints", fingerprints_value(identity), &ok);
    nv_set(object, "suppressions", suppressions_value(finding), &ok);
    nv_set(object, "properties", properties_value(finding), &ok);
    return nv_whole(object, ok);
}

static json_t *results_value(const struct writer *writer)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < writer->identities.count; i++)
        nv_append(array, result_value(&writer->identities.items[i]), &ok);
    return nv_whole(array, ok);
}

/* -- the tool -- */

static json_t *help_value(const struct nv_rule_words *words)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "text", nv_format_value("%s %s", words->explanation, words->advice), &ok);
    nv_set(object, "markdown", nv_format_value("%s\n\n**To do:** %s", words->explanation, words->advice), &ok);
    return nv_whole(object, ok);
}

static json_t *rule_value(const struct nv_rule_words *words)
{
    bool ok = true;
    json_t *object = json_object(), *configuration = json_object();
    nv_set(configuration, "level", nv_text_value(nv_severity_name(words->severity)), &ok);
    nv_set(object, "id", nv_text_value(words->name), &ok);
    nv_set(object, "shortDescription", message_value(words->title), &ok);
    nv_set(object, "fullDescription", message_value(words->message), &ok);
    nv_set(object, "help", help_value(words), &ok);
    nv_set(object, "defaultConfiguration", configuration, &ok);
    return nv_whole(object, ok);
}

static json_t *tool_value(const struct nv_report *report)
{
    bool ok = true;
    json_t *object = json_object(), *driver = json_object(), *rules = json_array();
    for (unsigned rule = 0; rule < NV_RULE_COUNT; rule++)
        nv_append(rules, rule_value(nv_rule_words((enum nv_rule)rule)), &ok);
    nv_set(driver, "name", json_string("nvrtl"), &ok);
    nv_set(driver, "fullName", json_string(report->crash ? "nvrtl crash" : "nvrtl check"), &ok);
    if (report->version)
        nv_set(driver, "semanticVersion", nv_text_value(report->version), &ok);
    nv_set(driver, "rules", rules, &ok);
    nv_set(object, "driver", driver, &ok);
    return nv_whole(object, ok);
}

/* -- the run -- */

static void notify(json_t *notifications, const char *level, json_t *text, bool *all)
{
    bool ok = true;
    json_t *object = json_object(), *message = json_object();
    nv_set(message, "text", text, &ok);
    nv_set(object, "level", json_string(level), &ok);
    nv_set(object, "message", message, &ok);
    nv_append(notifications, nv_whole(object, ok), all);
}

/* The verdict, and what stands behind it: nobody takes an empty list for more than it is. */
static json_t *notifications_value(const struct nv_report *report)
{
    bool ok = true, nothing = nv_report_watched_nothing(report);
    const char *misses = nv_report_level_misses(report);
    json_t *array = json_array();
    notify(array, nothing ? "error" : "note", nv_verdict_value(report), &ok);
    if (misses)
        notify(array, "note", nv_format_value("Not seen: %s", misses), &ok);
    for (size_t i = 0; i < report->not_seen_count; i++)
        notify(array, "note", nv_format_value("Not seen: %s", report->not_seen[i]), &ok);
    for (size_t i = 0; i < report->left_out_count; i++)
        notify(array, "note", nv_format_value("Left out: %s: %s", report->left_out[i].what, report->left_out[i].why),
               &ok);
    for (size_t i = 0; i < report->unused_suppression_count; i++)
        notify(array, "note", nv_format_value("Unused: %s", report->unused_suppressions[i]), &ok);
    return nv_whole(array, ok);
}

static json_t *folder_value(const struct writer *writer)
{
    bool ok = true;
    const char *slash = strcmp(writer->folder, "/") == 0 ? "" : "/";
    json_t *object = json_object();
    nv_set(object, "uri", uri_value("file://", writer->folder, slash), &ok);
    return nv_whole(object, ok);
}

static json_t *invocations_value(const struct writer *writer)
{
    bool ok = true, all = true;
    json_t *array = json_array(), *object = json_object();
    nv_set(object, "executionSuccessful", json_boolean(!nv_report_watched_nothing(writer->report)), &ok);
    nv_set(object, "arguments", nv_texts_value(writer->report->program, SIZE_MAX), &ok);
    if (*writer->folder)
        nv_set(object, "workingDirectory", folder_value(writer), &ok);
    nv_set(object, "toolExecutionNotifications", notifications_value(writer->report), &ok);
    nv_append(array, nv_whole(object, ok), &all);
    return nv_whole(array, all);
}

static json_t *run_value(const struct writer *writer)
{
    bool ok = true;
    json_t *object = json_object(), *bases = json_object();
    nv_set(object, "tool", tool_value(writer->report), &ok);
    nv_set(object, "invocations", invocations_value(writer), &ok);
    nv_set(bases, BASE, *writer->folder ? folder_value(writer) : json_object(), &ok);
    nv_set(object, "originalUriBaseIds", bases, &ok);
    nv_set(object, "results", results_value(writer), &ok);
    return nv_whole(object, ok);
}

bool nv_report_sarif(const struct nv_report *report, FILE *out)
{
    struct writer writer = {.report = report};
    bool ok = true;
    json_t *document, *runs;
    if (!nv_identify(&writer.identities, report))
        return false;
    if (!getcwd(writer.folder, sizeof writer.folder) || *writer.folder != '/')
        *writer.folder = '\0';
    document = json_object();
    runs = json_array();
    nv_set(document, "$schema", json_string(SCHEMA), &ok);
    nv_set(document, "version", json_string("2.1.0"), &ok);
    nv_append(runs, run_value(&writer), &ok);
    nv_set(document, "runs", runs, &ok);
    nv_identities_free(&writer.identities);
    return nv_write_value(nv_whole(document, ok), 2, out);
}
