/* SPDX-License-Identifier: MIT */
/*
 * Structures of several places: lists, trees, tables, allocators, queues. Each change must leave them whole at any
 * time.
 */
#include "tests/crash/programs/programs.h"

/* Nodes have a page each, and are named by its number; 0 is none. */
enum { ROOT, BITMAP, NODES };
enum { VALUE, NEXT, LEFT = 1, RIGHT = 2 };

static uint64_t value_of(uint64_t node)
{
    return 0x3000 + node;
}

/* -- a list with its head in ROOT -- */

static void set_head(const struct pool *pool, uint64_t node)
{
    WORD(pool, ROOT, 0) = node;
    pool_persist(pool, ROOT, 0, 1);
}

static int list_is_whole(const char *base)
{
    uint64_t node = *pool_word(base, ROOT, 0);

    for (size_t steps = 0; node != 0; steps++) {
        if (node < NODES || node >= POOL_PAGES || steps > POOL_PAGES || *pool_word(base, node, VALUE) != value_of(node))
            return 1;
        node = *pool_word(base, node, NEXT);
    }
    return 0;
}

/* The head is durable before the node that it names. */
static void list_head_first(const struct pool *pool, bool right)
{
    for (uint64_t node = NODES; node < NODES + 2; node++) {
        uint64_t head = WORD(pool, ROOT, 0);

        if (!right)
            set_head(pool, node);
        WORD(pool, node, VALUE) = value_of(node);
        WORD(pool, node, NEXT) = head;
        pool_persist(pool, node, VALUE, 2);
        if (right)
            set_head(pool, node);
    }
}

RECOVERY(list_head_first)
{
    (void)promises;
    return list_is_whole(base);
}

/* The node is durable but for its link, which is stored afterwards: the rest of the list is lost. */
static void link_after_the_flush(const struct pool *pool, bool right)
{
    WORD(pool, NODES, VALUE) = value_of(NODES);
    pool_persist(pool, NODES, VALUE, 2);
    set_head(pool, NODES);
    WORD(pool, ROOT, 1) = 1; /* the first node is in the list for good */
    pool_persist(pool, ROOT, 1, 1);
    WORD(pool, NODES + 1, VALUE) = value_of(NODES + 1);
    if (right)
        WORD(pool, NODES + 1, NEXT) = NODES;
    pool_persist(pool, NODES + 1, VALUE, 2);
    if (!right)
        WORD(pool, NODES + 1, NEXT) = NODES;
    set_head(pool, NODES + 1);
}

RECOVERY(link_after_the_flush)
{
    uint64_t node = *pool_word(base, ROOT, 0);

    (void)promises;
    if (list_is_whole(base) != 0)
        return 1;
    while (node != 0 && node != NODES)
        node = *pool_word(base, node, NEXT);
    return node == NODES || *pool_word(base, ROOT, 1) == 0 ? 0 : 1;
}

/* The second node goes in front of the first. In place there is a time when the list lacks one of them. */
static void reordered_in_place(const struct pool *pool, bool right)
{
    for (uint64_t node = NODES; node < NODES + 2; node++) {
        WORD(pool, node, VALUE) = value_of(node);
        WORD(pool, node, NEXT) = node == NODES ? NODES + 1 : 0;
        pool_persist(pool, node, VALUE, 2);
    }
    set_head(pool, NODES);
    WORD(pool, ROOT, 1) = 1;
    pool_persist(pool, ROOT, 1, 1);
    if (!right) {
        WORD(pool, NODES, NEXT) = 0;
        pool_persist(pool, NODES, NEXT, 1);
        WORD(pool, NODES + 1, NEXT) = NODES;
        pool_persist(pool, NODES + 1, NEXT, 1);
        set_head(pool, NODES + 1);
        return;
    }
    WORD(pool, NODES + 2, VALUE) = value_of(NODES + 2); /* a copy of it */
    WORD(pool, NODES + 2, NEXT) = NODES;
    pool_persist(pool, NODES + 2, VALUE, 2);
    set_head(pool, NODES + 2);
    WORD(pool, NODES, NEXT) = 0;
    pool_persist(pool, NODES, NEXT, 1);
}

