#!/bin/sh
# SPDX-License-Identifier: MIT
# Where a program's output goes: files in the folder at stake that the shell opened keep it, and are not judged.
set -eu
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2086 # several options
check() {
    nvrtl check $options --output="$folder/report" -- "$@"
}

fresh
status=0
check act say one write a text fsync a say two >out.txt 2>err.txt || status=$?
[ $status = 0 ] || fail "output into the folder: exit status $status"
holds out.txt 'one
two'
holds err.txt ''
grep -q '^nvrtl check: no findings$' "$folder/report" || fail 'the output was judged'

# The same file, appended to; by several processes; and opened by the program as well.
check sh -c 'act say three; act say four fsync a' >>out.txt || fail "appended output: exit status $?"
holds out.txt 'one
two
three
four'
check sh -c 'cat out.txt | wc -l; act fsync a' >count.txt || fail "a file that is read: exit status $?"
grep -q 4 count.txt || fail 'the program does not see what the file holds'

# A power failure of the simulated machine does not take what the shell keeps.
check act say before write b lost kill 9 >dying.txt || status=$?
[ $status = 137 ] || fail "exit status $status, not 137"
holds dying.txt before
lacks b

# Input from the folder, while the report goes into it.
echo text >in.txt
nvrtl check --output=report.txt -- sh -c 'cat >copy.txt; sync copy.txt' <in.txt || fail "input: exit status $?"
holds copy.txt text
grep -q '^nvrtl check: no findings$' report.txt || fail 'the report in the folder is not whole'
nvrtl check --format=json --output=report.json -- act write a more || status=$?
[ $status = 99 ] || fail "a report into the folder: exit status $status"
grep -q '"rule": *"not-flushed"' report.json || fail 'the report in the folder lacks the finding'
python3 "$(dirname "$0")/../reports/findings_schema.py" report.json || fail 'the report in the folder is not valid'

# Pipes and programs that end early.
check act say hello fsync a | grep -qx hello || fail 'output to a pipe'
