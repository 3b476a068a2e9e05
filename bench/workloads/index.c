/* SPDX-License-Identifier: MIT */
/*
 * Indexes in persistent memory: a B+tree with sorted nodes, as it is and with an undo log, and a hash table. Keys are
 * inserted by plain stores; then what changed is flushed and drained.
 */
#include "bench/workloads/workload.h"
#include <string.h>

#define NODES_AT MIB
#define NODES_BYTES (64 * MIB)
#define NODE_SLOTS 31

struct slot {
    uint64_t key, value; /* of an inner node: a child's offset, whose keys are `key` and more */
};

struct node {
    uint64_t count;
    uint64_t is_inner;
    struct slot slots[NODE_SLOTS];
};

static uint64_t nodes_used;
static struct node *root;
static int is_undone; /* by a log */

static struct node *node_at(uint64_t offset)
{
    return (struct node *)(void *)(workload_base + offset);
}

static struct node *new_node(uint64_t is_inner)
{
    struct node *node = node_at(NODES_AT + nodes_used++ * sizeof *node);

    node->count = 0;
    node->is_inner = is_inner;
    return node;
}

static void will_change(struct node *node)
{
    if (is_undone)
        undo_note(node, sizeof *node);
}

static void changed(void *from, size_t size_bytes)
{
    if (!is_undone)
        flush(from, size_bytes);
}

/* Where `key` belongs: behind the slots with smaller or equal keys. */
static size_t place_of(const struct node *node, uint64_t key)
{
    size_t low = 0, high = node->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (node->slots[middle].key <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put(struct node *node, uint64_t key, uint64_t value)
{
    size_t at = place_of(node, key);

    for (size_t i = node->count; i > at; i--)
        node->slots[i] = node->slots[i - 1];
    node->slots[at] = (struct slot){key, value};
    changed(&node->slots[at], (node->count + 1 - at) * sizeof *node->slots);
    if (!is_undone)
        drain();
    node->count++;
    changed(&node->count, sizeof node->count);
    if (!is_undone)
        drain();
}

/* The upper half of `node` goes to a new one, which is put into `parent`. */
static void split(struct node *parent, struct node *node)
{
    struct node *upper = new_node(node->is_inner);
    size_t half = NODE_SLOTS / 2;

    will_change(upper);
    upper->count = node->count - half;
    memcpy(upper->slots, node->slots + half, upper->count * sizeof *upper->slots);
    changed(upper, sizeof *upper);
    will_change(parent);
    put(parent, upper->slots[0].key, (uint64_t)((char *)upper - workload_base));
    will_change(node);
    node->count = half;
    changed(&node->count, sizeof node->count);
}

static void start_over(void)
{
    nodes_used = 0;
    root = new_node(1);
    root->count = 1;
    root->slots[0] = (struct slot){0, (uint64_t)((char *)new_node(0) - workload_base)};
    persist(root, 2 * sizeof *root);
}

static void grow(void)
{
    struct node *above = new_node(1), *below = root;

    will_change(above);
    above->count = 1;
    above->slots[0] = (struct slot){0, (uint64_t)((char *)below - workload_base)};
    changed(above, 2 * sizeof(struct slot));
    root = above;
}

/* Full nodes are split on the way down, so that a parent has room. */
static void insert(uint64_t key, uint64_t value)
{
    struct node *node;

    if (!root || (nodes_used + 64) * sizeof *root > NODES_BYTES)
        start_over();
    if (root->count == NODE_SLOTS) {
        grow();
        split(root, node_at(root->slots[0].value));
    }
    for (node = root; node->is_inner;) {
        struct node *child = node_at(node->slots[place_of(node, key) - 1].value);

        if (child->count == NODE_SLOTS) {
            split(node, child);
            child = node_at(node->slots[place_of(node, key) - 1].value);
        }
        node = child;
    }
    will_change(node);
    put(node, key, value);
    if (is_undone)
        undo_commit();
}

void tree_insert(long count)
{
    while (count--)
        insert(turns_random(), (uint64_t)count);
}

void tree_insert_undone(long count)
{
    is_undone = 1;
    tree_insert(count);
}

/* Four slots and their mark to a bucket of two lines, probed one after the other. */
struct bucket {
    uint64_t used; /* a bit for each slot; a slot counts from there on */
    uint64_t unused[7];
    struct slot slots[4];
};

void hash_insert(long count)
{
    static uint64_t inserted;
    const uint64_t buckets = NODES_BYTES / sizeof(struct bucket);
    struct bucket *table = (struct bucket *)(void *)(workload_base + NODES_AT);

    for (long i = 0; i < count; i++) {
        uint64_t key = turns_random();
        struct bucket *bucket = &table[key % buckets];

        if (inserted++ > buckets * 2)
            bucket->used = 0;
        while (bucket->used == 15)
            bucket = bucket + 1 < table + buckets ? bucket + 1 : table;
        struct slot *slot = &bucket->slots[__builtin_ctzll(~bucket->used)];

        *slot = (struct slot){key, (uint64_t)i};
        persist(slot, sizeof *slot);
        bucket->used |= bucket->used + 1;
        persist(&bucket->used, sizeof bucket->used);
    }
}
