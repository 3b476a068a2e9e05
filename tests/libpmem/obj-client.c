/* SPDX-License-Identifier: MIT */
/*
 * A pool of libpmemobj with a bit of everything: transactions, lists, allocations, locks, threads, and a second open.
 * What is left out is said by the argument.
 *
 *     obj-client WAY POOL
 */
#include <libpmemobj.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

POBJ_LAYOUT_BEGIN(client);
POBJ_LAYOUT_ROOT(client, struct root);
POBJ_LAYOUT_TOID(client, struct node);
POBJ_LAYOUT_TOID(client, struct blob);
POBJ_LAYOUT_END(client);

struct node {
    long value;
    POBJ_LIST_ENTRY(struct node) entry;
    char text[100];
};

struct blob {
    char bytes[400000]; /* more than a chunk */
};

struct root {
    long count;
    PMEMmutex lock;
    PMEMrwlock reading;
    PMEMcond changed;
    POBJ_LIST_HEAD(nodes, struct node) nodes;
    TOID(struct node) kept;
    TOID(struct blob) blob;
    long sum;
    char name[64];
};

enum { ROUNDS = 30, THREADS = 3 };

static PMEMobjpool *pool;
static TOID(struct root) root;

static void open_pool(const char *path)
{
    pool = pmemobj_open(path, POBJ_LAYOUT_NAME(client));
    if (!pool)
        pool = pmemobj_create(path, POBJ_LAYOUT_NAME(client), PMEMOBJ_MIN_POOL * 2, 0600);
    if (!pool) {
        fprintf(stderr, "obj-client: %s\n", pmemobj_errormsg());
        exit(1);
    }
    root = POBJ_ROOT(pool, struct root);
}

static void add_by_transaction(long value)
{
    TX_BEGIN_PARAM(pool, TX_PARAM_MUTEX, &D_RW(root)->lock, TX_PARAM_NONE)
    {
        TX_ADD_FIELD(root, count);
        TX_ADD_FIELD(root, sum);
        TX_ADD_FIELD(root, kept);
        D_RW(root)->count++;
        D_RW(root)->sum += value;
        if (!TOID_IS_NULL(D_RO(root)->kept))
            TX_FREE(D_RO(root)->kept);
        D_RW(root)->kept = TX_ZNEW(struct node);
        D_RW(D_RW(root)->kept)->value = value;
    }
    TX_END
}

static void give_up_a_transaction(void)
{
    TX_BEGIN(pool)
    {
        TX_ADD(root);
        D_RW(root)->count = -1;
        (void)TX_NEW(struct node);
        pmemobj_tx_abort(1);
    }
    TX_END
}

static int fill_node(PMEMobjpool *of, void *node, void *value)
{
    struct node *made = node;
    made->value = *(long *)value;
    memset(made->text, 'n', sizeof(made->text));
    pmemobj_persist(of, made, sizeof(*made));
    return 0;
}

static void change_the_list(long value)
{
    POBJ_LIST_INSERT_NEW_HEAD(pool, &D_RW(root)->nodes, entry, sizeof(struct node), fill_node, &value);
    if (value % 3 == 0) {
        TOID(struct node) last = POBJ_LIST_LAST(&D_RW(root)->nodes, entry);
        POBJ_LIST_REMOVE_FREE(pool, &D_RW(root)->nodes, last, entry);
    }
}

static void allocate_atomically(void)
{
    TOID(struct blob) *blob = &D_RW(root)->blob;
    if (!TOID_IS_NULL(*blob))
        POBJ_FREE(blob);
    POBJ_ZNEW(pool, blob, struct blob);
    pmemobj_memset_persist(pool, D_RW(*blob)->bytes, 'b', sizeof(D_RW(*blob)->bytes));
    POBJ_REALLOC(pool, blob, struct blob, sizeof(struct blob) * 2);
}

static void *add_many(void *argument)
{
    for (long i = 0; i < ROUNDS; i++)
        add_by_transaction((long)argument);
    pmemobj_rwlock_rdlock(pool, &D_RW(root)->reading);
    pmemobj_rwlock_unlock(pool, &D_RW(root)->reading);
    pmemobj_cond_broadcast(pool, &D_RW(root)->changed);
    return NULL;
}

static void add_in_threads(void)
{
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add_many, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void work(void)
{
    for (long i = 0; i < ROUNDS; i++) {
        add_by_transaction(i);
        change_the_list(i);
    }
    give_up_a_transaction();
    allocate_atomically();
    add_in_threads();
    strcpy(D_RW(root)->name, "by store");
    pmemobj_persist(pool, D_RW(root)->name, sizeof(D_RO(root)->name));
    pmemobj_memcpy_persist(pool, D_RW(root)->name, "by copy", 8);
}

/* -- what may be forgotten -- */

/* Where in the pool. */
static void tell_places(void)
{
    printf("count %#lx\nsum %#lx\nname %#lx\n", (long)((char *)&D_RW(root)->count - (char *)pool),
           (long)((char *)&D_RW(root)->sum - (char *)pool), (long)(D_RW(root)->name - (char *)pool));
}

static void forget_nothing(void)
{
}

/* Beside a lock, in one line. */
static void forget_to_persist(void)
{
    D_RW(root)->count += 1000;
}

static void forget_to_flush_a_copy(void)
{
    pmemobj_memcpy(pool, D_RW(root)->name, "forgotten", 10, PMEMOBJ_F_MEM_NOFLUSH);
}

/* Closing the pool would do it. */
static void forget_to_drain(void)
{
    pmemobj_memset(pool, D_RW(root)->name, 'd', 20, PMEMOBJ_F_MEM_NODRAIN);
    tell_places();
    exit(0);
}

/* In a transaction that does not know of the field. */
static void forget_to_add(void)
{
    TX_BEGIN(pool)
    {
        TX_ADD_FIELD(root, count);
        D_RW(root)->count++;
        D_RW(root)->sum++;
    }
    TX_END
}

static const struct {
    const char *name;
    void (*forget)(void);
} ways[] = {
    {"right", forget_nothing},
    {"forgets-to-persist", forget_to_persist},
    {"forgets-to-flush-a-copy", forget_to_flush_a_copy},
    {"forgets-to-drain", forget_to_drain},
    {"forgets-to-add", forget_to_add},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(ways[i].name, argv[1]) != 0)
            continue;
        open_pool(argv[2]);
        work();
        pmemobj_close(pool);
        open_pool(argv[2]);
        work();
        ways[i].forget();
        tell_places();
        pmemobj_close(pool);
        return 0;
    }
    return 2;
}
