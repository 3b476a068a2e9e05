/* SPDX-License-Identifier: MIT */
/*
 * What Debian's sqlite3 leaves. The writer is that program itself:
 *
 *     crash-sqlite script MODE SYNCHRONOUS ROWS       its input
 *     crash-sqlite check FILE                         after a power failure
 *
 * Each transaction inserts a row and counts it in another table, so that half of one would be seen.
 */
#include "promises.h"

#include <sqlite3.h>

static int script(const char *mode, const char *synchronous, unsigned rows)
{
    char text[VALUE_BYTES];

    printf("pragma journal_mode=%s; pragma synchronous=%s; pragma wal_autocheckpoint=8;\n", mode, synchronous);
    printf("begin; create table t(k integer primary key, v text); create table total(n integer);\n");
    printf("insert into total values(0); commit;\n");
    for (unsigned row = 1; row <= rows; row++) {
        value_of(row, text);
        printf("begin; insert into t values(%u, '%.*s'); update total set n = n + 1; commit; select 'row %u';\n", row,
               VALUE_BYTES, text, row);
    }
    return fflush(stdout) ? 1 : 0;
}

static void expect(sqlite3 *database, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return;
    fprintf(stderr, "%s\n", sqlite3_errmsg(database));
    exit(1);
}

static sqlite3_stmt *begin(sqlite3 *database, const char *query)
{
    sqlite3_stmt *statement;

    expect(database, sqlite3_prepare_v2(database, query, -1, &statement, NULL));
    return statement;
}

static int ask(sqlite3 *database, const char *query)
{
    sqlite3_stmt *statement = begin(database, query);
    int code = sqlite3_step(statement), answer = code == SQLITE_ROW ? sqlite3_column_int(statement, 0) : -1;

    expect(database, code);
    sqlite3_finalize(statement);
    return answer;
}

static void expect_sound(sqlite3 *database)
{
    sqlite3_stmt *statement = begin(database, "pragma integrity_check");

    expect(database, sqlite3_step(statement));
    if (strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0) {
        fprintf(stderr, "%s\n", sqlite3_column_text(statement, 0));
        exit(1);
    }
    sqlite3_finalize(statement);
}

static unsigned count_rows(sqlite3 *database)
{
    sqlite3_stmt *statement = begin(database, "select k, v from t order by k");
    unsigned rows = 0;
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if ((unsigned)sqlite3_column_int(statement, 0) != ++rows)
            lost("a gap before row", (unsigned)sqlite3_column_int(statement, 0));
        expect_value(rows, sqlite3_column_text(statement, 1), (size_t)sqlite3_column_bytes(statement, 1));
    }
    expect(database, code);
    sqlite3_finalize(statement);
    return rows;
}

static int check(const char *path)
{
    sqlite3 *database;
    unsigned rows = 0;

    expect(NULL, sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL));
    expect_sound(database);
    if (ask(database, "select count(*) from sqlite_master") == 2) {
        rows = count_rows(database);
        if ((unsigned)ask(database, "select n from total") != rows)
            lost("half of a transaction: rows are", rows);
    }
    expect(database, sqlite3_close(database));
    return judge(rows);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "script") == 0)
        return script(argv[2], argv[3], (unsigned)atoi(argv[4]));
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return check(argv[2]);
    return 2;
}
