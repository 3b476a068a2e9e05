#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recoveries that write, crash, hang, fill the disk or remove what they are given: the next state is as it should be.

Every recovery looks first whether the state is a legal one, so that whatever the one before has left is seen.
"""
from traces import NAMES, ROWS, Test, main, with_ballast

LEGAL = """
text=$(cat "$1")
case $text in
    '' | 'hello world.' | 'hello world.second row.') ;;
    *) echo "not legal: $text" >&2; exit 3 ;;
esac
case $(dirname "$1"):$(ls -A "$(dirname "$1")") in
    *:log | *:ballast*log) ;;
    *) echo "more than there was: $(ls -A "$(dirname "$1")")" >&2; exit 4 ;;
esac
[ "$(stat -c %a "$1")" = 644 ] || exit 5
[ -z "$(cat "$NVRTL_PROMISES")" ] || grep -q '^hello$' "$NVRTL_PROMISES" || exit 6
"""
TREE = """
holds() {
    text=$(tr -d '\\0' < "$1")
    [ -z "$text" ] || [ "$text" = "$2" ]
}
cd "$1"
holds sub/deep below || exit 3
holds log tail || exit 4
[ ! -e new ] || holds new fresh || exit 5
[ ! -e renamed ] || holds renamed fresh || exit 6
[ ! -h pointer ] || [ "$(readlink pointer)" = log ] || exit 7
for name in $(ls -A) $(ls -A sub); do
    case $name in sub | deep | ballast | log | new | renamed | pointer) ;; *) exit 8 ;; esac
done
cd /
"""


class Files(Test):
    made = staticmethod(str)

    def undisturbed(self, what, **more):
        report = self.judge(self.made(ROWS), LEGAL + what, '--files=log', **more)
        self.assertEqual(report['findings'], [])
        self.assertGreater(self.states(report), 4)

    def test_nothing(self):
        self.undisturbed('')

    def test_writes(self):
        self.undisturbed('echo more >> "$1"; echo other > "$1".new')

    def test_removes_its_input(self):
        self.undisturbed('rm -rf "$1"')

    def test_removes_the_folder(self):
        self.undisturbed('rm -rf "$(dirname "$1")" || :')

    def test_renames_its_input(self):
        self.undisturbed('mv "$1" "$1".old')

    def test_renames_the_folder(self):
        self.undisturbed('mv "$(dirname "$1")" "$(dirname "$1")".old || :')

    def test_replaces_it_by_a_folder(self):
        self.undisturbed('rm "$1"; mkdir -p "$1/a/b/c"; touch "$1/a/b/c/d"')

    def test_changes_modes(self):
        self.undisturbed('chmod 0 "$1"; chmod 0 "$(dirname "$1")"')

    def test_links(self):
        self.undisturbed('ln "$1" "$1".two; ln -s / "$1".three')

    def test_fills_the_disk(self):
        self.undisturbed('head -c 1000000000 /dev/zero > "$1".full 2>/dev/null && exit 9; rm -f "$1"; :')

    def test_changes_its_promises(self):
        self.undisturbed('chmod 644 "$NVRTL_PROMISES"; echo mine > "$NVRTL_PROMISES"; rm "$NVRTL_PROMISES"')

    def test_leaves_processes(self):
        self.undisturbed('(while :; do echo more >> "$1"; done) & setsid sh -c "while :; do :; done" &')

    def test_leaves_what_ignores_signals(self):
        self.undisturbed('setsid sh -c "trap : TERM HUP INT; sleep 1000" > /dev/null 2>&1 &')


class FilesInOverlays(Files):
    made = staticmethod(with_ballast)


class Folders(Test):
    made = staticmethod(str)

    def undisturbed(self, what):
        report = self.judge(self.made(NAMES), TREE + what)
        self.assertEqual(report['findings'], [])
        self.assertGreater(self.states(report), 5)

    def test_nothing(self):
        self.undisturbed('')

    def test_removes_all(self):
        self.undisturbed('rm -rf "$1"/* "$1" || :')

    def test_unreadable(self):
        self.undisturbed('mkdir -p "$1/x/y"; chmod 0 "$1/x" "$1/sub" "$1"')

    def test_other_names(self):
        self.undisturbed('mv "$1/sub" "$1/other"; mkdir "$1/sub"; mkfifo "$1/fifo"; ln -s nowhere "$1/sub/link"')

    def test_deep(self):
        self.undisturbed('i=0; cd "$1"; while [ $i -lt 200 ]; do mkdir d; cd d; i=$((i+1)); done')


class FoldersInOverlays(Folders):
    made = staticmethod(with_ballast)


class Failures(Test):
    """They fail, each of them in its own way, and all states are tried."""

    def ending(self, what, *options):
        report = self.judge(ROWS, what, *options, status=99)
        self.assertGreater(self.states(report), 4)
        return report['findings'][0]['crash']['ending']

    def test_status(self):
        self.assertEqual(self.ending(LEGAL + 'exit 7'), 'ended with status 7')

    def test_signal(self):
        self.assertEqual(self.ending(LEGAL + 'kill -SEGV $$'), 'died of signal 11 (Segmentation fault)')

    def test_timeout(self):
        self.assertEqual(self.ending(LEGAL + 'sleep 1000 & sleep 1000', '--timeout=0.2'), 'did not end within 0.2 s')

    def test_stops_itself(self):
        self.assertEqual(self.ending(LEGAL + 'kill -STOP $$', '--timeout=0.2'), 'did not end within 0.2 s')

    def test_output_without_end(self):
        self.assertEqual(self.ending(LEGAL + 'exec yes', '--timeout=0.2'), 'did not end within 0.2 s')


if __name__ == '__main__':
    main()
