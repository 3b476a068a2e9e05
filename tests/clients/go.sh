#!/bin/sh
# SPDX-License-Identifier: MIT
# A Go program: another run-time system, no libc, several threads.
set -eu
. "$(dirname "$0")/lib.sh"
need go-client

same 0 0 go-client sync
fresh
run=0
while [ $run -lt $times ]; do
    clean go-client sync
    run=$((run + 1))
done
same 0 99 go-client forget
for file in file0 file1 file2 file3; do
    finds not-flushed $file
done
