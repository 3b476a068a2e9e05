/* SPDX-License-Identifier: MIT */
/*
 * A report for programs: the schema nvrtl-findings/1, docs/findings.schema.json. Keys are only ever added to it; sizes
 * are exact bytes. html.c embeds the same document.
 */
#include "report/crash.h"
#include "report/identity.h"
#include "report/map.h"
#include "report/value.h"

#define set nv_value_set
#define append nv_value_append
#define whole nv_value_whole
#define text_value nv_value_text
#define texts_value nv_value_texts
#define number_value nv_value_number

static json_t *seconds_value(uint64_t nanoseconds)
{
    return json_real((double)nanoseconds / 1e9);
}

static json_t *hex_value(const uint8_t *bytes, size_t count)
{
    char hex[2 * NV_SAMPLE_BYTES_MAX + 1] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return json_string(hex);
}

static json_t *frame_value(const struct nv_frame *frame)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "function", nv_text_value(frame->function), &ok);
    nv_set(object, "source", nv_text_value(frame->source), &ok);
    nv_set(object, "line", frame->line ? nv_number_value(frame->line) : json_null(), &ok);
    nv_set(object, "module", nv_text_value(frame->module), &ok);
    nv_set(object, "module_offset", nv_number_value(frame->offset), &ok);
    return nv_whole(object, ok);
}

static json_t *stack_value(const struct nv_stack *stack)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < stack->count; i++)
        nv_append(array, frame_value(&stack->frames[i]), &ok);
    return nv_whole(array, ok);
}

/* -- crash states -- */

static json_t *cause_value(const struct nv_crash_cause *cause)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "missing", json_boolean(cause->missing), &ok);
    nv_set(object, "what", nv_text_value(cause->what), &ok);
    nv_set(object, "file", nv_text_value(cause->file), &ok);
    nv_set(object, "offset", nv_number_value(cause->offset), &ok);
    nv_set(object, "length", nv_number_value(cause->length_bytes), &ok);
    nv_set(object, "stack", stack_value(&cause->stack), &ok);
    nv_set(object, "guard", nv_text_value(cause->guard), &ok);
    nv_set(object, "guard_stack", stack_value(&cause->guard_stack), &ok);
    return nv_whole(object, ok);
}

static json_t *failure_value(const struct nv_crash_failure *failure)
{
    bool ok = true;
    json_t *object = json_object(), *causes = json_array();
    for (size_t i = 0; i < failure->cause_count; i++)
        nv_append(causes, cause_value(&failure->causes[i]), &ok);
    nv_set(object, "id", nv_text_value(failure->id), &ok);
    nv_set(object, "image", nv_text_value(failure->image), &ok);
    nv_set(object, "point", nv_number_value(failure->point), &ok);
    nv_set(object, "event", nv_number_value(failure->event), &ok);
    nv_set(object, "promises", nv_number_value(failure->promises), &ok);
    nv_set(object, "ending", nv_text_value(failure->ending), &ok);
    nv_set(object, "output", nv_text_value(failure->output), &ok);
    nv_set(object, "replay", nv_text_value(failure->replay), &ok);
    nv_set(object, "kept", nv_text_value(failure->kept), &ok);
    nv_set(object, "unsteady", json_boolean(failure->unsteady), &ok);
    nv_set(object, "stack", stack_value(&failure->stack), &ok);
    nv_set(object, "causes", causes, &ok);
    return nv_whole(object, ok);
}

