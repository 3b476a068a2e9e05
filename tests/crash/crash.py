#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command nvrtl crash: exit statuses, what {} is, reports, shards and their sum, states kept and replayed."""
import os
import pathlib
import signal
import subprocess

from traces import EARLY, NAMES, ROWS, Test, main, wide, with_ballast
from traces import findings_schema
from traces import run as common

KEEPS = 'sh -c \'! grep -q second "$NVRTL_PROMISES" || grep -q second {}\''


def running(stat):
    """Of a process; one that nobody has collected yet does not run."""
    try:
        return stat.read_text().rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


def tree(folder):
    """Everything in it: {path: (mode, content)}."""
    found = {}
    for path in sorted(folder.rglob('*')):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, content)
    return found


class Statuses(Test):
    def test_good(self):
        self.crash(f'--from={self.trace(ROWS)}', f'--recover={KEEPS}')

    def test_failing(self):
        path = self.trace(EARLY)
        self.crash(f'--from={path}', f'--recover={KEEPS}', status=99)
        self.crash(f'--from={path}', f'--recover={KEEPS}', '--error-exitcode=3', status=3)

    def test_no_trace(self):
        self.assertIn('nowhere', self.crash('--from=nowhere', '--recover=true', status=125)[1])
        (self.folder / 'foreign').write_text('no trace')
        self.crash('--from=foreign', '--recover=true', status=125)

    def test_no_such_recovery(self):
        path = self.trace(ROWS)
        for command in ('no-such-command {}', 'no-such-command {} | cat; exit 127', './none {}'):
            with self.subTest(command):
                self.assertIn('recovery command', self.crash(f'--from={path}', f'--recover={command}', status=125)[1])

    def test_nothing_to_explore(self):
        path = self.trace('folder 1 /data/db\nend 0 prog\n')
        self.assertIn('nothing could be verified', self.crash(f'--from={path}', '--recover=true', status=125)[1])

    def test_usage(self):
        path = self.trace(ROWS)
        for options in (['--', 'true'], [f'--from={path}'], ['--recover=true'],
                        ['--from=x', '--recover=true', '--', 'true'],
                        ['--from=x', '--recover=true', '--recover-fn=a:b'], ['--recover-fn=a', '--from=x'],
                        ['--from=x', '--recover=true', '--shard=0/2'], ['--from=x', '--recover=true', '--shard=3/2'],
                        ['--from=x', '--recover=true', '--jobs=0'], ['--from=x', '--recover=true', '--timeout=0'],
                        ['--merge'], ['--merge', '--recover=true', 'x'], ['--replay=1', '--recover=true', '--', 'true'],
                        ['--from=x', '--replay=1'], ['--from=x', '--recover=true', '--max-time=-1']):
            with self.subTest(options):
                self.crash(*options, status=2)

    def test_interrupted(self):
        path = self.trace(wide(12))
        process = subprocess.Popen([common.NVRTL, 'crash', f'--from={path}', '--recover=sh -c "echo; sleep 0.01" {}'],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder, text=True)
        self.addCleanup(common.end, process)
        children = f'/proc/{process.pid}/task/{process.pid}/children'
        self.assertTrue(common.wait_for(lambda: pathlib.Path(children).read_text().strip()))
        process.send_signal(signal.SIGINT)
        messages = process.communicate(timeout=common.PATIENCE)[1]
        self.assertIn('stopped before the end', messages)
        self.assertIn(process.returncode, (125, 130), messages)


    def test_killed(self):
        """Nothing that it started lives on."""
        process = subprocess.Popen([common.NVRTL, 'crash', f'--from={self.trace(ROWS)}', '--recover=sleep 1000',
                                    '--timeout=1000'], stdout=subprocess.PIPE, cwd=self.folder,
                                   env=dict(os.environ, TMPDIR=str(self.base)))
        self.addCleanup(common.end, process)
        children = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children')
        self.assertTrue(common.wait_for(lambda: children.read_text().strip()))
        cells = [pathlib.Path(f'/proc/{child}/stat') for child in children.read_text().split()]
        process.kill()
        self.assertIsNotNone(common.end_of(process.stdout), 'a process of it holds its output')
        self.assertTrue(common.wait_for(lambda: not any(running(cell) for cell in cells)))


