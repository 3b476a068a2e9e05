#!/bin/sh
# SPDX-License-Identifier: MIT
# One program on two libraries, Debian's libpmem and ours: they export the same, and answer alike, with every variable
# that libpmem(7) names. usage: same.sh PROGRAM DROP-IN-FOLDER
set -eu
program=$1
drop_in=$2
umask 022
folder=$(mktemp -d "${TMPDIR:-/tmp}/libpmem.XXXXXX")
memory=$(mktemp -d /dev/shm/libpmem.XXXXXX)
trap 'rm -rf "$folder" "$memory"' EXIT

exports() {
    nm -D --defined-only "$1" | sed 's/^[^ ]* //' | sort
}

debians=$(env -u LD_LIBRARY_PATH ldd "$program" | sed -n 's/.*libpmem\.so\.1 => \([^ ]*\).*/\1/p')
[ -f "$debians" ] || { echo 'libpmem1 is not installed'; exit 77; }
exports "$debians" >"$folder/debian"
exports "$drop_in/libpmem.so.1" >"$folder/ours"
[ "$(grep -c ' pmem_' "$folder/ours")" = 23 ]
diff "$folder/debian" "$folder/ours"

# answer LIBRARY-FOLDER FOLDER STORES [VARIABLE=VALUE...]
answer() {
    library=$1 work=$2/work share=$3
    shift 3
    mkdir "$work"
    env -u LD_LIBRARY_PATH ${library:+LD_LIBRARY_PATH="$library"} "$@" "$program" "$work" "$share"
    rm -rf "$work"
}

# alike FOLDER STORES [VARIABLE=VALUE...]
alike() {
    answer '' "$@" >"$folder/debian"
    answer "$drop_in" "$@" >"$folder/ours"
    grep -q '^stores: [1-9][0-9]*, 0 wrong$' "$folder/ours"
    diff "$folder/debian" "$folder/ours" || { echo "failed: $*"; exit 1; }
}

# On a disk each store of ours is an msync: one in so many is tried.
alike "$folder" 500
alike "$folder" 500 PMEM_IS_PMEM_FORCE=1
for forced in NOTHING= PMEM_IS_PMEM_FORCE=0 PMEM_IS_PMEM_FORCE=1; do
    alike "$memory" 1 "$forced"
done
alike "$memory" 1 PMEM_MMAP_HINT=0x100000000000
for variable in PMEM_NO_FLUSH=1 PMEM_NO_FLUSH=0 PMEM_NO_CLWB=1 'PMEM_NO_CLWB=1 PMEM_NO_CLFLUSHOPT=1' PMEM_NO_MOVNT=1 \
    PMEM_MOVNT_THRESHOLD=0 PMEM_MOVNT_THRESHOLD=1000; do
    # shellcheck disable=SC2086 # several variables
    alike "$memory" 1 PMEM_IS_PMEM_FORCE=1 $variable
done
