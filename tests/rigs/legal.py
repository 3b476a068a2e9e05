# SPDX-License-Identifier: MIT
"""Whether a folder is a state in which a power failure could have left a recorded run, on a file system with a journal.

usage: legal.py TRACE FOLDER...

It is written from the definition, and shares nothing with the explorer but the trace. At some moment of the run:
- the names are those after the first N operations on names, and N is not less than at the last sync that completed;
- each file has a length that it had since its own last sync, or that ends a page on the way to it;
- each sector holds something that it held since then.
"""
import os
import pathlib
import stat
import struct
import subprocess
import sys

HEAD, TAIL, EVENT = struct.Struct('<8sII'), struct.Struct('<QQQ8s'), struct.Struct('<IIHHIIIIIQQQ')
CREATE, LINK, UNLINK, RENAME, MODE, WRITE, ZERO, SIZE = range(1, 9)
CHANGED, SYNC_BEGIN, SYNC = 12, 15, 16
INITIAL, EXCHANGED, DATA_ONLY, FAILED = 1, 2, 16, 64
SECTOR, PAGE, ALL = 512, 4096, 2**64 - 1


def events(path):
    data = pathlib.Path(path).read_bytes()
    packed = data[HEAD.size:-TAIL.size]
    plain = subprocess.run(['zstd', '-dc'], input=packed, stdout=subprocess.PIPE, check=True).stdout
    at = 0
    while at < len(plain):
        size, payload, kind, flags, thread, _, obj, parent, other, offset, length, _ = EVENT.unpack_from(plain, at)
        yield kind, flags, thread, obj, parent, other, offset, length, plain[at + EVENT.size:][:payload]
        at += size


def text(payload):
    return [part.decode() for part in payload.split(b'\0')[:-1]]


