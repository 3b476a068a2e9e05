/* SPDX-License-Identifier: MIT */
/* A report for programs: the schema nvrtl-findings/1. Keys are only ever added to it; sizes are exact bytes. */
#include "report/report.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are no UTF-8 are written as \xNN, for JSON knows none. NULL: no memory. */
static json_t *text_value(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    if (!text)
        return json_null();
    char *clean = malloc(4 * strlen(text) + 1), *to = clean;
    if (!clean)
        return NULL;
    while (*text) {
        size_t length = nv_utf8_length(text);
        if (length) {
            memcpy(to, text, length);
            to += length;
            text += length;
            continue;
        }
        unsigned char c = (unsigned char)*text++;
        *to++ = '\\';
        *to++ = 'x';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    json_t *value = json_stringn(clean, (size_t)(to - clean));
    free(clean);
    return value;
}

static json_t *number_value(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

/* All of these take `value` over, and clear *ok when it could not be made or put. */
static void set(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = false;
}

static void append(json_t *array, json_t *value, bool *ok)
{
    if (json_array_append_new(array, value) != 0)
        *ok = false;
}

/* The value, or NULL when a part of it failed. */
static json_t *whole(json_t *value, bool ok)
{
    if (ok)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *texts_value(char *const *texts, size_t count)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; texts && i < count && texts[i]; i++)
        append(array, text_value(texts[i]), &ok);
    return whole(array, ok);
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
    set(object, "function", text_value(frame->function), &ok);
    set(object, "source", text_value(frame->source), &ok);
    set(object, "line", frame->line ? number_value(frame->line) : json_null(), &ok);
    set(object, "module", text_value(frame->module), &ok);
    set(object, "module_offset", number_value(frame->offset), &ok);
    return whole(object, ok);
}

static json_t *stack_value(const struct nv_stack *stack)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < stack->count; i++)
        append(array, frame_value(&stack->frames[i]), &ok);
    return whole(array, ok);
}

static json_t *finding_value(const struct nv_finding *finding)
{
    bool ok = true;
    size_t sample = finding->sample_bytes < NV_SAMPLE_BYTES_MAX ? finding->sample_bytes : NV_SAMPLE_BYTES_MAX;
    json_t *object = json_object();
    set(object, "rule", text_value(nv_rule_name(finding->rule)), &ok);
    set(object, "severity", text_value(nv_severity_name(finding->severity)), &ok);
    set(object, "file", text_value(finding->file), &ok);
    set(object, "offset", number_value(finding->offset), &ok);
    set(object, "length", number_value(finding->length_bytes), &ok);
    set(object, "count", number_value(finding->count), &ok);
    set(object, "total_bytes", number_value(finding->total_bytes), &ok);
    set(object, "message", text_value(finding->message ? finding->message : nv_rule_message(finding->rule)), &ok);
    set(object, "advice", text_value(finding->advice ? finding->advice : nv_rule_advice(finding->rule)), &ok);
    set(object, "view", hex_value(finding->view, sample), &ok);
    set(object, "durable", hex_value(finding->durable, sample), &ok);
    set(object, "stack", stack_value(&finding->write_stack), &ok);
    set(object, "flush_stack", stack_value(&finding->flush_stack), &ok);
    return whole(object, ok);
}

static json_t *findings_value(const struct nv_report *report)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; i < report->finding_count; i++)
        append(array, finding_value(report->findings[i]), &ok);
    return whole(array, ok);
}

static json_t *marks_value(const struct nv_report *report)
{
    bool all = true;
    json_t *array = json_array();
    for (size_t i = 0; i < report->mark_count; i++) {
        bool ok = true;
        json_t *object = json_object();
        set(object, "text", text_value(report->marks[i].text), &ok);
        set(object, "stack", stack_value(&report->marks[i].stack), &ok);
        append(array, whole(object, ok), &all);
    }
    return whole(array, all);
}

static json_t *left_out_value(const struct nv_report *report)
{
    bool all = true;
    json_t *array = json_array();
    for (size_t i = 0; i < report->left_out_count; i++) {
        bool ok = true;
        json_t *object = json_object();
        set(object, "what", text_value(report->left_out[i].what), &ok);
        set(object, "why", text_value(report->left_out[i].why), &ok);
        set(object, "count", number_value(report->left_out[i].count), &ok);
        append(array, whole(object, ok), &all);
    }
    return whole(array, all);
}

static json_t *summary_value(const struct nv_report *report)
{
    bool ok = true;
    json_t *object = json_object();
    set(object, "errors", number_value(nv_report_severity_count(report, NV_SEVERITY_ERROR)), &ok);
    set(object, "warnings", number_value(nv_report_severity_count(report, NV_SEVERITY_WARNING)), &ok);
    set(object, "notes", number_value(nv_report_severity_count(report, NV_SEVERITY_NOTE)), &ok);
    set(object, "power_failure", json_boolean(report->power_failure), &ok);
    set(object, "nothing_verified", json_boolean(nv_report_watched_nothing(report)), &ok);
    set(object, "exit_status", json_integer(report->exit_status), &ok);
    set(object, "seconds", json_real(report->seconds), &ok);
    set(object, "folders", texts_value(report->folders, SIZE_MAX), &ok);
    set(object, "files_watched", number_value(report->files_watched), &ok);
    set(object, "bytes_watched", number_value(report->bytes_watched), &ok);
    set(object, "syncs", number_value(report->syncs), &ok);
    set(object, "tokens", number_value(report->tokens), &ok);
    set(object, "bytes_made_durable", number_value(report->bytes_made_durable), &ok);
    set(object, "level", text_value(report->level), &ok);
    set(object, "domain", text_value(report->domain), &ok);
    set(object, "view", text_value(report->view), &ok);
    set(object, "file_system_model", text_value(report->file_system_model), &ok);
    set(object, "left_out", left_out_value(report), &ok);
    set(object, "not_seen", texts_value(report->not_seen, report->not_seen_count), &ok);
    set(object, "marks", marks_value(report), &ok);
    return whole(object, ok);
}

bool nv_report_json(const struct nv_report *report, FILE *out)
{
    bool ok = true;
    json_t *document = json_object();
    set(document, "schema", json_string("nvrtl-findings/1"), &ok);
    set(document, "program", texts_value(report->program, SIZE_MAX), &ok);
    set(document, "findings", findings_value(report), &ok);
    set(document, "summary", summary_value(report), &ok);
    ok = ok && json_dumpf(document, out, JSON_INDENT(2)) == 0;
    json_decref(document);
    return ok && fputc('\n', out) != EOF && fflush(out) == 0 && !ferror(out);
}
