# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# usage: verified SOURCE
#
# The tests of verified runs, those of the folder SOURCE, on this kernel: it is older than the one that most are run on,
# and tells less.
. /rig/lib.sh
tests=$1/tests built=/nvrtl/tests nvrtl=/nvrtl/cli/nvrtl
modprobe overlay
modprobe unix_diag
new_disk disk 800
mkfs.ext4 -q -F "$disk"
mount -t ext4 "$disk" /mnt
mkdir /mnt/tmp
chmod 1777 /mnt/tmp
cd /mnt
TMPDIR=/mnt/tmp
export TMPDIR
failed=''

# passes COMMAND...: or it is told at the end, with the others.
passes() {
    result=0
    timeout 300 "$@" >/tmp/output 2>&1 || result=$?
    echo "$result $(cut -d. -f1 /proc/uptime)s $*"
    case $result in
    0 | 77) ;;
    *)
        tail -n 30 /tmp/output
        failed="$failed; $*"
        ;;
    esac
}

for program in found no-space; do
    passes $program $nvrtl $built/verified/verified-workload
done
for program in random-operations power-failure; do
    passes $program $nvrtl $built/verified/verified-workload --runs=10
done
for domain in cpu-cache page-cache memory; do
    passes python3 "$tests/check/rules" $nvrtl $built/check/rules-client --domain $domain
done
for name in beside-a-sync power-failure-in-a-sync cut-and-grown short-file killed-worker two-processes \
    clean-environment; do
    passes python3 "$tests/tokens/tokens" $nvrtl $built/tokens/tokens-client $name --domain cpu-cache
done
# Not main-thread-ends: before Linux 6.9, nobody gets the descriptors of a process whose first thread has ended.
for name in own-names read-first append limit hidden hidden-writes plain two-tables other-rights no-rights only-a-path \
    beneath nameless large-appends half-there received; do
    passes python3 "$tests/synchronous/run" $nvrtl $built/synchronous/synchronous-client $name
done
for name in ends folders limits nodes owners; do
    passes python3 "$tests/run/$name.py" $nvrtl self
    passes python3 "$tests/run/$name.py" $nvrtl user
done
[ -z "$failed" ] || fail "${failed#; }"
