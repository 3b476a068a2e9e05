#!/bin/sh
# SPDX-License-Identifier: MIT
# Debian's fio on persistent memory: by libpmem, and by libpmemblk on top of it.
set -eu
. "$(dirname "$0")/../clients/lib.sh"
need fio

job='fio --name=job --thread --rw=randwrite --iodepth=1 --output=/dev/null'
# shellcheck disable=SC2086 # the words of a job
{
    file="$job --filename=data --ioengine=libpmem --bs=4k --size=256k"
    fresh
    clean $file --end_fsync=1
    clean $file --end_fsync=1 --direct=1
    fresh
    clean $file --sync=1
    # 64 blocks, and a drain before every fourth: the last four have none. (A byte in 256 is what it was.)
    fresh
    caught not-drained data $file --fsync=4 --refill_buffers
    grep -Eq ' ranges, (16|15\.9) KiB in all$' "$folder/report" || fail 'not the last four blocks were found'
    fresh
    clean $job --filename=pool,512,32 --ioengine=pmemblk --bs=512 --size=256k --end_fsync=1
}
