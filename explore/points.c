/* SPDX-License-Identifier: MIT */
/* Owns a crash point's choices, and lays out one choice of names and lengths. explore.c and shrink.c call it. */
#include "explore/points.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SETS_MAX = 4096,         /* of operations on names that hang together */
    CHOICES_MAX = 8192,      /* of one unit */
    CHOICES_LEAST = 12,      /* of one of very many */
    CHOICES_TOTAL = 1 << 21, /* of all units */
    NO_CUT_YET = 0
};

/* ---- parts ---- */

static struct nv_part *add_part(struct nv_point *point, enum nv_part_kind kind, uint32_t count)
{
    struct nv_part *grown = realloc(point->parts, (point->part_count + 1) * sizeof *grown);

    if (!grown)
        return NULL;
    point->parts = grown;
    grown[point->part_count] = (struct nv_part){.kind = kind, .count = count};
    return &grown[point->part_count++];
}

static int add_lengths(struct nv_point *point)
{
    const struct nv_model *model = point->model;

    for (uint32_t i = 1; i < model->subject->object_count; i++) {
        const struct nv_object *object = &model->objects[i];
        struct nv_part *part;

        if (!object->length_count)
            continue;
        part = add_part(point, NV_PART_LENGTH, (uint32_t)object->length_count + 1);
        if (!part)
            return -ENOMEM;
        part->object = i;
    }
    return 0;
}

struct sets {
    struct nv_part *part;
    bool cut;
};

static int add_set(void *context, const uint8_t *chosen)
{
    struct sets *sets = context;
    struct nv_part *part = sets->part;
    uint8_t *grown;

    if (part->count == SETS_MAX) {
        sets->cut = true;
        return 1;
    }
    grown = realloc(part->sets, (size_t)(part->count + 1) * part->op_count);
    if (!grown)
        return -ENOMEM;
    part->sets = grown;
    memcpy(grown + (size_t)part->count++ * part->op_count, chosen, part->op_count);
    return 0;
}

/* Too many: some by chance, and all of them last. */
static int sample_sets(struct nv_part *part, const struct nv_poset *poset)
{
    uint64_t random = part->ops[0];

    for (uint32_t i = SETS_MAX / 2; i < SETS_MAX; i++) {
        uint8_t *set = part->sets + (size_t)i * part->op_count;

        nv_poset_sample(poset, &random, i == SETS_MAX - 1 ? 0 : 8u << i % 5, set);
    }
    return 0;
}

/* The last operation on each place so far, and for files' modes; and the cluster that an operation belongs to. */
struct clusters {
    uint32_t *of_slot, *of_mode; /* operations + 1 */
    uint32_t *above;             /* by operation: one of the same cluster, itself for the first */
    uint32_t *part;              /* by first operation: part + 1 */
};

static uint32_t first_of(struct clusters *clusters, uint32_t op)
{
    while (clusters->above[op] != op)
        op = clusters->above[op] = clusters->above[clusters->above[op]];
    return op;
}

/* What the operation stands on: the one before it in each of its places, whose last is this one from now on. */
static size_t stands_on(struct clusters *clusters, const struct nv_op *op, uint32_t number, uint32_t below[2])
{
    size_t count = 0;

    for (int i = 0; i < 2; i++) {
        uint32_t *last = op->is_mode ? &clusters->of_mode[op->object] : &clusters->of_slot[op->slot[i]];

        if (op->is_mode ? i : !op->slot[i])
            continue;
        if (*last)
            below[count++] = *last - 1;
        *last = number + 1;
    }
    return count;
}

static int open_clusters(struct clusters *clusters, const struct nv_model *model)
{
    clusters->of_slot = calloc(model->names.slot_count + 1, sizeof(uint32_t));
    clusters->of_mode = calloc(model->subject->object_count + 1, sizeof(uint32_t));
    clusters->above = calloc(model->names.op_count + 1, sizeof(uint32_t));
    clusters->part = calloc(model->names.op_count + 1, sizeof(uint32_t));
    return clusters->of_slot && clusters->of_mode && clusters->above && clusters->part ? 0 : -ENOMEM;
}

static void close_clusters(struct clusters *clusters)
{
    free(clusters->of_slot);
    free(clusters->of_mode);
    free(clusters->above);
    free(clusters->part);
}

static void join_clusters(struct clusters *clusters, const struct nv_names *names)
{
    uint32_t below[2];

    for (uint32_t i = 0; i < names->op_count; i++) {
        size_t count = stands_on(clusters, &names->ops[i], i, below);

        clusters->above[i] = i;
        for (size_t j = 0; j < count; j++) {
            uint32_t a = first_of(clusters, below[j]), b = first_of(clusters, i);

            clusters->above[a > b ? a : b] = a > b ? b : a;
        }
    }
}

