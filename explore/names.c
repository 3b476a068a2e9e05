/* SPDX-License-Identifier: MIT */
/* Owns the table of names, and the operations on them that are pending. The model calls it for each event of names. */
#include "explore/names.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t table_place(const struct nv_names *names, uint32_t parent, const char *name, struct nv_hash hash)
{
    uint32_t i = (uint32_t)(hash.low + parent * 0x9e3779b1u) & (names->table_capacity - 1);

    while (names->table[i]) {
        const struct nv_slot *slot = &names->slots[names->table[i]];

        if (slot->parent == parent && nv_hash_equal(slot->hash, hash) && !strcmp(slot->name, name))
            break;
        i = (i + 1) & (names->table_capacity - 1);
    }
    return i;
}

static int grow_table(struct nv_names *names)
{
    uint32_t capacity = names->table_capacity ? names->table_capacity * 2 : 64;

    free(names->table);
    names->table = calloc(capacity, sizeof *names->table);
    if (!names->table)
        return -ENOMEM;
    names->table_capacity = capacity;
    for (uint32_t i = 1; i < names->slot_count; i++)
        names->table[table_place(names, names->slots[i].parent, names->slots[i].name, names->slots[i].hash)] = i;
    return 0;
}

static int grow_slots(struct nv_names *names)
{
    uint32_t capacity = names->slot_capacity * 2 + 16;
    struct nv_slot *grown = realloc(names->slots, capacity * sizeof *grown);

    if (!grown)
        return -ENOMEM;
    names->slots = grown;
    names->slot_capacity = capacity;
    if (!names->slot_count)
        names->slots[names->slot_count++] = (struct nv_slot){0};
    return 0;
}

static int know_folder(struct nv_names *names, uint32_t folder)
{
    uint32_t count = folder + folder / 2 + 16;
    uint32_t *grown;

    if (folder < names->first_count)
        return 0;
    grown = realloc(names->first, count * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    memset(grown + names->first_count, 0, (count - names->first_count) * sizeof *grown);
    names->first = grown;
    names->first_count = count;
    return 0;
}

uint32_t nv_names_slot(struct nv_names *names, uint32_t parent, const char *name)
{
    struct nv_hash hash = nv_hash_bytes(name, strlen(name), 0);
    uint32_t place;

    if ((names->slot_count >= names->table_capacity / 2 && grow_table(names)) || know_folder(names, parent))
        return 0;
    place = table_place(names, parent, name, hash);
    if (names->table[place])
        return names->table[place];
    if (names->slot_count == names->slot_capacity && grow_slots(names))
        return 0;
    names->slots[names->slot_count] =
        (struct nv_slot){.parent = parent, .name = name, .hash = hash, .next = names->first[parent]};
    names->first[parent] = names->slot_count;
    names->table[place] = names->slot_count;
    return names->slot_count++;
}

int nv_names_root(struct nv_names *names, uint32_t object)
{
    uint32_t *grown = realloc(names->roots, (names->root_count + 1) * sizeof *grown);

    if (!grown)
        return -ENOMEM;
    names->roots = grown;
    grown[names->root_count++] = object;
    return know_folder(names, object);
}

int nv_names_add(struct nv_names *names, struct nv_op op)
{
    if (names->op_count == names->op_capacity) {
        size_t capacity = names->op_capacity * 2 + 16;
        struct nv_op *grown = realloc(names->ops, capacity * sizeof *grown);

        if (!grown)
            return -ENOMEM;
        names->ops = grown;
        names->op_capacity = capacity;
    }
    names->ops[names->op_count++] = op;
    for (int i = 0; i < 2; i++)
        if (op.slot[i])
            names->slots[op.slot[i]].newest = op.gives[i];
    return 0;
}

void nv_naming_apply(struct nv_names *names, const struct nv_op *op)
{
    for (int i = 0; i < 2; i++)
        if (op->slot[i])
            names->slots[op->slot[i]].durable = op->gives[i];
}

void nv_naming_settle(struct nv_names *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < names->op_count; i++)
        if (names->ops[i].event)
            names->ops[kept++] = names->ops[i];
    names->op_count = kept;
}

void nv_names_free(struct nv_names *names)
{
    free(names->slots);
    free(names->table);
    free(names->first);
    free(names->roots);
    free(names->ops);
    *names = (struct nv_names){0};
}
