#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's databases, unmodified, through the states that a power failure could leave: what they promise is kept, and
# what they say they do not promise is found to be lost. usage: databases.sh BUILD DATABASE [STATES]
set -eu
. "$(dirname "$0")/../clients/lib.sh"
PATH=$build/tests/crash:$PATH
database=$2
states=${3:-400}
need "crash-$database"

# explored STATUS RECOVERY PROGRAM [ARG...]: the files in ./files, as they were prepared.
explored() {
    expected=$1 recovery=$2
    shift 2
    status=0
    # shellcheck disable=SC2086 # several options
    nvrtl crash $options --dir=files --ack-fd=1 --max-states="$states" --output="$folder/report" --recover="$recovery" \
        -- "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$options $*: exit status $status, not $expected"
}

# survives RECOVERY PROGRAM [ARG...]: every state, and there are as many as were asked for, or all.
survives() {
    explored 0 "$@"
    grep -q "^nvrtl crash: no failure in [0-9]* distinct states" "$folder/report" || fail "$*: nothing was explored"
    met=$(sed -n 's/^nvrtl crash: no failure in \([0-9]*\) .*/\1/p' "$folder/report")
    [ "$met" -ge "$states" ] || grep -q 'exhaustively$' "$folder/report" || fail "$*: only $met states"
}

# loses WORDS RECOVERY PROGRAM [ARG...]: some state fails, and its cause is told by these words.
loses() {
    words=$1
    shift
    explored 99 "$@"
    grep -q "$words" "$folder/report" || fail "$*: not found: $words"
}

# prepared [COMMAND...]: a folder with what there is before the program runs.
prepared() {
    fresh
    mkdir files
    "$@" >/dev/null
}

# sqlite_way MODE SYNCHRONOUS survives|loses [WORDS]
sqlite_way() {
    prepared
    crash-sqlite script "$1" "$2" 12 >statements
    shift 2
    "$@" 'crash-sqlite check {}/test.db' sh -c 'exec sqlite3 files/test.db <statements'
}

case $database in
sqlite)
    need sqlite3
    for model in journaled posix; do
        options=--fs=$model
        sqlite_way delete extra survives
        sqlite_way truncate full survives
        sqlite_way wal full survives
        # Until the journal's removal is durable, it will be played back: over rows that were promised.
        sqlite_way delete full loses 'missing  *removal of .*test.db-journal'
        grep -q 'recovery  *lost is the promised row' "$folder/report" || fail 'no promise was broken'
        sqlite_way delete off loses 'missing  *write of '
    done
    ;;
lmdb)
    prepared crash-lmdb write default files 1
    survives 'crash-lmdb check {}' crash-lmdb write default files 12
    prepared crash-lmdb write default files 1
    survives 'crash-lmdb check {}' crash-lmdb write writemap files 12
    prepared crash-lmdb write default files 1
    loses 'MDB_CORRUPTED\|a gap before row\|another value' 'crash-lmdb check {}' crash-lmdb write nosync files 12
    # As its manual says: the last transaction may be undone.
    prepared crash-lmdb write default files 1
    loses 'recovery  *lost is the promised row' 'crash-lmdb check {}' crash-lmdb write nometasync files 12
    ! grep -q 'MDB_\|a gap\|another value' "$folder/report" || fail 'nometasync: more than a transaction is lost'
    # A new environment is no environment until its first page is durable.
    prepared
    loses 'MDB_INVALID' 'crash-lmdb check {}' crash-lmdb write default files 2
    ! grep -q 'promised row' "$folder/report" || fail 'default: a promise was broken'
    ;;
leveldb)
    prepared
    survives 'crash-leveldb check {}/rows' crash-leveldb write sync files/rows 40
    prepared
    loses 'recovery  *lost is the promised row' 'crash-leveldb check {}/rows' crash-leveldb write nosync files/rows 40
    ;;
gdbm)
    # It changes its file in place, without a journal: no sync in between makes that whole.
    prepared crash-gdbm write sync files/rows 1
    loses 'missing  *write of ' 'crash-gdbm check {}' crash-gdbm write sync files/rows 8
    ;;
objects)
    prepared crash-objects write persists files/pool 0
    survives 'crash-objects check {}' crash-objects write persists files/pool 4
    prepared crash-objects write persists files/pool 0
    loses 'recovery  *\(a gap\|another value\)' 'crash-objects check {}' crash-objects write forgets files/pool 4
    ;;
esac
