/* SPDX-License-Identifier: MIT */
/*
 * A client of GDBM, and its check. `sync`: each row is stored and then synced (gdbm_sync), and promised after that.
 *
 *     crash-gdbm write sync|nosync FILE ROWS
 *     crash-gdbm check FILE
 */
#include "promises.h"

#include <gdbm.h>
#include <unistd.h>

static GDBM_FILE open_file(const char *path, int flags)
{
    GDBM_FILE file = gdbm_open(path, 512, flags, 0666, NULL);

    if (!file) {
        fprintf(stderr, "%s\n", gdbm_strerror(gdbm_errno));
        exit(1);
    }
    return file;
}

static int write_rows(const char *mode, const char *path, unsigned rows)
{
    GDBM_FILE file = open_file(path, GDBM_WRCREAT);
    char text[VALUE_BYTES];

    if (gdbm_sync(file))
        return 1;
    for (unsigned row = 1; row <= rows; row++) {
        datum key = {(char *)&row, sizeof row}, value = {text, sizeof text};

        value_of(row, text);
        if (gdbm_store(file, key, value, GDBM_REPLACE) || (strcmp(mode, "sync") == 0 && gdbm_sync(file)))
            return 1;
        promise(row);
    }
    return gdbm_close(file);
}

static int check(const char *path)
{
    GDBM_FILE file;
    unsigned row = 1;

    if (!promised() && access(path, F_OK)) /* it was not there yet */
        return 0;
    file = open_file(path, GDBM_WRITER);
    for (;; row++) {
        datum value = gdbm_fetch(file, (datum){(char *)&row, sizeof row});

        if (!value.dptr)
            break;
        expect_value(row, value.dptr, (size_t)value.dsize);
        free(value.dptr);
    }
    if (gdbm_errno != GDBM_ITEM_NOT_FOUND) {
        fprintf(stderr, "%s\n", gdbm_strerror(gdbm_errno));
        return 1;
    }
    gdbm_close(file);
    return judge(row - 1);
}

int main(int argc, char **argv)
{
    return run(argc, argv, write_rows, check);
}
