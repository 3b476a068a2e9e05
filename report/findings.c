/* SPDX-License-Identifier: MIT */
/*
 * The report object: owns findings, marks and what was left out, and merges what is equal. The supervisor fills it; the
 * writers (text.c, json.c) and suppress.c read it.
 */
#include "report/crash.h"
#include "report/map.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#define HASH_BASIS UINT64_C(0xcbf29ce484222325)

/* What nv_report_new allocates: callers see the first member only. */
struct book {
    struct nv_report report;
    size_t finding_room, unused_room, mark_room, left_out_room, not_seen_room;
    struct nv_index by_place; /* findings */
    struct nv_index by_what;  /* left out */
};

static struct book *book_of(struct nv_report *report)
{
    return (struct book *)report;
}

/* Room for one more element in *array. */
static bool make_room(void *array, size_t count, size_t *room, size_t element_bytes)
{
    if (count < *room)
        return true;
    size_t larger = *room ? *room * 2 : 16;
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = reallocarray(old, larger, element_bytes);
    if (!grown)
        return false;
    memcpy(array, &grown, sizeof grown);
    *room = larger;
    return true;
}

static char *copy_text(const char *text, bool *ok)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        *ok = false;
    return copy;
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* -- stacks -- */

void nv_stack_clear(struct nv_stack *stack)
{
    for (size_t i = 0; i < stack->count; i++) {
        free(stack->frames[i].module);
        free(stack->frames[i].function);
        free(stack->frames[i].source);
    }
    stack->count = 0;
}

bool nv_stack_push(struct nv_stack *stack, const char *module, uint64_t offset)
{
    if (stack->count == NV_STACK_FRAMES_MAX)
        return true; /* the outermost frames are the least telling */
    bool ok = true;
    struct nv_frame frame = {.module = copy_text(module, &ok), .offset = offset};
    if (ok)
        stack->frames[stack->count++] = frame;
    return ok;
}

static bool stack_copy(struct nv_stack *to, const struct nv_stack *from)
{
    bool ok = true;
    *to = (struct nv_stack){0};
    for (size_t i = 0; from && i < from->count; i++) {
        const struct nv_frame *frame = &from->frames[i];
        to->frames[to->count++] = (struct nv_frame){.module = copy_text(frame->module, &ok),
                                                    .offset = frame->offset,
                                                    .function = copy_text(frame->function, &ok),
                                                    .source = copy_text(frame->source, &ok),
                                                    .line = frame->line};
    }
    if (!ok)
        nv_stack_clear(to);
    return ok;
}

const struct nv_frame *nv_stack_innermost(const struct nv_stack *stack)
{
    return stack->count ? &stack->frames[0] : NULL;
}

static bool same_place(const struct nv_stack *a, const struct nv_stack *b)
{
    const struct nv_frame *first = nv_stack_innermost(a), *second = nv_stack_innermost(b);
    if (!first || !second)
        return first == second;
    return first->offset == second->offset && same_text(first->module, second->module);
}

static uint64_t hash_place(uint64_t hash, const struct nv_stack *stack)
{
    const struct nv_frame *frame = nv_stack_innermost(stack);
    if (!frame)
        return nv_hash_text(hash, NULL);
    return nv_hash_bytes(nv_hash_text(hash, frame->module), &frame->offset, sizeof frame->offset);
}

/* -- findings -- */

struct nv_finding *nv_finding_new(enum nv_rule rule, enum nv_severity severity)
{
    struct nv_finding *finding = calloc(1, sizeof *finding);
    if (!finding)
        return NULL;
    finding->rule = rule;
    finding->severity = severity;
    finding->count = 1;
    return finding;
}

void nv_finding_free(struct nv_finding *finding)
{
    if (!finding)
        return;
    free(finding->file);
    free(finding->message);
    free(finding->advice);
    free(finding->suppressed_by);
    nv_stack_clear(&finding->write_stack);
    nv_stack_clear(&finding->flush_stack);
    nv_crash_failure_free(finding->crash);
    free(finding);
}

static uint64_t finding_hash(const struct nv_finding *finding)
{
    uint64_t hash = nv_hash_bytes(HASH_BASIS, &finding->rule, sizeof finding->rule);
    hash = nv_crash_hash(nv_hash_text(hash, finding->file), finding->crash);
    return hash_place(hash_place(hash, &finding->write_stack), &finding->flush_stack);
}

