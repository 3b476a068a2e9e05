#!/bin/sh
# SPDX-License-Identifier: MIT
# A client of liblmdb, in the modes that sync and in the one that does not.
set -eu
. "$(dirname "$0")/lib.sh"
need lmdb-client
volatile=lock.mdb # process numbers

for mode in default writemap; do
    same 0 0 lmdb-client $mode .
    run=0
    while [ $run -lt $times ]; do
        fresh
        clean lmdb-client $mode .
        clean lmdb-client $mode .
        run=$((run + 2))
    done
done
same 0 99 lmdb-client nosync .
finds_only not-flushed data.mdb
