/* SPDX-License-Identifier: MIT */
/*
 * Says what a failure hangs on: for each choice that matters the event that made it, where in the program that was, and
 * what would have made it durable. shrink.c asks, once for each failure.
 */
#include "explore/explorer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the name of a file at some event ---- */

struct name {
    uint32_t parent;
    const char *text;
};

static void note_name(struct name *names, const struct nv_trace_event *event)
{
    const char *text = nv_trace_payload(event);
    uint32_t parent = event->parent;

    if (event->kind == NV_TRACE_RENAME) {
        text += strlen(text) + 1;
        parent = event->other;
    }
    if (event->kind >= NV_TRACE_CREATE && event->kind <= NV_TRACE_RENAME && *text)
        names[event->object] = (struct name){parent, text};
}

static void print_path(FILE *text, const struct name *names, uint32_t object, unsigned depth)
{
    if (!names[object].text || depth > 256) {
        fprintf(text, "(a file without a name)");
        return;
    }
    if (names[object].parent) {
        print_path(text, names, names[object].parent, depth + 1);
        fprintf(text, "/");
    }
    fprintf(text, "%s", names[object].text);
}

/* Malloced; NULL: no memory. */
static const char *path_at(const struct nv_subject *subject, uint64_t number)
{
    const struct nv_trace_event *event = subject->trace->events[number - 1];
    struct name *names = calloc(subject->object_count, sizeof *names);
    char *path = NULL;
    size_t bytes;
    FILE *text = names ? open_memstream(&path, &bytes) : NULL;

    if (!text) {
        free(names);
        return NULL;
    }
    for (uint64_t i = 0; i + 1 < number; i++)
        note_name(names, subject->trace->events[i]);
    if (event->kind == NV_TRACE_RENAME) {
        names[event->object] = (struct name){event->parent, nv_trace_payload(event)};
        print_path(text, names, event->object, 0);
        fprintf(text, " -> ");
    }
    note_name(names, event);
    print_path(text, names, event->object, 0);
    free(names);
    if (fclose(text)) {
        free(path);
        return NULL;
    }
    return path;
}

/* ---- what makes it durable ---- */

struct guarding {
    const struct nv_explorer *explorer;
    const struct nv_cause *cause;
    bool is_name;
    uint32_t folder; /* posix: whose sync it waits for; 0: the file's own */
    uint64_t event;
    const struct nv_trace_event *flush;
};

static bool overlaps(const struct nv_cause *cause, const struct nv_trace_event *event)
{
    uint64_t end = event->length > UINT64_MAX - event->offset ? UINT64_MAX : event->offset + event->length;

    return event->object == cause->object && event->offset < cause->offset + cause->length_bytes && cause->offset < end;
}

/* Syncs that were under way when it was stored promise nothing for it. */
static bool began_early(struct guarding *guarding, const struct nv_trace_event *event)
{
    const struct nv_trace *trace = guarding->explorer->subject.trace;

    for (uint64_t i = guarding->event - 1; i-- > 0;)
        if (trace->events[i]->thread == event->thread &&
            (trace->events[i]->kind == NV_TRACE_SYNC_BEGIN || trace->events[i]->kind == NV_TRACE_SYNC))
            return trace->events[i]->kind == NV_TRACE_SYNC_BEGIN;
    return false;
}

static bool begins_again(struct guarding *guarding, const struct nv_trace_event *event, uint64_t number)
{
    const struct nv_trace *trace = guarding->explorer->subject.trace;

    for (uint64_t i = number - 1; i-- > guarding->event;)
        if (trace->events[i]->thread == event->thread && trace->events[i]->kind == NV_TRACE_SYNC_BEGIN)
            return true;
    return false;
}

static bool syncs_name(const struct guarding *guarding, const struct nv_trace_event *event)
{
    const struct nv_cause *cause = guarding->cause;

    if (!event->object && !(event->flags & NV_TRACE_FOLDER))
        return true;
    if (guarding->explorer->options.model == NV_EXPLORE_POSIX)
        return guarding->folder ? event->flags & NV_TRACE_FOLDER && event->object == guarding->folder
                                : event->object == cause->object;
    return !(event->flags & NV_TRACE_DATA_ONLY) || event->object == cause->object;
}

