# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: pmem DOMAIN INSTRUCTION [TEST...]
#
# Persistent memory, of which DOMAIN is the part that survives a power failure: memory_controller or cpu_cache. Every
# kind of file gets the domain that it should; each TEST passes there with each way that this CPU has to write back
# lines, of which INSTRUCTION is the best; and new blocks are durable when tokens say so.
. /rig/lib.sh
promise=$1 instruction=$2
shift 2
case $promise in
memory_controller)
    domain=cpu-cache write_back=$instruction
    why="its persistence_domain is memory_controller"
    ;;
cpu_cache)
    domain=memory write_back=none
    why="its persistence_domain is cpu_cache: the CPU's caches survive"
    ;;
esac

# says FILE DOMAIN REASON WRITE-BACK: what nvrtl info tells.
says() {
    nvrtl info "$1" | sed -n 's/^  \(domain\|why\|write back\) *//p' >/tmp/said
    printf '%s\n' "$2" "$3" "$4" >/tmp/wanted
    cmp -s /tmp/said /tmp/wanted || fail "of $1, nvrtl says: $(cat /tmp/said)"
}

# maps FILE sync|plain|view DOMAIN WRITE-BACK: what a token of that mapping is told.
maps() {
    said=$(rig-client domain "$1" "$2")
    [ "$said" = "$2 $3 $4" ] || fail "$1, mapped $2: $said"
}

mount_dax
head -c 8192 /dev/zero >/mnt/file
says /mnt/file $domain "DAX, mapped with MAP_SYNC; $why" $write_back
maps /mnt/file sync $domain $write_back
maps /mnt/file plain page-cache msync
maps /mnt/file view $domain $write_back
head -c 8192 /dev/zero >/tmp/file
says /tmp/file volatile 'tmpfs: it lives in memory' none

# The whole of a DIMM without a file system.
pmem_as dax 1 dax_pmem
modprobe device_dax
wait_for /dev/dax1.0
says /dev/dax1.0 $domain "device DAX; $why" $write_back

cd /mnt
for table in $(nvrtl info | awk '/ (available|in force)/ { print $1 }'); do
    NVRTL_CPU=$table nvrtl info | grep -q "^  $table .*NVRTL_CPU names it" || fail "$table is not in force"
    tested=$domain
    [ "$table-$domain" != generic-cpu-cache ] || tested=page-cache # without an instruction, msync does it
    for test; do
        NVRTL_CPU=$table "$test" >/tmp/output 2>&1 || fail "$table: $test: $(cat /tmp/output)"
        [ "$test" != contract-nvm-calls ] || grep -q "^$tested (.*): DAX" /tmp/output ||
            fail "$table: another domain than $tested was tested: $(grep DAX /tmp/output)"
    done
    echo "$table: $# tests on $tested"
done
cd /

# New blocks, and a new size, are durable when the bytes are.
for kind in fallocated sparse extended appended; do
    for way in flush view-token file; do
        survive $way $kind /dev/pmem0 || fail "of $kind, by $way, something is lost"
    done
done
umount /mnt
mount -t ext4 -o dax=never /dev/pmem0 /mnt
says /mnt/file page-cache 'the file is not on DAX: its pages are cached' msync