static json_t *coverage_value(const struct nv_crash_coverage *coverage)
{
    bool ok = true;
    json_t *object = json_object(), *shards = json_array();
    for (size_t i = 0; i < coverage->shard_count; i++)
        nv_append(shards, nv_number_value(coverage->shard[i] + 1), &ok);
    nv_set(object, "recovery", nv_text_value(coverage->recovery), &ok);
    nv_set(object, "trace", nv_text_value(coverage->trace), &ok);
    nv_set(object, "identity", nv_text_value(coverage->identity), &ok);
    nv_set(object, "seed", nv_number_value(coverage->seed), &ok);
    nv_set(object, "jobs", nv_number_value(coverage->jobs), &ok);
    nv_set(object, "shards", nv_number_value(coverage->shards), &ok);
    nv_set(object, "shard", shards, &ok);
    nv_set(object, "points", nv_number_value(coverage->points), &ok);
    nv_set(object, "points_done", nv_number_value(coverage->points_done), &ok);
    nv_set(object, "stacks", nv_number_value(coverage->stacks), &ok);
    nv_set(object, "states", nv_number_value(coverage->states), &ok);
    nv_set(object, "judged", nv_number_value(coverage->judged), &ok);
    nv_set(object, "repeated", nv_number_value(coverage->repeated), &ok);
    nv_set(object, "skipped", nv_number_value(coverage->skipped), &ok);
    nv_set(object, "failures", nv_number_value(coverage->failures), &ok);
    nv_set(object, "exhaustive", json_boolean(coverage->exhaustive), &ok);
    nv_set(object, "stopped", json_boolean(coverage->stopped), &ok);
    nv_set(object, "seconds", json_real(coverage->seconds), &ok);
    return nv_whole(object, ok);
}

/* -- findings -- */

static json_t *finding_value(const struct nv_identity *identity)
{
    const struct nv_finding *finding = identity->finding;
    bool ok = true;
    size_t sample = finding->sample_bytes < NV_SAMPLE_BYTES_MAX ? finding->sample_bytes : NV_SAMPLE_BYTES_MAX;
    json_t *object = json_object();
    nv_set(object, "rule", nv_text_value(nv_rule_name(finding->rule)), &ok);
    nv_set(object, "severity", nv_text_value(nv_severity_name(finding->severity)), &ok);
    nv_set(object, "file", nv_text_value(finding->file), &ok);
    nv_set(object, "offset", nv_number_value(finding->offset), &ok);
    nv_set(object, "length", nv_number_value(finding->length_bytes), &ok);
    nv_set(object, "count", nv_number_value(finding->count), &ok);
    nv_set(object, "total_bytes", nv_number_value(finding->total_bytes), &ok);
    nv_set(object, "message", nv_text_value(finding->message ? finding->message : nv_rule_message(finding->rule)), &ok);
    nv_set(object, "advice", nv_text_value(finding->advice ? finding->advice : nv_rule_advice(finding->rule)), &ok);
    nv_set(object, "view", hex_value(finding->view, sample), &ok);
    nv_set(object, "durable", hex_value(finding->durable, sample), &ok);
    nv_set(object, "stack", stack_value(&finding->write_stack), &ok);
    nv_set(object, "flush_stack", stack_value(&finding->flush_stack), &ok);
    nv_set(object, "fingerprint", nv_fingerprint_value(identity), &ok);
    nv_set(object, "suppression", nv_suppression_value(finding), &ok);
    if (finding->suppressed_by)
        nv_set(object, "suppressed_by", nv_text_value(finding->suppressed_by), &ok);
    if (finding->crash)
        nv_set(object, "crash", failure_value(finding->crash), &ok);
    return nv_whole(object, ok);
}

static json_t *findings_value(const struct nv_identity *identities, size_t count)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        nv_append(array, finding_value(&identities[i]), &ok);
    return nv_whole(array, ok);
}

/* Of the rules that were found broken: so a reader needs nothing else. */
static json_t *rules_value(const struct nv_report *report)
{
    bool all = true, used[NV_RULE_COUNT] = {false};
    json_t *array = json_array();
    for (size_t i = 0; i < report->finding_count; i++)
        used[report->findings[i]->rule] = true;
    for (unsigned rule = 0; rule < NV_RULE_COUNT; rule++) {
        const struct nv_rule_words *words = nv_rule_words((enum nv_rule)rule);
        bool ok = true;
        if (!used[rule])
            continue;
        json_t *object = json_object();
        nv_set(object, "id", nv_text_value(words->name), &ok);
        nv_set(object, "severity", nv_text_value(nv_severity_name(words->severity)), &ok);
        nv_set(object, "title", nv_text_value(words->title), &ok);
        nv_set(object, "explanation", nv_text_value(words->explanation), &ok);
        nv_append(array, nv_whole(object, ok), &all);
    }
    return nv_whole(array, all);
}

