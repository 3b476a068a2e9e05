# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: keepers TEST...
#
# Each TEST passes on a file system on a disk, under the guest's kernel, which is older than those that people test on:
# it cannot be asked for single mappings.
. /rig/lib.sh

new_disk plain 64
mkfs.ext4 -q -F "$disk"
mount -t ext4 "$disk" /mnt
cd /mnt
for test; do
    "$test" >/tmp/output 2>&1 || fail "$test: $(cat /tmp/output)"
    skipped=$(grep '^\[  SKIPPED \] [a-z]' /tmp/output | sort -u | wc -l)
    echo "$test: $(grep -c '^\[       OK' /tmp/output) tests, $skipped skipped"
done
