# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: log-writes ext4|xfs GROUPS PAGES WAY...
#
# What a drain has promised is on the disk. Every write of a disk is recorded while each WAY of rig-client writes files,
# for every way in which a file gets its blocks; what
# is flushed at once is spread over PAGES. Then, for each acknowledgement, the disk is built as a power failure
# would have left it there at the least; the file system recovers it, and holds all that was acknowledged.
. /rig/lib.sh
system=$1 groups=$2 pages=$3
shift 3
disk_mib=64

case $system in
ext4)
    format='mkfs.ext4 -q -F -E nodiscard'
    check='fsck.ext4 -fn'
    ;;
xfs)
    format='mkfs.xfs -q -K --unsupported' # so small a disk
    check='xfs_repair -n'
    modprobe xfs
    ;;
esac

# uneven DEVICE: a table where each other 32 pages take writes late, and flushes do not: who flushes before all pages
# are written loses some.
uneven() {
    seq 0 256 $((sectors - 1)) | awk -v device="$1" '
        NR % 2 { print $1, 256, "linear", device, $1; next }
        { print $1, 256, "delay", device, $1, 0, device, $1, 20, device, $1, 0 }'
}

record() {
    modprobe dm-log-writes
    modprobe dm-delay
    new_disk recorded $disk_mib
    sectors=$(blockdev --getsz "$disk")
    uneven "$disk" | device_mapper uneven
    recorded=/dev/mapper/uneven
    new_disk log 300
    echo "0 $sectors log-writes $recorded $disk" | device_mapper recorder
    $format /dev/mapper/recorder
    mount -t "$system" /dev/mapper/recorder /mnt
    for way; do
        kinds='written fallocated sparse extended appended'
        [ "$way" != no-drain ] || kinds=sparse
        for kind in $kinds; do
            rig-client write "$way" "$kind" "/mnt/$way-$kind" "$groups" "$pages" recorder
        done
    done
    umount /mnt
    dmsetup remove --noudevsync recorder
    dmsetup remove --noudevsync uneven
    log-replay "$disk" marks | grep '\.[0-9]*$' >/tmp/marks # not those that log-writes makes
    log-replay "$disk" list | awk -v marks="$(wc -l </tmp/marks)" '
        { bytes += $4 * 512 } END { print NR " entries, " int(bytes / 1024) " KiB, " marks " acknowledgements" }'
}

# holds MARK: whether all that is acknowledged there is on the disk as it was then.
holds() {
    log-replay "$disk" build /tmp/built "$1"
    truncate -s ${disk_mib}M /tmp/built
    losetup "$built" /tmp/built
    mount -t "$system" "$built" /mnt
    all=yes
    rig-client verify "/mnt/${1%.*}" "${1##*.}" "$pages" >/tmp/verified || all=no
    umount /mnt
    if [ "${1##*.}" = "$groups" ]; then
        $check "$built" >/tmp/checked 2>&1 || fail "$1: the file system is damaged: $(cat /tmp/checked)"
    fi
    losetup -d "$built"
    [ $all = yes ]
}

record "$@"
built=/dev/loop$disks
while read -r mark; do
    case $mark in
    no-drain-*) ! holds "$mark" || fail "$mark: nothing is lost without a drain: this test cannot fail" ;;
    *) holds "$mark" || fail "$mark: $(cat /tmp/verified)" ;;
    esac
done </tmp/marks
[ -s /tmp/marks ] || fail 'nothing was acknowledged'
