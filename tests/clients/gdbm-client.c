/* SPDX-License-Identifier: MIT */
/*
 * gdbm-client sync|close|abandon FILE: stores 1000 keys, syncs, and closes; or only closes; or ends without doing
 * either. Prints a sum of what it reads back.
 */
#include <gdbm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static GDBM_FILE open_database(const char *path, int mode)
{
    GDBM_FILE database = gdbm_open(path, 0, mode, 0666, NULL);
    if (!database) {
        fprintf(stderr, "gdbm-client: %s: %s\n", path, gdbm_strerror(gdbm_errno));
        exit(1);
    }
    return database;
}

static int store(GDBM_FILE database)
{
    for (unsigned key = 0; key < 1000; key++) {
        char text[40];
        datum name = {(char *)&key, sizeof key}, value = {text, sprintf(text, "the value of key %u", key)};
        if (gdbm_store(database, name, value, GDBM_INSERT) != 0)
            return -1;
    }
    return 0;
}

static unsigned sum(GDBM_FILE database)
{
    unsigned total = 0;
    for (unsigned key = 0; key < 1000; key++) {
        datum value = gdbm_fetch(database, (datum){(char *)&key, sizeof key});
        for (int i = 0; i < value.dsize; i++)
            total = total * 31 + (unsigned char)value.dptr[i];
        free(value.dptr);
    }
    return total;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    GDBM_FILE database = open_database(argv[2], GDBM_NEWDB);
    if (store(database) != 0 || (strcmp(argv[1], "sync") == 0 && gdbm_sync(database) != 0)) {
        fprintf(stderr, "gdbm-client: %s\n", gdbm_strerror(gdbm_errno));
        return 1;
    }
    if (strcmp(argv[1], "abandon") == 0)
        _exit(0);
    gdbm_close(database);
    database = open_database(argv[2], GDBM_READER);
    printf("%u\n", sum(database));
    gdbm_close(database);
    return 0;
}