class Placeholder(Test):
    def recovered(self, text, command, *options):
        """What the command got for {}, in each state."""
        out = self.base / 'out'
        self.crash(f'--from={self.trace(text)}', f'--recover={command} >> {out}', *options)
        return out.read_text().split('\n')[:-1]

    def test_one_file(self):
        self.assertTrue(all(path.endswith('/state/log') for path in self.recovered(ROWS, 'echo {}')))

    def test_several_files(self):
        self.assertTrue(all(path.endswith('/state') for path in self.recovered(NAMES, 'echo {}')))

    def test_one_file_that_is_named(self):
        for glob in ('deep', 'sub/*'):
            paths = self.recovered(NAMES, 'echo {}', f'--files={glob}')
            self.assertTrue(all(path.endswith('/state/sub/deep') for path in paths), paths)
            (self.base / 'out').unlink()

    def test_in_words_and_quotes(self):
        for path in self.recovered(ROWS, 'echo "a={}" b={}c \'{}\''):
            a, b, c = path.split(' ')
            self.assertEqual((a[2:], b[2:-1]), (c, c))

    def test_a_scratch_folder_that_a_shell_takes_apart(self):
        scratch = self.base / 'a b$c,d:e'
        scratch.mkdir()
        for text in (ROWS, wide(2).replace('65536', '9000000')):
            self.crash(f'--from={self.trace(text)}', '--recover=test -e {} && test -n "$NVRTL_PROMISES"',
                       f'--scratch={scratch}')
            self.assertEqual(os.listdir(scratch), [])

    def test_environment(self):
        promises = self.recovered(ROWS, '(tr "\\n" , < $NVRTL_PROMISES; echo)')
        self.assertEqual(set(promises), {'', 'hello,', 'hello,second,'})


class Reports(Test):
    def test_finding(self):
        report = self.report(f'--from={self.trace(EARLY)}', f'--recover={KEEPS}', '--jobs=1', status=99)
        self.assertEqual({finding['rule'] for finding in report['findings']}, {'crash-state'})
        for finding in report['findings']:
            crash = finding['crash']
            self.assertEqual(finding['stack'][0]['function'], 'append')
            self.assertEqual(finding['flush_stack'][0]['function'], 'commit')
            self.assertEqual(crash['promises'], 2)
            self.assertTrue(crash['causes'][0]['missing'])
            self.assertEqual(crash['causes'][0]['guard'], 'sync')
            self.assertFalse(crash['unsteady'])
        summary = report['summary']
        self.assertTrue(summary['crash']['exhaustive'])
        self.assertEqual(summary['file_system_model'], 'journaled')
        self.assertIn('failure', summary['verdict'])

    def test_formats(self):
        path = self.trace(EARLY)
        for name, word in (('text', 'crash-state'), ('sarif', 'crash-state'), ('html', 'crash-state')):
            with self.subTest(name):
                messages = self.crash(f'--from={path}', f'--recover={KEEPS}', f'--format={name}', status=99)[1]
                self.assertIn(word, messages)

    def test_text_is_short(self):
        text = self.crash(f'--from={self.trace(EARLY)}', f'--recover={KEEPS}', status=99)[1]
        for block in text.split('\n\n'):
            if block.startswith('error'):
                self.assertLessEqual(len(block.splitlines()), 12)

    def test_suppressed(self):
        listed = self.folder / 'list'
        listed.write_text('crash-state:*log:append\n')
        self.crash(f'--from={self.trace(EARLY)}', f'--recover={KEEPS}', f'--suppressions={listed}')

    def test_output_is_kept(self):
        report = self.judge(ROWS, 'echo one; echo two >&2; exit 4', status=99)
        self.assertEqual(report['findings'][0]['crash']['output'], 'one\ntwo\n')

    def test_unsteady(self):
        """A recovery that fails now and then says so, instead of sending anybody the wrong way."""
        report = self.judge(ROWS, f'test -e {self.base}/failed || {{ touch {self.base}/failed; exit 1; }}', '--jobs=1',
                            status=99)
        self.assertTrue(report['findings'][0]['crash']['unsteady'])


