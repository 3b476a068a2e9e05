#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's sqlite3, in its ways of keeping a journal: clean with every sync, caught without any.
set -eu
. "$(dirname "$0")/lib.sh"
need sqlite3

statements='CREATE TABLE IF NOT EXISTS t(a, b); INSERT INTO t VALUES (1, "one"), (2, "two");
            UPDATE t SET b = "three" WHERE a = 2; DELETE FROM t WHERE a = 1; SELECT * FROM t;'

for mode in delete truncate persist wal; do
    fresh
    mkdir native
    (cd native && sqlite3 test.db "PRAGMA journal_mode=$mode; PRAGMA synchronous=EXTRA; $statements") \
        >"$folder/native.out"
    mv native "$folder/native.$mode"
    clean sqlite3 test.db "PRAGMA journal_mode=$mode; PRAGMA synchronous=EXTRA; $statements"
    diff "$folder/native.out" "$folder/out" || fail "$mode: other results than without nvrtl"
    cmp test.db "$folder/native.$mode/test.db" || fail "$mode: another database than without nvrtl"
    run=1
    while [ $run -lt $times ]; do
        clean sqlite3 test.db "PRAGMA journal_mode=$mode; PRAGMA synchronous=EXTRA; $statements"
        run=$((run + 1))
    done
    [ "$(sqlite3 test.db 'SELECT count(*) FROM t')" = "$times" ] || fail "$mode: rows were lost"
done

same 0 99 sqlite3 test.db "PRAGMA synchronous=OFF; $statements"
finds_only not-flushed test.db
