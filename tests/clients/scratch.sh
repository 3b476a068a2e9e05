#!/bin/sh
# SPDX-License-Identifier: MIT
# The view on a disk instead of in memory, and several runs at once. Nothing stays behind.
set -eu
. "$(dirname "$0")/lib.sh"

mkdir "$folder/scratch"
model=$options
options="$model --scratch=$folder/scratch"

nothing_left() {
    [ -z "$(ls -A "$folder/scratch")" ] || fail "left on the scratch disk: $(find "$folder/scratch")"
}

same 0 0 act write a text fsync a
nothing_left
fresh
caught not-flushed a act write a text
nothing_left
checked 137 act write c kept fsync c write b lost kill 9
holds c kept
lacks b
nothing_left
checked 127 "$folder/missing"
nothing_left
same 0 0 journal journal.nv one two
nothing_left

if command -v fio >/dev/null; then
    fresh
    clean fio --name=job --filename=data --direct=1 --rw=randwrite --bs=4k --size=256k --end_fsync=1
    clean fio --name=job --filename=data --direct=1 --sync=dsync --rw=randwrite --bs=4k --size=256k
    checked 99 fio --name=job --filename=data --direct=1 --rw=randwrite --bs=4k --size=256k --refill_buffers
    finds not-flushed data
    nothing_left
fi

# nvrtl is killed: its guardian, a child, ends the run and removes what is left before it ends itself.
fresh
mkfifo "$folder/pipe"
# shellcheck disable=SC2086 # several options
nvrtl check $options -- act write a kept fsync a write b lost say ready wait >"$folder/pipe" 2>/dev/null </dev/null &
nvrtl=$!
exec 3<"$folder/pipe"
read -r _ <&3
children=$(cat "/proc/$nvrtl/task/$nvrtl/children")
kill -9 $nvrtl
timeout 30 cat <&3 >/dev/null || fail 'processes of the run live on without nvrtl'
exec 3<&-
for child in $children; do
    timeout 30 tail --pid="$child" -s 0.01 -f /dev/null || fail 'a child of nvrtl lives on without it'
done
holds a kept
lacks b
nothing_left

# Runs at once, in folders of their own and in the same one, do not disturb each other. (What is under an overlay must
# not change: the kernel promises nothing then.)
options=$model
together $times clean act write a text fsync a rename a b fsync .
[ "$variant" != overlay ] || exit 0
fresh
mkfifo "$folder/first" "$folder/second"
# shellcheck disable=SC2086
{
    nvrtl check $options --output="$folder/report" -- sh -c "act write a one fsync a; echo >$folder/first
        read -r go <$folder/second; act fsync a" &
    first=$!
    read -r _ <"$folder/first"
    nvrtl check $options --output="$folder/report.2" -- act write b two fsync b || fail "the second of two: status $?"
    echo >"$folder/second"
    wait $first || fail "the first of two: status $?"
}
holds a one
holds b two
