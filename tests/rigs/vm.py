#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots a guest that runs one test of the folder guest/, and ends with the test's result.

usage: vm.py BUILD [OPTION...] [--with PROGRAM...] [--host PROGRAM...] -- TEST [ARG...]

The guest is Debian's cloud kernel in QEMU, with nothing but busybox, the programs named, and the test; it needs no
root, and leaves nothing behind. Exits 0 when the test does, 77 when something is missing (the last line says what),
else 1. See README.md.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from initramfs import Initramfs, host_program
from kernel import Kernel, Missing

HERE = pathlib.Path(__file__).resolve().parent
PASSED, SKIPPED = 33, 35  # twice what guest/init gives to leave.c, plus one
PMEM_MIB = 64
KVM_SECONDS = 10  # where KVM works, a guest needs one


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('test', nargs='+', help='a file of guest/, without .sh, and its arguments')
    parser.add_argument('--with', dest='programs', nargs='+', type=pathlib.Path, default=[], help='of the build folder')
    parser.add_argument('--host', nargs='+', default=[], help='programs of this machine')
    parser.add_argument('--tree', nargs='+', default=[], help='folders of this machine, each whole in its place')
    parser.add_argument('--python', action='store_true', help="Debian's python, too")
    parser.add_argument('--cpu', help='to be emulated, as QEMU names it')
    parser.add_argument('--memory', type=int, default=384, help='of the guest, MiB')
    parser.add_argument('--nvdimm', choices=['mem-ctrl', 'cpu'],
                        help='two modules of persistent memory, and what survives: memory alone, or the caches too')
    parser.add_argument('--virtio-pmem', action='store_true', help='persistent memory that the host has to sync')
    parser.add_argument('--checked', choices=['memory', 'cpu-cache'],
                        help='QEMU itself runs under nvrtl check, on such a domain, and has its module by libpmem')
    parser.add_argument('--seconds', type=int, default=900, help='how long the guest may run')
    parser.add_argument('--shell', action='store_true', help='a shell in the guest, in place of the test')
    return parser.parse_args()


def files_at_stake(folder):
    files = folder / 'files'
    files.mkdir(exist_ok=True)
    return files


def memory(chosen, folder):
    """Arguments that give the guest its memories."""
    machine, devices = 'pc', []
    if chosen.checked:
        image = files_at_stake(folder) / 'pmem0'
        image.touch()
        os.truncate(image, PMEM_MIB << 20)
        return ['-machine', 'pc,nvdimm=on,nvdimm-persistence=' + ('cpu' if chosen.checked == 'memory' else 'mem-ctrl'),
                '-m', f'{chosen.memory}M,slots=2,maxmem=4G', '-object',
                f'memory-backend-file,id=pmem0,share=on,pmem=on,mem-path={image},size={PMEM_MIB}M',
                '-device', 'nvdimm,memdev=pmem0,label-size=128K']
    kinds = ['nvdimm', 'nvdimm'] if chosen.nvdimm else ['virtio-pmem-pci'] if chosen.virtio_pmem else []
    if chosen.nvdimm:
        machine += f',nvdimm=on,nvdimm-persistence={chosen.nvdimm}'
    for number, kind in enumerate(kinds):
        image = folder / f'pmem{number}'
        devices += ['-object', f'memory-backend-file,id=pmem{number},share=on,mem-path={image},size={PMEM_MIB}M',
                    '-device', f'{kind},memdev=pmem{number}']
    return ['-machine', machine, '-m', f'{chosen.memory}M,slots=2,maxmem=4G', *devices]


def processor(chosen, kernel, folder):
    """Arguments for the CPU: this machine's own where KVM works, unless another is named."""
    if not chosen.cpu and kvm_works(kernel, folder):
        return ['-accel', 'kvm', '-cpu', 'host']
    return ['-accel', 'tcg,thread=multi', '-cpu', chosen.cpu or 'max']