/* Two nodes or, for a while, the copy too. */
RECOVERY(reordered_in_place)
{
    size_t count = 0;

    (void)promises;
    if (list_is_whole(base) != 0)
        return 1;
    for (uint64_t node = *pool_word(base, ROOT, 0); node != 0; node = *pool_word(base, node, NEXT))
        count++;
    return count >= 2 || *pool_word(base, ROOT, 1) == 0 ? 0 : 1;
}

/* -- an allocator: a bit for each node, which is set as long as the list has it -- */

static void set_bit(const struct pool *pool, uint64_t node, bool on)
{
    uint64_t bits = WORD(pool, BITMAP, 0), bit = (uint64_t)1 << node;

    WORD(pool, BITMAP, 0) = on ? bits | bit : bits & ~bit;
    pool_persist(pool, BITMAP, 0, 1);
}

static int listed_is_allocated(const char *base)
{
    uint64_t bits = *pool_word(base, BITMAP, 0);

    if (list_is_whole(base) != 0)
        return 1;
    for (uint64_t node = *pool_word(base, ROOT, 0); node != 0; node = *pool_word(base, node, NEXT))
        if ((bits >> node & 1) == 0)
            return 2;
    return 0;
}

static void store_node(const struct pool *pool, uint64_t node)
{
    WORD(pool, node, VALUE) = value_of(node);
    WORD(pool, node, NEXT) = WORD(pool, ROOT, 0);
    pool_persist(pool, node, VALUE, 2);
}

static void allocated_after_linked(const struct pool *pool, bool right)
{
    if (right)
        set_bit(pool, NODES, true);
    store_node(pool, NODES);
    set_head(pool, NODES);
    if (!right)
        set_bit(pool, NODES, true);
}

RECOVERY(allocated_after_linked)
{
    (void)promises;
    return listed_is_allocated(base);
}

static void freed_before_unlinked(const struct pool *pool, bool right)
{
    set_bit(pool, NODES, true);
    store_node(pool, NODES);
    set_head(pool, NODES);
    if (!right)
        set_bit(pool, NODES, false);
    set_head(pool, 0);
    if (right)
        set_bit(pool, NODES, false);
}

RECOVERY(freed_before_unlinked)
{
    (void)promises;
    return listed_is_allocated(base);
}

/* -- a ring of slots between two counters -- */

enum { SLOTS = 2 };

static void ring_overtaken(const struct pool *pool, bool right)
{
    for (uint64_t number = 1; number <= 3; number++) {
        uint64_t slot = NODES + number % SLOTS;

        if (number > SLOTS) { /* the oldest is taken out */
            WORD(pool, ROOT, 0) = number - SLOTS;
            if (right)
                pool_persist(pool, ROOT, 0, 1);
        }
        WORD(pool, slot, VALUE) = number;
        pool_persist(pool, slot, VALUE, 1);
        if (!right)
            pool_persist(pool, ROOT, 0, 1);
        WORD(pool, BITMAP, 0) = number; /* the newest */
        pool_persist(pool, BITMAP, 0, 1);
    }
}

RECOVERY(ring_overtaken)
{
    uint64_t newest = *pool_word(base, BITMAP, 0);

    (void)promises;
    for (uint64_t number = *pool_word(base, ROOT, 0) + 1; number <= newest; number++)
        if (*pool_word(base, NODES + number % SLOTS, VALUE) != number)
            return 1;
    return 0;
}

/* -- a table: a key that is not 0 says that there is a value, on another line -- */

static void key_before_value(const struct pool *pool, bool right)
{
    for (uint64_t key = 1; key <= 2; key++) {
        if (right) {
            WORD(pool, NODES + key, VALUE) = key * 7;
            pool_persist(pool, NODES + key, VALUE, 1);
        }
        WORD(pool, ROOT, key * 8) = key;
        pool_flush(pool, ROOT, key * 8, 1);
        if (!right) {
            WORD(pool, NODES + key, VALUE) = key * 7;
            pool_flush(pool, NODES + key, VALUE, 1);
        }
        pool_drain(pool);
    }
}

