/* SPDX-License-Identifier: MIT */
/*
 * Owns what is durable and what is pending: each kind of event has a function here that says what it does to both. The
 * guarantees are those that supervise/ gives (syncs.c, names.c), told of the trace instead of carried out.
 */
#include "explore/model.h"

#include <errno.h>
#include <nvrtl/nvm.h>
#include <stdlib.h>

static struct nv_thread *thread_of(struct nv_model *model, uint32_t number)
{
    struct nv_thread *grown;

    for (size_t i = 0; i < model->thread_count; i++)
        if (model->threads[i].number == number)
            return &model->threads[i];
    grown = realloc(model->threads, (model->thread_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    model->threads = grown;
    grown[model->thread_count] = (struct nv_thread){.number = number};
    return &grown[model->thread_count++];
}

static bool is_initial(const struct nv_trace_event *event)
{
    return event->flags & NV_TRACE_INITIAL;
}

/* ---- names ---- */

static const char *text(const struct nv_trace_event *event)
{
    return nv_trace_payload(event);
}

/* The file moves between folders, and each of them has to be synced: posix. A folder is never in two places. */
static bool moves_in_halves(const struct nv_model *model, const struct nv_trace_event *event, uint32_t left)
{
    return model->kind == NV_EXPLORE_POSIX && event->parent != event->other &&
           !S_ISDIR(model->objects[event->object].newest_mode) && !(left && S_ISDIR(model->objects[left].newest_mode));
}

static int rename_ops(struct nv_model *model, const struct nv_trace_event *event, struct nv_op ops[2])
{
    const char *new_name = text(event) + strlen(text(event)) + 1;
    uint32_t from = nv_names_slot(&model->names, event->parent, text(event));
    uint32_t to = nv_names_slot(&model->names, event->other, new_name);
    uint32_t other, left;

    if (!from || !to)
        return -ENOMEM;
    other = model->names.slots[to].newest;
    if (other == event->object)
        return 0; /* two names of one file: nothing happens */
    left = event->flags & NV_TRACE_EXCHANGED ? other : 0;
    ops[0].folder = event->other;
    ops[0].slot[0] = to;
    ops[0].gives[0] = event->object;
    if (!moves_in_halves(model, event, left)) {
        ops[0].slot[1] = from;
        ops[0].gives[1] = left;
        return 1;
    }
    ops[1] = ops[0];
    ops[1].folder = event->parent;
    ops[1].slot[0] = from;
    ops[1].gives[0] = left;
    return 2;
}

int nv_model_ops(struct nv_model *model, const struct nv_trace_event *event, struct nv_op ops[2])
{
    struct nv_op op = {.event = model->event, .object = event->object, .folder = event->parent};

    ops[0] = ops[1] = op;
    if (event->kind == NV_TRACE_RENAME)
        return rename_ops(model, event, ops);
    if (event->kind == NV_TRACE_MODE) {
        ops[0].is_mode = true;
        ops[0].mode = (mode_t)event->offset;
        return 1;
    }
    if (!event->parent)
        return 0;
    ops[0].slot[0] = nv_names_slot(&model->names, event->parent, text(event));
    ops[0].gives[0] = event->kind == NV_TRACE_UNLINK ? 0 : event->object;
    return ops[0].slot[0] ? 1 : -ENOMEM;
}

static void apply_op(struct nv_model *model, const struct nv_op *op)
{
    nv_naming_apply(&model->names, op);
    if (op->is_mode)
        model->objects[op->object].mode = op->mode;
}

static int take_name(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_op ops[2];
    int count = nv_model_ops(model, event, ops), status = 0;

    for (int i = 0; i < count && !status; i++) {
        status = nv_names_add(&model->names, ops[i]);
        if (!status && is_initial(event)) {
            apply_op(model, &ops[i]);
            model->names.op_count--;
        }
    }
    return count < 0 ? count : status;
}

static int take_create(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_object *object = &model->objects[event->object];

    object->known = true;
    object->fresh = !is_initial(event);
    object->mode = object->newest_mode = (mode_t)event->offset;
    if (S_ISLNK(object->mode))
        object->target = text(event) + strlen(text(event)) + 1;
    if (!event->parent && *text(event))
        return nv_names_root(&model->names, event->object);
    return take_name(model, event);
}

static int take_mode(struct nv_model *model, const struct nv_trace_event *event)
{
    model->objects[event->object].newest_mode = (mode_t)event->offset;
    return take_name(model, event);
}

/* ---- contents ---- */

static int take_initial(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_object *object = &model->objects[event->object];
    uint64_t end = event->offset + event->payload_bytes;

    if (event->kind == NV_TRACE_SIZE)
        object->durable_bytes = event->length;
    else if (!nv_pages_write(&object->pages, event->offset, nv_trace_payload(event), event->payload_bytes))
        return -ENOMEM;
    else if (end > object->durable_bytes)
        object->durable_bytes = end;
    return 0;
}

static int resize(struct nv_model *model, struct nv_object *object, uint64_t bytes)
{
    struct nv_op cut = {.event = model->event, .object = object->number, .is_cut = true};
    int status = 0;

    if (model->kind == NV_EXPLORE_JOURNALED && bytes < nv_object_newest_bytes(object))
        status = nv_names_add(&model->names, cut);
    return status ? status : nv_object_resize(object, model->event, bytes);
}

/* A file system writes blocks when it likes, and the length may follow each of them. */
static int grow(struct nv_model *model, struct nv_object *object, uint64_t from, uint64_t end)
{
    uint64_t bytes = nv_object_newest_bytes(object);
    uint64_t block = (bytes > from ? bytes : from) / NV_BLOCK_BYTES * NV_BLOCK_BYTES + NV_BLOCK_BYTES;
    int status = 0;

    for (; block < end && !status; block += NV_BLOCK_BYTES)
        status = resize(model, object, block);
    return status ? status : resize(model, object, end);
}

static int take_write(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_object *object = &model->objects[event->object];
    uint64_t length = event->kind == NV_TRACE_WRITE ? event->payload_bytes : event->length;
    uint64_t end = event->offset + length, bytes = nv_object_newest_bytes(object);
    const uint8_t *payload = event->kind == NV_TRACE_WRITE ? nv_trace_payload(event) : NULL;
    int status;

    if (is_initial(event))
        return take_initial(model, event);
    if (event->kind == NV_TRACE_ZERO && end > bytes)
        length = event->offset < bytes ? bytes - event->offset : 0;
    status = nv_object_put(object, model->event, event->offset, payload, length, NV_HOW_WHOLE);
    if (!status && event->kind == NV_TRACE_WRITE && length && end > bytes)
        status = grow(model, object, event->offset, end);
    return status;
}

static int take_size(struct nv_model *model, const struct nv_trace_event *event)
{
    return is_initial(event) ? take_initial(model, event)
                             : resize(model, &model->objects[event->object], event->length);
}

static int take_store(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_object *object = &model->objects[event->object];
    enum nv_how how = event->flags & NV_TRACE_WORDS   ? NV_HOW_WORDS
                      : event->kind == NV_TRACE_STORE ? NV_HOW_STORE
                                                      : NV_HOW_WHOLE;

    int status = nv_object_put(object, model->event, event->offset, nv_trace_payload(event), event->payload_bytes, how);

    if (status || !object->instant)
        return status;
    if (event->kind == NV_TRACE_STORE)
        model->instant_event = model->event;
    else /* lines in no order, that are whole when the last of them is told: until then there is no state to judge */
        status = nv_object_commit(object, event->offset, event->offset + event->payload_bytes, model->event);
    return status;
}

/* ---- what makes durable ---- */

/* The last of its steps: lines that were cut off cannot be flushed. 0: none. */
static uint64_t flushable(const struct nv_unit *unit)
{
    uint32_t i = unit->count;

    while (i && unit->atoms[i - 1].freed)
        i--;
    return i ? unit->atoms[i - 1].event : 0;
}

static int flush_unit(void *context, struct nv_unit *unit)
{
    struct nv_thread *thread = context;
    uint64_t event = flushable(unit);

    if (!event)
        return 0;
    if (thread->count == thread->capacity) {
        size_t capacity = thread->capacity * 2 + 16;
        struct nv_flushed *grown = realloc(thread->flushed, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        thread->flushed = grown;
        thread->capacity = capacity;
    }
    thread->flushed[thread->count++] = (struct nv_flushed){unit, event};
    return 0;
}

static int take_flush(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_thread *thread = thread_of(model, event->thread);

    return !thread ? -ENOMEM
                   : nv_object_each(&model->objects[event->object], event->offset, event->offset + event->length,
                                    flush_unit, thread);
}

static int drain_thread(struct nv_thread *thread, uint32_t object)
{
    size_t kept = 0;
    int status = 0;

    for (size_t i = 0; i < thread->count && !status; i++) {
        struct nv_flushed flushed = thread->flushed[i];

        if (object && flushed.unit->object->number != object)
            thread->flushed[kept++] = flushed;
        else
            status = nv_unit_commit(flushed.unit, flushed.event);
    }
    thread->count = kept;
    return status;
}

static int take_drain(struct nv_model *model, const struct nv_trace_event *event)
{
    int status = 0;

    if (event->flags & NV_TRACE_FAILED)
        return 0;
    for (size_t i = 0; i < model->thread_count && !status; i++)
        if (model->threads[i].number == event->thread || event->flags & NV_TRACE_ALL_THREADS)
            status = drain_thread(&model->threads[i], event->object);
    return status;
}

static int take_sync_begin(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_thread *thread = thread_of(model, event->thread);

    if (!thread)
        return -ENOMEM;
    thread->sync_begin = model->event;
    return 0;
}

/* A journal becomes durable from its start, whoever asks for it. */
static int commit_journal(struct nv_model *model, uint64_t event)
{
    int status = 0;

    for (size_t i = 0; i < model->names.op_count && model->names.ops[i].event <= event && !status; i++) {
        struct nv_op *op = &model->names.ops[i];

        apply_op(model, op);
        if (op->is_cut)
            status = nv_object_commit_lengths(&model->objects[op->object], op->event);
        op->event = 0;
    }
    nv_naming_settle(&model->names);
    return status;
}

/* The names in a folder, or the mode of a file: those operations that wait for this sync. */
static void commit_ops(struct nv_model *model, uint32_t folder, uint32_t object, uint64_t event)
{
    struct nv_names *names = &model->names;

    for (size_t i = names->op_count; i-- > 0;) {
        struct nv_op *op = &names->ops[i];

        if (op->event <= event && (op->is_mode ? op->object == object : op->folder == folder && folder))
            op->event |= (uint64_t)1 << 63;
        if (!(op->event >> 63) || op->is_mode)
            continue;
        for (size_t j = 0; j < i; j++) /* what it stands on, in the same places, comes with it */
            for (int k = 0; k < 4; k++)
                if (op->slot[k / 2] && op->slot[k / 2] == names->ops[j].slot[k % 2])
                    names->ops[j].event |= (uint64_t)1 << 63;
    }
    for (size_t i = 0; i < names->op_count; i++)
        if (names->ops[i].event >> 63) {
            apply_op(model, &names->ops[i]);
            names->ops[i].event = 0;
        }
    nv_naming_settle(names);
}

static bool has_new_length(const struct nv_object *object, uint64_t event)
{
    return object->length_count && object->lengths[0].event <= event;
}

/* A file is synced, or a range of it: whole blocks of the range, its length, and what the model says of names. */
static int sync_file(struct nv_model *model, const struct nv_trace_event *event, uint64_t begin)
{
    struct nv_object *object = &model->objects[event->object];
    uint64_t from = event->offset / NV_BLOCK_BYTES * NV_BLOCK_BYTES, to = UINT64_MAX;
    bool data_only = event->flags & NV_TRACE_DATA_ONLY, metadata = !data_only || object->fresh;
    int status = 0;

    if (event->length < UINT64_MAX - NV_BLOCK_BYTES - event->offset)
        to = (event->offset + event->length + NV_BLOCK_BYTES - 1) / NV_BLOCK_BYTES * NV_BLOCK_BYTES;
    if (model->kind == NV_EXPLORE_JOURNALED && (metadata || has_new_length(object, begin)))
        status = commit_journal(model, begin);
    else if (model->kind == NV_EXPLORE_POSIX && metadata)
        commit_ops(model, 0, event->object, begin);
    if (!status)
        status = nv_object_commit(object, from, to, begin);
    if (!status)
        status = nv_object_commit_lengths(object, begin);
    object->fresh = false;
    return status;
}

static int sync_everything(struct nv_model *model, uint64_t begin)
{
    int status = commit_journal(model, begin);

    for (uint32_t i = 1; i < model->subject->object_count && !status; i++) {
        struct nv_object *object = &model->objects[i];

        if (!object->known)
            continue;
        status = nv_object_commit(object, 0, UINT64_MAX, begin);
        if (!status)
            status = nv_object_commit_lengths(object, begin);
        object->fresh = false;
    }
    return status;
}

static int take_sync(struct nv_model *model, const struct nv_trace_event *event)
{
    struct nv_thread *thread = thread_of(model, event->thread);
    uint64_t begin;

    if (!thread)
        return -ENOMEM;
    begin = thread->sync_begin ? thread->sync_begin : model->event;
    thread->sync_begin = 0;
    if (event->flags & NV_TRACE_FAILED)
        return 0;
    if (event->flags & NV_TRACE_FOLDER) {
        if (model->kind == NV_EXPLORE_JOURNALED)
            return commit_journal(model, begin);
        commit_ops(model, event->object, event->object, begin);
        return 0;
    }
    return event->object ? sync_file(model, event, begin) : sync_everything(model, begin);
}

static int take_promise(struct nv_model *model, const struct nv_trace_event *event)
{
    size_t need = model->promises_bytes + event->payload_bytes + 1;

    if (need > model->promises_capacity) {
        char *grown = realloc(model->promises, need * 2);

        if (!grown)
            return -ENOMEM;
        model->promises = grown;
        model->promises_capacity = need * 2;
    }
    memcpy(model->promises + model->promises_bytes, nv_trace_payload(event), event->payload_bytes);
    model->promises[need - 1] = '\n';
    model->promises_bytes = need;
    model->promise_count++;
    return 0;
}

/* ---- all events ---- */

typedef int take_event(struct nv_model *model, const struct nv_trace_event *event);

static take_event *const takers[NV_TRACE_KINDS] = {
    [NV_TRACE_CREATE] = take_create, [NV_TRACE_LINK] = take_name,       [NV_TRACE_UNLINK] = take_name,
    [NV_TRACE_RENAME] = take_name,   [NV_TRACE_MODE] = take_mode,       [NV_TRACE_WRITE] = take_write,
    [NV_TRACE_ZERO] = take_write,    [NV_TRACE_SIZE] = take_size,       [NV_TRACE_STORE] = take_store,
    [NV_TRACE_CHANGED] = take_store, [NV_TRACE_FLUSH] = take_flush,     [NV_TRACE_DRAIN] = take_drain,
    [NV_TRACE_SYNC] = take_sync,     [NV_TRACE_PROMISE] = take_promise, [NV_TRACE_SYNC_BEGIN] = take_sync_begin,
};

static int settle_instant(struct nv_model *model)
{
    uint64_t number = model->instant_event;
    const struct nv_trace_event *event = model->subject->trace->events[number - 1];

    model->instant_event = 0;
    return nv_object_commit(&model->objects[event->object], event->offset, event->offset + event->payload_bytes,
                            number);
}

int nv_model_take(struct nv_model *model)
{
    const struct nv_trace_event *event = model->subject->trace->events[model->event];
    int status = model->instant_event ? settle_instant(model) : 0;

    model->event++;
    if (status || event->kind >= NV_TRACE_KINDS || !takers[event->kind])
        return status;
    return takers[event->kind](model, event);
}

int nv_model_open(struct nv_model *model, struct nv_subject *subject, enum nv_explore_model kind)
{
    *model = (struct nv_model){.subject = subject, .kind = kind};
    model->objects = calloc(subject->object_count + 1, sizeof *model->objects);
    if (!model->objects)
        return -ENOMEM;
    for (uint32_t i = 0; i < subject->object_count; i++) {
        model->objects[i].number = i;
        model->objects[i].pristine = true;
        model->objects[i].unit_bytes = subject->objects[i].unit_bytes;
        model->objects[i].instant = subject->objects[i].instant;
    }
    return 0;
}

void nv_model_close(struct nv_model *model)
{
    for (uint32_t i = 0; model->objects && i < model->subject->object_count; i++)
        nv_object_free(&model->objects[i]);
    for (size_t i = 0; i < model->thread_count; i++)
        free(model->threads[i].flushed);
    free(model->threads);
    free(model->objects);
    free(model->promises);
    nv_names_free(&model->names);
    *model = (struct nv_model){0};
}

/* ---- the trace as a whole ---- */

static void note_domain(struct nv_known *known, uint32_t domain)
{
    if (domain >= NvrtlDomainCpuCache)
        known->unit_bytes = NV_LINE_BYTES;
    if (domain != NvrtlDomainMemory)
        known->instant = false;
}

static void note(struct nv_subject *subject, const struct nv_trace_event *event)
{
    uint32_t highest = event->object > event->parent ? event->object : event->parent;

    if (event->kind == NV_TRACE_RENAME && event->other > highest)
        highest = event->other;
    if (highest >= subject->object_count)
        subject->object_count = highest + 1;
}

int nv_subject_open(struct nv_subject *subject, const struct nv_trace *trace)
{
    *subject = (struct nv_subject){.trace = trace, .object_count = 1};
    for (size_t i = 0; i < trace->event_count; i++)
        note(subject, trace->events[i]);
    subject->objects = calloc(subject->object_count, sizeof *subject->objects);
    if (!subject->objects)
        return -ENOMEM;
    for (uint32_t i = 0; i < subject->object_count; i++)
        subject->objects[i] = (struct nv_known){.unit_bytes = NV_SECTOR_BYTES, .instant = true};
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i]->kind == NV_TRACE_MAP)
            note_domain(&subject->objects[trace->events[i]->object], trace->events[i]->other);
    for (uint32_t i = 0; i < subject->object_count; i++)
        if (subject->objects[i].unit_bytes != NV_LINE_BYTES)
            subject->objects[i].instant = false;
    return 0;
}

void nv_subject_close(struct nv_subject *subject)
{
    free(subject->objects);
    *subject = (struct nv_subject){0};
}

/* ---- what judges ask ---- */

void nv_model_read(const struct nv_model *model, uint32_t object, uint64_t offset, void *bytes, size_t length_bytes)
{
    const struct nv_object *file = &model->objects[object];
    size_t inside = offset >= file->durable_bytes                 ? 0
                    : file->durable_bytes - offset < length_bytes ? (size_t)(file->durable_bytes - offset)
                                                                  : length_bytes;

    nv_pages_read(&file->pages, offset, bytes, inside);
    memset((char *)bytes + inside, 0, length_bytes - inside);
}

bool nv_model_next_data(const struct nv_model *model, uint32_t object, uint64_t *offset, uint64_t *length_bytes)
{
    const struct nv_object *file = &model->objects[object];
    uint64_t number = *offset / NV_PAGE_BYTES, end, from = *offset;

    if (!nv_pages_next(&file->pages, &number) || number * NV_PAGE_BYTES >= file->durable_bytes)
        return false;
    *offset = number * NV_PAGE_BYTES > from ? number * NV_PAGE_BYTES : from;
    while (nv_pages_find(&file->pages, number + 1))
        number++;
    end = (number + 1) * NV_PAGE_BYTES;
    if (end > file->durable_bytes)
        end = file->durable_bytes;
    if (*offset >= end)
        return false;
    *length_bytes = end - *offset;
    return true;
}
