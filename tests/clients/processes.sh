#!/bin/sh
# SPDX-License-Identifier: MIT
# Several processes, dynamic and static: shared mappings, locks, pipes, and programs that become others.
set -eu
. "$(dirname "$0")/lib.sh"

for program in processes processes-static; do
    same 0 0 $program data sync
    fresh
    run=0
    while [ $run -lt $times ]; do
        clean $program data sync
        run=$((run + 1))
    done
    same 0 99 $program data forget
    finds_only not-flushed data
done

# What each of a chain of programs writes and syncs counts.
fresh
clean sh -c 'act write a one; exec sh -c "sync a; act write b two; exec act-static fsync b"'
holds a one
holds b two
fresh
caught not-flushed b sh -c 'act write a one | cat; sh -c "act write b two & wait; exec act fsync a"'

# A process that outlives the one that was started belongs to the run.
fresh
mkfifo "$folder/fifo"
clean sh -c "(read -r go <\"$folder/fifo\"; act write a late fsync a) >/dev/null 2>&1 & echo go >\"$folder/fifo\""
holds a late