static json_t *marks_value(const struct nv_report *report)
{
    bool all = true;
    json_t *array = json_array();
    for (size_t i = 0; i < report->mark_count; i++) {
        bool ok = true;
        json_t *object = json_object();
        nv_set(object, "text", nv_text_value(report->marks[i].text), &ok);
        nv_set(object, "at", report->marks[i].at_ns ? seconds_value(report->marks[i].at_ns) : json_null(), &ok);
        nv_set(object, "stack", stack_value(&report->marks[i].stack), &ok);
        nv_append(array, nv_whole(object, ok), &all);
    }
    return nv_whole(array, all);
}

static json_t *left_out_value(const struct nv_report *report)
{
    bool all = true;
    json_t *array = json_array();
    for (size_t i = 0; i < report->left_out_count; i++) {
        bool ok = true;
        json_t *object = json_object();
        nv_set(object, "what", nv_text_value(report->left_out[i].what), &ok);
        nv_set(object, "why", nv_text_value(report->left_out[i].why), &ok);
        nv_set(object, "count", nv_number_value(report->left_out[i].count), &ok);
        nv_append(array, nv_whole(object, ok), &all);
    }
    return nv_whole(array, all);
}

static json_t *times_value(const struct nv_times *times)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "view", json_real(times->view), &ok);
    nv_set(object, "program", json_real(times->program), &ok);
    nv_set(object, "stopped", json_real(times->stopped), &ok);
    nv_set(object, "judging", json_real(times->judging), &ok);
    nv_set(object, "finishing", json_real(times->finishing), &ok);
    return nv_whole(object, ok);
}

static json_t *summary_value(const struct nv_report *report)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "errors", nv_number_value(nv_report_severity_count(report, NV_SEVERITY_ERROR)), &ok);
    nv_set(object, "warnings", nv_number_value(nv_report_severity_count(report, NV_SEVERITY_WARNING)), &ok);
    nv_set(object, "notes", nv_number_value(nv_report_severity_count(report, NV_SEVERITY_NOTE)), &ok);
    nv_set(object, "power_failure", json_boolean(report->power_failure), &ok);
    nv_set(object, "nothing_verified", json_boolean(nv_report_watched_nothing(report)), &ok);
    nv_set(object, "exit_status", json_integer(report->exit_status), &ok);
    nv_set(object, "seconds", json_real(report->seconds), &ok);
    nv_set(object, "times", times_value(&report->times), &ok);
    nv_set(object, "verdict", nv_verdict_value(report), &ok);
    nv_set(object, "folders", nv_texts_value(report->folders, SIZE_MAX), &ok);
    nv_set(object, "files_watched", nv_number_value(report->files_watched), &ok);
    nv_set(object, "bytes_watched", nv_number_value(report->bytes_watched), &ok);
    nv_set(object, "syncs", nv_number_value(report->syncs), &ok);
    nv_set(object, "tokens", nv_number_value(report->tokens), &ok);
    nv_set(object, "bytes_made_durable", nv_number_value(report->bytes_made_durable), &ok);
    nv_set(object, "unseen_bytes", nv_number_value(report->unseen_bytes), &ok);
    nv_set(object, "level", nv_text_value(report->level), &ok);
    nv_set(object, "level_sees", nv_text_value(nv_report_level_sees(report)), &ok);
    nv_set(object, "level_misses", nv_text_value(nv_report_level_misses(report)), &ok);
    nv_set(object, "domain", nv_text_value(report->domain), &ok);
    nv_set(object, "view", nv_text_value(report->view), &ok);
    nv_set(object, "file_system_model", nv_text_value(report->file_system_model), &ok);
    nv_set(object, "left_out", left_out_value(report), &ok);
    nv_set(object, "not_seen", nv_texts_value(report->not_seen, report->not_seen_count), &ok);
    nv_set(object, "unused_suppressions", nv_texts_value(report->unused_suppressions, report->unused_suppression_count),
           &ok);
    nv_set(object, "marks", marks_value(report), &ok);
    if (report->crash)
        nv_set(object, "crash", coverage_value(report->crash), &ok);
    return nv_whole(object, ok);
}

