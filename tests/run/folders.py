#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which folders are at stake, and what their views are like as folders."""
import os
import unittest

from common import Test, main


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


if __name__ == '__main__':
    main()
