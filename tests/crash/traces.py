# SPDX-License-Identifier: MIT
"""What the tests of nvrtl crash share. usage of a test: NAME.py NVRTL self|user MAKE-TRACE [LIBRARY]"""
import os
import pathlib
import re
import subprocess
import sys

for folder in ('reports', 'run'):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / folder))
import common as run  # pylint: disable=wrong-import-position
import findings_schema  # pylint: disable=wrong-import-position

MAKE_TRACE = os.path.abspath(sys.argv[3])
LIBRARY = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else None

# One file; two rows, each written, synced and promised.
ROWS = """
folder 1 /data/db
initial file 2 1 log
place 1 append\\tlog.c\\t12\\t/bin/prog\\t100\\nmain\\tlog.c\\t50\\t/bin/prog\\t200\\n
place 2 commit\\tlog.c\\t33\\t/bin/prog\\t300\\n
at 1
write 2 0 hello world.
at 2
sync 2
promise hello
at 1
write 2 12 second row.
at 2
sync 2
promise second
end 0 prog log
"""
# The same, promised before it is synced.
EARLY = ROWS.replace('at 2\nsync 2\npromise second', 'promise second\nat 2\nsync 2')
# Several files, folders and a name that comes late.
NAMES = """
folder 1 /data/db
initial dir 2 1 sub
initial file 3 1 log
initial file 4 2 deep
write 4 0 below
sync 4
file 5 1 new
write 5 0 fresh
sync 5
rename 5 1 1 new renamed
write 3 0 tail
sync 3
symlink 6 1 pointer log
sync-folder 1
end 0 prog
"""
def with_ballast(text, size=8000000):
    """So much more that states are overlays instead of copies."""
    number = text.count('initial') + len(re.findall('^(file|dir|symlink)', text, re.M)) + 2
    ballast = f'initial file {number} 1 ballast\ninitial size {number} {size}\n'
    return text.replace('initial', f'{ballast}initial', 1)


def wide(lines, rounds=1, address='0x7f1200000000'):
    """A mapped file: so many lines are changed, flushed and drained, in each round."""
    text = f'folder 1 /data/db\ninitial file 2 1 pool\ninitial size 2 65536\nmap 2 {address} 0 65536\n'
    for number in range(rounds):
        text += ''.join(f'changed 2 {i * 512} \\x{i + 1:02x}{number}......*8\n' for i in range(lines))
        text += ''.join(f'flush 2 {i * 512} 64\n' for i in range(lines))
        text += f'drain 2\npromise round {number}\n'
    return text + 'end 0 prog\n'


class Test(run.Test):
    def trace(self, text, name='trace'):
        path = self.base / name
        subprocess.run([MAKE_TRACE, path], input=text, text=True, check=True)
        return path

    def crash(self, *options, status=0, **more):
        """nvrtl crash in self.folder. Returns its standard output and error."""
        more = {'cwd': self.folder, 'stdin': subprocess.DEVNULL, 'capture_output': True, 'text': True,
                'timeout': run.PATIENCE, **more}
        done = subprocess.run([run.NVRTL, 'crash', *options], check=False, **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def report(self, *options, status=0, **more):
        """The same, and its report as JSON."""
        path = self.base / 'report.json'
        self.crash('--format=json', f'--output={path}', *options, status=status, **more)
        return findings_schema.load(path)

    def judge(self, text, script, *options, status=0):
        """Each state by a shell script, whose $1 is the state; the report."""
        script_path = self.base / 'recover'
        script_path.write_text(f'set -eu\n{script}\n')
        return self.report(f'--from={self.trace(text)}', f'--recover=sh {script_path} {{}}', *options, status=status)

    def states(self, report):
        return report['summary']['crash']['judged']


main = run.main
