#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sockets and fifos in a folder at stake: those that nobody uses may be replaced, those that somebody does be used."""
import os
import pathlib
import socket
import stat
import subprocess
import threading

from common import PATIENCE, Test, end, main, wait_for


class Nodes(Test):
    def setUp(self):
        super().setUp()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, '/')

    def bind(self, name):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(name)
        listener.listen()
        listener.settimeout(PATIENCE)
        return listener

    def test_a_stale_socket_is_replaced(self):
        self.bind('socket').close()
        before = os.stat('socket').st_ino
        self.python('import os, socket; os.unlink("socket"); s = socket.socket(socket.AF_UNIX); s.bind("socket");'
                    'os.mkfifo("new"); os.sync()')
        self.assertTrue(stat.S_ISSOCK(os.stat('socket').st_mode))
        self.assertNotEqual(os.stat('socket').st_ino, before)

    def test_a_stale_socket_with_the_name_of_a_bound_one(self):
        with self.bind('socket'):
            os.mkdir('below')
            os.chdir('below')
            self.bind('socket').close()
            self.shell('rm socket; sync', cwd=self.folder / 'below')
            self.assertEqual(os.listdir(), [])

    def test_a_fifo_while_another_is_being_opened(self):
        os.mkfifo(self.base / 'another')
        reader = subprocess.Popen(['cat', 'another'], cwd=self.base)
        self.addCleanup(end, reader)
        place = pathlib.Path(f'/proc/{reader.pid}/wchan')
        self.need(wait_for(lambda: place.read_text() == 'wait_for_partner', 2),
                  'the kernel does not tell where a process waits')
        os.mkfifo('fifo')
        self.shell('rm fifo; sync')
        self.assertEqual(os.listdir(), [])

    def test_a_stale_socket_is_renamed_and_removed_with_its_folder(self):
        for name in ('kept', 'lost'):
            os.mkdir(name)
            self.bind(f'{name}/socket').close()
        self.shell('mv kept/socket moved; rm -r lost; sync')
        self.assertEqual(sorted(os.listdir()), ['kept', 'moved'])
        self.assertTrue(stat.S_ISSOCK(os.stat('moved').st_mode))

    def test_a_bound_socket_is_connected_to(self):
        with self.bind('socket') as listener:
            def serve():
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(connection.recv(100).upper())
            server = threading.Thread(target=serve)
            server.start()
            output, messages = self.python(
                'import os, socket; s = socket.socket(socket.AF_UNIX); s.connect("socket"); s.sendall(b"hello");'
                'print(s.recv(100).decode()); os.sync()')
            server.join()
        self.assertEqual(output, 'HELLO\n')
        self.assertIn('a socket that is bound; it cannot be renamed or removed', messages)

    def test_a_fifo_is_replaced(self):
        os.mkfifo('fifo', 0o600)
        self.shell('rm fifo; umask 0; mkfifo -m 666 fifo; sync')
        self.assertEqual(os.stat('fifo').st_mode, stat.S_IFIFO | 0o666)

    def test_a_fifo_is_used_inside(self):
        os.mkfifo('fifo')
        output, _ = self.shell('echo through >fifo & cat fifo; wait; sync')
        self.assertEqual(output, 'through\n')

    def test_a_fifo_that_is_open(self):
        os.mkfifo('fifo')
        reader = os.open('fifo', os.O_RDONLY | os.O_NONBLOCK)
        _, messages = self.shell('echo out >fifo; sync')
        self.assertEqual(os.read(reader, 100), b'out\n')
        os.close(reader)
        self.assertIn('a fifo that is open; it cannot be renamed or removed', messages)

    def test_a_fifo_that_is_being_opened(self):
        """The process waits in open for a writer, and has no descriptor yet."""
        os.mkfifo('fifo')
        reader = subprocess.Popen(['cat', 'fifo'], stdout=subprocess.PIPE)
        self.addCleanup(end, reader)
        place = pathlib.Path(f'/proc/{reader.pid}/wchan')
        self.need(wait_for(lambda: place.read_text() == 'wait_for_partner', 2),
                  'the kernel does not tell where a process waits')
        self.shell('echo out >fifo; sync')
        self.assertEqual(reader.communicate(timeout=PATIENCE)[0], b'out\n')

    def test_a_file_that_the_caller_holds_open(self):
        with open('log', 'w') as log:
            _, messages = self.shell('echo words; ! mv log log.1; sync', stdout=log)
        self.assertIn('/log: open in the program that started nvrtl; it cannot be renamed or removed', messages)
        self.assertEqual(pathlib.Path('log').read_text(), 'words\n')


if __name__ == '__main__':
    main()
