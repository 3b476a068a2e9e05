#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that call libpmem themselves: right they are clean, in every domain and with every variable; and each mistake
# is found where it was made.
set -eu
. "$(dirname "$0")/../clients/lib.sh"
need file-client

# made_at FUNCTION: the last report has it in a stack.
made_at() {
    grep -Eq "^  (written at|flushed at|called at|          ) +$1  .*/file-client\.c:[0-9]+" "$folder/report" ||
        fail "not made at $1"
}

# advises TEXT
advises() {
    grep -q "^  to do .*$1" "$folder/report" || fail "no advice $1"
}

for domain in cpu-cache memory page-cache; do
    options="$options --domain=$domain"
    for way in right in-a-child flushes-in-pieces; do
        [ "$domain $way" != 'page-cache flushes-in-pieces' ] || continue # it does not ask
        fresh
        clean file-client "$way" log
    done
done
options=''
[ "$variant" != overlay ] || options=--view=overlay
fresh
clean file-client maps-by-itself log
fresh
same 0 0 file-client right log
fresh
clean file-client never-asks log # it need not: the file is persistent memory
clean file-client never-asks log

fresh
caught changed-after-flush log file-client forgets-to-persist log
made_at forgets_to_persist
made_at append
grep -q '^  offset 0 (0x0), 1 byte$' "$folder/report" || fail 'not the count'
fresh
caught changed-after-flush log file-client forgets-to-flush-a-copy log
made_at forgets_to_flush_a_copy
grep -q '^  offset 9096 (0x2388), 9 bytes$' "$folder/report" || fail 'not the copy'
fresh
caught not-drained log file-client forgets-to-drain log
made_at forgets_to_drain
advises pmem_drain
fresh
checked 99 file-client persists-its-pointer log
finds changed-after-flush log
grep -qx 'warning: outside-token' "$folder/report" || fail 'the pointer was no finding'
made_at persists_its_pointer
advises pmem_is_pmem

# What is not persistent is told by pmem_is_pmem, and may not be flushed.
for how in '--domain=page-cache' 'PMEM_IS_PMEM_FORCE=0'; do
    fresh
    case $how in
    --*) options="$options $how" checked 99 file-client never-asks log ;;
    *) checked 99 env "$how" file-client never-asks log ;;
    esac
    finds outside-token log
    made_at make_durable
    made_at append
    [ "$(grep -c '^error: ' "$folder/report")" = 2 ] || fail "$how: more than the two calls"
done
fresh
clean env PMEM_IS_PMEM_FORCE=0 file-client right log
fresh
clean env PMEM_IS_PMEM_FORCE=1 file-client right log

# Without flushes nothing is flushed.
fresh
checked 99 env PMEM_NO_FLUSH=1 file-client right log
finds not-flushed log
advises pmem_persist

# Where another libpmem flushes, nothing is seen of it: the report says so.
fresh
checked 99 env -i PMEM_IS_PMEM_FORCE=1 "$(command -v file-client)" right log
grep -q "flushes by a libpmem that is not nvrtl's" "$folder/report" || fail "Debian's library was not noticed"
if command -v file-client-static >/dev/null; then
    fresh
    checked 99 env PMEM_IS_PMEM_FORCE=1 file-client-static right log
    grep -q 'flushes by a libpmem that a program has linked in' "$folder/report" || fail 'it was not noticed inside'
fi
fresh
clean file-client right log
! grep -q 'flushes by' "$folder/report" || fail 'our own library was taken for another'
