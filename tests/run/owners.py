#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Owners and modes that a view cannot express are never brought into the files; changes by the program are."""
import os
import shutil
import stat
import subprocess

from common import NVRTL, USER, VARIANT, Test, main

GROUP = 5555  # of a folder, and one of a user's


class Owners(Test):
    def test_modes(self):
        for name in ('as it was', 'changed'):
            (self.folder / name).write_text(name)
            (self.folder / name).chmod(0o640)
        (self.folder / 'below').mkdir(0o750)
        self.shell('chmod 604 changed; echo more >>"as it was"; chmod 1705 below; sync')
        self.assertEqual(self.mode('as it was'), 0o640)
        self.assertEqual(self.mode('changed'), 0o604)
        self.assertEqual(self.mode('below'), 0o1705)

    def mode(self, name):
        return stat.S_IMODE(os.stat(self.folder / name).st_mode)

    def test_a_file_of_another_that_its_group_may_write(self):
        member = self.as_user(GROUP)
        (self.folder / 'file').write_text('x\n')
        os.chown(self.folder / 'file', 0, GROUP)
        (self.folder / 'file').chmod(0o2664)
        for _ in range(2):
            self.shell('echo y >>file; sync', **member)
        self.assertEqual((self.folder / 'file').read_text(), 'x\ny\ny\n')
        status = os.stat(self.folder / 'file')
        self.assertEqual((status.st_uid, status.st_gid), (0, GROUP))

    def test_a_folder_of_another_that_its_group_may_write(self):
        member = self.as_user(GROUP)
        os.chown(self.folder, 0, GROUP)
        self.folder.chmod(0o2775)
        (self.folder / 'below').mkdir()
        (self.folder / 'below').chmod(0o2775)
        for name in ('first', 'second'):
            self.shell(f'echo x >{name}; echo y >below/{name}; sync', **member)
        self.assertEqual(sorted(os.listdir(self.folder)), ['below', 'first', 'second'])
        for name in ('.', 'below'):
            status = os.stat(self.folder / name)
            self.assertEqual((status.st_uid, status.st_gid, self.mode(name)), (0, GROUP, 0o2775))
        status = os.stat(self.folder / 'first')
        self.assertEqual((status.st_uid, status.st_gid), (USER, GROUP))

    def test_root_that_may_not_mount(self):
        """It makes a user namespace, in which every other user is nobody."""
        self.need(VARIANT == 'self' and not os.geteuid() and shutil.which('setpriv'), 'for root, and with setpriv')
        (self.folder / 'kept').write_text('x')
        os.chown(self.folder / 'kept', USER, USER)
        (self.folder / 'kept').chmod(0o4755)
        without = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin']
        done = subprocess.run([*without, NVRTL, 'check', '--', 'sh', '-c', 'cat kept; echo y >new; sync'],
                              cwd=self.folder, capture_output=True, text=True)
        self.need('cannot make a mount namespace' not in done.stderr, 'user namespaces are not possible here')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, 'x')
        status = os.stat(self.folder / 'kept')
        self.assertEqual((status.st_uid, status.st_gid, self.mode('kept')), (USER, USER, 0o4755))


if __name__ == '__main__':
    main()
