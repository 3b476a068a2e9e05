# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the tests of this folder share; each sources it first.

fail() {
    echo "failed: $1"
    exit 1
}

skip() {
    echo "$1"
    exit 77
}

# Until a device is there: the kernel makes it when it comes to it.
wait_for() {
    tries=500
    until [ -e "$1" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "there is no $1"
        usleep 10000
    done
}

# An NVDIMM of QEMU's begins as a plain disk. What ndctl would do: give its namespace to the driver of the kind wanted.
# pmem_as KIND N DRIVER: pfn makes /dev/pmemN, for file systems with DAX; dax makes /dev/daxN.0.
pmem_as() {
    bus=/sys/bus/nd device=/sys/bus/nd/devices/$1$2.0
    modprobe nfit
    modprobe nd_pmem
    modprobe "$3"
    cat $bus/devices/ndbus0/wait_probe >/dev/null
    echo "namespace$2.0" >$bus/drivers/nd_pmem/unbind
    echo ram >"$device/mode"
    echo 2097152 >"$device/align"
    cat /proc/sys/kernel/random/uuid >"$device/uuid"
    echo "namespace$2.0" >"$device/namespace"
    echo "$1$2.0" >"$bus/drivers/$3/bind"
    cat $bus/devices/ndbus0/wait_probe >/dev/null
}

# DAX on /mnt, for what is to be persistent memory.
mount_dax() {
    pmem_as pfn 0 nd_pmem
    wait_for /dev/pmem0
    mkfs.ext4 -q -F -b 4096 /dev/pmem0
    mount -t ext4 -o dax=always /dev/pmem0 /mnt
}

# new_disk NAME MIB: a disk in memory, whose blocks are the file /tmp/NAME. Its device is $disk.
disks=0
new_disk() {
    modprobe loop
    disk=/dev/loop$disks
    disks=$((disks + 1))
    truncate -s "$2M" "/tmp/$1"
    losetup "$disk" "/tmp/$1"
}

# The one that was made last.
end_disk() {
    disks=$((disks - 1))
    losetup -d "/dev/loop$disks"
}

# device_mapper NAME, and the table on the standard input: makes /dev/mapper/NAME.
device_mapper() {
    dmsetup create --noudevsync "$1"
    dmsetup mknodes
    wait_for "/dev/mapper/$1"
}

# power_failure DEVICE OPTIONS: the power fails for ext4 on /mnt, and comes back.
power_failure() {
    rig-client shutdown /mnt
    umount /mnt
    mount -t ext4 -o "$2" "$1" /mnt
}

# survive WAY KIND DEVICE: what is written so is there after a power failure. With others, syncs of theirs would help.
survive() {
    rig-client write "$1" "$2" "/mnt/$2" 3 64
    power_failure "$3" dax=always
    rig-client verify "/mnt/$2" 3 64
}