def kvm_works(kernel, folder):
    """Whether a guest came to its end with it, once: having the device says little."""
    known = kernel.folder / 'kvm'
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return False
    if not known.exists():
        archive = start_initramfs(folder / 'kvm', kernel, '/dev/null').pack(folder / 'kvm/initramfs')
        status = boot(kernel, archive, ['-accel', 'kvm', '-cpu', 'host', '-m', '256M'], '', KVM_SECONDS,
                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        known.write_text('yes' if status == PASSED else 'no')
    return known.read_text() == 'yes'


def checker(chosen, folder, build):
    """What QEMU runs under."""
    if not chosen.checked:
        return []
    return [build / 'cli/nvrtl', 'check', '--dir', files_at_stake(folder), f'--domain={chosen.checked}',
            f'--output={folder / "report"}', '--']


def libpmem_was_used(report):
    """By QEMU, on its module: the report knows of the mapping."""
    print(report)
    return re.search(r'; [1-9]\d* tokens?$', report, re.M) is not None


def boot(kernel, archive, arguments, line, seconds, before=(), **streams):
    """QEMU's exit status; None: it took too long."""
    command = [*before, host_program('qemu-system-x86_64'), *arguments, '-smp', '2', '-display', 'none', '-nodefaults',
               '-serial', 'mon:stdio', '-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
               '-kernel', kernel.image, '-initrd', archive,
               '-append', f'console=ttyS0 quiet loglevel=1 panic=-1 {line}']
    try:
        return subprocess.run(command, stderr=subprocess.STDOUT, timeout=seconds, check=False, **streams).returncode
    except subprocess.TimeoutExpired:
        return None


def start_initramfs(folder, kernel, test):
    """One that lacks nothing but what the test runs."""
    contents = Initramfs(folder / 'root', kernel.build)
    contents.add_modules(kernel)
    contents.add_configuration('/etc/mke2fs.conf')
    contents.add_as('/init', HERE / 'guest/init')
    contents.add_as('/rig/leave', kernel.build / 'tests/rigs/leave')
    contents.add_as('/rig/lib.sh', HERE / 'guest/lib.sh')
    contents.add_as('/rig/test', test)
    return contents


def make_initramfs(chosen, folder, kernel):
    contents = start_initramfs(folder, kernel, HERE / f'guest/{chosen.test[0]}.sh')
    for program in chosen.programs:
        contents.add((kernel.build / program).resolve())
    for name in chosen.host:
        contents.add(host_program(name))
    for tree in chosen.tree:
        contents.add_tree(tree)
    if chosen.python:
        contents.add_python()
    return contents.pack(folder / 'initramfs')


def run(chosen, folder):
    for name in ('qemu-system-x86_64', 'cpio'):
        host_program(name)
    kernel = Kernel(chosen.build.resolve())
    archive = make_initramfs(chosen, folder, kernel)
    arguments = memory(chosen, folder) + processor(chosen, kernel, folder)
    if chosen.shell:
        return boot(kernel, archive, arguments, 'rig.shell', None)
    line = 'rig.arguments=' + ','.join(chosen.test[1:])
    status = boot(kernel, archive, arguments, line, chosen.seconds, checker(chosen, folder, kernel.build),
                  stdin=subprocess.DEVNULL)
    if chosen.checked and not libpmem_was_used((folder / 'report').read_text()):
        return 1
    return status


def main():
    chosen = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the folder is removed
    with tempfile.TemporaryDirectory(prefix='nvrtl-rig.') as folder:
        try:
            status = run(chosen, pathlib.Path(folder))
        except Missing as missing:
            print(missing)
            return 77
    if status == SKIPPED:
        return 77
    if status is None:
        print(f'the guest did not end within {chosen.seconds} seconds')
    elif status != PASSED:
        print(f'QEMU ended with status {status}, not {PASSED}')
    return 0 if status == PASSED else 1


if __name__ == '__main__':
    sys.exit(main())
