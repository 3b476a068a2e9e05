# SPDX-License-Identifier: MIT
"""What the tests of this folder share: programs run under `nvrtl check`, and their reports."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import findings_schema

PATIENCE = 120  # seconds; nothing that works takes that long


class Test(unittest.TestCase):
    """Each test in an empty folder, self.base, that goes with it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='nvrtl-reports.', ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.base = pathlib.Path(folder.name)
        self.files = self.base / 'files'
        self.files.mkdir()

    def fresh(self):
        """An empty folder again."""
        for path in self.files.iterdir():
            path.unlink()

    def check(self, *program, form, options=(), status=99):
        """Run it, and give the path of its report."""
        report = self.base / f'report.{form}'
        command = [NVRTL, 'check', f'--format={form}', f'--output={report}', *options, '--', *program]
        ran = subprocess.run(command, cwd=self.files, capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(ran.returncode, status, ran.stderr.decode(errors='replace'))
        return report

    def json(self, *program, **more):
        """Its report; one that does not follow the schema fails."""
        return findings_schema.load(self.check(*program, form='json', **more))


def main(*names):
    """Global variables of that name are set to the paths in the arguments; then the tests run."""
    arguments = sys.argv[1:1 + len(names)]
    if len(arguments) != len(names):
        sys.exit('usage: ' + ' '.join([sys.argv[0], *(name.upper() for name in names)]))
    for name, path in zip(names, arguments):
        for module in (sys.modules['__main__'], sys.modules[__name__]):
            setattr(module, name.upper(), str(pathlib.Path(path).resolve()))
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=1).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
