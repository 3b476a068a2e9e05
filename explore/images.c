/* SPDX-License-Identifier: MIT */
/* Makes the states that judges see. explore.c shows each new image, and shrink.c its trials. */
#include "explore/images.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t zeros[NV_PAGE_BYTES];

/* ---- names ---- */

static int by_path(const void *left, const void *right)
{
    const struct nv_state_entry *a = left, *b = right;

    if (a->folder != b->folder)
        return a->folder < b->folder ? -1 : 1;
    return strcmp(a->path, b->path);
}

static size_t path_bytes(const struct nv_point *point)
{
    const struct nv_names *names = &point->model->names;
    size_t total = 1;

    for (size_t i = 0; i < point->entry_count; i++)
        for (size_t at = i + 1; at; at = point->entries[at - 1].parent)
            total += strlen(names->slots[point->entries[at - 1].slot].name) + 1;
    return total;
}

static void fill_entries(struct nv_image *image, const struct nv_point *point)
{
    char *path = image->paths;

    for (size_t i = 0; i < point->entry_count; i++) {
        const struct nv_entry *entry = &point->entries[i];
        const struct nv_place *place = &point->places[entry->place];
        const char *name = point->model->names.slots[entry->slot].name;
        int length = entry->parent ? sprintf(path, "%s/%s", image->entries[entry->parent - 1].path, name)
                                   : sprintf(path, "%s", name);

        image->entries[i] = (struct nv_state_entry){.folder = entry->folder,
                                                    .path = path,
                                                    .target = point->model->objects[place->object].target,
                                                    .object = place->object,
                                                    .mode = entry->mode,
                                                    .size_bytes = place->bytes};
        path += length + 1;
    }
    qsort(image->entries, point->entry_count, sizeof *image->entries, by_path);
}

/* ---- contents ---- */

