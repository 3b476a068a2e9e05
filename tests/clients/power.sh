#!/bin/sh
# SPDX-License-Identifier: MIT
# SIGKILL of the program, or of nvrtl, is the power failure: the files hold what was made durable and nothing else. Any
# other end is none.
set -eu
. "$(dirname "$0")/lib.sh"

starting_files() {
    act write old 'I was here' write gone gone
    mkdir folder
    sync . || true
}

# What the program does before the power fails: what must then be there tells `holds_what_was_durable`.
work='write kept durable fsync kept overwrite old 2 sat unlink gone write lost lost rename folder moved append kept s'

holds_what_was_durable() {
    holds kept durable
    holds old 'I was here'
    holds gone gone
    lacks lost moved
    [ -d folder ] || fail 'the folder is gone'
    [ "$(find . -mindepth 1 | wc -l)" = 4 ] || fail "something else is there: $(find .)"
}

power_failed() {
    grep -q '^nvrtl check: power failure: nothing was judged$' "$folder/report" || fail 'the report does not say so'
}

mounts() {
    grep -c nvrtl /proc/self/mounts || true
}

# The program is killed, or one of its processes with it waiting.
for who in act act-static; do
    command -v $who >/dev/null || continue
    fresh
    starting_files
    # shellcheck disable=SC2086 # words
    checked 137 $who $work kill 9
    power_failed
    holds_what_was_durable
done

# The death of another process is none: the machine lost no power.
fresh
starting_files
checked 99 sh -c "act $work kill 9 || true"
holds kept durables
holds old 'I sat here'
lacks gone folder

# Neither is any other signal of the program's, nor an abrupt exit.
for signal in 6 11 15; do
    fresh
    starting_files
    # shellcheck disable=SC2086
    checked 99 act $work kill $signal
    finds changed-after-flush kept
    holds kept durables
    lacks gone folder
    checked $((128 + signal)) act fsync old kill $signal
done
fresh
starting_files
checked 7 act write new text fsync new exit 7
holds new text

# nvrtl is killed while the program waits: the pipe ends when the last process that holds it is gone, and that is all of
# them. No process of the run lives on to keep it open.
for who in nvrtl tree; do
    fresh
    starting_files
    mkfifo "$folder/$who.pipe"
    program="act $work say ready"
    [ $who = nvrtl ] || program="$program fork fork"
    # shellcheck disable=SC2086
    nvrtl check $options -- $program wait >"$folder/$who.pipe" 2>"$folder/err" </dev/null &
    nvrtl=$!
    exec 3<"$folder/$who.pipe"
    read -r word <&3 || fail 'the program did not begin'
    [ "$word" = ready ] || fail "the program says $word"
    lacks lost
    kill -9 $nvrtl
    timeout 30 cat <&3 >/dev/null || fail 'processes of the run live on without nvrtl'
    exec 3<&-
    wait $nvrtl 2>/dev/null && fail 'nvrtl was not killed'
    holds_what_was_durable
done

# Signals that people send: nvrtl passes them on, and reports.
fresh
starting_files
mkfifo "$folder/pipe"
# shellcheck disable=SC2086
nvrtl check $options --output="$folder/report" -- act $work say ready wait >"$folder/pipe" 2>"$folder/err" </dev/null &
nvrtl=$!
read -r word <"$folder/pipe"
kill -TERM $nvrtl
status=0
wait $nvrtl || status=$?
[ $status = 99 ] || fail "after SIGTERM: exit status $status, not 99"
finds changed-after-flush kept
holds kept durables

# The journal of the examples, whose power fails at its end: all records are there, and the broken one's are not.
fresh
checked 0 journal journal.nv one two
checked 137 sh -c 'journal journal.nv three; kill -9 $$'
journal journal.nv | grep -qx '3 records recovered' || fail 'the journal lost a record that was committed'
[ "$(mounts)" = 0 ] || fail 'a mount stays behind'
