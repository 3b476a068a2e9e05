/* SPDX-License-Identifier: MIT */
/*
 * A client of LMDB, and its check.
 *
 *     crash-lmdb write default|writemap|nosync|nometasync FOLDER ROWS
 *     crash-lmdb check FOLDER
 */
#include "promises.h"

#include <lmdb.h>

static void expect(int error)
{
    if (!error)
        return;
    fprintf(stderr, "%s\n", mdb_strerror(error));
    exit(1);
}

static unsigned flags_of(const char *mode)
{
    static const struct {
        const char *name;
        unsigned flags;
    } modes[] = {{"default", 0}, {"writemap", MDB_WRITEMAP}, {"nosync", MDB_NOSYNC}, {"nometasync", MDB_NOMETASYNC}};

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(mode, modes[i].name) == 0)
            return modes[i].flags;
    exit(2);
}

static MDB_env *open_folder(const char *folder, unsigned flags)
{
    MDB_env *env;

    expect(mdb_env_create(&env));
    expect(mdb_env_set_mapsize(env, 1 << 20));
    expect(mdb_env_open(env, folder, flags, 0666));
    return env;
}

static int write_rows(const char *mode, const char *folder, unsigned rows)
{
    MDB_env *env = open_folder(folder, flags_of(mode));
    char text[VALUE_BYTES];
    MDB_txn *txn;
    MDB_dbi dbi;

    for (unsigned row = 1; row <= rows; row++) {
        MDB_val key = {sizeof row, &row}, value = {sizeof text, text};

        value_of(row, text);
        expect(mdb_txn_begin(env, NULL, 0, &txn));
        expect(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi));
        expect(mdb_put(txn, dbi, &key, &value, 0));
        expect(mdb_txn_commit(txn));
        promise(row);
    }
    mdb_env_close(env);
    return 0;
}

/* A row more must fit: what is free is known, too. */
static void add_one(MDB_env *env, unsigned row)
{
    char text[VALUE_BYTES];
    MDB_val key = {sizeof row, &row}, value = {sizeof text, text};
    MDB_txn *txn;
    MDB_dbi dbi;

    value_of(row, text);
    expect(mdb_txn_begin(env, NULL, 0, &txn));
    expect(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi));
    expect(mdb_put(txn, dbi, &key, &value, 0));
    expect(mdb_txn_commit(txn));
}

static int check(const char *folder)
{
    MDB_env *env = open_folder(folder, MDB_NOSYNC);
    MDB_val key, value;
    MDB_cursor *cursor;
    MDB_txn *txn;
    MDB_dbi dbi;
    unsigned row, rows = 0;
    int error;

    expect(mdb_txn_begin(env, NULL, 0, &txn));
    expect(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi));
    expect(mdb_cursor_open(txn, dbi, &cursor));
    while (!(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        memcpy(&row, key.mv_data, sizeof row);
        if (row != ++rows)
            lost("a gap before row", row);
        expect_value(row, value.mv_data, value.mv_size);
    }
    expect(error == MDB_NOTFOUND ? 0 : error);
    mdb_cursor_close(cursor);
    expect(mdb_txn_commit(txn));
    add_one(env, rows + 1);
    mdb_env_close(env);
    return judge(rows);
}

int main(int argc, char **argv)
{
    return run(argc, argv, write_rows, check);
}
