/* SPDX-License-Identifier: MIT */
/* Makes the contents that a unit can have, from the sets of its steps that can be there. points.c calls it. */
#include "explore/choices.h"

#include "explore/poset.h"

#include <errno.h>
#include <stdlib.h>

enum {
    WINDOW = 512, /* older steps than these are tried in their order only */
    SAMPLES = 4   /* sets by chance, for each that is wanted */
};

struct building {
    const struct nv_unit *unit;
    struct nv_choices *choices;
    uint32_t first, end; /* atoms that are free; those before are there, those behind are not */
    uint32_t capacity;
    uint32_t *table; /* places + 1, by hash */
    uint32_t table_capacity;
    uint8_t base[NV_SECTOR_BYTES];
    /* Where one choice's steps are wanted, and not all contents: */
    uint32_t wanted;
    uint8_t *steps;
};

void nv_choices_free(struct nv_choices *choices)
{
    if (!choices)
        return;
    free(choices->contents);
    free(choices->hashes);
    free(choices);
}

static void apply(const struct nv_atom *atom, uint8_t *bytes)
{
    if (atom->bytes)
        memcpy(bytes + atom->offset, atom->bytes, atom->length_bytes);
    else
        memset(bytes + atom->offset, 0, atom->length_bytes);
}

/* Which atoms the layout leaves free. */
static void set_range(struct building *building)
{
    const struct nv_unit *unit = building->unit;
    uint64_t cut = building->choices->frame.cut;

    building->end = unit->count;
    for (uint32_t i = unit->count; i-- > 0;) {
        const struct nv_atom *atom = &unit->atoms[i];

        if (atom->freed && atom->event > cut)
            building->end = i;
        if (atom->cut && atom->event <= cut && building->first <= i)
            building->first = i + 1;
    }
    nv_pages_read(&unit->object->pages, unit->index * unit->object->unit_bytes, building->base,
                  unit->object->unit_bytes);
    for (uint32_t i = 0; i < building->first; i++)
        apply(&unit->atoms[i], building->base);
}

static int grow(struct building *building)
{
    struct nv_choices *choices = building->choices;
    uint32_t capacity = building->capacity ? building->capacity * 2 : 4;
    uint8_t *contents = realloc(choices->contents, (size_t)capacity * building->unit->object->unit_bytes);
    struct nv_hash *hashes;

    if (!contents)
        return -ENOMEM;
    choices->contents = contents;
    hashes = realloc(choices->hashes, capacity * sizeof *hashes);
    if (!hashes)
        return -ENOMEM;
    choices->hashes = hashes;
    building->capacity = capacity;
    return 0;
}

static uint32_t *table_place(const struct building *building, struct nv_hash hash)
{
    uint32_t i = (uint32_t)(hash.low >> 7) & (building->table_capacity - 1);

    while (building->table[i] && !nv_hash_equal(building->choices->hashes[building->table[i] - 1], hash))
        i = (i + 1) & (building->table_capacity - 1);
    return &building->table[i];
}

static int grow_table(struct building *building)
{
    uint32_t capacity = building->table_capacity ? building->table_capacity * 2 : 16;

    free(building->table);
    building->table = calloc(capacity, sizeof *building->table);
    if (!building->table)
        return -ENOMEM;
    building->table_capacity = capacity;
    for (uint32_t i = 0; i < building->choices->count; i++)
        *table_place(building, building->choices->hashes[i]) = i + 1;
    return 0;
}

/* 1: that was the one whose steps are wanted. */
static int add(struct building *building, const uint8_t *bytes, const uint8_t *chosen)
{
    struct nv_choices *choices = building->choices;
    uint32_t unit_bytes = building->unit->object->unit_bytes, *place;
    struct nv_hash hash;
    uint8_t seen[NV_SECTOR_BYTES] = {0};

    memcpy(seen, bytes, choices->frame.limit);
    hash = nv_hash_unit(seen, unit_bytes, building->unit->index);
    if (choices->count >= building->table_capacity / 2 && grow_table(building))
        return -ENOMEM;
    place = table_place(building, hash);
    choices->newest = *place - 1;
    if (*place)
        return 0;
    if (choices->count == building->capacity && grow(building))
        return -ENOMEM;
    memcpy(choices->contents + (size_t)choices->count * unit_bytes, seen, unit_bytes);
    choices->hashes[choices->count] = hash;
    choices->newest = choices->count;
    *place = ++choices->count;
    if (!building->steps || choices->newest != building->wanted)
        return 0;
    memset(building->steps, 0, building->unit->count);
    memset(building->steps, 1, building->first);
    memcpy(building->steps + building->first, chosen, building->end - building->first);
    return 1;
}

static int add_set(void *context, const uint8_t *chosen)
{
    struct building *building = context;
    const struct nv_unit *unit = building->unit;
    uint8_t bytes[NV_SECTOR_BYTES];

    if (building->choices->count >= building->choices->most) {
        building->choices->complete = false;
        return 2;
    }
    memcpy(bytes, building->base, unit->object->unit_bytes);
    for (uint32_t i = building->first; i < building->end; i++)
        if (chosen[i - building->first])
            apply(&unit->atoms[i], bytes);
    return add(building, bytes, chosen);
}

/* Steps one behind the other, as with writes and small stores: the sets are their beginnings. */
static bool is_chain(const struct building *building)
{
    const struct nv_atom *atoms = building->unit->atoms;

    for (uint32_t i = building->first; i < building->end; i++)
        if (!atoms[i].ordered || (i > building->first && atoms[i].event == atoms[i - 1].event))
            return false;
    return true;
}

