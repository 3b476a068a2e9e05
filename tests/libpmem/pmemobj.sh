#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's libpmemobj, on our libpmem: transactions, lists, allocations, locks and threads are clean, new and reopened;
# and what was left out of one of them is found, to the byte.
set -eu
. "$(dirname "$0")/../clients/lib.sh"
need obj-client

# offset NAME: of the field, as the client said.
offset() {
    sed -n "s/^$1 //p" "$folder/out"
}

# found_at OFFSET: the only finding begins there.
found_at() {
    grep -q "^  offset [0-9]* ($1), " "$folder/report" || fail "it is not at $1"
}

# Through all of PMDK's frames, which the text leaves out.
called_by() {
    nvrtl check --format=json --output="$folder/json" -- obj-client "$2" pool >"$folder/out" 2>&1 || true
    grep -q "\"function\": *\"$1\"" "$folder/json" || fail "$1 is in no stack"
}

fresh
clean obj-client right pool
for reason in "libpmemobj's pointers and locks of the process" 'as the program says' 'ends of long chunks' \
    'notes in free memory'; do
    grep -q "^ .* pool: .*$reason" "$folder/report" || fail "it is not said what was left out: $reason"
done
clean obj-client right pool
clean sh -c 'obj-client right pool && obj-client right pool'
pmempool check pool >/dev/null || fail 'what came home is no sound pool'

fresh
caught changed-after-flush pool obj-client forgets-to-persist pool
found_at "$(offset count)"
called_by add_by_transaction forgets-to-persist
fresh
caught changed-after-flush pool obj-client forgets-to-flush-a-copy pool
found_at "$(offset name)"
grep -q '^  written at  pmemobj_memcpy ' "$folder/report" || fail 'it is not said where it was copied'
grep -q '^              forget_to_flush_a_copy ' "$folder/report" || fail 'it is not said who copied'
fresh
checked 99 obj-client forgets-to-drain pool
finds not-drained pool
grep -q '^              forget_to_drain ' "$folder/report" || fail 'it is not said who flushed'
found_at "$(offset name)"
fresh
caught changed-after-flush pool obj-client forgets-to-add pool
found_at "$(offset sum)"
