#!/bin/sh
# SPDX-License-Identifier: MIT
# Changes of files that miss one sync: nvrtl crash finds each, and what it hangs on; done right, they survive every
# state there is. usage: files.sh BUILD CASE
set -eu
. "$(dirname "$0")/../clients/lib.sh"
PATH=$build/tests/crash:$PATH
case=$2

# explored STATUS MODEL right|wrong
explored() {
    fresh
    mkdir files
    head -c 3000 /dev/zero | tr '\0' o >files/old
    : >files/other # {} is the folder: it holds more than one file
    status=0
    nvrtl crash --fs="$2" --dir=files --ack-fd=1 --output="$folder/report" --recover="crash-files $case check {}" \
        -- crash-files "$case" "$3" files >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" = "$1" ] || fail "$3, $2: exit status $status, not $1"
    [ "$1" != 0 ] || grep -q 'exhaustively$' "$folder/report" || fail "$3, $2: not exhaustively"
}

# hangs_on WORDS: the only cause of some finding.
hangs_on() {
    grep -q "missing  *$1" "$folder/report" || fail "it does not hang on: $1"
}

for model in journaled posix; do
    explored 0 $model right
    case $case in
    replace) explored 99 $model wrong && hangs_on '\(write of .*\|length\) of files/new' ;;
    # The journal has a new file's name with the file's own sync.
    create) [ $model = journaled ] || { explored 99 $model wrong && hangs_on 'new name of files/new'; } ;;
    append) explored 99 $model wrong && hangs_on '\(length\|write of .*\) of files/old' ;;
    order) explored 99 $model wrong && hangs_on '\(length\|write of .*\|new name\) of files/data' ;;
    journal) explored 99 $model wrong && hangs_on 'removal of files/journal' ;;
    *) fail "there is no case $case" ;;
    esac
done