static bool syncs_it(struct guarding *guarding, const struct nv_trace_event *event, uint64_t number)
{
    const struct nv_cause *cause = guarding->cause;

    if (event->kind != NV_TRACE_SYNC || event->flags & NV_TRACE_FAILED)
        return false;
    if (began_early(guarding, event) && !begins_again(guarding, event, number))
        return false;
    if (guarding->is_name)
        return syncs_name(guarding, event);
    if (event->flags & NV_TRACE_FOLDER)
        return false;
    if (cause->kind == NV_TRACE_SIZE)
        return !event->object || event->object == cause->object;
    return !event->object || overlaps(cause, event);
}

static bool drains_it(const struct guarding *guarding, const struct nv_trace_event *event)
{
    const struct nv_trace_event *flush = guarding->flush;

    return event->kind == NV_TRACE_DRAIN && !(event->flags & NV_TRACE_FAILED) && flush &&
           (event->thread == flush->thread || event->flags & NV_TRACE_ALL_THREADS) &&
           (!event->object || event->object == flush->object);
}

static void find_guard(struct guarding *guarding, struct nv_cause *cause)
{
    const struct nv_trace *trace = guarding->explorer->subject.trace;
    bool flushes = !guarding->is_name && cause->kind != NV_TRACE_SIZE;

    guarding->cause = cause;
    for (uint64_t i = guarding->event; i < trace->event_count; i++) {
        const struct nv_trace_event *event = trace->events[i];

        if (flushes && !guarding->flush && event->kind == NV_TRACE_FLUSH && overlaps(cause, event))
            guarding->flush = event;
        if (drains_it(guarding, event) || syncs_it(guarding, event, i + 1)) {
            cause->guard_kind = event->kind;
            cause->guard_place = event->place;
            return;
        }
    }
    if (guarding->flush) {
        cause->guard_kind = NV_TRACE_FLUSH;
        cause->guard_place = guarding->flush->place;
    }
}

/* ---- one choice ---- */

static void cause_of_event(const struct nv_explorer *explorer, uint64_t number, struct nv_cause *cause)
{
    const struct nv_trace_event *event = explorer->subject.trace->events[number - 1];

    cause->kind = event->kind;
    cause->object = event->object;
    cause->place = event->place;
}

static uint64_t find_op(const struct nv_point *point, const struct nv_part *part, bool missing)
{
    uint64_t found = 0;
    uint32_t i = (uint32_t)(part - point->parts), chosen = point->chosen_parts[i];

    if (part->kind == NV_PART_JOURNAL)
        return missing ? chosen : chosen - 1;
    for (uint32_t j = 0; j < part->op_count; j++) {
        bool there = nv_part_has(part, chosen, j);

        if (missing && !there)
            return part->ops[j];
        if (!missing && there)
            found = part->ops[j];
    }
    return found;
}

static uint64_t cause_of_op(const struct nv_explorer *explorer, const struct nv_op *op, struct nv_cause *cause,
                            struct guarding *guarding)
{
    cause_of_event(explorer, op->event, cause);
    guarding->is_name = true;
    guarding->folder = op->is_mode || op->is_cut ? 0 : op->folder;
    if (op->is_cut)
        cause->length_bytes = explorer->subject.trace->events[op->event - 1]->length;
    return op->event;
}

static uint64_t cause_of_length(const struct nv_explorer *explorer, uint32_t number, struct nv_cause *cause)
{
    const struct nv_object *object = &explorer->model.objects[number];
    size_t length = nv_point_length(&explorer->point, number), i;

    if (cause->missing ? length == object->length_count : !length)
        return 0;
    i = cause->missing ? length : length - 1;
    cause_of_event(explorer, object->lengths[i].event, cause);
    cause->kind = NV_TRACE_SIZE;
    cause->offset = i ? object->lengths[i - 1].bytes : object->durable_bytes;
    cause->length_bytes = object->lengths[i].bytes;
    return object->lengths[i].event;
}