static bool finding_equal(const void *context, size_t number, const void *key)
{
    const struct nv_finding *a = ((const struct nv_report *)context)->findings[number], *b = key;
    return a->rule == b->rule && same_text(a->file, b->file) && same_place(&a->write_stack, &b->write_stack) &&
           same_place(&a->flush_stack, &b->flush_stack) && nv_crash_equal(a->crash, b->crash);
}

/* The range with the lowest offset stays, whichever came first; a warning that becomes an error is one. */
static void merge(struct nv_finding *into, struct nv_finding *finding)
{
    if (finding->offset < into->offset) {
        into->offset = finding->offset;
        into->length_bytes = finding->length_bytes;
        into->sample_bytes = finding->sample_bytes;
        memcpy(into->view, finding->view, sizeof into->view);
        memcpy(into->durable, finding->durable, sizeof into->durable);
    }
    into->count += finding->count;
    into->total_bytes += finding->total_bytes;
    if (finding->severity < into->severity)
        into->severity = finding->severity;
    nv_finding_free(finding);
}

const struct nv_finding *nv_report_take(struct nv_report *report, struct nv_finding *finding)
{
    if (!finding)
        return NULL;
    struct book *book = book_of(report);
    uint64_t hash = finding_hash(finding);
    size_t equal = nv_index_find(&book->by_place, hash, finding_equal, report, finding);
    if (equal != SIZE_MAX) {
        merge(report->findings[equal], finding);
        return report->findings[equal];
    }
    if (!nv_index_reserve(&book->by_place) ||
        !make_room(&report->findings, report->finding_count, &book->finding_room, sizeof(struct nv_finding *))) {
        nv_finding_free(finding);
        return NULL;
    }
    nv_index_insert(&book->by_place, hash, report->finding_count);
    return report->findings[report->finding_count++] = finding;
}

bool nv_report_add(struct nv_report *report, struct nv_finding *finding)
{
    return nv_report_take(report, finding) != NULL;
}

/* Why it is suppressed, noted in both places; false: in none. */
static bool suppress(struct nv_report *report, struct nv_finding *finding, const char *why)
{
    finding->suppressed_by = strdup(why);
    if (finding->suppressed_by &&
        nv_report_leave_out(report, finding->file ? finding->file : nv_rule_name(finding->rule), why))
        return true;
    free(finding->suppressed_by);
    finding->suppressed_by = NULL;
    return false;
}

bool nv_report_suppress(struct nv_report *report, const char *const *why)
{
    struct book *book = book_of(report);
    size_t kept = 0, count = report->suppressed_count + report->finding_count;
    struct nv_finding **grown = reallocarray(report->suppressed, count + 1, sizeof(struct nv_finding *));
    bool ok = grown != NULL;
    if (!ok)
        return false;
    report->suppressed = grown;
    nv_index_clear(&book->by_place);
    for (size_t i = 0; i < report->finding_count; i++) {
        struct nv_finding *finding = report->findings[i];
        if (why[i] && suppress(report, finding, why[i])) {
            report->suppressed[report->suppressed_count++] = finding;
            continue;
        }
        ok = ok && !why[i]; /* what cannot be shown as left out stays a finding */
        nv_index_insert(&book->by_place, finding_hash(finding), kept);
        report->findings[kept++] = finding;
    }
    report->finding_count = kept;
    return ok;
}

size_t nv_report_severity_count(const struct nv_report *report, enum nv_severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < report->finding_count; i++)
        count += report->findings[i]->severity == severity;
    return count;
}

static int compare_findings(const void *left, const void *right)
{
    const struct nv_finding *a = *(struct nv_finding *const *)left, *b = *(struct nv_finding *const *)right;
    int by_file = strcmp(a->file ? a->file : "", b->file ? b->file : "");

    if (a->severity != b->severity)
        return a->severity < b->severity ? -1 : 1;
    if (by_file)
        return by_file;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return (a->rule > b->rule) - (a->rule < b->rule);
}

void nv_report_sort(struct nv_report *report)
{
    if (report->finding_count > 1)
        qsort(report->findings, report->finding_count, sizeof *report->findings, compare_findings);
}

size_t nv_report_errors(const struct nv_report *report)
{
    return nv_report_severity_count(report, NV_SEVERITY_ERROR);
}

bool nv_report_watched_nothing(const struct nv_report *report)
{
    if (report->crash)
        return !report->finding_count &&
               (report->crash->states < 2 || (!report->crash->judged && !report->crash->shards));
    if (report->blind)
        return !report->finding_count;
    return !report->power_failure && !report->files_changed && !report->tokens && !report->syncs &&
           !report->finding_count;
}

