# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: virtio-pmem [TEST...]
#
# Persistent memory of which a hypervisor keeps the pages in a cache: there is DAX, and no MAP_SYNC. Tokens know that
# writing back lines is not enough: each TEST passes, and what is drained is there when the power has failed.
. /rig/lib.sh
modprobe virtio_pci
modprobe virtio_pmem
modprobe nd_pmem
wait_for /dev/pmem0
mkfs.ext4 -q -F -b 4096 /dev/pmem0
mount -t ext4 -o dax=always /dev/pmem0 /mnt

head -c 8192 /dev/zero >/mnt/file
nvrtl info /mnt/file | grep -qx '  why         DAX, but not mapped with MAP_SYNC: the file needs msync' ||
    fail "$(nvrtl info /mnt/file)"
said=$(rig-client domain /mnt/file sync)
[ "$said" = 'plain page-cache msync' ] || fail "a token says: $said"

cd /mnt
for test; do
    "$test" >/tmp/output 2>&1 || fail "$test: $(cat /tmp/output)"
    [ "$test" != contract-nvm-calls ] || grep -q '^page-cache (msync): DAX' /tmp/output ||
        fail 'another domain was tested'
done
cd /

kinds='written fallocated sparse extended appended'
for kind in $kinds; do
    rig-client write flush $kind /mnt/$kind 3
done
rig-client write no-drain sparse /mnt/no-drain 3
rig-client shutdown /mnt
umount /mnt
mount -t ext4 -o dax=always /dev/pmem0 /mnt
for kind in $kinds; do
    rig-client verify /mnt/$kind 3 || fail "of $kind, something is lost"
done
! rig-client verify /mnt/no-drain 3 || fail 'nothing is lost without a drain: this test cannot fail'