static int add_op(struct nv_part *part, uint32_t op)
{
    if (!(part->op_count & (part->op_count + 1))) { /* one less than a power of two: it is full */
        uint32_t *grown = realloc(part->ops, (size_t)(part->op_count + 1) * 2 * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        part->ops = grown;
    }
    part->ops[part->op_count++] = op;
    return 0;
}

static uint32_t place_in(const struct nv_part *part, uint32_t op)
{
    uint32_t low = 0, high = part->op_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (part->ops[middle] < op)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* True in *chain: each stands on the one before it. */
static int make_poset(struct clusters *clusters, const struct nv_op *ops, const struct nv_part *part,
                      struct nv_poset *poset, bool *chain)
{
    int status = 0;

    *chain = true;
    for (uint32_t i = 0; i < part->op_count && !status; i++) {
        uint32_t below[2];
        size_t count = stands_on(clusters, &ops[part->ops[i]], part->ops[i], below);
        bool follows = !i;

        status = nv_poset_add(poset);
        for (size_t j = 0; j < count && !status; j++) {
            follows = follows || below[j] == part->ops[i - 1];
            status = nv_poset_need(poset, place_in(part, below[j]));
        }
        *chain = *chain && follows;
    }
    return status;
}

/* The sets of a chain are its beginnings, and need not be kept. */
static int fill_sets(struct nv_point *point, struct clusters *clusters, struct nv_part *part)
{
    struct nv_poset poset = {0};
    struct sets sets = {part, false};
    bool chain;
    int status = make_poset(clusters, point->model->names.ops, part, &poset, &chain);

    part->count = chain ? part->op_count + 1 : 0;
    if (!status && !chain)
        status = nv_poset_each(&poset, 0, add_set, &sets);
    if (sets.cut && status == 1)
        status = sample_sets(part, &poset);
    point->complete = point->complete && !sets.cut;
    nv_poset_free(&poset);
    return status;
}

static int add_clusters(struct nv_point *point, struct clusters *clusters)
{
    const struct nv_names *names = &point->model->names;
    int status = 0;

    join_clusters(clusters, names);
    for (uint32_t i = 0; i < names->op_count && !status; i++) {
        uint32_t *part = &clusters->part[first_of(clusters, i)];

        if (!*part && !add_part(point, NV_PART_NAMES, 0))
            return -ENOMEM;
        if (!*part)
            *part = (uint32_t)point->part_count;
        status = add_op(&point->parts[*part - 1], i);
    }
    memset(clusters->of_slot, 0, (names->slot_count + 1) * sizeof(uint32_t));
    memset(clusters->of_mode, 0, (point->model->subject->object_count + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < point->part_count && !status; i++)
        status = fill_sets(point, clusters, &point->parts[i]);
    return status;
}

/* Posix: operations that touch each other, directly or through others, are one choice. */
static int add_names(struct nv_point *point)
{
    struct clusters clusters = {0};
    int status = open_clusters(&clusters, point->model);

    if (!status)
        status = add_clusters(point, &clusters);
    close_clusters(&clusters);
    return status;
}

static int add_parts(struct nv_point *point)
{
    const struct nv_names *names = &point->model->names;
    int status = 0;

    if (names->op_count && point->model->kind == NV_EXPLORE_POSIX)
        status = add_names(point);
    else if (names->op_count && !add_part(point, NV_PART_JOURNAL, (uint32_t)names->op_count + 1))
        status = -ENOMEM;
    return status ? status : add_lengths(point);
}

/* ---- units ---- */

static int by_place(const void *left, const void *right)
{
    const struct nv_unit *a = *(struct nv_unit *const *)left, *b = *(struct nv_unit *const *)right;

    if (a->object != b->object)
        return a->object->number < b->object->number ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static int gather_units(struct nv_point *point)
{
    const struct nv_model *model = point->model;
    size_t count = 0;

    for (uint32_t i = 1; i < model->subject->object_count; i++)
        count += model->objects[i].pending_count;
    point->units = calloc(count + 1, sizeof(struct nv_unit *));
    point->views = calloc(count + 1, sizeof *point->views);
    if (!point->units || !point->views)
        return -ENOMEM;
    for (uint32_t i = 1; i < model->subject->object_count; i++)
        for (size_t j = 0; j < model->objects[i].pending_count; j++)
            point->units[point->unit_count++] = model->objects[i].pending[j];
    qsort(point->units, count, sizeof(struct nv_unit *), by_place);
    point->most = count ? (uint32_t)(CHOICES_TOTAL / count) : CHOICES_MAX;
    if (point->most > CHOICES_MAX)
        point->most = CHOICES_MAX;
    if (point->most < CHOICES_LEAST)
        point->most = CHOICES_LEAST;
    return 0;
}

int nv_point_open(struct nv_point *point, struct nv_model *model, uint64_t number)
{
    uint32_t objects = model->subject->object_count;
    int status;

    *point = (struct nv_point){.model = model, .number = number, .complete = true};
    status = add_parts(point);
    if (!status)
        status = gather_units(point);
    point->chosen_parts = calloc(point->part_count + 1, sizeof *point->chosen_parts);
    point->has_op = calloc(model->names.op_count + 1, sizeof *point->has_op);
    point->slots = calloc(model->names.slot_count + 1, sizeof *point->slots);
    point->modes = calloc(objects, sizeof *point->modes);
    point->extents = calloc(objects, sizeof *point->extents);
    point->place_of = calloc(objects, sizeof *point->place_of);
    point->places = calloc(objects, sizeof *point->places);
    point->changed = calloc(objects, sizeof *point->changed);
    if (!point->chosen_parts || !point->has_op || !point->slots || !point->modes || !point->extents ||
        !point->place_of || !point->places || !point->changed)
        status = -ENOMEM;
    return status;
}

void nv_point_close(struct nv_point *point)
{
    for (size_t i = 0; i < point->part_count; i++) {
        free(point->parts[i].ops);
        free(point->parts[i].sets);
    }
    free(point->parts);
    free(point->units);
    free(point->views);
    free(point->chosen_parts);
    free(point->has_op);
    free(point->slots);
    free(point->modes);
    free(point->extents);
    free(point->place_of);
    free(point->places);
    free(point->changed);
    free(point->entries);
    *point = (struct nv_point){0};
}

/* ---- the layout: names ---- */

bool nv_part_has(const struct nv_part *part, uint32_t chosen, uint32_t i)
{
    return part->sets ? part->sets[(size_t)chosen * part->op_count + i] : i < chosen;
}

/* Which operations are there. */
static void set_ops(struct nv_point *point)
{
    for (size_t i = 0; i < point->part_count; i++) {
        const struct nv_part *part = &point->parts[i];
        uint32_t chosen = point->chosen_parts[i];

        if (part->kind == NV_PART_JOURNAL)
            for (uint32_t j = 0; j + 1 < part->count; j++)
                point->has_op[j] = j < chosen;
        for (uint32_t j = 0; part->kind == NV_PART_NAMES && j < part->op_count; j++)
            point->has_op[part->ops[j]] = nv_part_has(part, chosen, j);
        if (part->kind == NV_PART_LENGTH)
            point->extents[part->object] = (struct nv_extent){.chosen = chosen};
    }
}

static void set_names(struct nv_point *point)
{
    const struct nv_names *names = &point->model->names;

    for (uint32_t i = 1; i < names->slot_count; i++)
        point->slots[i] = names->slots[i].durable;
    memset(point->modes, 0, point->model->subject->object_count * sizeof *point->modes);
    for (size_t i = 0; i < names->op_count; i++) {
        const struct nv_op *op = &names->ops[i];

        if (!point->has_op[i])
            continue;
        for (int j = 0; j < 2; j++)
            if (op->slot[j])
                point->slots[op->slot[j]] = op->gives[j];
        if (op->is_mode)
            point->modes[op->object] = op->mode;
        point->extents[op->object].cuts += op->is_cut;
    }
}

/* ---- the layout: files ---- */

/* In a journal its cuts say between which lengths there is a choice. */
size_t nv_point_length(const struct nv_point *point, uint32_t number)
{
    const struct nv_object *object = &point->model->objects[number];
    size_t first = 0, last = object->length_count;
    uint32_t cuts = point->extents[number].cuts, chosen = point->extents[number].chosen;

    if (point->model->kind == NV_EXPLORE_POSIX)
        return chosen;
    for (size_t i = 0; i < object->length_count; i++) {
        if (!object->lengths[i].cut)
            continue;
        if (!cuts--) {
            last = i;
            break;
        }
        first = i + 1;
    }
    return chosen < first ? first : chosen > last ? last : chosen;
}

static void fit(struct nv_point *point, struct nv_place *place)
{
    const struct nv_object *object = &point->model->objects[place->object];
    size_t length = nv_point_length(point, place->object);

    place->bytes = length ? object->lengths[length - 1].bytes : object->durable_bytes;
    place->durable_end = place->bytes;
    place->cut = NO_CUT_YET;
    for (size_t i = 0; i < length; i++)
        if (object->lengths[i].cut) {
            place->cut = object->lengths[i].event;
            if (object->lengths[i].bytes < place->durable_end)
                place->durable_end = object->lengths[i].bytes;
        }
}

static int new_place(struct nv_point *point, uint32_t number)
{
    struct nv_object *object = &point->model->objects[number];
    struct nv_known *known = &point->model->subject->objects[number];
    struct nv_place *place = &point->places[point->place_count];

    *place = (struct nv_place){.object = number};
    point->place_of[number] = (uint32_t)++point->place_count;
    if (!S_ISREG(object->mode))
        return 0;
    if (object->pristine && known->hashed && !object->hashed) {
        object->content = known->content;
        object->hashed = true;
    }
    fit(point, place);
    place->fixed = nv_object_content(object, place->durable_end);
    if (object->pristine && !known->hashed) {
        known->content = object->content;
        known->hashed = true;
    }
    return 0;
}

/* ---- the layout: entries ---- */

static struct nv_hash entry_hash(const struct nv_point *point, const struct nv_entry *entry)
{
    const struct nv_place *place = &point->places[entry->place];
    const char *target = point->model->objects[place->object].target;
    struct {
        struct nv_hash path, content;
        uint64_t bytes, mode;
    } all = {entry->path, place->content, place->bytes, entry->mode};

    if (target)
        all.content = nv_hash_bytes(target, strlen(target), 0);
    return nv_hash_bytes(&all, sizeof all, 0);
}

static struct nv_entry *add_entry(struct nv_point *point, struct nv_entry entry)
{
    if (point->entry_count == point->entry_capacity) {
        size_t capacity = point->entry_capacity * 2 + 16;
        struct nv_entry *grown = realloc(point->entries, capacity * sizeof *grown);

        if (!grown)
            return NULL;
        point->entries = grown;
        point->entry_capacity = capacity;
    }
    point->entries[point->entry_count] = entry;
    return &point->entries[point->entry_count++];
}

static int add_children(struct nv_point *point, uint32_t folder, struct nv_entry parent)
{
    const struct nv_names *names = &point->model->names;

    for (uint32_t slot = folder < names->first_count ? names->first[folder] : 0; slot; slot = names->slots[slot].next) {
        uint32_t number = point->slots[slot];
        struct nv_entry entry = parent;
        struct nv_place *place;

        if (!number)
            continue;
        if (!point->place_of[number] && new_place(point, number))
            return -ENOMEM;
        entry.slot = slot;
        entry.place = point->place_of[number] - 1;
        entry.mode = point->modes[number] ? point->modes[number] : point->model->objects[number].mode;
        entry.path = nv_hash_join(parent.path, names->slots[slot].hash);
        place = &point->places[entry.place];
        entry.next = place->first;
        if (!add_entry(point, entry))
            return -ENOMEM;
        place->first = (uint32_t)point->entry_count;
    }
    return 0;
}

/* Breadth first: a folder stands before what is in it. A folder that cannot be reached is not there. */
static int add_entries(struct nv_point *point)
{
    const struct nv_names *names = &point->model->names;
    int status = 0;

    for (uint32_t i = 0; i < names->root_count && !status; i++)
        status = add_children(point, names->roots[i],
                              (struct nv_entry){.folder = i, .path = nv_hash_bytes(&i, sizeof i, 0)});
    for (size_t i = 0; i < point->entry_count && !status; i++) {
        struct nv_entry entry = point->entries[i];

        entry.parent = (uint32_t)i + 1;
        if (S_ISDIR(entry.mode))
            status = add_children(point, point->places[entry.place].object, entry);
    }
    return status;
}

/* ---- the layout: contents ---- */

/* Its durable bytes are part of `fixed`, as far as they lie before durable_end: they are taken out again. */
static void take_out(struct nv_point *point, struct nv_place *place, const struct nv_unit *unit)
{
    uint32_t unit_bytes = unit->object->unit_bytes;
    uint64_t start = unit->index * unit_bytes;
    uint8_t bytes[NV_SECTOR_BYTES];

    (void)point;
    if (start >= place->durable_end)
        return;
    nv_pages_read(&unit->object->pages, start, bytes, unit_bytes);
    if (place->durable_end - start < unit_bytes)
        memset(bytes + (place->durable_end - start), 0, unit_bytes - (size_t)(place->durable_end - start));
    place->fixed = nv_hash_subtract(place->fixed, nv_hash_unit(bytes, unit_bytes, unit->index));
}

/* As far as the unit shows in the layout. */
static struct nv_hash base_hash(const struct nv_point *point, const struct nv_unit *unit, uint32_t limit)
{
    uint8_t bytes[NV_SECTOR_BYTES] = {0};

    nv_model_read(point->model, unit->object->number, unit->index * unit->object->unit_bytes, bytes, limit);
    return nv_hash_unit(bytes, unit->object->unit_bytes, unit->index);
}

static int add_view(struct nv_point *point, uint32_t number, struct nv_unit *unit)
{
    uint32_t unit_bytes = unit->object->unit_bytes, place_number = point->place_of[unit->object->number];
    struct nv_place *place = &point->places[place_number - 1];
    uint64_t start = unit->index * unit_bytes;
    struct nv_frame frame = {.cut = place->cut};
    const struct nv_choices *choices;

    if (!place_number || start >= place->bytes)
        return 0;
    frame.limit = place->bytes - start < unit_bytes ? (uint32_t)(place->bytes - start) : unit_bytes;
    choices = nv_choices_of(unit, frame, point->most);
    if (!choices)
        return -ENOMEM;
    point->complete = point->complete && choices->complete;
    take_out(point, place, unit);
    place->content = nv_hash_add(place->content, choices->hashes[0]);
    point->views[point->view_count++] =
        (struct nv_unit_view){number, place_number - 1, choices, base_hash(point, unit, choices->frame.limit), 0};
    return 0;
}

static int add_views(struct nv_point *point)
{
    int status = 0;

    for (size_t i = 0; i < point->unit_count && !status; i++)
        if (point->place_of[point->units[i]->object->number])
            status = add_view(point, (uint32_t)i, point->units[i]);
    for (size_t i = 0; i < point->place_count; i++)
        point->places[i].content = nv_hash_add(point->places[i].content, point->places[i].fixed);
    return status;
}

/* Nothing but contents was chosen since. */
static bool is_laid_out(const struct nv_point *point, const uint32_t *parts)
{
    for (size_t i = 0; i < point->part_count; i++)
        if (point->chosen_parts[i] != (parts[i] < point->parts[i].count ? parts[i] : point->parts[i].count - 1))
            return false;
    return point->layout;
}

int nv_point_lay_out(struct nv_point *point, const uint32_t *parts)
{
    int status;

    if (is_laid_out(point, parts)) {
        for (size_t i = 0; i < point->view_count; i++)
            nv_point_choose(point, i, 0);
        return 0;
    }

    for (size_t i = 0; i < point->place_count; i++)
        point->place_of[point->places[i].object] = 0;
    point->layout++;
    point->place_count = point->entry_count = point->view_count = point->changed_count = 0;
    point->image = (struct nv_hash){0, 0};
    for (size_t i = 0; i < point->part_count; i++)
        point->chosen_parts[i] = parts[i] < point->parts[i].count ? parts[i] : point->parts[i].count - 1;
    set_ops(point);
    set_names(point);
    status = add_entries(point);
    if (!status)
        status = add_views(point);
    for (size_t i = 0; i < point->entry_count && !status; i++) {
        point->entries[i].hash = entry_hash(point, &point->entries[i]);
        point->image = nv_hash_add(point->image, point->entries[i].hash);
    }
    return status;
}

void nv_point_choose(struct nv_point *point, size_t number, uint32_t choice)
{
    struct nv_unit_view *view = &point->views[number];
    struct nv_place *place = &point->places[view->place];

    if (choice == NV_NEWEST)
        choice = view->choices->newest;
    else if (choice >= view->choices->count)
        choice = view->choices->count - 1;
    if (choice == view->chosen)
        return;
    place->content = nv_hash_subtract(place->content, view->choices->hashes[view->chosen]);
    place->content = nv_hash_add(place->content, view->choices->hashes[choice]);
    view->chosen = choice;
    if (!place->changed)
        point->changed[point->changed_count++] = view->place;
    place->changed = true;
}

struct nv_hash nv_point_image(struct nv_point *point)
{
    while (point->changed_count) {
        struct nv_place *place = &point->places[point->changed[--point->changed_count]];

        place->changed = false;
        for (uint32_t i = place->first; i; i = point->entries[i - 1].next) {
            struct nv_entry *entry = &point->entries[i - 1];

            point->image = nv_hash_subtract(point->image, entry->hash);
            entry->hash = entry_hash(point, entry);
            point->image = nv_hash_add(point->image, entry->hash);
        }
    }
    return point->image;
}
