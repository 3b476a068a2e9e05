/* SPDX-License-Identifier: MIT */
/*
 * Reads a report of nvrtl crash back from its JSON: what json.c writes of its findings and its coverage. A report of
 * another version may have more, which is passed over.
 */
#include "report/crash.h"
#include "report/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* *ok is cleared when memory is short. */
static char *text_of(const json_t *object, const char *key, bool *ok)
{
    const char *text = json_string_value(json_object_get(object, key));
    char *copy = text ? strdup(text) : NULL;
    *ok = *ok && (copy || !text);
    return copy;
}

static uint64_t number_of(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static bool truth_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static bool read_stack(const json_t *object, const char *key, struct nv_stack *stack)
{
    const json_t *frames = json_object_get(object, key), *frame;
    bool ok = true;
    size_t i;
    json_array_foreach(frames, i, frame)
    {
        if (i == NV_STACK_FRAMES_MAX)
            break;
        stack->frames[stack->count++] = (struct nv_frame){.module = text_of(frame, "module", &ok),
                                                          .offset = number_of(frame, "module_offset"),
                                                          .function = text_of(frame, "function", &ok),
                                                          .source = text_of(frame, "source", &ok),
                                                          .line = (unsigned)number_of(frame, "line")};
    }
    return ok;
}

static bool read_cause(const json_t *object, struct nv_crash_failure *failure)
{
    bool ok = true;
    struct nv_crash_cause *cause = nv_crash_add_cause(failure);
    if (!cause)
        return false;
    cause->missing = truth_of(object, "missing");
    cause->what = text_of(object, "what", &ok);
    cause->file = text_of(object, "file", &ok);
    cause->offset = number_of(object, "offset");
    cause->length_bytes = number_of(object, "length");
    cause->guard = text_of(object, "guard", &ok);
    return read_stack(object, "stack", &cause->stack) && read_stack(object, "guard_stack", &cause->guard_stack) && ok;
}

static bool read_failure(const json_t *object, struct nv_crash_failure *failure)
{
    const json_t *cause;
    bool ok = true;
    size_t i;
    failure->id = text_of(object, "id", &ok);
    failure->image = text_of(object, "image", &ok);
    failure->point = number_of(object, "point");
    failure->event = number_of(object, "event");
    failure->promises = number_of(object, "promises");
    failure->ending = text_of(object, "ending", &ok);
    failure->output = text_of(object, "output", &ok);
    failure->replay = text_of(object, "replay", &ok);
    failure->kept = text_of(object, "kept", &ok);
    failure->unsteady = truth_of(object, "unsteady");
    ok = read_stack(object, "stack", &failure->stack) && ok;
    json_array_foreach(json_object_get(object, "causes"), i, cause) ok = ok && read_cause(cause, failure);
    return ok;
}

static bool read_finding(const json_t *object, struct nv_report *report)
{
    const json_t *crash = json_object_get(object, "crash");
    if (!json_is_object(crash))
        return true;
    struct nv_finding *finding = nv_finding_new(NV_RULE_CRASH_STATE, NV_SEVERITY_ERROR);
    if (!finding)
        return false;
    finding->count = number_of(object, "count");
    finding->crash = nv_crash_failure_new();
    if (!finding->crash || !read_failure(crash, finding->crash) || !nv_crash_describe(finding)) {
        nv_finding_free(finding);
        return false;
    }
    return nv_report_add(report, finding);
}

static bool read_coverage(const json_t *object, struct nv_crash_coverage *coverage)
{
    const json_t *shard;
    bool ok = true;
    size_t i;
    coverage->recovery = text_of(object, "recovery", &ok);
    coverage->trace = text_of(object, "trace", &ok);
    coverage->identity = text_of(object, "identity", &ok);
    coverage->seed = number_of(object, "seed");
    coverage->jobs = (uint32_t)number_of(object, "jobs");
    coverage->shards = (uint32_t)number_of(object, "shards");
    json_array_foreach(json_object_get(object, "shard"), i, shard)
    {
        ok = ok && nv_crash_add_shard(coverage, (uint32_t)json_integer_value(shard) - 1);
    }
    coverage->points = number_of(object, "points");
    coverage->points_done = number_of(object, "points_done");
    coverage->stacks = number_of(object, "stacks");
    coverage->states = number_of(object, "states");
    coverage->judged = number_of(object, "judged");
    coverage->repeated = number_of(object, "repeated");
    coverage->skipped = number_of(object, "skipped");
    coverage->failures = number_of(object, "failures");
    coverage->exhaustive = truth_of(object, "exhaustive");
    coverage->stopped = truth_of(object, "stopped");
    coverage->seconds = json_number_value(json_object_get(object, "seconds"));
    return ok;
}

static char **read_texts(const json_t *array)
{
    size_t count = json_array_size(array);
    char **texts = calloc(count + 1, sizeof *texts);
    for (size_t i = 0; texts && i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        texts[i] = strdup(text ? text : "");
        if (!texts[i])
            break;
    }
    return texts;
}

/* A word that outlives the document, as the report wants it. */
static const char *known(const json_t *object, const char *key, const char *const *words)
{
    const char *text = json_string_value(json_object_get(object, key));
    for (; text && *words; words++)
        if (strcmp(*words, text) == 0)
            return *words;
    return NULL;
}

static bool read_report(const json_t *document, struct nv_report *report)
{
    static const char *const levels[] = {"pages", "stores", NULL};
    static const char *const models[] = {"journaled", "posix", NULL};
    const json_t *summary = json_object_get(document, "summary"), *item;
    size_t i;
    bool ok = true;
    report->crash = nv_crash_coverage_new();
    report->program = read_texts(json_object_get(document, "program"));
    report->folders = read_texts(json_object_get(summary, "folders"));
    report->level = known(summary, "level", levels);
    report->file_system_model = known(summary, "file_system_model", models);
    report->exit_status = (int)number_of(summary, "exit_status");
    if (!report->crash || !report->program || !report->folders)
        return false;
    ok = read_coverage(json_object_get(summary, "crash"), report->crash);
    json_array_foreach(json_object_get(summary, "not_seen"), i, item)
    {
        ok = ok && (!json_is_string(item) || nv_report_not_seen(report, json_string_value(item)));
    }
    json_array_foreach(json_object_get(document, "findings"), i, item) ok = ok && read_finding(item, report);
    return ok;
}

struct nv_report *nv_report_read(FILE *in, char *error, size_t error_bytes)
{
    json_error_t where;
    json_t *document = json_loadf(in, 0, &where);
    const char *schema = json_string_value(json_object_get(document, "schema"));
    struct nv_report *report = NULL;
    if (!document)
        snprintf(error, error_bytes, "line %d: %s", where.line, where.text);
    else if (!schema || strcmp(schema, "nvrtl-findings/1") != 0 ||
             !json_is_object(json_object_get(json_object_get(document, "summary"), "crash")))
        snprintf(error, error_bytes, "it is no report of nvrtl crash in JSON");
    else if (!(report = nv_report_new()) || !read_report(document, report)) {
        snprintf(error, error_bytes, "%s", strerror(ENOMEM));
        nv_report_free(report);
        report = NULL;
    }
    json_decref(document);
    return report;
}