static int add_change(struct nv_image *image, uint64_t offset, uint64_t length_bytes, const uint8_t *bytes)
{
    if (image->change_count == image->change_capacity) {
        size_t capacity = image->change_capacity * 2 + 64;
        struct nv_state_change *grown = realloc(image->changes, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        image->changes = grown;
        image->change_capacity = capacity;
    }
    image->changes[image->change_count++] = (struct nv_state_change){offset, length_bytes, bytes};
    return 0;
}

/* A page that shows in one of base and state only, but for units that are shown by themselves. */
static int add_page(struct nv_image *image, const struct nv_object *object, uint64_t number, uint64_t from, uint64_t to,
                    bool shows)
{
    const uint8_t *page = nv_pages_find(&object->pages, number);
    uint64_t start = number * NV_PAGE_BYTES, end = start + NV_PAGE_BYTES < to ? start + NV_PAGE_BYTES : to;
    int status = 0;

    for (uint64_t at = from > start ? from : start, next; at < end && !status; at = next) {
        const struct nv_unit *unit = nv_object_unit(object, at / object->unit_bytes);

        next = (at / object->unit_bytes + 1) * object->unit_bytes;
        if (next > end)
            next = end;
        if (!unit || !unit->place)
            status = add_change(image, at, next - at, shows ? page + (at - start) : zeros);
    }
    return status;
}

/* Durable bytes that the base does not show for its length, or that a cut has taken. */
static int add_durable(struct nv_image *image, const struct nv_object *object, const struct nv_place *place)
{
    bool shows = place->durable_end > object->durable_bytes;
    uint64_t from = shows ? object->durable_bytes : place->durable_end;
    uint64_t to = shows                                  ? place->durable_end
                  : object->durable_bytes < place->bytes ? object->durable_bytes
                                                         : place->bytes;
    int status = 0;

    if (from >= to)
        return 0;
    for (uint64_t number = from / NV_PAGE_BYTES;
         nv_pages_next(&object->pages, &number) && number * NV_PAGE_BYTES < to && !status; number++)
        status = add_page(image, object, number, from, to, shows);
    return status;
}

static int add_view(struct nv_image *image, const struct nv_point *point, const struct nv_unit_view *view)
{
    const struct nv_unit *unit = point->units[view->unit];
    const struct nv_object *object = unit->object;
    const uint8_t *bytes = view->choices->contents + (size_t)view->chosen * object->unit_bytes;
    uint64_t start = unit->index * object->unit_bytes;

    if (nv_hash_equal(view->choices->hashes[view->chosen], view->base))
        return 0;
    return add_change(image, start, view->choices->frame.limit, bytes);
}

static int by_offset(const void *left, const void *right)
{
    const struct nv_state_change *a = left, *b = right;

    return (a->offset > b->offset) - (a->offset < b->offset);
}

static void set_content(struct nv_image *image, const struct nv_point *point, uint32_t place, struct nv_span span)
{
    for (uint32_t i = image->first[place]; i; i = image->next[i - 1]) {
        struct nv_state_entry *entry = &image->entries[i - 1];

        entry->changes = image->changes + span.first;
        entry->change_count = span.count;
        entry->content =
            nv_hash_add(point->places[place].content, nv_hash_bytes(&entry->size_bytes, sizeof entry->size_bytes, 0));
    }
}

/* What is the same for all contents that can be chosen in this layout. */
static int add_fixed(struct nv_image *image, const struct nv_point *point)
{
    int status = 0;

    image->change_count = 0;
    for (size_t i = 0; i < point->place_count && !status; i++) {
        const struct nv_object *object = &point->model->objects[point->places[i].object];

        image->spans[i].first = image->change_count;
        if (S_ISREG(object->mode))
            status = add_durable(image, object, &point->places[i]);
        image->spans[i].count = image->change_count - image->spans[i].first;
    }
    image->fixed_changes = image->change_count;
    for (uint32_t i = 0; i < point->place_count && !status; i++)
        set_content(image, point, i, image->spans[i]);
    return status;
}

static int make_layout(struct nv_image *image, const struct nv_point *point)
{
    nv_image_end(image);
    image->entries = calloc(point->entry_count + 1, sizeof *image->entries);
    image->next = calloc(point->entry_count + 1, sizeof *image->next);
    image->first = calloc(point->place_count + 1, sizeof *image->first);
    image->spans = calloc(point->place_count + 1, sizeof *image->spans);
    image->paths = malloc(path_bytes(point));
    if (!image->entries || !image->next || !image->first || !image->spans || !image->paths)
        return -ENOMEM;
    fill_entries(image, point);
    for (size_t i = 0; i < point->entry_count; i++) {
        uint32_t place = point->place_of[image->entries[i].object] - 1;

        image->next[i] = image->first[place];
        image->first[place] = (uint32_t)i + 1;
    }
    image->layout = point->layout;
    image->number = point->number;
    return add_fixed(image, point);
}

/* Views stand by object: all of one file follow each other, and their changes take the place of the fixed ones. */
static int add_views(struct nv_image *image, const struct nv_point *point, size_t *view)
{
    uint32_t place = point->views[*view].place;
    struct nv_span span = image->spans[place];
    size_t first = image->change_count;
    int status = 0;

    for (size_t i = span.first; i < span.first + span.count && !status; i++)
        status = add_change(image, image->changes[i].offset, image->changes[i].length_bytes, image->changes[i].bytes);
    for (; *view < point->view_count && point->views[*view].place == place && !status; ++*view)
        status = add_view(image, point, &point->views[*view]);
    if (span.count)
        qsort(image->changes + first, image->change_count - first, sizeof *image->changes, by_offset);
    set_content(image, point, place, (struct nv_span){first, image->change_count - first});
    return status;
}

static int fill_changes(struct nv_image *image, const struct nv_point *point)
{
    const struct nv_state_change *before = image->changes;
    int status = 0;

    image->change_count = image->fixed_changes;
    for (size_t i = 0; i < point->view_count && !status;)
        status = add_views(image, point, &i);
    if (!status && image->changes != before) { /* they moved, and all that points to them must */
        image->change_count = image->fixed_changes;
        for (uint32_t i = 0; i < point->place_count; i++)
            set_content(image, point, i, image->spans[i]);
        for (size_t i = 0; i < point->view_count && !status;)
            status = add_views(image, point, &i);
    }
    return status;
}

int nv_image_show(struct nv_image *image, struct nv_point *point, bool base)
{
    const struct nv_model *model = point->model;
    int status = 0;

    if (!image->entries || image->layout != point->layout || image->number != point->number)
        status = make_layout(image, point);
    if (!status)
        status = fill_changes(image, point);
    for (size_t i = 0; i < point->entry_count && base && !status; i++)
        image->entries[i].change_count = 0;
    image->state = (struct nv_state){.id = nv_point_image(point),
                                     .point = point->number,
                                     .entry_count = point->entry_count,
                                     .entries = image->entries,
                                     .promises = model->promises ? model->promises : "",
                                     .promises_bytes = model->promises_bytes,
                                     .promise_count = model->promise_count};
    return status;
}

void nv_image_end(struct nv_image *image)
{
    free(image->entries);
    free(image->first);
    free(image->next);
    free(image->spans);
    free(image->paths);
    free(image->changes);
    *image = (struct nv_image){0};
}
