#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The legal crash states of small random traces, found slowly, by what the words mean: every set of steps is tried
against every rule. The explorer must find the same states, no more and no fewer.

usage: legal.py STATES [--seed N] [--traces N] [--show N]

STATES is the program that prints what the explorer finds. The first --show N traces that differ are shown in full.
"""
import argparse
import itertools
import random
import struct
import subprocess
import sys
import zlib

(CREATE, LINK, UNLINK, RENAME, MODE, WRITE, ZERO, SIZE, MAP, UNMAP, STORE, CHANGED, FLUSH, DRAIN, SYNC_BEGIN, SYNC,
 PROMISE, PLACE, END) = range(1, 20)
INITIAL, EXCHANGED, ALL_THREADS, WORDS, DATA_ONLY, FOLDER, FAILED = 1, 2, 4, 8, 16, 32, 64
S_IFDIR, S_IFREG, S_IFLNK = 0o040000, 0o100000, 0o120000
EVERYTHING = (1 << 64) - 1
KINDS = ['', 'CREATE', 'LINK', 'UNLINK', 'RENAME', 'MODE', 'WRITE', 'ZERO', 'SIZE', 'MAP', 'UNMAP', 'STORE', 'CHANGED',
         'FLUSH', 'DRAIN', 'SYNC_BEGIN', 'SYNC', 'PROMISE', 'PLACE', 'END']
TOO_MANY = 3000
BATCH = 1000


class TooMany(Exception):
    """More states than are worth the time."""


class Event:
    def __init__(self, kind, flags=0, thread=1, obj=0, parent=0, other=0, offset=0, length=0, payload=b'', place=0):
        self.kind, self.flags, self.thread, self.obj, self.parent, self.other = kind, flags, thread, obj, parent, other
        self.offset, self.length, self.payload, self.place = offset, length, payload, place

    def packed(self):
        padded = self.payload + b'\0' * (-len(self.payload) % 8)
        return struct.pack('<IIHHIIIIIQQQ', 56 + len(padded), len(self.payload), self.kind, self.flags, self.thread,
                           self.place, self.obj, self.parent, self.other, self.offset, self.length, 0) + padded

    def names(self):
        return self.payload.split(b'\0')

    def __str__(self):
        return (f'{KINDS[self.kind]} flags={self.flags} thread={self.thread} object={self.obj} parent={self.parent} '
                f'other={self.other} offset={self.offset:#x} length={self.length:#x} '
                f'payload={self.payload[:12]!r}({len(self.payload)})')


# ---- the rules ----

class Step:
    """What one event does to the bytes of one unit, as far as it cannot be torn."""

    def __init__(self, at, start, data, ordered=True, cut=False, freed=False):
        self.at, self.start, self.data, self.ordered, self.cut, self.freed = at, start, data, ordered, cut, freed

    def words(self):
        return set(range(self.start // 8, (self.start + len(self.data) - 1) // 8 + 1))


def needs(step, earlier):
    """Whether an earlier step of the same unit must be there when this one is."""
    if step.words() & earlier.words():
        return True
    return step.ordered and earlier.ordered and step.at != earlier.at


class Prefix:
    """A trace up to a crash point, event numbers from 1: everything is told anew from its start."""

    def __init__(self, events, posix):
        self.events, self.posix = events, posix
        self.line, self.instant = {}, {}

    def told(self):
        return enumerate(self.events, 1)

    # -- syncs --

    def syncs(self):
        """(number, event, begin) of those that completed."""
        begins, found = {}, []
        for at, event in self.told():
            if event.kind == SYNC_BEGIN:
                begins[event.thread] = at
            elif event.kind == SYNC:
                begin = begins.pop(event.thread, at)
                if not event.flags & FAILED:
                    found.append((at, event, begin))
        return found

    def is_fresh(self, obj, when):
        made = [at for at, event in self.told()
                if event.kind == CREATE and event.obj == obj and not event.flags & INITIAL]
        return bool(made) and not any(made[0] < at < when and not event.flags & FOLDER and event.obj in (0, obj)
                                      for at, event, _ in self.syncs())

    def lengths(self, obj):
        """[(event, length, cut)], the first with event 0: as the run found it."""
        found = [(0, 0, False)]
        for at, event in self.told():
            if event.obj != obj or event.kind not in (WRITE, SIZE):
                continue
            end = event.length if event.kind == SIZE else event.offset + len(event.payload)
            if event.flags & INITIAL:
                found[0] = (0, end if event.kind == SIZE else max(end, found[0][1]), False)
            elif event.kind == SIZE and end != found[-1][1]:
                found.append((at, end, end < found[-1][1]))
            elif event.kind == WRITE and event.payload and end > found[-1][1]:
                first = max(event.offset, found[-1][1]) // 4096 * 4096 + 4096
                found += [(at, block, False) for block in [*range(first, end, 4096), end]]
        return found

    def journal_until(self, when=None):
        """All of the journal up to this event is durable (before event `when`)."""
        until = 0
        for at, event, begin in self.syncs():
            if when is not None and at >= when:
                break
            if (not event.flags & DATA_ONLY or event.flags & FOLDER or not event.obj or self.is_fresh(event.obj, at)
                    or any(self.length_durable_before(event.obj, number, at) is False
                           for number, _, _ in self.lengths(event.obj)[1:] if number <= begin)):
                until = max(until, begin)
        return until

    def length_durable_before(self, obj, number, when):
        for at, event, begin in self.syncs():
            if at < when and begin >= number and not event.flags & FOLDER and event.obj in (0, obj):
                return True
        if not self.posix:
            until = self.journal_until(when)
            return any(cut and number <= at <= until for at, _, cut in self.lengths(obj))
        return False

    def durable_length(self, obj):
        """The place of the last length that is durable for sure."""
        lengths = self.lengths(obj)
        return max(i for i, (number, _, _) in enumerate(lengths)
                   if i == 0 or self.length_durable_before(obj, number, len(self.events) + 1))

    # -- names --

    def operations(self):
        """[(event, folder, {slot: object}, object, mode, cut)] in order; a slot is (folder, name)."""
        newest, modes, found = {}, {}, []
        for at, event in self.told():
            obj, names = event.obj, event.names()
            made = []
            if event.kind in (CREATE, LINK) and event.parent:
                made = [(event.parent, {(event.parent, names[0]): obj}, None, False)]
            elif event.kind == UNLINK:
                made = [(event.parent, {(event.parent, names[0]): 0}, None, False)]
            elif event.kind == RENAME:
                old, new = (event.parent, names[0]), (event.other, names[1])
                left = newest.get(new, 0) if event.flags & EXCHANGED else 0
                is_folder = modes[obj] & S_IFDIR == S_IFDIR and not modes[obj] & S_IFREG == S_IFREG
                if newest.get(new, 0) == obj:
                    made = []
                elif not self.posix or event.parent == event.other or is_folder:
                    made = [(event.other, {old: left, new: obj}, None, False)]
                else:
                    made = [(event.other, {new: obj}, None, False), (event.parent, {old: left}, None, False)]
            elif event.kind == MODE:
                made = [(0, {('mode', obj): event.offset}, event.offset, False)]
            elif not self.posix and any(number == at and cut for number, _, cut in self.lengths(obj)):
                made = [(0, {}, None, True)]
            if event.kind == CREATE:
                modes[obj] = event.offset
            for folder, slots, mode, cut in made:
                newest.update(slots)
                found.append((at if not event.flags & INITIAL else 0, folder, slots, obj, mode, cut))
        return found

    def sure_operations(self, operations):
        """Places of those that are durable."""
        until = self.journal_until()
        sure = set()
        for i, (number, folder, slots, obj, mode, _) in enumerate(operations):
            if number == 0 or (not self.posix and number <= until):
                sure.add(i)
            for at, event, begin in self.syncs():
                if begin < number or not self.posix:
                    continue
                own = event.flags & FOLDER and (event.obj == folder or (mode is not None and event.obj == obj))
                mine = (mode is not None and event.obj == obj and not event.flags & FOLDER
                        and (not event.flags & DATA_ONLY or self.is_fresh(obj, at)))
                if own or mine or (not event.obj and not event.flags & FOLDER):
                    sure.add(i)
        for i in sorted(sure, reverse=True) if self.posix else ():
            self.add_below(i, operations, sure)
        return sure

    def add_below(self, i, operations, sure):
        for j in range(i):
            if set(operations[i][2]) & set(operations[j][2]) and operations[j][0]:
                sure.add(j)
                self.add_below(j, operations, sure)

    def trees(self):
        """Every legal set of operations."""
        operations = self.operations()
        sure = self.sure_operations(operations)
        free = [i for i in range(len(operations)) if i not in sure]
        if len(free) > 11:
            raise TooMany
        for bits in itertools.product((False, True), repeat=len(free)):
            there = sure | {i for i, bit in zip(free, bits) if bit}
            if all(self.stands(i, operations, there) for i in there if i not in sure):
                yield [operations[i] for i in sorted(there)]

    def stands(self, i, operations, there):
        if not self.posix:
            return all(j in there for j in range(i))
        return all(j in there for j in range(i) if set(operations[i][2]) & set(operations[j][2]))

    # -- contents --

    def units_of(self, obj, newest):
        unit = 64 if self.line[obj] else 512
        return unit, -(-newest // unit)

    def steps(self, obj, unit, index):
        """All steps of one unit since the run began, and its bytes then."""
        first, last, found, initial = index * unit, index * unit + unit, [], bytearray(unit)
        length = dict((number, (bytes_, cut)) for number, bytes_, cut in self.lengths(obj))
        for at, event in self.told():
            if event.obj != obj:
                continue
            if event.kind == SIZE and at in length and length[at][1] and length[at][0] < last:
                bytes_ = length[at][0]
                start = max(bytes_, first) - first
                found.append(Step(at, start, bytes(unit - start), cut=True, freed=first // 4096 * 4096 >= bytes_))
            if event.kind not in (WRITE, ZERO, STORE, CHANGED):
                continue
            data = event.payload if event.kind != ZERO else bytes(event.length)
            if event.kind == ZERO:
                before = [bytes_ for number, bytes_, _ in self.lengths(obj) if number < at][-1]
                data = data[:max(0, before - event.offset)]
            low, high = max(first, event.offset), min(last, event.offset + len(data))
            if low >= high:
                continue
            part = data[low - event.offset:high - event.offset]
            if event.flags & INITIAL:
                initial[low - first:high - first] = part
            elif event.kind in (WRITE, ZERO) or (event.kind == CHANGED and not event.flags & WORDS):
                found.append(Step(at, low - first, part))
            else:
                for word in range((low - first) // 8, (high - first - 1) // 8 + 1):
                    start, end = max(low - first, word * 8), min(high - first, word * 8 + 8)
                    found.append(Step(at, start, part[start - (low - first):end - (low - first)],
                                      ordered=not event.flags & WORDS))
        return initial, found

    def durable_until(self, obj, unit, index, steps):
        """What was stored to the unit up to this event is durable for sure. There is no flush of what was cut off."""
        first, last, until = index * unit, index * unit + unit, 0
        for at, event in self.told():
            if event.kind == FLUSH and event.obj == obj and event.offset < last and event.offset + event.length > first:
                if any(drain.kind == DRAIN and not drain.flags & FAILED and number > at and drain.obj in (0, obj)
                       and (drain.thread == event.thread or drain.flags & ALL_THREADS)
                       for number, drain in self.told()):
                    until = max([until] + [step.at for step in steps if step.at < at and not step.freed])
            instant = event.kind == CHANGED or (event.kind == STORE and at < len(self.events))
            if (self.instant[obj] and event.obj == obj and instant
                    and event.offset < last and event.offset + len(event.payload) > first):
                until = max(until, at)
        for _, event, begin in self.syncs():
            if event.flags & FOLDER or event.obj not in (0, obj):
                continue
            end = event.offset + event.length
            if not event.obj or (event.offset // 4096 * 4096 < last and (end + 4095) // 4096 * 4096 > first):
                until = max(until, begin)
        return until

    def contents_of_unit(self, obj, unit, index, cuts_there, cuts_not):
        """Every legal content; cuts are events."""
        initial, steps = self.steps(obj, unit, index)
        sure_until = max([self.durable_until(obj, unit, index, steps)] +
                         [s.at for s in steps if s.cut and s.at in cuts_there])
        barred = [s.at for s in steps if s.freed and s.at in cuts_not and s.at > sure_until]
        sure = {i for i, step in enumerate(steps) if step.at <= sure_until}
        free = [i for i in range(len(steps)) if i not in sure and not (barred and steps[i].at >= min(barred))]
        below = {i: [j for j in range(i) if needs(steps[i], steps[j])] for i in free}
        found = set()
        if len(free) > 12:
            raise TooMany
        for bits in itertools.product((False, True), repeat=len(free)):
            there = sure | {i for i, bit in zip(free, bits) if bit}
            if all(j in there for i in there if i not in sure for j in below[i]):
                content = bytearray(initial)
                for i in sorted(there):
                    content[steps[i].start:steps[i].start + len(steps[i].data)] = steps[i].data
                found.add(bytes(content))
        return found

    def contents(self, obj, cuts_in_journal):
        """Every legal (length, CRC) of a file; the number of its cuts that the journal has, or None."""
        lengths, found = self.lengths(obj), set()
        unit, count = self.units_of(obj, max(bytes_ for _, bytes_, _ in lengths))
        for chosen in range(self.durable_length(obj), len(lengths)):
            cuts = [number for number, _, cut in lengths if cut]
            there = [number for number, _, cut in lengths[:chosen + 1] if cut]
            if cuts_in_journal is not None and len(there) != cuts_in_journal:
                continue
            bytes_ = lengths[chosen][1]
            units = [self.contents_of_unit(obj, unit, i, there, [c for c in cuts if c not in there])
                     for i in range(min(count, -(-bytes_ // unit)))]
            total = 1
            for contents in units:
                total *= len(contents)
            if total > TOO_MANY:
                raise TooMany
            for parts in itertools.product(*units):
                found.add((bytes_, zlib.crc32(b''.join(parts)[:bytes_])))
        return found

    # -- states --

    def entries(self, tree):
        """{(folder, path): object} that can be reached, and modes."""
        slots, modes = {}, {}
        for _, _, changes, _, _, _ in tree:
            slots.update(changes)
        for _, event in self.told():
            if event.kind == CREATE:
                modes[event.obj] = event.offset
        modes.update({slot[1]: mode for slot, mode in slots.items() if slot[0] == 'mode'})
        roots = [event.obj for _, event in self.told()
                 if event.kind == CREATE and not event.parent and event.names()[0]]
        found, reach = {}, [((i, b''), root) for i, root in enumerate(roots)]
        while reach:
            (root, path), folder = reach.pop()
            for (parent, name), obj in slots.items():
                if parent == folder and obj:
                    place = (root, path + b'/' + name if path else name)
                    found[place] = obj
                    if modes[obj] & 0o170000 == S_IFDIR:
                        reach.append((place, obj))
        return found, modes

    def states(self):
        """Every legal state, as text."""
        kinds, found = {}, set()
        promises = sum(event.kind == PROMISE for event in self.events)
        targets = {event.obj: event.names()[1] for event in self.events
                   if event.kind == CREATE and event.offset & 0o170000 == S_IFLNK}
        for tree in self.trees():
            entries, modes = self.entries(tree)
            files = sorted({obj for obj in entries.values() if modes[obj] & 0o170000 == S_IFREG})
            choices = []
            for obj in files:
                cuts = None if self.posix else sum(cut and owner == obj for _, _, _, owner, _, cut in tree)
                if (obj, cuts) not in kinds:
                    kinds[obj, cuts] = self.contents(obj, cuts)
                choices.append(kinds[obj, cuts])
            total = len(found) + 1
            for choice in choices:
                total *= max(1, len(choice))
            if total > TOO_MANY:
                raise TooMany
            for contents in itertools.product(*choices):
                held = dict(zip(files, contents))
                text = str(promises)
                for (root, path), obj in sorted(entries.items()):
                    text += f' {root}:{path.decode()}:{modes[obj]:o}:'
                    if obj in held:
                        text += f'{held[obj][0]}:{held[obj][1]:08x}'
                    elif obj in targets:
                        text += targets[obj].decode()
                found.add(text)
        return found


def legal_states(events, posix):
    """All states of all crash points."""
    line, instant, found = {}, {}, set()
    for event in events:
        for obj in (event.obj, event.parent):
            line.setdefault(obj, False)
        if event.kind == MAP:
            line[event.obj] = line[event.obj] or event.other >= 2
            instant.setdefault(event.obj, []).append(event.other)
    instant = {obj: set(instant.get(obj, ())) == {3} for obj in line}
    for taken in range(len(events) + 1):
        point = taken == len(events)
        if not point:
            point = events[taken].kind in (DRAIN, SYNC) and not events[taken].flags & FAILED
        if taken:
            last = events[taken - 1]
            point = point or last.kind == PROMISE or (last.kind == STORE and instant[last.obj])
        if point:
            prefix = Prefix(events[:taken], posix)
            prefix.line, prefix.instant = line, instant
            found |= prefix.states()
        if len(found) > TOO_MANY:
            raise TooMany
    return found


# ---- random traces ----

class Maker:
    """A small trace in which everything may happen."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.events = [Event(CREATE, INITIAL, obj=1, offset=S_IFDIR | 0o755, payload=b'/data\0')]
        self.next, self.folders, self.files, self.names = 2, [1], {}, {}
        self.bytes, self.begun, self.domains, self.marker = {}, {}, {}, 0
        self.flavour = self.random.choice(['names', 'files', 'memory', 'all', 'cuts'])
        if self.random.random() < 0.4:
            self.events.append(Event(CREATE, INITIAL, obj=2, offset=S_IFDIR | 0o755, payload=b'/other\0'))
            self.next, self.folders = 3, [1, 2]
        for _ in range(self.random.randrange(3) if self.flavour != 'memory' else 1):
            self.create(INITIAL)

    def data(self, length):
        self.marker += 1
        return bytes((self.marker * 37 + i // 8 * 11) % 255 + 1 for i in range(length))

    def put(self, event):
        self.events.append(event)

    def create(self, flags=0):
        free = [(folder, name) for folder in self.folders for name in (b'a', b'b', b'c')
                if (folder, name) not in self.names]
        if not free:
            return
        parent, name = self.random.choice(free)
        obj, self.next = self.next, self.next + 1
        kind = self.random.random()
        folders = 0.35 if self.flavour == 'names' else 0.12
        mode = S_IFDIR | 0o755 if kind < folders else S_IFLNK | 0o777 if kind < folders + 0.05 else S_IFREG | 0o644
        payload = name + b'\0' + (b'target\0' if mode & 0o170000 == S_IFLNK else b'')
        if mode & 0o170000 == S_IFREG and not flags and self.random.random() < 0.1:
            parent, payload = 0, b'\0'
        else:
            self.names[parent, name] = obj
        self.put(Event(CREATE, flags, obj=obj, parent=parent, offset=mode, payload=payload))
        if mode & 0o170000 == S_IFDIR:
            self.folders.append(obj)
        elif mode & 0o170000 == S_IFREG:
            self.files[obj] = mode
            self.bytes[obj] = 0
            if flags and self.random.random() < 0.9:
                length = self.random.choice([100, 512, 700, 4200, 64, 130, 200])
                self.put(Event(WRITE, INITIAL, obj=obj, payload=self.data(length)))
                self.bytes[obj] = length
            if self.flavour in ('memory', 'all') and self.random.random() < 0.8:
                self.domains[obj] = self.random.choice([1, 2, 2, 3])
                self.put(Event(MAP, obj=obj, length=self.bytes[obj], other=self.domains[obj]))
        elif mode & 0o170000 == S_IFLNK:
            pass

    def thread(self):
        return self.random.choice([1, 1, 2])

    def file(self):
        return self.random.choice(list(self.files)) if self.files else None

    def offset(self, obj):
        near = [0, 0, 8, 60, 64, 500, 512, self.bytes[obj], self.bytes[obj] // 2]
        if self.bytes[obj] > 4000:
            near += [4090, 4096]
        return self.random.choice(near)

    def write(self):
        obj = self.file()
        if obj:
            length = self.random.choice([1, 1, 8, 8, 64, 64, 100, 520, 520, 4200])
            offset = self.offset(obj)
            self.put(Event(WRITE, obj=obj, offset=offset, payload=self.data(length)))
            self.bytes[obj] = max(self.bytes[obj], offset + length)

    def zero(self):
        obj = self.file()
        if obj:
            self.put(Event(ZERO, obj=obj, offset=self.offset(obj), length=self.random.choice([8, 64, 600])))

    def resize(self):
        obj = self.file()
        if obj:
            self.bytes[obj] = self.random.choice([0, 0, 50, 64, 512, 600, self.bytes[obj] + 100, 4097])
            self.put(Event(SIZE, obj=obj, length=self.bytes[obj]))

    def store(self):
        obj = self.file()
        if obj and self.bytes[obj]:
            length = self.random.choice([1, 8, 8, 8, 16, 24])
            offset = self.random.choice([0, 8, 16, 56, 60, 64, 120, 4, self.bytes[obj] // 16 * 8])
            flags = WORDS if self.random.random() < 0.2 else 0
            if self.random.random() < 0.15:
                self.put(Event(CHANGED, 0, self.thread(), obj, offset=offset // 64 * 64, payload=self.data(64)))
            else:
                self.put(Event(STORE, flags, self.thread(), obj, offset=offset, payload=self.data(length)))

    def flush(self):
        obj = self.file()
        if obj:
            length = self.random.choice([64, 64, 128, 8192])
            self.put(Event(FLUSH, 0, self.thread(), obj, offset=self.random.choice([0, 0, 64, 128]), length=length))

    def drain(self):
        flags = self.random.choice([0, 0, 0, 0, ALL_THREADS, FAILED])
        self.put(Event(DRAIN, flags, self.thread(), self.file() if self.random.random() < 0.3 and self.files else 0))

    def sync(self):
        thread = self.thread()
        if self.random.random() < 0.8 or thread in self.begun:
            if thread not in self.begun:
                self.begun[thread] = True
                self.put(Event(SYNC_BEGIN, thread=thread))
            if self.random.random() < 0.3:
                return
        self.begun.pop(thread, None)
        flags = FAILED if self.random.random() < 0.1 else 0
        kind = self.random.random()
        if kind < 0.1:
            self.put(Event(SYNC, flags, thread, length=EVERYTHING))
        elif kind < 0.4:
            self.put(Event(SYNC, flags | FOLDER, thread, self.random.choice(self.folders), length=EVERYTHING))
        elif self.files:
            flags |= self.random.choice([0, DATA_ONLY])
            offset, length = self.random.choice([(0, EVERYTHING), (0, EVERYTHING), (0, 4096), (4096, 4096),
                                                  (100, 300), (600, 10)])
            self.put(Event(SYNC, flags, thread, self.file(), offset=offset, length=length))

    def link(self):
        obj, folder = self.file(), self.random.choice(self.folders)
        name = self.random.choice([b'a', b'b', b'd'])
        if obj and (folder, name) not in self.names:
            self.names[folder, name] = obj
            self.put(Event(LINK, obj=obj, parent=folder, payload=name + b'\0'))

    def unlink(self):
        able = [slot for slot, obj in self.names.items() if obj not in self.folders]
        if able:
            slot = self.random.choice(able)
            self.put(Event(UNLINK, obj=self.names.pop(slot), parent=slot[0], payload=slot[1] + b'\0'))

    def inside(self, folder, top):
        above = {obj: slot[0] for slot, obj in self.names.items()}
        while folder in above:
            if folder == top:
                return True
            folder = above[folder]
        return folder == top

    def rename(self):
        if not self.names:
            return
        old = self.random.choice(list(self.names))
        new = (self.random.choice(self.folders), self.random.choice([b'a', b'b', b'c', b'd']))
        obj, there = self.names[old], self.names.get(new)
        exchanged = there is not None and self.random.random() < 0.3
        if old == new or there in self.folders or (obj in self.folders and (self.inside(new[0], obj) or there)):
            return
        if obj != there:
            del self.names[old]
            self.names[new] = obj
            if exchanged:
                self.names[old] = there
        self.put(Event(RENAME, EXCHANGED if exchanged else 0, obj=obj, parent=old[0], other=new[0],
                       payload=old[1] + b'\0' + new[1] + b'\0'))

    def move_folder(self):
        able = [(slot, folder, name) for slot, obj in self.names.items() if obj in self.folders
                for folder in self.folders for name in (b'a', b'c')
                if not self.inside(folder, obj) and (folder, name) not in self.names]
        if not able:
            return
        old, folder, name = self.random.choice(able)
        obj = self.names.pop(old)
        self.names[folder, name] = obj
        self.put(Event(RENAME, obj=obj, parent=old[0], other=folder, payload=old[1] + b'\0' + name + b'\0'))
        if self.random.random() < 0.5:
            self.put(Event(SYNC, FOLDER, self.thread(), folder, length=EVERYTHING))

    def mode(self):
        obj = self.file()
        if obj:
            self.put(Event(MODE, obj=obj, offset=S_IFREG | self.random.choice([0o600, 0o400, 0o640])))

    def promise(self):
        self.put(Event(PROMISE, payload=b'done'))

    def make(self):
        names = [self.create, self.move_folder, self.link, self.unlink, self.rename, self.rename, self.mode,
                 self.sync, self.sync]
        files = [self.create, self.write, self.write, self.write, self.sync, self.sync, self.zero]
        memory = [self.store, self.store, self.store, self.flush, self.flush, self.drain]
        cuts = [self.create, self.write, self.write, self.resize, self.resize, self.sync, self.store, self.flush,
                self.drain]
        kinds = {'names': names + files[:2], 'files': names + files, 'memory': memory + [self.sync], 'cuts': cuts,
                 'all': names + files + memory + cuts}[self.flavour] + [self.promise] * (self.random.random() < 0.3)
        for _ in range(self.random.randrange(2, 15)):
            self.random.choice(kinds)()
        return self.events


# ---- comparing ----

def make_traces(seed, count):
    """(seed, posix, events, states)."""
    made, tried = [], 0
    while len(made) < count:
        tried += 1
        own = seed * 1000003 + tried
        events = Maker(own).make()
        posix = bool(tried % 2)
        try:
            made.append((own, posix, events, legal_states(events, posix)))
        except TooMany:
            pass
    return made


def run(program, traces, shard=0, shards=0):
    packed = b''
    for _, posix, events, _ in traces:
        body = b''.join(event.packed() for event in events)
        packed += struct.pack('<IIII', posix, shard, shards, len(body)) + body
    done = subprocess.run([program], input=packed, capture_output=True, check=False)
    if done.returncode:
        print(done.stderr.decode()[-3000:])
        sys.exit(f'{program} failed: {done.returncode}')
    found, lines = [], []
    for line in done.stdout.decode().splitlines():
        if line.startswith('END'):
            found.append((lines, line.split()[1] == '1', int(line.split()[2])))
            lines = []
        else:
            lines.append(line)
    return found


def compare(own, posix, events, states, found):
    """What is wrong with what the explorer found, in words."""
    lines, exhaustive, count = found
    if len(lines) != len(set(lines)):
        return 'a state was judged twice'
    if set(lines) != states or not exhaustive or count != len(states):
        return (f'legal, and not found: {len(states - set(lines))}; found, and not legal: {len(set(lines) - states)}; '
                f'exhaustive: {exhaustive}, counted {count} of {len(states)}')
    return None


def show(own, posix, events, states, found):
    print('posix' if posix else 'journaled')
    for number, event in enumerate(events, 1):
        print(f'{number:3} {event}')
    for word, which in (('missing', states - set(found[0])), ('not legal', set(found[0]) - states)):
        for line in sorted(which)[:6]:
            print(f'{word}: {line}')


def check_shards(program, traces, whole):
    """Disjoint and together complete."""
    parts = [run(program, traces, shard, 3) for shard in range(3)]
    for number, trace in enumerate(traces):
        lines = [line for part in parts for line in part[number][0]]
        if len(lines) != len(set(lines)) or set(lines) != set(whole[number][0]):
            sys.exit(f'trace {trace[0]}: shards are not disjoint and complete')
        if any(part[number][2] != whole[number][2] for part in parts):
            sys.exit(f'trace {trace[0]}: shards count different states')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('states')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    parser.add_argument('--traces', type=int, default=1000)
    parser.add_argument('--show', type=int, default=1)
    options = parser.parse_args()
    print(f'seed {options.seed}', flush=True)
    wrong = states = 0
    for first in range(0, options.traces, BATCH):
        traces = make_traces(options.seed + first, min(BATCH, options.traces - first))
        whole = run(options.states, traces)
        for trace, found in zip(traces, whole):
            what = compare(*trace, found)
            if what:
                wrong += 1
                print(f'trace {trace[0]}: {what}')
                if wrong <= options.show:
                    show(*trace, found)
        check_shards(options.states, traces[:100], whole)
        states += sum(len(trace[3]) for trace in traces)
    print(f'{options.traces} traces, {states} states, {wrong} traces differ')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
