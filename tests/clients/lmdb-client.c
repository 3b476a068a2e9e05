/* SPDX-License-Identifier: MIT */
/* lmdb-client default|writemap|nosync FOLDER: puts 100 keys in ten transactions, reads them back, prints a sum. */
#include <lmdb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int error)
{
    if (error) {
        fprintf(stderr, "lmdb-client: %s\n", mdb_strerror(error));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc == 3 ? argv[1] : "";
    unsigned flags = strcmp(mode, "writemap") == 0 ? MDB_WRITEMAP : strcmp(mode, "nosync") == 0 ? MDB_NOSYNC : 0;
    if (!flags && strcmp(mode, "default") != 0)
        return 2;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    check(mdb_env_create(&env));
    check(mdb_env_open(env, argv[2], flags, 0666));
    unsigned key, sum = 0;
    char text[40];
    MDB_val name = {sizeof key, &key}, value = {0, text};
    for (key = 0; key < 100;) {
        check(mdb_txn_begin(env, NULL, 0, &txn));
        check(mdb_dbi_open(txn, NULL, 0, &dbi));
        for (unsigned end = key + 10; key < end; key++) {
            value.mv_size = (size_t)sprintf(text, "the value of key %u", key);
            check(mdb_put(txn, dbi, &name, &value, 0));
        }
        check(mdb_txn_commit(txn));
    }
    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    for (key = 0; key < 100; key++) {
        check(mdb_get(txn, dbi, &name, &value));
        for (size_t i = 0; i < value.mv_size; i++)
            sum = sum * 31 + ((const unsigned char *)value.mv_data)[i];
    }
    mdb_txn_abort(txn);
    mdb_env_close(env);
    printf("%u\n", sum);
    return 0;
}
