#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's fio, which writes by many means: synced it is clean, and forgotten syncs are found.
set -eu
. "$(dirname "$0")/lib.sh"
need fio

# shellcheck disable=SC2031,SC2086 # the words of a job
for engine in mmap psync libaio; do
    job="fio --name=job --filename=data --ioengine=$engine --rw=randwrite --bs=4k --size=256k --output=/dev/null"
    same 0 0 $job --end_fsync=1 --buffer_pattern=0x5eed --allrandrepeat=1
    together $times clean $job --end_fsync=1
    fresh
    clean $job --fsync=1 --end_fsync=1 --thread
    # 64 blocks, and a sync before every fourth: the last four have none. (A byte in 256 is what it was.)
    caught not-flushed data $job --fsync=4 --refill_buffers
    grep -Eq ' ranges, (16|15\.9) KiB in all$' "$folder/report" ||
        fail "$engine: not the last four blocks were found"
done

# Synchronous opens, and synchronous ranges that promise nothing.
fresh
clean fio --name=job --filename=data --ioengine=psync --sync=dsync --rw=randwrite --bs=4k --size=256k
fresh
checked 99 fio --name=job --filename=data --ioengine=psync --rw=write --bs=4k --size=256k --fallocate=none \
    --sync_file_range=wait_before,write,wait_after:4
finds_only not-flushed data
