#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ends of a run: what nvrtl's own death takes with it, and what signals do before and after the program's time."""
import os
import pty
import select
import signal
import subprocess

from common import Test, end_of, main, wait_for

# After the program's end: it runs while the program's first process does, and then tells its number.
DAEMON = 'setsid sh -c "%s while kill -0 \\$1; do :; done; echo \\$\\$; exec sleep 1000" - $$ 2>/dev/null &'


class PowerFailure(Test):
    def test_processes_in_namespaces_of_their_own(self):
        """Whatever they did to be a world of their own, they end with nvrtl."""
        unshare = subprocess.run(['unshare', '-Um', 'true'], stderr=subprocess.DEVNULL)
        self.need(unshare.returncode == 0, 'unshare -Um is not possible here')
        process = self.start('unshare', '-Um', 'sh', '-c', 'echo $$; exec setsid sleep 1000')
        lost = int(process.stdout.readline())
        process.kill()
        left = end_of(process.stdout) is None
        if left:
            os.kill(lost, signal.SIGKILL)
        self.assertFalse(left, 'a process of the run lives on')

    def test_orphans(self):
        process = self.start('sh', '-c', '(setsid sleep 1000 & echo $!); echo end; exec sleep 1000')
        lost = int(process.stdout.readline())
        process.stdout.readline()
        process.kill()
        left = end_of(process.stdout) is None
        if left:
            os.kill(lost, signal.SIGKILL)
        self.assertFalse(left, 'a process of the run lives on')

    def test_while_files_are_copied_to_a_scratch_disk(self):
        scratch = self.base / 'scratch'
        scratch.mkdir()
        for number in range(16):
            (self.folder / str(number)).write_bytes(os.urandom(4 << 20))
        process = self.start('sleep', '1000', options=[f'--scratch={scratch}'])
        while not os.listdir(scratch):
            pass
        process.kill()
        self.assertTrue(wait_for(lambda: not os.listdir(scratch)), f'{os.listdir(scratch)} stays on the scratch disk')


class Signals(Test):
    def test_before_the_program_is_started(self):
        """It ends nvrtl: nobody else can be meant."""
        scratch = self.base / 'scratch'
        scratch.mkdir()
        (self.folder / 'file').write_text('content')

        def interrupt():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            os.kill(os.getpid(), signal.SIGINT)
        _, messages = self.shell('echo >started', status=130, preexec_fn=interrupt, options=[f'--scratch={scratch}'])
        self.assertIn('the program was not started', messages)
        self.assertEqual(os.listdir(self.folder), ['file'])
        self.assertEqual(os.listdir(scratch), [])

    def test_one_that_nvrtl_was_started_to_ignore(self):
        def interrupt():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            os.kill(os.getpid(), signal.SIGINT)
        self.shell('echo >started; sync', preexec_fn=interrupt)
        self.assertEqual(os.listdir(self.folder), ['started'])

    def signalled(self, trap, *numbers):
        """The program leaves a process behind. nvrtl gets signals until it has ended."""
        process = self.start('sh', '-c', 'echo x >file; sync;' + DAEMON % trap)
        daemon = int(process.stdout.readline())
        for number in numbers:
            process.send_signal(number)
        left = end_of(process.stdout) is None
        if left:
            os.kill(daemon, signal.SIGKILL)
        self.assertFalse(left, 'the process goes on')
        self.assertEqual(process.wait(), 0, process.stderr.read())
        self.assertEqual((self.folder / 'file').read_text(), 'x\n')

    def test_after_the_program_ended(self):
        """A process that it left running is asked to end; then the run ends as always."""
        self.signalled('', signal.SIGTERM)

    def test_twice_after_the_program_ended(self):
        """One that does not want to is killed."""
        process = self.start('sh', '-c', 'echo x >file; sync;' + DAEMON % "trap '' TERM INT;")
        daemon = int(process.stdout.readline())

        def ended():
            process.send_signal(signal.SIGINT)
            return process.poll() is not None
        there = wait_for(ended)
        if not there:
            os.kill(daemon, signal.SIGKILL)
        self.assertTrue(there, 'nvrtl does not end')
        self.assertEqual(process.wait(), 0)
        self.assertEqual((self.folder / 'file').read_text(), 'x\n')

    def test_at_a_terminal_it_says_what_it_waits_for(self):
        reader, terminal = pty.openpty()
        process = self.start('sh', '-c', DAEMON % '', stderr=terminal)
        os.close(terminal)
        daemon = process.stdout.readline().strip().decode()
        text = b''
        while b'waiting for it' not in text and select.select([reader], [], [], 30)[0]:
            text += os.read(reader, 1000)
        process.send_signal(signal.SIGTERM)
        self.assertIn(f'left 1 process running ({daemon})', text.decode())
        self.assertIsNotNone(end_of(process.stdout))
        os.close(reader)


if __name__ == '__main__':
    main()
