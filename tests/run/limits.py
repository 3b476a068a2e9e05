#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Limits that nvrtl was started with: its own work passes them by where it can, and says so where it cannot."""
import os
import resource
import subprocess

from common import NVRTL, Test, main

KIB = 1024


def limited(kind, soft, hard):
    return {'preexec_fn': lambda: resource.setrlimit(kind, (soft, hard))}


class Limits(Test):
    def test_file_size(self):
        """What was there may be larger than what the program may write."""
        (self.folder / 'large').write_bytes(bytes(range(256)) * 400)
        output, _ = self.shell('ulimit -f; echo x >small; sync', **limited(resource.RLIMIT_FSIZE, 10 * KIB, -1))
        self.assertIn(output.strip(), ('10', '20'))  # blocks of a shell's own size
        self.assertEqual((self.folder / 'large').stat().st_size, 102400)

    def test_file_size_that_cannot_be_raised(self):
        self.need(os.geteuid(), 'root may raise it')
        (self.folder / 'large').write_bytes(bytes(range(256)) * 400)
        _, messages = self.shell('echo x >small', status=125, **limited(resource.RLIMIT_FSIZE, 10 * KIB, 10 * KIB))
        self.assertIn('large: File too large; the limit of file sizes (ulimit -f) is too low for it', messages)

    def test_descriptors(self):
        output, _ = self.shell('ulimit -n; echo x >small; sync', **limited(resource.RLIMIT_NOFILE, 16, 4096))
        self.assertEqual(output, '16\n')

    def test_descriptors_that_cannot_be_raised(self):
        """The kernel and the container are not blamed for it."""
        for limit in range(6, 13):
            process = self.start('true', **limited(resource.RLIMIT_NOFILE, limit, limit))
            messages = process.communicate()[1].decode()
            self.assertEqual(process.returncode, 125, limit)
            self.assertIn('Too many open files', messages, limit)
            self.assertNotIn('kernel', messages, limit)
            self.assertNotIn('container', messages, limit)

    def group(self, used_bytes, cached_bytes=0):
        """As if the control group had 100 MB. Returns what nvrtl says."""
        script = (f'mount -t tmpfs none /sys/fs/cgroup || exit 77; cd /sys/fs/cgroup; echo 100000000 >memory.max;'
                  f'echo {used_bytes} >memory.current; echo active_file {cached_bytes} >memory.stat;'
                  f'cd "$OLDPWD"; exec "$@"')
        done = subprocess.run(['unshare', '-Urm', 'sh', '-c', script, '-', NVRTL, 'check', '--', 'sh', '-c',
                               'echo x >small; sync; stat -fc "%S %b" .'],
                              cwd=self.folder, capture_output=True, text=True)
        self.need(done.returncode in (0, 99, 125), 'a namespace with control groups of its own cannot be made')
        return done.stdout, done.stderr

    def test_memory_of_a_control_group(self):
        (self.folder / 'large').write_bytes(bytes(range(256)) * 30000)
        output, messages = self.group(used_bytes=50000000)
        self.assertIn('copy as the view', messages)
        size, count = output.split()
        self.assertLessEqual(int(size) * int(count), 75100000)
        _, messages = self.group(used_bytes=90000000)
        self.assertIn('too many to copy', messages)
        _, messages = self.group(used_bytes=99000000, cached_bytes=60000000)
        self.assertIn('copy as the view', messages)


if __name__ == '__main__':
    main()
