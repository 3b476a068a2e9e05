# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: failing-disk WAY...
#
# Disks that fail in many ways while each WAY of rig-client writes a file on them: it is told, and goes on being told.
# See failing.c.
. /rig/lib.sh
modprobe dm-flakey
modprobe dm-thin-pool
modprobe xfs

# STATUS_IO_DEVICE_ERROR, STATUS_DISK_FULL, STATUS_VOLUME_DISMOUNTED, STATUS_SUCCESS
io=C0000185 full=C000007F gone=C000026E well=0
broken='sh -e /tmp/break' mended='sh -e /tmp/mend'

mkfs.ext4 -q -F -b 4096 /tmp/formatted 16M
mkdir /tmp/room

# new_file_system [MOUNT-OPTIONS]: ext4 on /dev/mapper/failing, at /mnt; its blocks are /tmp/room/image.
new_file_system() {
    mount -t tmpfs -o size=20M room /tmp/room
    cp /tmp/formatted /tmp/room/image
    new_disk room/image 16
    sectors=$(blockdev --getsz "$disk")
    echo "0 $sectors linear $disk 0" | device_mapper failing
    mount -t ext4 -o "${1:-defaults}" /dev/mapper/failing /mnt
}

end_file_system() {
    umount /mnt
    dmsetup remove --noudevsync failing
    end_disk
    umount /tmp/room
}

# becomes COMMAND: the script /tmp/COMMAND, that gives the device the table on the standard input.
becomes() {
    cat >"/tmp/$1" <<END
dmsetup suspend --noudevsync --noflush --nolockfs failing
dmsetup load failing <<TABLE
$(cat)
TABLE
dmsetup resume --noudevsync failing
END
}

# file_becomes TARGET: when it breaks, the 40 blocks of the file are those of another target; then it works again.
file_becomes() {
    becomes break <<END
0 \$((BLOCK * 8)) linear $disk 0
\$((BLOCK * 8)) 320 $1
\$((BLOCK * 8 + 320)) \$(($sectors - BLOCK * 8 - 320)) linear $disk \$((BLOCK * 8 + 320))
END
    becomes mend <<END
0 $sectors linear $disk 0
END
}

# The file's blocks take no writes, and the file system has no other trouble.
blocks_of_the_file() {
    new_file_system
    file_becomes error
    rig-client failing "$1" /mnt/file "$disk" $io "$broken" "$mended"
    end_file_system
}

# They do not, and the device does not flush either.
flushes() {
    new_file_system
    file_becomes "flakey $disk \$((BLOCK * 8)) 0 3600 1 error_writes"
    rig-client failing "$1" /mnt/file "$disk" $io "$broken" "$mended"
    end_file_system
}

# No block takes anything: the file system gives up, too.
whole_disk() {
    new_file_system
    echo "0 $sectors error" | becomes break
    rig-client failing "$1" /mnt/file "$disk" $io "$broken"
    end_file_system
}

# The file system makes itself read-only.
gives_up_writing() {
    new_file_system errors=remount-ro
    echo "0 $sectors flakey $disk 0 0 3600 1 error_writes" | becomes break
    rig-client failing "$1" /mnt/file "$disk" $io "$broken"
    end_file_system
}

shut_down() {
    new_file_system
    case $1 in
    file | file-data | file-token | store-file | view-file) told=$gone ;; # a handle can ask
    *) told=$io ;;
    esac
    rig-client failing "$1" /mnt/file "$disk" $told 'rig-client shutdown /mnt'
    end_file_system
}

# Blocks that a snapshot shares need room for a copy, and the pool has none left.
full_pool() {
    new_disk metadata 4
    metadata=$disk
    new_disk data 8
    echo "0 $(blockdev --getsz "$disk") thin-pool $metadata $disk 128 0 1 error_if_no_space" | device_mapper pool
    dmsetup message pool 0 'create_thin 0'
    echo "0 65536 thin /dev/mapper/pool 0" | device_mapper failing
    mkfs.xfs -q -K --unsupported /dev/mapper/failing 2>/dev/null
    mount -t xfs /dev/mapper/failing /mnt
    cat >/tmp/break <<END
dmsetup suspend --noudevsync failing
dmsetup message pool 0 'create_snap 1 0'
dmsetup resume --noudevsync failing
dmsetup message pool 0 'create_thin 2'
echo "0 32768 thin /dev/mapper/pool 2" | dmsetup create --noudevsync filler
dmsetup mknodes
! dd if=/dev/zero of=/dev/mapper/filler bs=64k conv=fsync 2>/dev/null
END
    rig-client failing "$1" /mnt/file /dev/mapper/failing $full "$broken"
    umount /mnt
    for name in filler failing pool; do
        dmsetup remove --noudevsync $name
    done
    end_disk
    end_disk
    rm /tmp/metadata /tmp/data
}

# The journal takes nothing, but the blocks of the file do. Who promises metadata is told.
journal() {
    new_file_system
    becomes break <<END
0 \$((BLOCK * 8)) error
\$((BLOCK * 8)) 320 linear $disk \$((BLOCK * 8))
\$((BLOCK * 8 + 320)) \$(($sectors - BLOCK * 8 - 320)) error
END
    case $1 in
    file | store-file) told=$io ;;
    *) told=$well ;;
    esac
    rig-client failing "$1" /mnt/file "$disk" $told "$broken"
    end_file_system
}

# It cannot be made read-only under a token, so nothing fails.
read_only() {
    new_file_system
    rig-client failing "$1" /mnt/file "$disk" $well '! mount -o remount,ro /mnt 2>/dev/null'
    end_file_system
}

new_file_system
file_becomes error
rig-client told-once /mnt/file "$disk" "$broken"
end_file_system
for way; do
    for failure in blocks_of_the_file flushes whole_disk gives_up_writing shut_down full_pool journal read_only; do
        echo "$failure, $way"
        $failure "$way"
    done
done