/* -- files and the timeline -- */

static const char *const state_names[] = {[NV_MAP_DURABLE] = "durable",
                                          [NV_MAP_IGNORED] = "ignored",
                                          [NV_MAP_IN_FLIGHT] = "in-flight",
                                          [NV_MAP_DIRTY] = "dirty"};
static const char *const kind_names[] = {
    [NV_EVENT_WRITE] = "write", [NV_EVENT_FLUSH] = "flush", [NV_EVENT_DRAIN] = "drain", [NV_EVENT_SYNC] = "sync"};

static json_t *range_value(const struct nv_map_range *range, size_t finding)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "offset", nv_number_value(range->offset), &ok);
    nv_set(object, "length", nv_number_value(range->length_bytes), &ok);
    nv_set(object, "state", json_string(state_names[range->state]), &ok);
    if (range->state != NV_MAP_DURABLE)
        nv_set(object, "finding", finding == SIZE_MAX ? json_null() : nv_number_value(finding), &ok);
    return nv_whole(object, ok);
}

/* Findings by their number in the report; one that is suppressed has none. */
static json_t *layer_value(const struct nv_map_layer *layer, const struct nv_report *report,
                           const struct nv_identities *identities)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < layer->count; i++) {
        size_t number = nv_identity_number(identities, layer->ranges[i].finding);
        nv_append(array, range_value(&layer->ranges[i], number < report->finding_count ? number : SIZE_MAX), &ok);
    }
    return nv_whole(array, ok);
}

static json_t *map_value(const struct nv_report_map *map, const struct nv_report *report,
                         const struct nv_identities *identities)
{
    bool ok = true;
    json_t *object = json_object(), *bytes = json_object();
    for (unsigned state = 0; state < NV_MAP_STATES; state++)
        nv_set(bytes, state_names[state], nv_number_value(map->bytes[state]), &ok);
    nv_set(object, "file", nv_text_value(map->file), &ok);
    nv_set(object, "size", nv_number_value(map->view_bytes), &ok);
    nv_set(object, "durable_size", nv_number_value(map->durable_bytes), &ok);
    nv_set(object, "bytes", bytes, &ok);
    nv_set(object, "durable_grain", nv_number_value(map->durable.grain_bytes), &ok);
    nv_set(object, "durable", layer_value(&map->durable, report, identities), &ok);
    nv_set(object, "differs_grain", nv_number_value(map->differs.grain_bytes), &ok);
    nv_set(object, "differs", layer_value(&map->differs, report, identities), &ok);
    return nv_whole(object, ok);
}

static json_t *maps_value(const struct nv_report *report, const struct nv_identities *identities)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < report->map_count; i++)
        nv_append(array, map_value(report->maps[i], report, identities), &ok);
    return nv_whole(array, ok);
}

