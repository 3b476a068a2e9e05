/* SPDX-License-Identifier: MIT */
/*
 * A client of libpmemobj, and its check: a list to which rows are added by transactions and by atomic allocation in
 * turn. `forgets` leaves out one pmemobj_persist: that of a row which is allocated atomically.
 *
 *     crash-objects write persists|forgets POOL ROWS       the pool is made if it is not there
 *     crash-objects check POOL
 */
#include "promises.h"

#include <libpmemobj.h>
#include <stdbool.h>

struct row {
    PMEMoid next;
    uint64_t number;
    char value[VALUE_BYTES];
};

struct root {
    PMEMoid first; /* the newest */
    uint64_t count;
};

static bool forgets;

static PMEMobjpool *open_pool(const char *path, bool make)
{
    PMEMobjpool *pool = pmemobj_open(path, "rows");

    if (!pool && make)
        pool = pmemobj_create(path, "rows", PMEMOBJ_MIN_POOL, 0600);
    if (!pool) {
        fprintf(stderr, "%s\n", pmemobj_errormsg());
        exit(1);
    }
    return pool;
}

static struct root *root_of(PMEMobjpool *pool)
{
    return pmemobj_direct(pmemobj_root(pool, sizeof(struct root)));
}

static int fill(PMEMobjpool *pool, void *memory, void *number)
{
    struct row *row = memory;

    row->next = root_of(pool)->first;
    row->number = *(unsigned *)number;
    value_of(*(unsigned *)number, row->value);
    if (!forgets)
        pmemobj_persist(pool, row, sizeof *row);
    return 0;
}

static bool add_by_transaction(PMEMobjpool *pool, struct root *root, unsigned number)
{
    volatile bool done = false;

    TX_BEGIN(pool)
    {
        PMEMoid made = pmemobj_tx_alloc(sizeof(struct row), 1);
        struct row *row = pmemobj_direct(made);

        row->next = root->first;
        row->number = number;
        value_of(number, row->value);
        pmemobj_tx_add_range_direct(root, sizeof *root);
        root->first = made;
        root->count++;
    }
    TX_ONCOMMIT
    {
        done = true;
    }
    TX_END
    return done;
}

/* The allocation publishes the row in the list's head; the count comes after it, and may be one behind. */
static bool add_atomically(PMEMobjpool *pool, struct root *root, unsigned number)
{
    if (pmemobj_alloc(pool, &root->first, sizeof(struct row), 1, fill, &number))
        return false;
    root->count++;
    pmemobj_persist(pool, &root->count, sizeof root->count);
    return true;
}

static int write_rows(const char *mode, const char *path, unsigned rows)
{
    PMEMobjpool *pool = open_pool(path, true);
    struct root *root = root_of(pool);

    forgets = strcmp(mode, "forgets") == 0;
    for (unsigned row = 1; row <= rows; row++) {
        if (!(row % 2 ? add_by_transaction(pool, root, row) : add_atomically(pool, root, row))) {
            fprintf(stderr, "%s\n", pmemobj_errormsg());
            return 1;
        }
        promise(row);
    }
    pmemobj_close(pool);
    return 0;
}

static int check(const char *path)
{
    PMEMobjpool *pool = open_pool(path, false);
    struct root *root = root_of(pool);
    const struct row *row = pmemobj_direct(root->first);
    unsigned rows = row ? (unsigned)row->number : 0, expected = rows;

    for (; row; row = pmemobj_direct(row->next)) {
        if (row->number != expected || !expected)
            lost("a gap at row", expected);
        expect_value(expected--, row->value, sizeof row->value);
    }
    if (expected || (root->count != rows && root->count + 1 != rows))
        lost("a list that does not end, or is not counted, from row", rows);
    pmemobj_close(pool);
    return judge(rows);
}

int main(int argc, char **argv)
{
    return run(argc, argv, write_rows, check);
}
