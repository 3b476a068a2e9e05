/* SPDX-License-Identifier: MIT */
/*
 * A client of LevelDB, and its check. `sync`: each row is written with the option sync.
 *
 *     crash-leveldb write sync|nosync FOLDER ROWS
 *     crash-leveldb check FOLDER
 */
#include "promises.h"

#include <leveldb/c.h>

static void expect(char *error)
{
    if (!error)
        return;
    fprintf(stderr, "%s\n", error);
    exit(1);
}

/* Small buffers: tables are written and merged after some rows. */
static leveldb_t *open_folder(const char *folder)
{
    leveldb_options_t *options = leveldb_options_create();
    char *error = NULL;
    leveldb_t *database;

    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_write_buffer_size(options, 64 << 10);
    database = leveldb_open(options, folder, &error);
    expect(error);
    leveldb_options_destroy(options);
    return database;
}

static int write_rows(const char *mode, const char *folder, unsigned rows)
{
    leveldb_t *database = open_folder(folder);
    leveldb_writeoptions_t *options = leveldb_writeoptions_create();
    char text[VALUE_BYTES], name[16], *error = NULL;

    leveldb_writeoptions_set_sync(options, strcmp(mode, "sync") == 0);
    for (unsigned row = 1; row <= rows; row++) {
        int length = sprintf(name, "%08u", row);

        value_of(row, text);
        leveldb_put(database, options, name, (size_t)length, text, sizeof text, &error);
        expect(error);
        promise(row);
        if (row == rows / 2)
            leveldb_compact_range(database, NULL, 0, NULL, 0);
    }
    leveldb_writeoptions_destroy(options);
    leveldb_close(database);
    return 0;
}

static int check(const char *folder)
{
    leveldb_t *database = open_folder(folder);
    leveldb_readoptions_t *options = leveldb_readoptions_create();
    leveldb_iterator_t *place;
    char name[16], *error = NULL;
    unsigned rows = 0;

    leveldb_readoptions_set_verify_checksums(options, 1);
    place = leveldb_create_iterator(database, options);
    for (leveldb_iter_seek_to_first(place); leveldb_iter_valid(place); leveldb_iter_next(place)) {
        size_t key_bytes, value_bytes;
        const char *key = leveldb_iter_key(place, &key_bytes), *value = leveldb_iter_value(place, &value_bytes);

        rows++;
        if (key_bytes != (size_t)sprintf(name, "%08u", rows) || memcmp(key, name, key_bytes) != 0)
            lost("a gap at row", rows);
        expect_value(rows, value, value_bytes);
    }
    leveldb_iter_get_error(place, &error);
    expect(error);
    leveldb_iter_destroy(place);
    leveldb_readoptions_destroy(options);
    leveldb_close(database);
    return judge(rows);
}

int main(int argc, char **argv)
{
    return run(argc, argv, write_rows, check);
}
