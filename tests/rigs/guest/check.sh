# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: check
#
# Verified runs on this kernel, in folders with DAX and without: a program that is right, and one that is not; by root,
# and by a user who is nobody.
. /rig/lib.sh
modprobe overlay
mount_dax
new_disk disk 32
mkfs.ext4 -q -F "$disk"
mkdir /disk
mount -t ext4 "$disk" /disk
echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd
chmod 1777 /tmp

# as USER COMMAND...
as() {
    case $1 in
    root) sh -c "$2" ;;
    *) su -s /bin/sh "$1" -c "$2" ;;
    esac
}

# checked USER STATUS OPTIONS PROGRAM LINE: this is among what is reported.
checked() {
    rm -rf "$place/work"
    mkdir -m 777 "$place/work"
    status=0
    as "$1" "cd $place/work && PATH=$PATH exec nvrtl check $3 -- $4 journal one two" >/tmp/output 2>&1 || status=$?
    [ $status = "$2" ] && grep -qxF "$5" /tmp/output ||
        fail "$4 in $place, by $1, with $3: status $status, not $2: $(cat /tmp/output)"
}

for place in /mnt /disk; do
    for user in root nobody; do
        for options in --view=copy --view=overlay; do
            checked $user 0 $options journal 'nvrtl check: no findings'
            checked $user 99 $options journal-broken 'error: not-flushed: journal'
        done
    done
    journal "$place/work/journal" | grep -qx '2 records recovered' || fail "the records did not come home to $place"
done
