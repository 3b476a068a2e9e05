#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recovery functions (--recover-fn): where the state is, what a call leaves, and that only what it read decides."""
from traces import EARLY, LIBRARY, ROWS, Test, main, wide


class Functions(Test):
    def call(self, name, text, *options, status=0):
        return self.report(f'--from={self.trace(text)}', f'--recover-fn={LIBRARY}:{name}', '--jobs=1', *options,
                           status=status)

    def test_in_place_and_copied_on_write(self):
        report = self.call('in_place', wide(6))
        self.assertGreaterEqual(self.states(report), 1 << 6)

    def test_states_are_whole(self):
        self.call('whole_lines', wide(4, 2))

    def test_another_address_each(self):
        """Whatever lies there in the host: it is started again until nothing does."""
        for address in ('0x7ffff7d00000', '0x555555554000', '0x7f0000000000'):
            with self.subTest(address):
                self.call('good', wide(2, address=address))

    def test_failure(self):
        finding = self.call('bad', wide(2), status=99)['findings'][0]['crash']
        self.assertEqual(finding['ending'], 'ended with status 253')
        self.assertEqual(finding['output'], '1 files\n')

    def test_ends(self):
        for name, ending in (('dies', 'died of signal 7 (Bus error)'), ('exits', 'ended with status 5'),
                             ('hangs', 'did not end within 0.05 s')):
            with self.subTest(name):
                report = self.call(name, ROWS, '--timeout=0.05', status=99)
                self.assertEqual(report['findings'][0]['crash']['ending'], ending)
                self.assertGreater(self.states(report), 4)

    def test_children_end(self):
        self.call('leaves_children', ROWS)

    def test_promises(self):
        self.call('promised', ROWS)
        self.call('promised', EARLY, status=99)


class Reads(Test):
    """What was not read is not branched on: and whatever was read, is."""

    def judged(self, name, status=0):
        """How many of the states, which are more than 1024."""
        report = self.report(f'--from={self.trace(wide(10))}', f'--recover-fn={LIBRARY}:{name}', '--jobs=1',
                             status=status)
        crash = report['summary']['crash']
        self.assertTrue(crash['exhaustive'])
        self.assertGreater(crash['states'], 1 << 10)
        self.assertEqual(crash['judged'] + crash['skipped'], crash['states'])
        return crash['judged']

    def test_nothing(self):
        self.assertLess(self.judged('good'), 20)

    def test_one_page_of_two(self):
        """Lines 0 to 7 are in its page, 8 and 9 in the next one: those are not branched on."""
        judged = self.judged('reads_first_page')
        self.assertGreaterEqual(judged, 1 << 8)
        self.assertLess(judged, 1 << 10)

    def test_a_call_of_the_system(self):
        """It reads the page with lines 8 and 9, as much as an instruction of the program does."""
        judged = self.judged('reads_by_a_call', status=99)
        self.assertLess(judged, 1 << 8)
        self.assertEqual(judged, self.judged('last_line', status=99))

    def test_not_known(self):
        """What a child reads is not seen, nor what was unmapped: then each state is judged."""
        for name in ('reads_in_a_child', 'unmaps'):
            with self.subTest(name):
                self.assertGreater(self.judged(name, status=99), 1 << 10)


class Usage(Test):
    def fails(self, function):
        path = self.trace(ROWS)
        return self.crash(f'--from={path}', f'--recover-fn={function}', status=125)[1]

    def test_no_library(self):
        self.assertIn('no-such.so', self.fails('./no-such.so:good'))

    def test_no_function(self):
        self.assertIn('nothing', self.fails(f'{LIBRARY}:nothing'))


if __name__ == '__main__':
    main()