static json_t *event_value(const struct nv_report_event *event)
{
    bool ok = true;
    json_t *object = json_object(), *kinds = json_array();
    for (unsigned kind = 0; kind < NV_EVENT_KINDS; kind++)
        if (event->kinds >> kind & 1)
            nv_append(kinds, json_string(kind_names[kind]), &ok);
    nv_set(object, "at", seconds_value(event->at_ns), &ok);
    nv_set(object, "kinds", kinds, &ok);
    nv_set(object, "thread", nv_number_value(event->thread), &ok);
    if (event->file)
        nv_set(object, "file", nv_text_value(event->file), &ok);
    if (event->length_bytes) {
        nv_set(object, "offset", nv_number_value(event->offset), &ok);
        nv_set(object, "length", nv_number_value(event->length_bytes), &ok);
    }
    nv_set(object, "bytes", nv_number_value(event->bytes), &ok);
    if (event->call)
        nv_set(object, "call", nv_text_value(event->call), &ok);
    if (event->failed)
        nv_set(object, "failed", json_true(), &ok);
    if (event->duration_ns)
        nv_set(object, "seconds", seconds_value(event->duration_ns), &ok);
    if (event->place)
        nv_set(object, "place", nv_number_value(event->place - 1), &ok);
    return nv_whole(object, ok);
}

static json_t *counts_value(const uint64_t *counts)
{
    bool ok = true;
    json_t *object = json_object();
    for (unsigned kind = 0; kind < NV_EVENT_KINDS; kind++)
        nv_set(object, kind_names[kind], nv_number_value(counts[kind]), &ok);
    return nv_whole(object, ok);
}

static json_t *span_value(const struct nv_report_span *span)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "from", seconds_value(span->from_ns), &ok);
    nv_set(object, "to", seconds_value(span->to_ns), &ok);
    nv_set(object, "counts", counts_value(span->counts), &ok);
    nv_set(object, "bytes", nv_number_value(span->bytes), &ok);
    return nv_whole(object, ok);
}

static json_t *timeline_value(const struct nv_report_timeline *timeline)
{
    bool ok = true;
    json_t *object = json_object(), *events = json_array(), *spans = json_array(), *places = json_array();
    for (size_t i = 0; i < timeline->event_count; i++)
        nv_append(events, event_value(&timeline->events[i]), &ok);
    for (size_t i = 0; i < timeline->span_count; i++)
        nv_append(spans, span_value(&timeline->spans[i]), &ok);
    for (size_t i = 0; i < timeline->place_count; i++)
        nv_append(places, stack_value(&timeline->places[i]), &ok);
    nv_set(object, "seconds", seconds_value(timeline->length_ns), &ok);
    nv_set(object, "counts", counts_value(timeline->counts), &ok);
    nv_set(object, "events", events, &ok);
    nv_set(object, "spans", spans, &ok);
    nv_set(object, "places", places, &ok);
    return nv_whole(object, ok);
}

/* -- the whole -- */

static json_t *tool_value(const struct nv_report *report)
{
    bool ok = true;
    json_t *object = json_object();
    nv_set(object, "name", json_string("nvrtl"), &ok);
    nv_set(object, "version", nv_text_value(report->version), &ok);
    return nv_whole(object, ok);
}

json_t *nv_report_value(const struct nv_report *report)
{
    struct nv_identities identities;
    if (!nv_identify(&identities, report))
        return NULL;
    bool ok = true;
    json_t *document = json_object();
    nv_set(document, "schema", json_string("nvrtl-findings/1"), &ok);
    nv_set(document, "tool", tool_value(report), &ok);
    nv_set(document, "program", nv_texts_value(report->program, SIZE_MAX), &ok);
    nv_set(document, "findings", findings_value(identities.items, report->finding_count), &ok);
    nv_set(document, "suppressed", findings_value(identities.items + report->finding_count, report->suppressed_count),
           &ok);
    nv_set(document, "rules", rules_value(report), &ok);
    nv_set(document, "summary", summary_value(report), &ok);
    if (report->timeline) {
        nv_set(document, "files", maps_value(report, &identities), &ok);
        nv_set(document, "files_left_out", nv_number_value(report->maps_left_out), &ok);
        nv_set(document, "timeline", timeline_value(report->timeline), &ok);
    }
    nv_identities_free(&identities);
    return nv_whole(document, ok);
}

bool nv_report_json(const struct nv_report *report, FILE *out)
{
    return nv_write_value(nv_report_value(report), 2, out);
}
