# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: label [store]
#
# A module of which QEMU has the label area written by libpmem: the guest writes that. With `store` it stores and syncs
# a file, too: QEMU sees nothing of that.
. /rig/lib.sh
modprobe nfit
modprobe nd_pmem
cat /sys/bus/nd/devices/ndbus0/wait_probe >/dev/null
wait_for /dev/nmem0
echo region0 >/sys/bus/nd/drivers/nd_region/unbind # a label in use is not written
label /dev/nmem0 || fail 'the label was not written and read back'
[ $# != 0 ] || exit 0

echo region0 >/sys/bus/nd/drivers/nd_region/bind
wait_for /dev/pmem0
mkfs.ext4 -q -F -b 4096 /dev/pmem0
mount -t ext4 /dev/pmem0 /mnt
echo 'written by the guest' >/mnt/file
sync /mnt/file
umount /mnt
mount -t ext4 /dev/pmem0 /mnt
[ "$(cat /mnt/file)" = 'written by the guest' ] || fail 'it was not read back'
umount /mnt
