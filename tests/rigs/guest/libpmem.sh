# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: libpmem AUTO-FLUSH
#
# Debian's libpmem and ours answer alike on persistent memory: files on DAX, and a whole device. AUTO-FLUSH is what
# both say of the platform, 0 or 1.
. /rig/lib.sh
drop_in=/nvrtl/compat/libpmem
ln -sf libpmem.so.1.0.0 $drop_in/libpmem.so.1
mount_dax
pmem_as dax 1 dax_pmem
modprobe device_dax
wait_for /dev/dax1.0

# answers NAME [VARIABLE]...
answers() {
    name=$1
    shift
    mkdir /mnt/work
    env "$@" libpmem-same /mnt/work 40 /dev/dax1.0 >"/tmp/$name" || fail "$name: status $?: $(cat "/tmp/$name")"
    rm -r /mnt/work
}

answers debian
answers ours LD_LIBRARY_PATH=$drop_in
cmp -s /tmp/debian /tmp/ours || fail "they differ: $(diff /tmp/debian /tmp/ours)"
for line in "map 'new' of 1000 with 1: mapped, 1000 bytes, pmem 1" 'device: mapped, .* bytes, pmem 1' \
    'pmem_deep_persist(base + 3, 1000): 0' "pmem_has_auto_flush(): $1" 'stores: [1-9][0-9]*, 0 wrong'; do
    grep -q "^$line\$" /tmp/ours || fail "no line $line: $(cat /tmp/ours)"
done
