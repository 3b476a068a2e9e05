#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which folders are at stake, and what their views are like as folders."""
import os
import stat
import subprocess

from common import NVRTL, Test, main


class Folders(Test):
    def test_a_folder_in_one_that_is_named_later(self):
        """"a-b" sorts between "a" and "a/c"."""
        for name in ('a/c', 'a-b'):
            (self.folder / name).mkdir(parents=True)
        (self.folder / 'a/c/f').write_text('1')
        _, messages = self.shell('echo 2 >a/c/f; echo 3 >a/c/new; mv a/c/f a/moved; sync',
                                 options=['--dir=a/c', '--dir=a-b', '--dir=a'])
        self.assertIn('no findings', messages)
        self.assertEqual((self.folder / 'a/moved').read_text(), '2\n')
        self.assertEqual((self.folder / 'a/c/new').read_text(), '3\n')
        self.assertEqual(sorted(os.listdir(self.folder / 'a')), ['c', 'moved'])

    def test_a_file_with_names_in_two_of_them(self):
        """What happens under one name comes home, and is not taken back by the other, under which nothing happened."""
        for name in ('a', 'b', 'c'):
            (self.folder / name).mkdir()
        for number, written in enumerate(('a', 'b')):
            (self.folder / f'a/{number}').write_text('old')
            os.link(self.folder / f'a/{number}', self.folder / f'a/{number}.too')
            os.link(self.folder / f'a/{number}', self.folder / f'b/{number}')
            os.utime(self.folder / f'a/{number}', (1, 1))
            _, messages = self.shell(f'echo new >{written}/{number}; chmod 600 {written}/{number}; sync',
                                     options=['--dir=a', '--dir=b'])
            self.assertIn('a file with names in two folders', messages)
            status = os.stat(self.folder / f'a/{number}.too')
            self.assertEqual((self.folder / f'b/{number}').read_text(), 'new\n')
            self.assertEqual((status.st_nlink, stat.S_IMODE(status.st_mode)), (3, 0o600))
            self.assertGreater(status.st_mtime, 1)

    def test_many_hard_links(self):
        for number in range(2000):
            (self.folder / f'a{number}').write_text(str(number))
            os.link(self.folder / f'a{number}', self.folder / f'b{number}')
        output, _ = self.shell('stat -c %i a0 b0 a1999 b1999; echo new >a7; cat b7; sync')
        inodes = output.split()
        self.assertEqual((inodes[0], inodes[2], inodes[4]), (inodes[1], inodes[3], 'new'))
        self.assertEqual((self.folder / 'b7').read_text(), 'new\n')
        self.assertEqual(os.stat(self.folder / 'b7').st_nlink, 2)

    def test_a_folder_that_may_not_be_read(self):
        """As lost+found is everywhere. One that may be listed only is no better."""
        user = self.as_user()
        self.folder.chmod(0o777)
        for name, mode in (('closed', 0o700), ('listed', 0o744)):
            (self.folder / name).mkdir()
            (self.folder / name / 'file').write_text('x')
            (self.folder / name).chmod(mode)
        for view in ('copy', 'overlay'):
            _, messages = self.shell('echo x >file; sync; ! ls closed 2>/dev/null', options=[f'--view={view}'], **user)
            for name in ('closed', 'listed'):
                self.assertIn(f'/{name}: it may not be read', messages)
        self.assertEqual(stat.S_IMODE(os.stat(self.folder / 'listed').st_mode), 0o744)

    def test_a_folder_that_may_not_be_written(self):
        """On a read-only mount the program hears so, as it would without nvrtl."""
        (self.folder / 'file').write_text('x')
        script = ('mount --bind . . && cd "$PWD" && mount -o remount,bind,ro . || exit 77; ! echo y >file || exit 78;'
                  'exec "$@"')
        done = subprocess.run(['unshare', '-Urm', 'sh', '-c', script, '-', NVRTL, 'check', '--', 'sh', '-c',
                               'sync; cat file; echo y >file || exit 5'],
                              cwd=self.folder, capture_output=True, text=True)
        self.need(done.returncode not in (1, 77, 78), f'no read-only mount can be made: {done.stderr}')
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn('Read-only file system', done.stderr)
        self.assertEqual((self.folder / 'file').read_text(), 'x')


if __name__ == '__main__':
    main()