/* -- marks, and what was left out or not seen -- */

bool nv_report_add_mark(struct nv_report *report, const char *text, uint64_t at_ns, const struct nv_stack *stack)
{
    struct book *book = book_of(report);
    if (!make_room(&report->marks, report->mark_count, &book->mark_room, sizeof(struct nv_mark)))
        return false;
    struct nv_mark mark = {.text = strdup(text), .at_ns = at_ns};
    if (!mark.text || !stack_copy(&mark.stack, stack)) {
        free(mark.text);
        return false;
    }
    report->marks[report->mark_count++] = mark;
    return true;
}

static bool left_out_equal(const void *context, size_t number, const void *key)
{
    const struct nv_left_out *a = &((const struct nv_report *)context)->left_out[number], *b = key;
    return same_text(a->what, b->what) && same_text(a->why, b->why);
}

bool nv_report_leave_out(struct nv_report *report, const char *what, const char *why)
{
    struct book *book = book_of(report);
    uint64_t hash = nv_hash_text(nv_hash_text(HASH_BASIS, what), why);
    struct nv_left_out key = {.what = (char *)(uintptr_t)what, .why = (char *)(uintptr_t)why};
    size_t equal = nv_index_find(&book->by_what, hash, left_out_equal, report, &key);
    if (equal != SIZE_MAX) {
        report->left_out[equal].count++;
        return true;
    }
    if (!nv_index_reserve(&book->by_what) ||
        !make_room(&report->left_out, report->left_out_count, &book->left_out_room, sizeof(struct nv_left_out)))
        return false;
    bool ok = true;
    struct nv_left_out entry = {.what = copy_text(what, &ok), .why = copy_text(why, &ok), .count = 1};
    if (!ok) {
        free(entry.what);
        free(entry.why);
        return false;
    }
    nv_index_insert(&book->by_what, hash, report->left_out_count);
    report->left_out[report->left_out_count++] = entry;
    return true;
}

static bool add_text(char ***texts, size_t *count, size_t *room, const char *text)
{
    if (!make_room(texts, *count, room, sizeof(char *)))
        return false;
    char *copy = strdup(text);
    if (!copy)
        return false;
    (*texts)[(*count)++] = copy;
    return true;
}

bool nv_report_not_seen(struct nv_report *report, const char *sentence)
{
    for (size_t i = 0; i < report->not_seen_count; i++)
        if (strcmp(report->not_seen[i], sentence) == 0)
            return true;
    return add_text(&report->not_seen, &report->not_seen_count, &book_of(report)->not_seen_room, sentence);
}

bool nv_report_unused_suppression(struct nv_report *report, const char *line)
{
    return add_text(&report->unused_suppressions, &report->unused_suppression_count, &book_of(report)->unused_room,
                    line);
}

/* -- the report -- */

struct nv_report *nv_report_new(void)
{
    struct book *book = calloc(1, sizeof *book);
    return book ? &book->report : NULL;
}

void nv_report_free(struct nv_report *report)
{
    if (!report)
        return;
    struct book *book = book_of(report);
    for (size_t i = 0; i < report->finding_count; i++)
        nv_finding_free(report->findings[i]);
    for (size_t i = 0; i < report->mark_count; i++) {
        free(report->marks[i].text);
        nv_stack_clear(&report->marks[i].stack);
    }
    for (size_t i = 0; i < report->left_out_count; i++) {
        free(report->left_out[i].what);
        free(report->left_out[i].why);
    }
    for (size_t i = 0; i < report->not_seen_count; i++)
        free(report->not_seen[i]);
    for (size_t i = 0; i < report->suppressed_count; i++)
        nv_finding_free(report->suppressed[i]);
    for (size_t i = 0; i < report->unused_suppression_count; i++)
        free(report->unused_suppressions[i]);
    for (size_t i = 0; i < report->map_count; i++)
        nv_map_free(report->maps[i]);
    nv_timeline_free(report->timeline);
    nv_crash_coverage_free(report->crash);
    free(report->maps);
    free(report->findings);
    free(report->suppressed);
    free(report->unused_suppressions);
    free(report->marks);
    free(report->left_out);
    free(report->not_seen);
    free_texts(report->program);
    free_texts(report->folders);
    nv_index_free(&book->by_place);
    nv_index_free(&book->by_what);
    free(book);
}
