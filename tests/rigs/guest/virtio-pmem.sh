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

for kind in written fallocated sparse extended appended; do
    survive flush $kind /dev/pmem0 || fail "of $kind, something is lost"
done
rm /mnt/sparse
! survive no-drain sparse /dev/pmem0 || fail 'nothing is lost without a drain: this test cannot fail'