class File:
    """All that a file has held, and since when it is sure to hold something newer."""

    def __init__(self):
        self.sectors = {}  # number: [contents], oldest first
        self.sizes = [0]
        self.sure_sectors = {}  # number: the first of its contents that may still be there
        self.sure_size = 0
        self.now = bytearray()

    def put(self, offset, data):
        self.grow(offset, offset + len(data))
        self.now[offset:offset + len(data)] = data
        self.changed(offset, offset + len(data))

    def grow(self, begin, end):
        if end > len(self.now):
            self.sizes += [*range(max(begin, len(self.now)) // PAGE * PAGE + PAGE, end, PAGE), end]
            self.now += bytes(end - len(self.now))

    def cut(self, size):
        if size < len(self.now):
            old = len(self.now)
            del self.now[size:]
            self.sizes.append(size)
            self.changed(size, old)
        if size > len(self.now):
            self.sizes.append(size)
            self.now += bytes(size - len(self.now))

    def changed(self, begin, end):
        for number in range(begin // SECTOR, -(-end // SECTOR)):
            held = self.sectors.setdefault(number, [bytes(SECTOR)])
            held.append(bytes(self.now[number * SECTOR:][:SECTOR]).ljust(SECTOR, b'\0'))

    def mark(self):
        return {number: len(held) - 1 for number, held in self.sectors.items()}, len(self.sizes) - 1

    def settle(self, mark, offset, end, data_only):
        sectors, size = mark
        for number, index in sectors.items():
            if offset < (number + 1) * SECTOR and number * SECTOR < end:
                self.sure_sectors[number] = max(self.sure_sectors.get(number, 0), index)
        if not data_only or end == ALL:
            self.sure_size = max(self.sure_size, size)

    def may_be(self, data):
        if len(data) not in self.sizes[self.sure_size:]:
            return f'its length is {len(data)}'
        for number in range(-(-len(data) // SECTOR)):
            part = data[number * SECTOR:][:SECTOR]
            held = self.sectors.get(number, [bytes(SECTOR)])[self.sure_sectors.get(number, 0):]
            if not any(part == one[:len(part)] for one in held):
                return f'its sector {number} holds what it never held since'
        return None


class Names:
    """The tree, after each operation on it."""

    def __init__(self):
        self.entries = {}  # (folder, name): object
        self.modes = {}
        self.targets = {}
        self.trees = []
        self.root = 0

    def take(self, kind, flags, obj, parent, other, offset, payload):
        names = text(payload)
        if kind == CREATE:
            self.modes[obj] = offset
            self.targets[obj] = names[1] if len(names) > 1 else None
            if not parent and names[0]:
                self.root = obj
        if kind in (CREATE, LINK) and parent:
            self.entries[parent, names[0]] = obj
        elif kind == UNLINK:
            del self.entries[parent, names[0]]
        elif kind == RENAME:
            moved = self.entries.pop((parent, names[0]))
            replaced = self.entries.get((other, names[1]))
            self.entries[other, names[1]] = moved
            if flags & EXCHANGED:
                self.entries[parent, names[0]] = replaced

    def tree(self):
        paths = {}

        def walk(folder, prefix):
            for (parent, name), obj in self.entries.items():
                if parent == folder:
                    paths[prefix + name] = obj
                    if stat.S_ISDIR(self.modes[obj]):
                        walk(obj, prefix + name + '/')

        walk(self.root, '')
        return paths


class State:
    """A folder as it was found."""

    def __init__(self, folder):
        self.folder = folder
        self.what = {}
        for where, folders, files in os.walk(folder):
            for name in folders + files:
                path = pathlib.Path(where, name)
                kind = stat.S_IFMT(path.lstat().st_mode)
                held = None
                if kind == stat.S_IFLNK:
                    held = os.readlink(path)
                elif kind == stat.S_IFREG:
                    held = path.read_bytes()
                self.what[str(path.relative_to(folder))] = kind, held
        self.why_not = 'its names are not those of any moment'

    def may_be(self, tree, names, files):
        """Whether it is that tree, with contents that the files may have now."""
        if tree.keys() != self.what.keys():
            return False
        for path, obj in tree.items():
            kind, held = self.what[path]
            if kind != stat.S_IFMT(names.modes[obj]) or (kind == stat.S_IFLNK and held != names.targets[obj]):
                return False
            wrong = files[obj].may_be(held) if kind == stat.S_IFREG else None
            if wrong:
                self.why_not = f'{path}: {wrong}'
                return False
        return True


def judge(trace, states):
    """Those of the states that no moment allows."""
    names, files, begun = Names(), {}, {}
    trees, sure = [{}], 0
    left = list(states)

    def moment():
        nonlocal left
        left = [state for state in left if not any(state.may_be(tree, names, files) for tree in trees[sure:])]

    for kind, flags, thread, obj, parent, other, offset, length, payload in events(trace):
        if kind in (CREATE, LINK, UNLINK, RENAME, MODE):
            if kind == CREATE and stat.S_ISREG(offset):
                files[obj] = File()
            names.take(kind, flags, obj, parent, other, offset, payload)
            if kind != MODE:
                trees.append(names.tree())
        elif kind in (WRITE, CHANGED):
            files[obj].put(offset, payload)
        elif kind == ZERO:
            files[obj].put(offset, bytes(max(0, min(length, len(files[obj].now) - offset))))
        elif kind == SIZE:
            files[obj].cut(length)
        elif kind == SYNC_BEGIN:
            begun[thread] = len(trees) - 1, {number: file.mark() for number, file in files.items()}
        elif kind == SYNC and not flags & FAILED:
            moment()
            before, marks = begun[thread]
            sure = max(sure, before)
            for number, file in files.items():
                if number in marks and obj in (0, number):
                    file.settle(marks[number], offset, ALL if length == ALL else offset + length, flags & DATA_ONLY)
        if flags & INITIAL:
            trees, sure = trees[-1:], 0
            for file in files.values():
                file.settle(file.mark(), 0, ALL, False)
    moment()
    return left


def main():
    illegal = judge(sys.argv[1], [State(folder) for folder in sys.argv[2:]])
    for state in illegal:
        print(f'{state.folder}: {state.why_not}')
    return 1 if illegal else 0


if __name__ == '__main__':
    sys.exit(main())
