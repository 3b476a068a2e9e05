#!/bin/sh
# SPDX-License-Identifier: MIT
# Every call that makes a file durable does, and those that only look like it do not.
set -eu
. "$(dirname "$0")/lib.sh"

starting_files() {
    act write old 0123456789abcdef
    truncate -s 12K old
}

again() {
    fresh
    starting_files
}

# An existing file, written and synced: by one call after another, dynamic and static.
for sync in 'fsync old' 'fdatasync old' 'fsync-aio old' 'fdatasync-aio old' sync 'syncfs .' 'syncfs old' \
    'map-sync old 0 new'; do
    # shellcheck disable=SC2086 # a verb and its arguments
    same 0 0 act overwrite old 0 new $sync
    if command -v act-static >/dev/null; then
        # shellcheck disable=SC2086
        same 0 0 act-static map old 4000 new $sync
    fi
    again
    rule=not-flushed
    [ "${sync%% *}" != map-sync ] || rule=changed-after-flush # it wrote to the same line
    # shellcheck disable=SC2086
    caught "$rule" old act $sync overwrite old 5 late
    grep -q '^  offset 5 (0x5), 4 bytes$' "$folder/report" || fail "after $sync: not the range that was written"
done

# A new file, which each of these makes durable with its name.
for write in 'write-osync new text' 'write-dsync new text' 'write-rwf-sync new 0 text' 'write-rwf-dsync new 0 text' \
    'write-stdio new text' 'write-twin new text'; do
    # shellcheck disable=SC2086
    same 0 0 act $write
    again
    # shellcheck disable=SC2086
    caught changed-after-flush new act $write overwrite new 2 late
    grep -q '^  offset 2 (0x2), ' "$folder/report" || fail "after $write: not the range that was written"
done

# What one write syncs is its own bytes.
again
caught not-flushed old act overwrite old 8192 later write-rwf-dsync old 0 first
grep -q '^  offset 8192 ' "$folder/report" || fail 'RWF_DSYNC covered what another call had written'

# msync covers the pages it was given, and not those beyond.
again
caught not-flushed old act map old 9000 later map-sync old 0 first
grep -q '^  offset 9000 ' "$folder/report" || fail 'msync covered a page that it was not given'

# These start writing, or nothing, and promise nothing.
for sync in 'sync-range old' 'map-async old 0 new'; do
    again
    # shellcheck disable=SC2086
    checked 99 act overwrite old 0 new $sync
    finds_only not-flushed old
done

# Another file's sync is no sync of this one.
again
act write other x
caught not-flushed old act overwrite old 0 new fsync other

# A failing sync fails under nvrtl too, and with the same error.
same 1 1 act overwrite old 0 new fsync old fsync-aio missing

# io_uring cannot be seen, so there is none, and programs go another way.
fresh
checked 1 act write-stdio file text uring
holds "$folder/out" 'act: uring: Function not implemented'
