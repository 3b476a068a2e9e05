# SPDX-License-Identifier: MIT
"""Owns what a guest has at its start: busybox, programs with their libraries, modules, and a test. vm.py makes it."""
import os
import pathlib
import re
import shutil
import subprocess

from kernel import Missing

# What any test may load; a few hundred kilobytes in all but XFS.
MODULES = ['nfit', 'nd_pmem', 'dax_pmem', 'device_dax', 'virtio_pmem', 'virtio_pci', 'loop', 'dm_flakey', 'dm_delay',
           'dm_log_writes', 'dm_thin_pool', 'crc32c_generic', 'overlay', 'unix_diag', 'xfs']


def host_program(name):
    """A program of this machine, that may be one of root's."""
    found = shutil.which(name, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if not found:
        raise Missing(f'needs the program {name}')
    return pathlib.Path(found)


def libraries(program):
    """The paths of what it is linked with: none of a static program."""
    listed = subprocess.run(['ldd', program], capture_output=True, text=True, check=False).stdout
    missing = re.search(r'(\S+) => not found', listed)
    if missing:
        raise Missing(f'needs the library {missing.group(1)}, for {program}')
    return [pathlib.Path(os.path.normpath(path)) for path in re.findall(r'(/\S+) \(0x', listed)]


class Initramfs:
    """A folder that is filled, then packed. Programs of the build folder are below /nvrtl, others where they were."""

    def __init__(self, root, build):
        self.root = root
        self.build = build
        self.path = []
        self.add_as('/bin/busybox', host_program('busybox'))
        (root / 'bin/sh').symlink_to('busybox')

    def add_as(self, name, source):
        target = self.root / name.lstrip('/')
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def add_configuration(self, name):
        """A file that programs of this machine look for, if it is here."""
        if os.path.exists(name):
            self.add_as(name, name)

    def place(self, file):
        """Its path in the guest."""
        return f'/nvrtl/{file.relative_to(self.build)}' if file.is_relative_to(self.build) else str(file)

    def add(self, program):
        """A program or a library, and the libraries that it needs."""
        for file in [program, *libraries(program)]:
            self.add_as(self.place(file), file)
        folder = os.path.dirname(self.place(program))
        if folder not in self.path:
            self.path.append(folder)

    def add_tree(self, folder, names=('*',)):
        """What is in a folder of this machine under such names, in the same place, and the libraries that it needs."""
        leave_out = shutil.ignore_patterns('__pycache__', 'test', 'idlelib', 'config-*')
        for source in (path for name in names for path in pathlib.Path(folder).glob(name)):
            target = self.root / source.relative_to('/')
            if source.is_dir() and source.name not in leave_out(folder, [source.name]):
                shutil.copytree(source, target, ignore=leave_out)
            elif source.is_file():
                self.add_as(str(source), source)
            for library in target.rglob('*.so'):
                for needed in libraries(library):
                    self.add_as(self.place(needed), needed)

    def add_python(self):
        """Debian's own, for tests that are scripts."""
        python = host_program('/usr/bin/python3').resolve()
        self.add(python)
        self.add_as('/usr/bin/python3', python)
        self.add_tree(f'/usr/lib/{python.name}')
        self.add_tree('/usr/lib/python3/dist-packages', ('jsonschema', 'attr*', '*pyrsistent*'))

    def add_modules(self, kernel):
        folder = f'/lib/modules/{kernel.modules.name}'
        found = kernel.closure(MODULES)
        for file in found:
            self.add_as(f'{folder}/{file}', kernel.modules / file)
        lines = [f'{file}:{needs}\n' for file, needs in found.items()]
        (self.root / folder[1:] / 'modules.dep').write_text(''.join(lines))

    def pack(self, archive):
        (self.root / 'rig/path').write_text(':'.join([*self.path, '/bin']) + '\n')
        names = b'\0'.join(os.path.relpath(os.path.join(folder, name), self.root).encode()
                           for folder, folders, files in os.walk(self.root) for name in [*folders, *files])
        with open(archive, 'wb') as output:
            subprocess.run(['cpio', '--quiet', '--null', '--create', '--format=newc', '--owner=0:0'], cwd=self.root,
                           input=names, stdout=output, check=True)
        return archive