RECOVERY(key_before_value)
{
    (void)promises;
    for (uint64_t key = 1; key <= 2; key++)
        if (*pool_word(base, ROOT, key * 8) != 0 && *pool_word(base, NODES + key, VALUE) != key * 7)
            return 1;
    return 0;
}

/* A value is replaced while its key stands: there must always be one of both, the old or the new. */
static void value_replaced_in_two_steps(const struct pool *pool, bool right)
{
    WORD(pool, NODES, VALUE) = 1;
    WORD(pool, NODES, 1) = 1;
    pool_persist(pool, NODES, VALUE, 2);
    WORD(pool, ROOT, 0) = NODES;
    pool_persist(pool, ROOT, 0, 1);
    if (!right) {
        WORD(pool, NODES, VALUE) = 2;
        pool_persist(pool, NODES, VALUE, 1);
        WORD(pool, NODES, 1) = 2;
        pool_persist(pool, NODES, 1, 1);
        return;
    }
    WORD(pool, NODES + 1, VALUE) = 2;
    WORD(pool, NODES + 1, 1) = 2;
    pool_persist(pool, NODES + 1, VALUE, 2);
    WORD(pool, ROOT, 0) = NODES + 1;
    pool_persist(pool, ROOT, 0, 1);
}

RECOVERY(value_replaced_in_two_steps)
{
    uint64_t node = *pool_word(base, ROOT, 0);

    (void)promises;
    return node == 0 || (*pool_word(base, node, 0) == *pool_word(base, node, 1) && *pool_word(base, node, 0) != 0) ? 0
                                                                                                                   : 1;
}

/* -- a tree that is copied on its way down; its root is changed in the end -- */

static void store_leaf(const struct pool *pool, uint64_t node)
{
    WORD(pool, node, VALUE) = value_of(node);
    pool_flush(pool, node, VALUE, 1);
}

static void store_inner(const struct pool *pool, uint64_t node, uint64_t left, uint64_t right)
{
    WORD(pool, node, VALUE) = value_of(node);
    WORD(pool, node, LEFT) = left;
    WORD(pool, node, RIGHT) = right;
    pool_flush(pool, node, VALUE, 3);
}

static void root_with_its_tree(const struct pool *pool, bool right)
{
    store_leaf(pool, NODES);
    store_leaf(pool, NODES + 1);
    store_inner(pool, NODES + 2, NODES, NODES + 1);
    pool_drain(pool);
    set_head(pool, NODES + 2);
    store_leaf(pool, NODES + 3);
    store_inner(pool, NODES + 4, NODES, NODES + 3);
    if (right)
        pool_drain(pool);
    set_head(pool, NODES + 4);
}

RECOVERY(root_with_its_tree)
{
    uint64_t root = *pool_word(base, ROOT, 0), left, right;

    (void)promises;
    if (root == 0)
        return 0;
    if (root >= POOL_PAGES || *pool_word(base, root, VALUE) != value_of(root))
        return 1;
    left = *pool_word(base, root, LEFT);
    right = *pool_word(base, root, RIGHT);
    return left < POOL_PAGES && right < POOL_PAGES && *pool_word(base, left, VALUE) == value_of(left) &&
                   *pool_word(base, right, VALUE) == value_of(right)
               ? 0
               : 1;
}

#define PROGRAM(name)                                                                                                  \
    {                                                                                                                  \
#name, name, recover_##name                                                                                    \
    }

const struct program structure_programs[] = {
    PROGRAM(list_head_first),       PROGRAM(link_after_the_flush),
    PROGRAM(reordered_in_place),    PROGRAM(allocated_after_linked),
    PROGRAM(freed_before_unlinked), PROGRAM(ring_overtaken),
    PROGRAM(key_before_value),      PROGRAM(value_replaced_in_two_steps),
    PROGRAM(root_with_its_tree),    {NULL, NULL, NULL},
};
