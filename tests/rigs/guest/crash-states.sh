# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: crash-states JUDGE ROUNDS SEEDS
#
# The states that `nvrtl crash --fs=journaled` takes to be legal are those that ext4 leaves: rig-files runs on a disk
# whose every write is recorded, and again under nvrtl, which records a trace. Then the disk is built as it was after
# each of its writes, SEEDS times more without some of those that no flush had followed; the file system recovers it,
# and the trace allows what is there (JUDGE).
. /rig/lib.sh
judge=$1 rounds=$2 seeds=$3
disk_mib=32

record_disk() {
    modprobe dm-log-writes
    new_disk recorded $disk_mib
    sectors=$(blockdev --getsz "$disk")
    recorded=$disk
    new_disk log 300
    echo "0 $sectors log-writes $recorded $disk" | device_mapper recorder
    mkfs.ext4 -q -F -E nodiscard /dev/mapper/recorder
    mount -t ext4 -o commit=1 /dev/mapper/recorder /mnt
    mkdir /mnt/files
    sync
    dmsetup message recorder 0 mark begun
    rig-files /mnt/files "$rounds"
    dmsetup message recorder 0 mark ended
    umount /mnt
    dmsetup remove --noudevsync recorder
}

# keep WHERE [SEED]: what a power failure there left, as a folder of its own, unless it was met before.
keep() {
    log-replay "$disk" build /tmp/built "$@"
    truncate -s ${disk_mib}M /tmp/built
    losetup "$built" /tmp/built
    mount -t ext4 "$built" /mnt
    sum=$(cd /mnt/files && { find . | sort; find . -type f | sort | xargs -r cat; } | md5sum | cut -c 1-32)
    [ -e "/tmp/states/$sum" ] || cp -a /mnt/files "/tmp/states/$sum"
    umount /mnt
    losetup -d "$built"
}

mkdir /tmp/files /tmp/states
nvrtl crash --record=/tmp/trace --dir=/tmp/files -- rig-files /tmp/files "$rounds" 2>/tmp/output ||
    fail "it cannot be recorded: $(cat /tmp/output)"
record_disk
built=/dev/loop$disks
begun=$(log-replay "$disk" list | awk '$5 == "begun" { print $1 }')
ended=$(log-replay "$disk" list | awk '$5 == "ended" { print $1 }')
entry=$begun
while [ "$entry" -le "$ended" ]; do
    keep "$entry"
    seed=1
    while [ $seed -le "$seeds" ]; do
        keep "$entry" $seed
        seed=$((seed + 1))
    done
    entry=$((entry + 1))
done
echo "$((ended - begun)) writes, $(find /tmp/states -mindepth 1 -maxdepth 1 | wc -l) states"
python3 "$judge" /tmp/trace /tmp/states/* || fail 'the trace does not allow what ext4 left'
cp -a "/tmp/states/$sum" /tmp/wrong
file=$(find /tmp/wrong -type f -size +0 | head -n 1)
printf '#' | dd of="$file" conv=notrunc 2>/dev/null
! python3 "$judge" /tmp/trace /tmp/wrong >/dev/null || fail 'a wrong byte is allowed: this test cannot fail'
