# SPDX-License-Identifier: MIT
"""What the tests of this folder share. usage of a test: NAME.py NVRTL self|user

The variant `user` is an ordinary user where root runs the tests. A test that needs something that is not there is
skipped; when all are, the status is 77.
"""
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import unittest

NVRTL = os.path.abspath(sys.argv[1])
VARIANT = sys.argv[2]
USER = 65534
PATIENCE = 60  # seconds; nothing that works takes that long

for variable in ('NVRTL_DOMAIN', 'NVRTL_CPU', 'NVRTL_VERIFIER_PATH'):
    os.environ.pop(variable, None)
os.environ['LC_ALL'] = 'C'


def skip(why):
    print(why)
    sys.exit(77)


def python():
    """One that this user may run."""
    return next((path for path in (sys.executable, '/usr/bin/python3') if os.access(path, os.X_OK)), None)


def become_user():
    """By an exec: what a process that changed its user does is hidden from others of that user."""
    if VARIANT != 'user' or 'RUN_AS_USER' in os.environ:
        return
    if os.geteuid():
        skip('the tests are run by an ordinary user already')
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    for path in (NVRTL, sys.argv[0]):
        if not os.access(path, os.R_OK):
            skip(f'an ordinary user cannot reach {path}')
    if not python():
        skip('there is no python that an ordinary user may run')
    os.environ['RUN_AS_USER'] = '1'
    os.execv(python(), [python(), *sys.argv])


class Test(unittest.TestCase):
    """Each test in an empty folder, self.base, that goes with it."""

    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix='nvrtl-run.'))
        self.addCleanup(self.remove)
        self.folder = self.base / 'folder'
        self.folder.mkdir()

    def remove(self):
        for parent, folders, _ in os.walk(self.base):
            for name in folders:
                os.chmod(os.path.join(parent, name), 0o700)
        shutil.rmtree(self.base)

    def start(self, *program, options=(), **more):
        """nvrtl check in self.folder; killed with the test at the latest."""
        more = {'cwd': self.folder, 'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE,
                **more}
        process = subprocess.Popen([NVRTL, 'check', *options, '--', *program], **more)
        self.addCleanup(end, process)
        return process

    def check(self, *program, options=(), status=0, **more):
        """Run it to its end. Returns (output, messages)."""
        process = self.start(*program, options=options, **more)
        output, messages = process.communicate(timeout=PATIENCE)
        output, messages = (output or b'').decode(), (messages or b'').decode()
        self.assertEqual(process.returncode, status, output + messages)
        return output, messages

    def shell(self, script, **more):
        return self.check('sh', '-euc', script, **more)

    def python(self, script, **more):
        return self.check(python(), '-c', script, **more)

    def as_user(self, *groups):
        """Arguments of check: as an ordinary user that has other groups, too."""
        self.need(VARIANT == 'self' and not os.geteuid(), 'only root can be everybody')
        reach = subprocess.run(['test', '-x', NVRTL], user=USER, group=USER, extra_groups=[])
        self.need(reach.returncode == 0, 'an ordinary user cannot reach nvrtl')
        self.base.chmod(0o755)
        return {'user': USER, 'group': USER, 'extra_groups': groups}

    def need(self, condition, what):
        if not condition:
            self.skipTest(what)


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def end_of(stream):
    """Wait until every process that could write to it is gone; what they wrote. None: one is not."""
    parts = []
    while True:
        if not select.select([stream], [], [], PATIENCE)[0]:
            return None
        part = os.read(stream.fileno(), 65536)
        if not part:
            return b''.join(parts).decode()
        parts.append(part)


def wait_for(condition, patience=PATIENCE):
    """Until it is true, of something that cannot be waited for otherwise; false when it never is."""
    for _ in range(patience * 1000):
        if condition():
            return True
        select.select([], [], [], 0.001)
    return False


def main():
    become_user()
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=1).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