static int cause_of_unit(const struct nv_explorer *explorer, uint32_t number, struct nv_cause *cause, uint64_t *event)
{
    const struct nv_point *point = &explorer->point;
    const struct nv_unit *unit = point->units[number];
    const struct nv_atom *found = NULL;
    uint8_t *chosen = calloc(unit->count + 1, 1);
    int status = chosen ? 0 : -ENOMEM;

    for (size_t i = 0; i < point->view_count && !status; i++)
        if (point->views[i].unit == number)
            status = nv_choices_steps(unit, point->views[i].choices, point->views[i].chosen, chosen);
    for (uint32_t i = 0; i < unit->count && !status; i++)
        if (cause->missing ? !chosen[i] && !found : chosen[i])
            found = &unit->atoms[i];
    free(chosen);
    if (status || !found)
        return status;
    *event = found->event;
    cause_of_event(explorer, found->event, cause);
    cause->offset = unit->index * unit->object->unit_bytes + found->offset;
    cause->length_bytes = found->length_bytes;
    return 0;
}

static int find_cause(struct nv_explorer *explorer, size_t choice, bool missing, struct nv_cause *cause,
                      uint64_t *event)
{
    const struct nv_point *point = &explorer->point;
    struct guarding guarding = {.explorer = explorer};
    int status = 0;

    *cause = (struct nv_cause){.missing = missing};
    *event = 0;
    if (choice >= point->part_count)
        status = cause_of_unit(explorer, (uint32_t)(choice - point->part_count), cause, event);
    else if (point->parts[choice].kind == NV_PART_LENGTH)
        *event = cause_of_length(explorer, point->parts[choice].object, cause);
    else
        *event = cause_of_op(explorer, &explorer->model.names.ops[find_op(point, &point->parts[choice], missing)],
                             cause, &guarding);
    if (status || !*event)
        return status;
    guarding.event = *event;
    find_guard(&guarding, cause);
    cause->path = path_at(&explorer->subject, *event);
    return cause->path ? 0 : -ENOMEM;
}

/* ---- all of them ---- */

struct found {
    struct nv_cause cause;
    uint64_t event;
};

static int by_event(const void *left, const void *right)
{
    const struct found *a = left, *b = right;

    if (a->event != b->event)
        return a->event < b->event ? -1 : 1;
    return (a->cause.offset > b->cause.offset) - (a->cause.offset < b->cause.offset);
}

/* Parts of one write are one cause. */
static size_t join(const struct found *found, size_t count, struct nv_cause *causes)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct nv_cause *last = kept ? &causes[kept - 1] : NULL;
        uint64_t end = found[i].cause.offset + found[i].cause.length_bytes;

        if (last && found[i].event == found[i - 1].event && found[i].cause.kind == last->kind &&
            found[i].cause.guard_place == last->guard_place && found[i].cause.guard_kind == last->guard_kind) {
            if (last->kind != NV_TRACE_SIZE && end > last->offset + last->length_bytes)
                last->length_bytes = end - last->offset;
            free((char *)(uintptr_t)found[i].cause.path);
        } else {
            causes[kept++] = found[i].cause;
        }
    }
    return kept;
}

int nv_causes_find(struct nv_explorer *explorer, const struct nv_choice *choice, const uint8_t *hangs, bool missing,
                   struct nv_cause **causes, size_t *count)
{
    struct found *found = calloc(choice->count + 1, sizeof *found);
    size_t met = 0;
    int status = found ? 0 : -ENOMEM;

    *causes = calloc(choice->count + 1, sizeof **causes);
    *count = 0;
    if (!*causes)
        status = -ENOMEM;
    for (size_t i = 0; i < choice->count && !status; i++) {
        if (!hangs[i])
            continue;
        status = find_cause(explorer, i, missing, &found[met].cause, &found[met].event);
        met += !status && found[met].event;
    }
    if (!status) {
        qsort(found, met, sizeof *found, by_event);
        *count = join(found, met, *causes);
    }
    free(found);
    return status;
}

void nv_causes_free(struct nv_cause *causes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)causes[i].path);
    free(causes);
}

bool nv_causes_alike(const struct nv_cause *a, size_t a_count, const struct nv_cause *b, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (a[i].missing != b[i].missing || a[i].kind != b[i].kind || a[i].place != b[i].place ||
            a[i].guard_place != b[i].guard_place || a[i].guard_kind != b[i].guard_kind || strcmp(a[i].path, b[i].path))
            return false;
    return true;
}
