#!/bin/sh
# SPDX-License-Identifier: MIT
# When a name is durable: in the journaled model (ext4, XFS) with any later sync, in the posix model with its folder's.
set -eu
. "$(dirname "$0")/lib.sh"

starting_files() {
    act write old old write other other
    mkdir folder
    act write folder/inner inner
}

# acts VERDICT ACTION...: in a new folder. A verdict is `clean`, or the one finding, as rule:file.
acts() {
    verdict=$1
    shift
    fresh
    (starting_files)
    case $verdict in
    clean) clean act "$@" ;;
    *) caught "${verdict%%:*}" "${verdict#*:}" act "$@" ;;
    esac
}

# Saving a file as editors do.
save='write new text fsync new rename new old'

model=$options
# shellcheck disable=SC2086 # words
for fs in journaled posix; do
    options="$model --fs=$fs"
    acts name-not-flushed:old $save
    acts clean $save fsync .
    acts not-flushed:old write new text rename new old fsync .
    acts name-not-flushed:moved rename old moved
    acts clean rename old moved fsync .
    acts clean rename old moved sync
    acts clean rename old moved syncfs .
    acts name-not-flushed:second link old second
    acts clean link old second fsync .
    acts name-not-flushed:new-folder mkdir new-folder
    acts clean mkdir new-folder fsync .
    acts clean exchange old other fsync .
    acts clean write new x unlink new fsync .
    acts clean fsync other rename old a rename a b rename b old
    acts clean unlink old unlink other fsync .
    acts clean rename folder moved fsync .
    holds moved/inner inner
done

# The two models differ here: whose sync it was.
options="$model --fs=journaled"
acts clean write new text fsync new
acts clean rename old moved fsync moved
acts clean rename old moved fsync other
acts clean rename old folder/moved fsync folder
acts clean mkdir new-folder fsync other

options="$model --fs=posix"
acts name-not-flushed:new write new text fsync new
acts clean write new text fsync new fsync .
acts name-not-flushed:moved rename old moved fsync moved
acts name-not-flushed:folder/moved rename old folder/moved fsync .
acts clean rename old folder/moved fsync folder fsync .
acts not-flushed:new write new text fsync .

# An exchange that is not durable concerns both names.
options="$model --fs=journaled"
fresh
starting_files
checked 99 act exchange old other
finds name-not-flushed old
finds name-not-flushed other
holds old other
holds other old

# A name of two goes, and the file stays what it was.
fresh
starting_files
act link old second
clean act unlink second fsync .
caught not-flushed other act link old third fsync . unlink third fsync . write other x