class Kept(Test):
    def test_replay_is_the_same(self):
        """What is kept when it fails, and what is built again, is what recovery got."""
        path, kept, seen = self.trace(NAMES), self.base / 'kept', self.base / 'seen'
        seen.mkdir()
        script = f'rm -rf {seen}/x; cp -a {{}} {seen}/x; test ! -e {{}}/renamed'
        report = self.report(f'--from={path}', '--jobs=1', f'--keep={kept}', f'--recover={script}', status=99)
        self.assertGreater(len(report['findings']), 0)
        for finding in report['findings']:
            crash = finding['crash']
            self.assertEqual(crash['kept'], str(kept / crash['id']))
            again = self.base / 'again'
            told = self.crash(f'--from={path}', f'--replay={crash["id"]}', f'--keep={again}',
                              f'--recover={script}', status=99)[0]
            self.assertIn('recovery ended with status 1', told)
            self.assertEqual(tree(seen / 'x'), tree(again / crash['id'] / 'files'))
            self.assertEqual(tree(kept / crash['id']), tree(again / crash['id']))
            self.assertIn('renamed', tree(again / crash['id'] / 'files'))

    def test_replay_command(self):
        """The report names the command that builds the state."""
        path = self.trace(EARLY)
        report = self.report(f'--from={path}', f'--recover={KEEPS}', status=99)
        for finding in report['findings']:
            command = finding['crash']['replay'].replace('nvrtl', common.NVRTL, 1)
            subprocess.run(command, shell=True, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
            state = self.folder / finding['crash']['id']
            self.assertNotIn(b'second row.', (state / 'files' / 'log').read_bytes())
            self.assertEqual((state / 'promises').read_text(), 'hello\nsecond\n')

    def test_no_such_state(self):
        self.crash(f'--from={self.trace(ROWS)}', '--replay=nonsense', f'--keep={self.base}', status=125)


class Overlays(Test):
    """A state is the same whether it is a copy or an overlay over files that are moved about."""

    TEXT = """
folder 1 /data/db
initial dir 2 1 sub
initial dir 3 2 inner
initial file 4 1 one
initial file 5 3 deep
initial link 5 1 second
write 4 0 first
sync 4
link 4 2 other
unlink 4 1 one
file 6 1 one
write 6 0 anew
rename 6 1 2 one moved
mode 5 100600
write 5 0 deeper
rename 2 1 1 sub renamed
dir 7 1 sub
rename 5 1 7 second second
unlink 5 3 deep
unlink 3 2 inner
symlink 8 7 pointer second
sync-folder 1
sync-folder 7
sync 5
end 0 prog
"""
    TELL = """cd "$1"; find . ! -name ballast ! -type d -printf '%p %m %n %y %l\\n' | sort
        find . -type f ! -name ballast -exec sha1sum {} + | sort; find . -type d -printf '%p %m\\n' | sort"""

    def states(self, text, model):
        out = self.base / 'out'
        script = self.base / 'tell'
        script.write_text(f'({self.TELL}) | sha1sum >> {out}; :')
        self.crash(f'--from={self.trace(text)}', f'--recover=sh {script} {{}}', f'--fs={model}', '--max-states=80')
        lines = out.read_text().split('\n')[:-1]
        out.unlink()
        return sorted(lines)

    def test_same_as_copies(self):
        for model in ('journaled', 'posix'):
            with self.subTest(model):
                copies = self.states(with_ballast(self.TEXT, 1), model)
                self.assertGreater(len(set(copies)), 15)
                self.assertEqual(copies, self.states(with_ballast(self.TEXT), model))


class Shards(Test):
    TEXT = wide(7)

    def seen(self, *options):
        """The states that were judged, by what they hold."""
        out = self.base / 'out'
        self.crash(f'--from={self.trace(self.TEXT)}', *options,
                   f'--recover=cat {{}} "$NVRTL_PROMISES" | sha1sum >> {out}')
        lines = out.read_text().split('\n')[:-1]
        out.unlink()
        return lines

    def test_disjoint_and_complete(self):
        whole = self.seen('--jobs=1')
        self.assertEqual(len(whole), len(set(whole)))
        self.assertGreaterEqual(len(whole), 128)
        parts = [self.seen(f'--shard={number}/3', '--jobs=2') for number in (1, 2, 3)]
        self.assertEqual(sorted(sum(parts, [])), sorted(whole))
        self.assertTrue(all(parts))

    def test_jobs_find_the_same(self):
        path = self.trace(EARLY)
        for jobs in (1, 2, 5):
            report = self.report(f'--from={path}', f'--recover={KEEPS}', f'--jobs={jobs}', status=99)
            found = sorted(finding['message'] for finding in report['findings'])
            self.assertEqual(report['summary']['crash']['jobs'], jobs)
            self.assertEqual(found, sorted(set(found)))
            first = first if jobs > 1 else found
            self.assertEqual(found, first)


class Merged(Test):
    def shards(self, text, count, **more):
        path, reports = self.trace(text), []
        for number in range(1, count + 1):
            reports.append(str(self.base / f'{number}.json'))
            subprocess.run([common.NVRTL, 'crash', f'--from={path}', f'--recover={KEEPS}', f'--shard={number}/{count}',
                            '--format=json', f'--output={reports[-1]}'], cwd=self.folder, check=False, **more)
        return path, reports

    def test_all(self):
        path, reports = self.shards(EARLY, 3)
        out = self.base / 'merged.json'
        self.crash('--format=json', f'--output={out}', '--merge', *reports, status=99)
        merged = findings_schema.load(out)
        whole = self.report(f'--from={path}', f'--recover={KEEPS}', status=99)
        self.assertEqual(sorted(finding['message'] for finding in merged['findings']),
                         sorted(finding['message'] for finding in whole['findings']))
        crash = merged['summary']['crash']
        self.assertEqual((crash['shards'], crash['shard']), (3, [1, 2, 3]))
        self.assertTrue(crash['exhaustive'])
        self.assertEqual(crash['states'], whole['summary']['crash']['states'])

    def test_clean(self):
        reports = self.shards(ROWS, 2)[1]
        self.crash('--merge', *reports)

    def test_missing(self):
        reports = self.shards(ROWS, 3)[1]
        self.assertIn('shards are missing: 2', self.crash('--merge', reports[0], reports[2], status=125)[1])

    def test_twice(self):
        reports = self.shards(ROWS, 2)[1]
        self.assertIn('in another report', self.crash('--merge', *reports, reports[0], status=125)[1])

    def test_of_other_traces(self):
        reports = self.shards(ROWS, 2)[1]
        os.rename(reports[0], self.base / 'other')
        self.shards(EARLY, 2)
        self.assertIn('another trace', self.crash('--merge', str(self.base / 'other'), reports[1], status=125)[1])

    def test_no_report(self):
        for content in ('', '{}', '[]', '{"schema": "nvrtl-findings/1"}'):
            (self.folder / 'x').write_text(content)
            self.crash('--merge', 'x', status=125)


class Recorded(Test):
    """A program is run: from its writes to the finding."""

    APPEND = 'import os; f = os.open("log", os.O_WRONLY | os.O_CREAT, 0o644); os.write(f, b"row\\n"); {} ' \
             'os.write(1, b"row\\n"); {}'
    KEPT = 'sh -c \'! grep -q row "$NVRTL_PROMISES" || grep -q row {}\''

    def run_crash(self, program, *options, status):
        return self.crash('--ack-fd=1', f'--recover={self.KEPT}', *options, '--', common.python(), '-c', program,
                          status=status)

    def test_synced(self):
        out, messages = self.run_crash(self.APPEND.format('os.fsync(f);', ''), status=0)
        self.assertEqual(out, 'row\n')
        self.assertIn('no failure', messages)
        self.assertEqual((self.folder / 'log').read_text(), 'row\n')

    def test_not_synced(self):
        self.assertIn('crash-state', self.run_crash(self.APPEND.format('', 'os.fsync(f)'), status=99)[1])

    def test_recorded_and_explored_later(self):
        trace = self.base / 'trace'
        program = self.APPEND.format('', 'os.fsync(f)')
        self.crash('--ack-fd=1', f'--record={trace}', '--', common.python(), '-c', program)
        self.crash(f'--from={trace}', f'--recover={self.KEPT}', status=99)

    def test_no_such_program(self):
        self.crash('--recover=true', '--', './none', status=127)


if __name__ == '__main__':
    main()
