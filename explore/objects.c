/* SPDX-License-Identifier: MIT */
/*
 * Owns the contents of files: puts what is stored into units, and makes it durable. The model calls it for each event.
 */
#include "explore/objects.h"

#include <errno.h>
#include <stdlib.h>

/* ---- units ---- */

static size_t table_place(const struct nv_object *object, uint64_t index)
{
    size_t i = (size_t)(index * 0x9e3779b97f4a7c15u >> 20) & (object->table_capacity - 1);

    while (object->table[i] && object->table[i]->index != index)
        i = (i + 1) & (object->table_capacity - 1);
    return i;
}

struct nv_unit *nv_object_unit(const struct nv_object *object, uint64_t index)
{
    return object->table_capacity ? object->table[table_place(object, index)] : NULL;
}

static int grow_table(struct nv_object *object)
{
    struct nv_unit **old = object->table;
    size_t count = object->table_capacity;
    struct nv_unit **table = calloc(count ? count * 2 : 64, sizeof(struct nv_unit *));

    if (!table)
        return -ENOMEM;
    object->table = table;
    object->table_capacity = count ? count * 2 : 64;
    for (size_t i = 0; i < count; i++)
        if (old[i])
            table[table_place(object, old[i]->index)] = old[i];
    free(old);
    return 0;
}

static struct nv_unit *need_unit(struct nv_object *object, uint64_t index)
{
    struct nv_unit *unit = nv_object_unit(object, index);

    if (unit || (object->table_count >= object->table_capacity / 2 && grow_table(object)))
        return unit;
    unit = calloc(1, sizeof *unit);
    if (!unit)
        return NULL;
    unit->object = object;
    unit->index = index;
    object->table[table_place(object, index)] = unit;
    object->table_count++;
    return unit;
}

static void forget_choices(struct nv_unit *unit)
{
    nv_choices_free(unit->choices);
    unit->choices = NULL;
}

