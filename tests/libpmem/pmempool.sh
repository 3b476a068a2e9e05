#!/bin/sh
# SPDX-License-Identifier: MIT
# PMDK's own pmempool: pools of every kind are made, looked at and checked, and what comes home is sound.
set -eu
. "$(dirname "$0")/../clients/lib.sh"
need pmempool

for kind in 'obj --layout=test' log 'blk 512'; do
    fresh
    # shellcheck disable=SC2086 # a kind and its argument
    clean pmempool create $kind pool
    clean pmempool info pool
    clean pmempool check -v pool
    pmempool check pool >/dev/null || fail "a pool of $kind is not sound"
    printf 'ruined' | dd of=pool bs=1 seek=4088 conv=notrunc status=none
    checked 1 pmempool check pool
    [ "${kind%% *}" != obj ] || continue # it repairs the others only
    clean pmempool check -ray pool
    pmempool check pool >/dev/null || fail "a pool of $kind was not repaired"
done
