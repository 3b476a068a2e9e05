# SPDX-License-Identifier: MIT
"""Owns the guest's kernel: Debian's for clouds, fetched and unpacked once for each build folder, and never installed.

vm.py asks for it."""
import fcntl
import re
import shutil
import subprocess

PACKAGE = 'linux-image-cloud-amd64'  # depends on the package of the current version


class Missing(Exception):
    """Something that this machine does not have; the text says what."""


def run(*command, folder):
    """What it printed."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = (ran.stderr.strip() or 'it says nothing').splitlines()[-1]
        raise Missing(f'needs the package {PACKAGE}: {command[0]} cannot get it: {said}')
    return ran.stdout


def fetch(folder):
    """Into folder/unpacked, which is there only when it is whole."""
    for leftover in ('fetched', 'unpacking'):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    for program in ('apt-get', 'dpkg', 'busybox'):
        if not shutil.which(program):
            raise Missing(f'needs {program}, to get the package {PACKAGE}')
    (folder / 'fetched').mkdir()
    depends = re.search(r'Depends: (linux-image-\S+)', run('apt-cache', 'depends', PACKAGE, folder=folder))
    if not depends:
        raise Missing(f'needs the package {PACKAGE}, which apt-get does not know')
    run('apt-get', 'download', '-qq', depends.group(1), folder=folder / 'fetched')
    package = next((folder / 'fetched').glob('*.deb'))
    run('dpkg', '--extract', str(package), 'unpacking', folder=folder)
    version = next((folder / 'unpacking/lib/modules').iterdir()).name
    run('busybox', 'depmod', '-b', 'unpacking', version, folder=folder)
    shutil.rmtree(folder / 'fetched')
    (folder / 'unpacking').rename(folder / 'unpacked')


class Kernel:
    """The unpacked package: image, and modules."""

    def __init__(self, build):
        """Fetched into the build folder if it is not there; other processes that want it wait for that."""
        folder = build / 'tests/rigs/kernel'
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / 'lock', 'w', encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / 'unpacked').exists():
                fetch(folder)
        self.build, self.folder = build, folder
        self.image = next((folder / 'unpacked/boot').glob('vmlinuz-*'))
        self.modules = next((folder / 'unpacked/lib/modules').iterdir())
        self.needs = dict(line.split(':', 1) for line in (self.modules / 'modules.dep').read_text().splitlines())

    def closure(self, names):
        """The files of these modules and of all that they need, relative to self.modules. Those built in have none."""
        by_name = {path.rsplit('/', 1)[1].removesuffix('.ko').replace('-', '_'): path for path in self.needs}
        wanted = [by_name[name.replace('-', '_')] for name in names if name.replace('-', '_') in by_name]
        found = {}
        while wanted:
            path = wanted.pop()
            if path not in found:
                found[path] = self.needs[path]
                wanted += self.needs[path].split()
        return found
