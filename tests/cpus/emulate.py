#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the memory plane's unit and contract tests on an emulated CPU.

usage: emulate.py BUILD MACHINE CPU --tables TABLE... --in-force TABLE [--only TEST...]

MACHINE is x86_64, whose programs are those of BUILD, or one that MACHINE.ini tells how to build for, into BUILD/cpus.
CPU is what qemu-user is to be. Exactly the tables named must have been tested, and the one in force; with --only, only
the tests named are built and run. Ends with 77 where a package is missing, after a line that says which.
"""
import argparse
import configparser
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import instructions

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUITES = {'unit', 'contract'}
FOLDERS = ('tests/unit', 'tests/contract')
TOOLS = {'verify', 'report'}  # folders below those
# The file plane has no code of a CPU, and asks for what qemu-user lacks: pwritev2, MAP_FIXED_NOREPLACE, and more.
FILE_PLANE = ('io-', 'file-', 'filter-')
LIBRARY = 'src/libnvrtl.a'
TIMEOUT_SECONDS = 300


def skip(why):
    print(f'skipped: {why}')
    sys.exit(77)


def run(command, **options):
    """The command's output; ends the test where it fails."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if ran.returncode:
        sys.exit(f'{" ".join(map(str, command))}: {ran.returncode}\n{ran.stdout}{ran.stderr}')
    return ran.stdout


def tools_of(machine):
    """What MACHINE.ini names: its compiler, its emulator, ..."""
    if machine == 'x86_64':
        return {'exe_wrapper': 'qemu-x86_64', 'objdump': 'objdump'}
    cross = configparser.ConfigParser()
    cross.read(HERE / f'{machine}.ini')
    return {name: text.strip("'") for name, text in cross['binaries'].items()}


def emulator(machine):
    """The emulator, for programs of the machine."""
    tools = tools_of(machine)
    program = tools['exe_wrapper']
    if machine != 'x86_64':
        if not shutil.which(tools['c']):
            skip(f'{tools["c"]} is missing; tools/packages names its package')
        if not (ROOT / 'subprojects/cmocka-1.1.5/meson.build').exists():
            skip("cmocka's source is missing; tools/setup-sources fetches it")
    if not shutil.which(program):
        skip(f'{program} is missing: it is in the package qemu-user')
    return program


def is_of_the_memory_plane(test, folder):
    program = pathlib.Path(test['cmd'][0])
    if not program.is_absolute() or not program.is_relative_to(folder) or test['name'].startswith(FILE_PLANE):
        return False
    place = program.relative_to(folder)
    return str(place).startswith(FOLDERS) and not TOOLS & set(place.parts)


def tests_of(folder, only):
    """The tests that are programs, as Meson tells them."""
    found = []
    for test in json.loads(run(['meson', 'introspect', '--tests', folder])):
        suites = {suite.split(':')[-1] for suite in test['suite']}
        if suites & SUITES and (not only or test['name'] in only) and is_of_the_memory_plane(test, folder):
            found.append(test)
    return found


def build_for(machine, build, only):
    """The build folder with the machine's programs, and the tests; one test at a time builds for a machine."""
    if machine == 'x86_64':
        return build, tests_of(build, only)
    folder = build / 'cpus' / machine
    folder.parent.mkdir(exist_ok=True)
    with open(folder.parent / f'{machine}.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / 'build.ninja').exists():
            run(['meson', 'setup', '--cross-file', HERE / f'{machine}.ini', '-Dlibrary_only=true', folder, ROOT])
        run(['ninja', '-C', folder, 'build.ninja'])
        tests = tests_of(folder, only)
        programs = {os.path.relpath(test['cmd'][0], folder) for test in tests}
        run(['ninja', '-C', folder, LIBRARY] + sorted(programs))
    return folder, tests


class Outcome:
    """What the tests said, added up."""

    def __init__(self):
        self.programs = self.passed = self.skipped = 0
        self.failed = []
        self.tables = set()
        self.in_force = set()

    def take(self, test, ran):
        said = ran.stdout + ran.stderr
        self.programs += 1
        self.passed += len(re.findall(r'^\[       OK \]', said, re.M))
        self.skipped += len(re.findall(r'^\[  SKIPPED \] \w+$', ran.stdout, re.M))
        self.tables.update(re.findall(r'^kernel tested: (\S+)', said, re.M))
        self.in_force.update(re.findall(r'^kernel in force: (\S+)', said, re.M))
        if ran.returncode not in (0, 77):
            self.failed.append(test['name'])
            print(f'--- {test["name"]} ended with {ran.returncode}\n{said[-3000:]}', flush=True)


def emulate(test, command):
    """One test's program. What it leaves behind ends with it."""
    environment = dict(os.environ, **test['env'], NVRTL_TEST_EMULATED='1')
    with subprocess.Popen(command + test['cmd'], env=environment, cwd=test['workdir'] or None, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors='replace', start_new_session=True) as program:
        try:
            said, errors = program.communicate(timeout=TIMEOUT_SECONDS)
            status = program.returncode
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            said, errors = program.communicate()
            status = f'a timeout of {TIMEOUT_SECONDS} s'
    return subprocess.CompletedProcess(test['cmd'], status, said, errors)


def check_info(build, command, tables):
    """nvrtl info, on a CPU that lacks what NVRTL_CPU names: says so, and executes none of it."""
    program = build / 'cli/nvrtl'
    told = run(command + [program, 'info'])
    known = re.findall(r'^  (\S+) +(in force|available|not on this CPU)', told, re.M)
    has = {name for name, state in known if state != 'not on this CPU'}
    if has != tables:
        sys.exit(f'nvrtl info has {sorted(has)}, and not {sorted(tables)}\n{told}')
    for name, _ in known:
        said = run(command + [program, 'info', program], env=dict(os.environ, NVRTL_CPU=name, NVRTL_DOMAIN='cpu-cache'))
        wanted = f'{name} +in force: NVRTL_CPU names it' if name in tables else \
            f'NVRTL_CPU={name} is not followed: this CPU does not have it'
        if not re.search(wanted, said):
            sys.exit(f'NVRTL_CPU={name} nvrtl info does not say "{wanted}":\n{said}')
    return len(known)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('machine')
    parser.add_argument('cpu')
    parser.add_argument('--tables', nargs='+', required=True)
    parser.add_argument('--in-force', required=True)
    parser.add_argument('--only', nargs='+')
    options = parser.parse_args()

    command = [emulator(options.machine), '-cpu', options.cpu]
    folder, tests = build_for(options.machine, options.build.resolve(), options.only)
    outcome = Outcome()
    for test in tests:
        outcome.take(test, emulate(test, command))
    infos = check_info(folder, command, set(options.tables)) if options.machine == 'x86_64' else 0
    if options.machine in instructions.RULES:
        wrong, seen = instructions.check(folder / LIBRARY, tools_of(options.machine)['objdump'], options.machine)
        print('\n'.join(wrong + [seen]))
        if wrong:
            outcome.failed.append('instructions')

    print(f'{options.machine} {options.cpu}: {outcome.programs} programs: {outcome.passed} tests passed, '
          f'{outcome.skipped} skipped; tables {" ".join(sorted(outcome.tables))}; in force '
          f'{" ".join(outcome.in_force)}; {infos} forced in nvrtl info')
    if outcome.tables != set(options.tables) or outcome.in_force != {options.in_force}:
        sys.exit(f'expected: tables {" ".join(sorted(options.tables))}; in force {options.in_force}')
    if outcome.failed or not outcome.passed:
        sys.exit(f'failed: {" ".join(outcome.failed)}')


if __name__ == '__main__':
    main()
