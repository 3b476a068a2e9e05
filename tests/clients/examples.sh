#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples: clean, and the one with a seeded mistake caught where it was made.
set -eu
. "$(dirname "$0")/lib.sh"

same 0 0 hello
same 0 0 journal journal.nv one 'two and more' three

fresh
run=0
while [ $run -lt $times ]; do
    clean hello
    clean journal journal.nv "record $run"
    clean minifilter lines
    clean legacy_filter "file $run"
    run=$((run + 1))
done
journal journal.nv >"$folder/out"
tail -n 1 "$folder/out" | grep -qx "$times records recovered" || fail 'the journal lost records'

fresh
caught not-flushed journal.nv journal-broken journal.nv one two three
grep -q '^  offset 64 (0x40), ' "$folder/report" || fail 'the finding is not at the first record'
place=$(sed -n 's/^  written at .*journal\.c:\([0-9]*\).*/\1/p' "$folder/report")
source=$here/../../examples/journal.c
sed -n "${place:-1}p" "$source" | grep -q 'RtlWriteNonVolatileMemory(.*text' || fail "the source line is not a write"
journal journal.nv | grep -qx '3 records recovered' || fail 'an orderly end did not keep the records'
