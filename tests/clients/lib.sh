# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034 # that others use
# What the tests of this folder share; each sources it first. usage of a test: NAME.sh BUILD [VARIANT]
#
# The variant says how the programs are checked: `copy` (the default) and `overlay` are the views, as the user that runs
# the tests; `user` is an ordinary user, where root runs them; `in-process` is without a view and a supervisor.

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
variant=${2:-copy}
folder=''

skip() {
    echo "$1"
    exit 77
}

# Everything that is known of the last run.
fail() {
    echo "failed: $1"
    for name in out err report; do
        [ ! -s "$folder/$name" ] || sed "s/^/    $name: /" "$folder/$name"
    done
    exit 1
}

need() {
    command -v "$1" >/dev/null || skip "$1 is not installed, or was not built"
}

if [ "$variant" = user ] && [ -z "${CLIENTS_AS_USER-}" ]; then
    [ "$(id -u)" = 0 ] || skip 'the tests are run by an ordinary user already'
    PATH=$PATH:$build/tests/clients:$build/tests/libpmem
    need setpriv
    as_user="setpriv --reuid 65534 --regid 65534 --clear-groups"
    for needed in "$here/$(basename "$0")" "$build/cli/nvrtl" "$build/verify/libnvrtl-verifier.so"; do
        $as_user test -r "$needed" || skip "an ordinary user cannot reach $needed"
    done
    exec $as_user env CLIENTS_AS_USER=1 PATH=/usr/local/bin:/usr/bin:/bin sh -eu "$here/$(basename "$0")" "$@"
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/clients.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
PATH=$build/cli:$build/examples:$build/tests/clients:$build/tests/libpmem:$PATH
HOME=$folder
LC_ALL=C
export PATH HOME LC_ALL
unset NVRTL_DOMAIN NVRTL_CPU NVRTL_VERIFIER_PATH LD_LIBRARY_PATH
umask 022
options=''
[ "$variant" != overlay ] || options=--view=overlay
[ "$variant" != in-process ] || options=--in-process
number=0

# An ordinary user's overlay breaks hard links, and refuses to rename folders that were there before.
partial=no
[ "$variant" != overlay ] || [ "$(id -u)" = 0 ] || partial=yes

# How often a clean program is run: often in one variant, so that the others stay quick.
times=20
[ "$variant" = copy ] || times=2

# Go to a new, empty folder.
fresh() {
    number=$((number + 1))
    mkdir "$folder/$number"
    cd "$folder/$number" || exit
}

# checked STATUS PROGRAM [ARG...]: under `nvrtl check`, with $options. out, err and report are of that run.
checked() {
    expected=$1
    shift
    status=0
    : >"$folder/report"
    # shellcheck disable=SC2086 # several options
    nvrtl check $options --output="$folder/report" -- "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" = "$expected" ] || fail "$*: exit status $status, not $expected"
    ! grep -q 'another program changed it' "$folder/report" || fail "$*: nvrtl took its own change for another's"
}

# clean PROGRAM [ARG...]: ends with 0, and nothing is found.
clean() {
    checked 0 "$@"
    grep -q '^nvrtl check: no findings$' "$folder/report" || fail "$*: findings"
}

# finds RULE FILE: among what the last run found.
finds() {
    grep -qxF "error: $1: $2" "$folder/report" || fail "no finding $1 of $2"
}

# finds_only RULE FILE: it is all that the last run found.
finds_only() {
    finds "$1" "$2"
    [ "$(grep -c '^\(error\|warning\|note\): ' "$folder/report")" = 1 ] || fail "more findings than $1 of $2"
}

# caught RULE FILE PROGRAM [ARG...]: that finding, and no other.
caught() {
    rule=$1 file=$2
    shift 2
    checked 99 "$@"
    finds_only "$rule" "$file"
}

# apart FOLDER COMMAND [ARG...]: a command of this file, in a folder of its own. For a process of its own.
apart() {
    folder=$1 number=0
    shift
    fresh
    "$@"
}

# together TIMES COMMAND [ARG...]: each time apart, five at once. For programs that spend their time asleep.
together() {
    left=$1
    shift
    while [ "$left" -gt 0 ]; do
        running=''
        for one in 1 2 3 4 5; do
            [ "$left" -gt 0 ] || break
            left=$((left - 1))
            mkdir "$folder/$number.$left"
            apart "$folder/$number.$left" "$@" &
            running="$running $!"
        done
        for one in $running; do
            wait "$one" || fail "$*"
        done
    done
}

# holds FILE TEXT
holds() {
    [ -f "$1" ] || fail "there is no file $1"
    [ "$(cat "$1")" = "$2" ] || fail "$1 holds '$(cat "$1")', not '$2'"
}

lacks() {
    for name; do
        if [ -e "$name" ] || [ -L "$name" ]; then fail "there is a $name"; fi
    done
}

# All that can be told of the files below a folder, but for when.
tree() {
    (
        cd "$1" || exit
        find . '(' -type d -printf '%p %y %m\n' ')' -o '(' -type l -printf '%p %y %l\n' ')' -o \
            -printf '%p %y %m %n %s\n' | sort
        find . -type f -readable -exec sha256sum {} + | sort
    )
}

# Files that are never the same twice, such as those that hold process numbers.
volatile=''

# What files are there before `same` runs a program. Tests say so by a function of their own with this name.
starting_files() {
    :
}

# same STATUS CHECKED-STATUS PROGRAM [ARG...]: what it prints, its status, and its files are the same as without nvrtl.
# The status is that of the program; under nvrtl it is 99 where there is something to find.
same() {
    alone=$1 watched=$2
    shift 2
    fresh
    (starting_files) >/dev/null
    status=0
    "$@" >"$folder/native.out" 2>"$folder/native.err" </dev/null || status=$?
    [ "$status" = "$alone" ] || fail "$*: exit status $status without nvrtl, not $alone"
    # shellcheck disable=SC2086 # several names
    rm -f $volatile
    tree . >"$folder/native.tree"
    fresh
    (starting_files) >/dev/null
    checked "$watched" "$@"
    # shellcheck disable=SC2086
    rm -f $volatile
    tree . >"$folder/tree"
    for what in out err tree; do
        diff "$folder/native.$what" "$folder/$what" || fail "$*: its $what differs from without nvrtl"
    done
}
