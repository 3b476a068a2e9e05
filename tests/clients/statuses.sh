#!/bin/sh
# SPDX-License-Identifier: MIT
# Exit statuses, and what is judged: --error-exitcode, --files, --dir, programs that cannot be run.
set -eu
. "$(dirname "$0")/lib.sh"

fresh
checked 0 act write a text fsync a
checked 3 act write a text fsync a exit 3
checked 99 act write a forgotten
checked 99 act write a forgets exit 3
checked 139 act fsync a kill 11
checked 127 "$folder/missing"
checked 127 no-such-program-anywhere
echo text >no-program
checked 126 ./no-program
checked 126 .
checked 125 true

# nvrtl's own failures say why in one line.
fails() {
    expected=$1
    shift
    status=0
    nvrtl check "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ $status = "$expected" ] || fail "nvrtl check $*: exit status $status, not $expected"
    [ "$(grep -c . "$folder/err")" = 1 ] || fail "nvrtl check $*: not one line"
}
fails 125 --dir="$folder/missing" -- true
fails 125 --dir=/proc -- true
fails 125 --scratch="$folder/missing" -- true
fails 125 --scratch=. -- true
fails 127 -- "$folder/missing"
checked 125 nvrtl check -- true
grep -q 'nvrtl cannot run inside itself$' "$folder/err" || fail 'a run inside a run does not say why it cannot'

model=$options
options="$model --error-exitcode=4"
checked 4 act write a other
options="$model --error-exitcode=0"
checked 0 act write a nothing

# Only files that match are judged; the others are brought in all the same.
options="$model --files=*.db"
fresh
checked 0 act write scratch.tmp forgotten write kept.db text fsync kept.db
holds scratch.tmp forgotten
fresh
caught not-flushed data.db act write scratch.tmp forgotten write data.db forgotten
fresh
mkdir folder
caught not-flushed folder/data.db act write folder/data.db forgotten write folder/data forgotten

# Several folders are at stake, and no others.
fresh
mkdir one two three
options="$model --dir=one --dir=two"
checked 99 act write one/a x write two/b y write three/c z
finds not-flushed one/a
finds not-flushed two/b
holds three/c z
checked 0 act write one/a xx write two/b yy fsync one/a fsync two/b write three/c zz
options="$model --dir=one"
checked 125 act write two/b y
checked 137 act write one/a lost write two/b kept kill 9
holds one/a xx
holds two/b kept

# What goes wrong for the program goes wrong under nvrtl.
options=$model
checked 125 act write missing/a x
