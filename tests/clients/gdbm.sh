#!/bin/sh
# SPDX-License-Identifier: MIT
# A client of libgdbm. Closing a database syncs it, which is clean too; not closing it is not.
set -eu
. "$(dirname "$0")/lib.sh"
need gdbm-client

same 0 0 gdbm-client sync keys.gdbm
fresh
run=0
while [ $run -lt $times ]; do
    clean gdbm-client sync keys.gdbm
    run=$((run + 1))
done
same 0 0 gdbm-client close keys.gdbm
fresh
checked 99 gdbm-client abandon keys.gdbm
finds not-flushed keys.gdbm