static int add_atom(struct nv_unit *unit, struct nv_atom atom)
{
    if (unit->count == unit->capacity) {
        uint32_t capacity = unit->capacity * 2 + 1;
        struct nv_atom *grown = realloc(unit->atoms, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        unit->atoms = grown;
        unit->capacity = capacity;
    }
    forget_choices(unit);
    unit->atoms[unit->count++] = atom;
    return 0;
}

static uint64_t words_of(uint32_t offset, uint32_t length_bytes)
{
    uint32_t first = offset / 8, last = (offset + length_bytes - 1) / 8;

    return (last - first == 63 ? ~(uint64_t)0 : ((uint64_t)1 << (last - first + 1)) - 1) << first;
}

/* The file was cut at `bytes`, before the end of this unit. */
static int add_cut(struct nv_unit *unit, uint64_t event, uint64_t bytes)
{
    uint32_t unit_bytes = unit->object->unit_bytes;
    uint64_t start = unit->index * unit_bytes, from = bytes > start ? bytes - start : 0;

    return add_atom(unit, (struct nv_atom){.event = event,
                                           .words = words_of((uint32_t)from, unit_bytes - (uint32_t)from),
                                           .offset = (uint16_t)from,
                                           .length_bytes = (uint16_t)(unit_bytes - from),
                                           .ordered = true,
                                           .cut = true,
                                           .freed = start / NV_BLOCK_BYTES * NV_BLOCK_BYTES >= bytes});
}

/* It has something pending from now on: the cuts that are pending come first. */
static int make_pending(struct nv_unit *unit)
{
    struct nv_object *object = unit->object;
    int status = 0;

    if (unit->place)
        return 0;
    if (object->pending_count == object->pending_capacity) {
        size_t capacity = object->pending_capacity * 2 + 4;
        struct nv_unit **grown = realloc(object->pending, capacity * sizeof(struct nv_unit *));

        if (!grown)
            return -ENOMEM;
        object->pending = grown;
        object->pending_capacity = capacity;
    }
    object->pending[object->pending_count] = unit;
    unit->place = ++object->pending_count;
    for (size_t i = 0; i < object->length_count && !status; i++)
        if (object->lengths[i].cut && object->lengths[i].bytes < (unit->index + 1) * object->unit_bytes)
            status = add_cut(unit, object->lengths[i].event, object->lengths[i].bytes);
    return status;
}

static void not_pending(struct nv_unit *unit)
{
    struct nv_object *object = unit->object;
    struct nv_unit *last = object->pending[--object->pending_count];

    object->pending[unit->place - 1] = last;
    last->place = unit->place;
    unit->place = 0;
}

int nv_object_each(struct nv_object *object, uint64_t from, uint64_t to, nv_unit_visit *visit, void *context)
{
    uint64_t first = from / object->unit_bytes, last = to ? (to - 1) / object->unit_bytes : 0;
    int status = 0;

    if (from >= to)
        return 0;
    if (last - first < object->pending_count) {
        for (uint64_t i = first; i <= last && !status; i++) {
            struct nv_unit *unit = nv_object_unit(object, i);

            if (unit && unit->place)
                status = visit(context, unit);
        }
        return status;
    }
    for (size_t i = object->pending_count; i-- > 0 && !status;) /* backwards: a visit may take it away */
        if (object->pending[i]->index >= first && object->pending[i]->index <= last)
            status = visit(context, object->pending[i]);
    return status;
}

/* ---- what is stored ---- */

/* The part of a store that lies in one unit, as the steps in which it arrives. */
static int put_part(struct nv_unit *unit, uint64_t event, uint32_t offset, const uint8_t *bytes, uint32_t length_bytes,
                    enum nv_how how)
{
    int status = make_pending(unit);

    while (length_bytes && !status) {
        uint32_t part = how == NV_HOW_WHOLE || 8 - offset % 8 > length_bytes ? length_bytes : 8 - offset % 8;

        status = add_atom(unit, (struct nv_atom){.event = event,
                                                 .bytes = bytes,
                                                 .words = words_of(offset, part),
                                                 .offset = (uint16_t)offset,
                                                 .length_bytes = (uint16_t)part,
                                                 .ordered = how != NV_HOW_WORDS});
        offset += part;
        length_bytes -= part;
        bytes = bytes ? bytes + part : NULL;
    }
    return status;
}

/* Zeros change nothing where there never was anything else. */
static bool is_hole(const struct nv_object *object, uint64_t index)
{
    const struct nv_unit *unit = nv_object_unit(object, index);

    return !(unit && unit->place) && !nv_pages_find(&object->pages, index * object->unit_bytes / NV_PAGE_BYTES);
}

static int put_zeros(struct nv_object *object, uint64_t event, uint64_t offset, uint64_t length_bytes)
{
    uint32_t unit_bytes = object->unit_bytes;
    uint64_t end = offset + length_bytes;
    int status = 0;

    while (offset < end && !status) {
        uint64_t index = offset / unit_bytes, next = (index + 1) * unit_bytes < end ? (index + 1) * unit_bytes : end;

        if (!is_hole(object, index)) {
            struct nv_unit *unit = need_unit(object, index);

            status = !unit ? -ENOMEM
                           : put_part(unit, event, (uint32_t)(offset % unit_bytes), NULL, (uint32_t)(next - offset),
                                      NV_HOW_WHOLE);
        }
        offset = next;
    }
    return status;
}

int nv_object_put(struct nv_object *object, uint64_t event, uint64_t offset, const uint8_t *bytes,
                  uint64_t length_bytes, enum nv_how how)
{
    uint32_t unit_bytes = object->unit_bytes;
    int status = 0;

    if (!bytes)
        return put_zeros(object, event, offset, length_bytes);
    while (length_bytes && !status) {
        uint64_t part = unit_bytes - offset % unit_bytes;
        struct nv_unit *unit = need_unit(object, offset / unit_bytes);

        if (part > length_bytes)
            part = length_bytes;
        status = !unit ? -ENOMEM : put_part(unit, event, (uint32_t)(offset % unit_bytes), bytes, (uint32_t)part, how);
        offset += part;
        length_bytes -= part;
        bytes += part;
    }
    return status;
}

/* ---- lengths ---- */

uint64_t nv_object_newest_bytes(const struct nv_object *object)
{
    return object->length_count ? object->lengths[object->length_count - 1].bytes : object->durable_bytes;
}

struct cut {
    uint64_t event, bytes;
};

static int cut_unit(void *context, struct nv_unit *unit)
{
    const struct cut *cut = context;

    return add_cut(unit, cut->event, cut->bytes);
}

/*
 * Units that have something pending get a step more; of the others those of the block that is cut in two. What lies
 * behind it needs none: no block, no bytes.
 */
static int cut_units(struct nv_object *object, struct cut cut)
{
    uint64_t end = (cut.bytes + NV_BLOCK_BYTES - 1) / NV_BLOCK_BYTES * NV_BLOCK_BYTES;
    int status = 0;

    if (cut.bytes % NV_BLOCK_BYTES && nv_pages_find(&object->pages, cut.bytes / NV_PAGE_BYTES))
        for (uint64_t at = cut.bytes; at < end && !status; at = (at / object->unit_bytes + 1) * object->unit_bytes) {
            struct nv_unit *unit = need_unit(object, at / object->unit_bytes);

            status = unit ? make_pending(unit) : -ENOMEM;
        }
    return status ? status : nv_object_each(object, cut.bytes, UINT64_MAX, cut_unit, &cut);
}

int nv_object_resize(struct nv_object *object, uint64_t event, uint64_t bytes)
{
    uint64_t old = nv_object_newest_bytes(object);
    int status = 0;

    if (bytes == old)
        return 0;
    if (object->length_count == object->length_capacity) {
        size_t capacity = object->length_capacity * 2 + 4;
        struct nv_length *grown = realloc(object->lengths, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        object->lengths = grown;
        object->length_capacity = capacity;
    }
    if (bytes < old)
        status = cut_units(object, (struct cut){event, bytes});
    object->lengths[object->length_count++] = (struct nv_length){event, bytes, bytes < old};
    return status;
}

/* ---- what becomes durable ---- */

static void add_content(struct nv_object *object, const uint8_t *old, const uint8_t *bytes, uint64_t index)
{
    if (!object->hashed)
        return;
    object->content = nv_hash_subtract(object->content, nv_hash_unit(old, object->unit_bytes, index));
    object->content = nv_hash_add(object->content, nv_hash_unit(bytes, object->unit_bytes, index));
}

static bool cut_pending(const struct nv_object *object, uint64_t event)
{
    for (size_t i = 0; i < object->length_count; i++)
        if (object->lengths[i].cut && object->lengths[i].event == event)
            return true;
    return false;
}

int nv_unit_commit(struct nv_unit *unit, uint64_t event)
{
    struct nv_object *object = unit->object;
    uint8_t old[NV_SECTOR_BYTES], bytes[NV_SECTOR_BYTES], *page;
    uint64_t offset = unit->index * object->unit_bytes;
    uint32_t done = 0;

    if (!unit->count || unit->atoms[0].event > event)
        return 0;
    nv_pages_read(&object->pages, offset, old, object->unit_bytes);
    memcpy(bytes, old, object->unit_bytes);
    for (; done < unit->count && unit->atoms[done].event <= event; done++) {
        const struct nv_atom *atom = &unit->atoms[done];

        if (atom->bytes)
            memcpy(bytes + atom->offset, atom->bytes, atom->length_bytes);
        else
            memset(bytes + atom->offset, 0, atom->length_bytes);
        if (atom->cut && cut_pending(object, atom->event))
            unit->held = atom->event;
    }
    page = nv_pages_own(&object->pages, offset / NV_PAGE_BYTES);
    if (!page)
        return -ENOMEM;
    memcpy(page + offset % NV_PAGE_BYTES, bytes, object->unit_bytes);
    add_content(object, old, bytes, unit->index);
    object->pristine = false;
    forget_choices(unit);
    unit->count -= done;
    memmove(unit->atoms, unit->atoms + done, unit->count * sizeof *unit->atoms);
    if (!unit->count && !unit->held)
        not_pending(unit);
    return 0;
}

static int commit_unit(void *context, struct nv_unit *unit)
{
    return nv_unit_commit(unit, *(const uint64_t *)context);
}

int nv_object_commit(struct nv_object *object, uint64_t from, uint64_t to, uint64_t event)
{
    return nv_object_each(object, from, to, commit_unit, &event);
}

/* Bytes of a held unit that a cut of the whole file must not take. */
struct kept {
    uint64_t index;
    uint8_t bytes[NV_SECTOR_BYTES];
};

struct keeping {
    struct kept *items;
    size_t count;
    uint64_t event;
};

static int keep_held(void *context, struct nv_unit *unit)
{
    struct keeping *keeping = context;
    struct kept *grown;

    if (!unit->held || unit->held < keeping->event)
        return 0;
    grown = realloc(keeping->items, (keeping->count + 1) * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    keeping->items = grown;
    grown[keeping->count].index = unit->index;
    nv_pages_read(&unit->object->pages, unit->index * unit->object->unit_bytes, grown[keeping->count++].bytes,
                  unit->object->unit_bytes);
    return 0;
}

static int let_go(void *context, struct nv_unit *unit)
{
    uint64_t event = *(const uint64_t *)context;

    if (!unit->held || unit->held > event)
        return 0;
    unit->held = 0;
    if (!unit->count)
        not_pending(unit);
    return 0;
}

/* What lay behind the cut is zeros, also where nothing was pending. */
static int drop_pages(struct nv_object *object, uint64_t bytes)
{
    uint64_t number = (bytes + NV_PAGE_BYTES - 1) / NV_PAGE_BYTES;
    uint8_t *page;

    if (bytes % NV_PAGE_BYTES && nv_pages_find(&object->pages, bytes / NV_PAGE_BYTES)) {
        page = nv_pages_own(&object->pages, bytes / NV_PAGE_BYTES);
        if (!page)
            return -ENOMEM;
        memset(page + bytes % NV_PAGE_BYTES, 0, NV_PAGE_BYTES - bytes % NV_PAGE_BYTES);
    }
    nv_pages_cut(&object->pages, number);
    object->hashed = object->pristine = false;
    return 0;
}

static int commit_cut(struct nv_object *object, struct nv_length cut)
{
    struct keeping keeping = {.event = cut.event};
    int status = nv_object_commit(object, cut.bytes, UINT64_MAX, cut.event);

    if (!status)
        status = nv_object_each(object, cut.bytes, UINT64_MAX, keep_held, &keeping);
    if (!status)
        status = drop_pages(object, cut.bytes);
    for (size_t i = 0; i < keeping.count && !status; i++) {
        uint64_t offset = keeping.items[i].index * object->unit_bytes;
        uint8_t *page = nv_pages_own(&object->pages, offset / NV_PAGE_BYTES);

        if (page)
            memcpy(page + offset % NV_PAGE_BYTES, keeping.items[i].bytes, object->unit_bytes);
        else
            status = -ENOMEM;
    }
    free(keeping.items);
    return status ? status : nv_object_each(object, 0, UINT64_MAX, let_go, &cut.event);
}

int nv_object_commit_lengths(struct nv_object *object, uint64_t event)
{
    size_t done = 0;
    int status = 0;

    for (; done < object->length_count && object->lengths[done].event <= event && !status; done++) {
        object->durable_bytes = object->lengths[done].bytes;
        if (object->lengths[done].cut)
            status = commit_cut(object, object->lengths[done]);
    }
    if (!done)
        return status;
    object->length_count -= done;
    memmove(object->lengths, object->lengths + done, object->length_count * sizeof *object->lengths);
    return status;
}

/* ---- hashes ---- */

static struct nv_hash page_content(const struct nv_object *object, uint64_t number, uint64_t bytes)
{
    const uint8_t *page = nv_pages_find(&object->pages, number);
    uint64_t start = number * NV_PAGE_BYTES, units = NV_PAGE_BYTES / object->unit_bytes;
    struct nv_hash sum = {0, 0};

    for (uint64_t i = 0; i < units && start + i * object->unit_bytes < bytes; i++) {
        uint64_t left = bytes - start - i * object->unit_bytes;
        const uint8_t *unit = page + i * object->unit_bytes;
        uint8_t cut[NV_SECTOR_BYTES] = {0};

        if (left < object->unit_bytes)
            unit = memcpy(cut, unit, left);
        sum = nv_hash_add(sum, nv_hash_unit(unit, object->unit_bytes, number * units + i));
    }
    return sum;
}

static struct nv_hash content_between(const struct nv_object *object, uint64_t from_page, uint64_t bytes)
{
    struct nv_hash sum = {0, 0};

    for (uint64_t number = from_page; number < UINT64_MAX / NV_PAGE_BYTES && nv_pages_next(&object->pages, &number) &&
                                      number * NV_PAGE_BYTES < bytes;
         number++)
        sum = nv_hash_add(sum, page_content(object, number, bytes));
    return sum;
}

struct nv_hash nv_object_content(struct nv_object *object, uint64_t bytes)
{
    uint64_t number = bytes / NV_PAGE_BYTES;
    struct nv_hash behind, before;

    if (!object->hashed)
        object->content = content_between(object, 0, UINT64_MAX);
    object->hashed = true;
    if (bytes == UINT64_MAX || !nv_pages_next(&object->pages, &number))
        return object->content;
    if (bytes < object->durable_bytes / 2)
        return content_between(object, 0, bytes);
    number = bytes / NV_PAGE_BYTES;
    behind = content_between(object, number, UINT64_MAX);
    before = nv_pages_find(&object->pages, number) ? page_content(object, number, bytes) : (struct nv_hash){0, 0};
    return nv_hash_add(nv_hash_subtract(object->content, behind), before);
}

void nv_object_free(struct nv_object *object)
{
    for (size_t i = 0; i < object->table_capacity; i++)
        if (object->table[i]) {
            nv_choices_free(object->table[i]->choices);
            free(object->table[i]->atoms);
            free(object->table[i]);
        }
    free(object->table);
    free(object->pending);
    free(object->lengths);
    nv_pages_free(&object->pages);
}