/* Beginnings of the order in which they came, by whole events; `most` of them, evenly. */
static int add_chain(struct building *building, uint32_t from, uint32_t to)
{
    const struct nv_unit *unit = building->unit;
    uint32_t count = to - from + 1, most = building->choices->most, step = count > most ? count / most + 1 : 1;
    uint8_t bytes[NV_SECTOR_BYTES], *chosen = calloc(unit->count + 1, 1);
    int status = chosen ? 0 : -ENOMEM;

    memcpy(bytes, building->base, unit->object->unit_bytes);
    for (uint32_t i = building->first; i <= to && !status; i++) {
        bool whole = i == to || i == building->first || unit->atoms[i].event != unit->atoms[i - 1].event;

        if (i >= from && whole && ((to - i) % step == 0 || i == building->first))
            status = add(building, bytes, chosen);
        if (i < to) {
            apply(&unit->atoms[i], bytes);
            chosen[i - building->first] = 1;
        }
    }
    if (step > 1)
        building->choices->complete = false;
    free(chosen);
    return status;
}

/* Each needs the last step before it on any of its words, and if it is ordered, the last ordered event before it. */
static int make_poset(const struct building *building, struct nv_poset *poset)
{
    const struct nv_atom *atoms = building->unit->atoms;
    uint32_t group = 0, group_end = 0, current = building->first;
    int status = 0;

    for (uint32_t i = building->first; i < building->end && !status; i++) {
        uint64_t words = atoms[i].words;

        status = nv_poset_add(poset);
        if (atoms[i].ordered && (current == i || atoms[current].event != atoms[i].event || !atoms[current].ordered)) {
            group = current;
            group_end = i;
            current = i;
        }
        for (uint32_t j = i; j-- > building->first && words && !status;)
            if (atoms[j].words & words) {
                words &= ~atoms[j].words;
                status = nv_poset_need(poset, j - building->first);
            }
        for (uint32_t j = group; atoms[i].ordered && j < group_end && !status; j++)
            if (atoms[j].ordered && atoms[j].event == atoms[group].event)
                status = nv_poset_need(poset, j - building->first);
    }
    return status;
}

/* Too many to have all: each step alone or missing, as far as can be, and some by chance. */
static int sample(struct building *building, const struct nv_poset *poset)
{
    static const unsigned out[] = {128, 32, 224, 64, 192, 8, 248, 128};
    uint64_t random = building->unit->index * 64 + building->unit->object->number;
    uint8_t *chosen = calloc(poset->count + 1, 1);
    int status = chosen ? 0 : -ENOMEM;

    for (uint32_t i = 0; i < building->choices->most * SAMPLES && !status; i++) {
        nv_poset_sample(poset, &random, out[i % 8], chosen);
        status = add_set(building, chosen);
    }
    free(chosen);
    return status == 2 ? 0 : status;
}

static int add_sets(struct building *building)
{
    uint32_t all = building->choices->most, from = building->first;
    struct nv_poset poset = {0};
    int status = make_poset(building, &poset);

    if (building->end - building->first > WINDOW) {
        from = building->end - WINDOW;
        building->choices->most = all / 4;
        status = status ? status : add_chain(building, building->first, from);
        building->choices->complete = false;
        building->choices->most = all;
    }
    building->choices->most = all - all / 2;
    if (!status)
        status = nv_poset_each(&poset, from - building->first, add_set, building);
    building->choices->most = all;
    if (status == 2) {
        status = add_chain(building, building->first, building->end);
        if (!status)
            status = sample(building, &poset);
    }
    nv_poset_free(&poset);
    return status;
}

static int build(struct building *building)
{
    uint32_t most = building->choices->most;
    int status;

    set_range(building);
    if (building->choices->frame.limit > building->unit->object->unit_bytes)
        building->choices->frame.limit = building->unit->object->unit_bytes;
    building->choices->complete = true;
    if (is_chain(building))
        return add_chain(building, building->first, building->end);
    /* The half that add_sets keeps for samples is free when there are few. */
    building->choices->most = most * 2;
    status = add_sets(building);
    if (!status) /* the newest is the last that was met */
        status = add_chain(building, building->end, building->end);
    building->choices->most = most;
    return status;
}

const struct nv_choices *nv_choices_of(struct nv_unit *unit, struct nv_frame frame, uint32_t most)
{
    struct building building = {.unit = unit};
    struct nv_choices *kept = unit->choices;
    int status;

    if (kept && kept->frame.cut == frame.cut && kept->frame.limit == frame.limit &&
        (kept->complete || kept->most == most))
        return kept;
    nv_choices_free(kept);
    unit->choices = building.choices = calloc(1, sizeof *building.choices);
    if (!unit->choices)
        return NULL;
    unit->choices->frame = frame;
    unit->choices->most = most;
    status = build(&building);
    free(building.table);
    if (status < 0) {
        nv_choices_free(unit->choices);
        unit->choices = NULL;
    }
    return unit->choices;
}

int nv_choices_steps(const struct nv_unit *unit, const struct nv_choices *choices, uint32_t choice, uint8_t *chosen)
{
    struct nv_choices again = {.frame = choices->frame, .most = choices->most};
    struct building building = {.unit = unit, .choices = &again, .wanted = choice, .steps = chosen};
    int status = build(&building);

    free(building.table);
    free(again.contents);
    free(again.hashes);
    return status < 0 ? status : 0;
}
