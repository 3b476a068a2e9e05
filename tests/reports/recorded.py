#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a report draws: the map of each file and the timeline; and that a million of anything stays small and exact.

usage: recorded.py NVRTL CLIENT
"""
import os
import subprocess

import common

MILLION = 1000000
MEBI = 1 << 20


class Recorded(common.Test):

    def file(self, report, name):
        found, = (entry for entry in report['files'] if entry['file'] == name)
        return found

    def ranges(self, layer):
        return [(part['offset'], part['length'], part['state']) for part in layer]

    def test_a_map_shows_every_state(self):
        report = self.json(CLIENT, 'all-states')
        region, synced = self.file(report, 'region'), self.file(report, 'synced')
        self.assertEqual((region['size'], region['durable_size']), (MEBI, MEBI))
        self.assertEqual(self.ranges(region['durable']), [(0, 8192, 'durable')])
        self.assertEqual(self.ranges(region['differs']),
                         [(16384, 9, 'in-flight'), (32768, 5, 'dirty'), (65536, 7, 'ignored')])
        self.assertEqual(region['bytes'], {'durable': 8192, 'in-flight': 9, 'dirty': 5, 'ignored': 7})
        self.assertEqual(self.ranges(synced['durable']), [(0, 7, 'durable')])
        self.assertEqual(synced['differs'], [])
        named = [part['finding'] for part in region['differs']]
        self.assertIsNone(named[2])
        self.assertEqual([report['findings'][number]['rule'] for number in named[:2]], ['not-drained', 'not-flushed'])
        self.assertEqual(report['files_left_out'], 0)

    def test_a_file_without_anything_durable_is_dirty_as_a_whole(self):
        report = self.json(CLIENT, 'many-files', '3')
        for number in range(3):
            entry = self.file(report, f'file-{number:04}')
            self.assertEqual(self.ranges(entry['differs']), [(0, 11, 'dirty')])
            self.assertEqual(report['findings'][entry['differs'][0]['finding']]['file'], entry['file'])
            self.assertEqual(entry['durable_size'], 0)

    def test_suppressed_findings_leave_their_ranges(self):
        (self.base / 'list').write_text('not-flushed:*:*\n')
        report = self.json(CLIENT, 'all-states', options=[f'--suppressions={self.base}/list'])
        self.assertEqual([finding['rule'] for finding in report['suppressed']], ['not-flushed'])
        self.assertEqual([part['finding'] for part in self.file(report, 'region')['differs']], [0, None, None])

    def test_the_timeline_tells_what_was_called(self):
        report = self.json(CLIENT, 'all-states')
        line = report['timeline']
        self.assertEqual(line['counts'], {'write': 3, 'flush': 2, 'drain': 1, 'sync': 2})
        self.assertEqual([event['kinds'] for event in line['events']],
                         [['sync'], ['write', 'flush', 'drain'], ['write', 'flush'], ['write'], ['sync']])
        times = [event['at'] for event in line['events']]
        self.assertEqual(times, sorted(times))
        self.assertLess(times[-1], line['seconds'])
        self.assertEqual([event['file'] for event in line['events']], ['region'] * 4 + ['synced'])
        self.assertEqual([event.get('offset') for event in line['events']], [None, 0, 16384, 32768, None])
        self.assertEqual([event['bytes'] for event in line['events']], [0, 8192, 9, 5, 7])
        self.assertEqual([event.get('call') for event in line['events']], ['fsync', None, None, None, 'fsync'])
        called = [line['places'][event['place']][0]['function'] for event in line['events'] if 'place' in event]
        self.assertEqual(called, ['all_states'] * 3)
        mark, = report['summary']['marks']
        self.assertTrue(times[3] <= mark['at'] <= times[4])

    def test_drains_without_a_token_and_ranges_are_told(self):
        report = self.json(CLIENT, 'other-calls', status=0)
        self.assertEqual([event['kinds'] for event in report['timeline']['events'] if 'sync' not in event['kinds']],
                         [['flush'], ['drain'], ['flush', 'drain'], ['drain'], ['write', 'flush']])

    def test_a_run_that_draws_nothing_records_nothing(self):
        for form in 'text', 'sarif':
            self.fresh()
            self.assertNotIn('timeline', self.check(CLIENT, 'all-states', form=form).read_text())

    def test_a_power_failure_has_its_timeline(self):
        report = self.json('sh', '-c', f'{CLIENT} many-events 10; kill -9 $$', status=137)
        self.assertTrue(report['summary']['power_failure'])
        self.assertEqual(report['timeline']['counts']['drain'], 10)

    def test_a_sync_that_failed_is_told(self):
        report = self.json(CLIENT, 'all-states', options=['--fail-sync=1'], status=3)
        first, *others = report['timeline']['events']
        self.assertEqual((first['kinds'], first['failed']), (['sync'], True))
        self.assertFalse(any(event.get('failed') for event in others))

    def test_many_events_are_counted_exactly(self):
        report = self.json(CLIENT, 'many-events', '300000', status=0)
        line = report['timeline']
        self.assertEqual(line['counts'], {'write': 300000, 'flush': 300000, 'drain': 300000, 'sync': 3001})
        self.assertLessEqual(len(line['events']), 4096)
        self.assertLessEqual(len(line['spans']), 2048)
        self.assertGreater(len(line['spans']), 10)
        told = sum('write' in event['kinds'] for event in line['events'])
        self.assertEqual(told, 2048)
        self.assertEqual(told + sum(span['counts']['write'] for span in line['spans']), 300000)
        ends = [0] + [span['to'] for span in line['spans']]
        for span, end in zip(line['spans'], ends):
            self.assertTrue(end <= span['from'] < span['to'])

    def peak(self, *program, form='json'):
        """The report, and the most memory that nvrtl itself ever had, in bytes: without the program's, and the view."""
        report = self.base / f'report.{form}'
        self.fresh()
        command = [NVRTL, 'check', f'--format={form}', f'--output={report}', '--', *program]
        process = subprocess.Popen(command, cwd=self.files, stderr=subprocess.DEVNULL)
        with open(f'/proc/{process.pid}/status', encoding='ascii') as status:
            peak = 0
            while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                status.seek(0)
                values = dict(line.split(':', 1) for line in status)
                peak = max(peak, int(values.get('RssAnon', '0 kB').split()[0]) * 1024)
        self.assertEqual(process.wait(), 99)
        return report, peak

    def test_a_million_equal_ranges_are_one_finding(self):
        few = self.peak(CLIENT, 'many-ranges', '1000')[1]
        path, many = self.peak(CLIENT, 'many-ranges', str(MILLION))
        self.assertLess(path.stat().st_size, 2 * MEBI)
        report = common.findings_schema.load(path)
        finding, = report['findings']
        self.assertEqual((finding['rule'], finding['count'], finding['total_bytes']),
                         ('not-flushed', MILLION, 7 * MILLION))
        entry = self.file(report, 'data')
        self.assertEqual(entry['bytes']['dirty'], 7 * MILLION)
        self.assertLessEqual(len(entry['differs']), 4096)
        self.assertLess(many - few, 4 * MEBI)

    def test_a_million_equal_refusals_are_one_finding_for_each_place(self):
        few = self.peak(CLIENT, 'many-refusals', '1000')[1]
        path, many = self.peak(CLIENT, 'many-refusals', str(MILLION))
        report = common.findings_schema.load(path)
        self.assertEqual({finding['rule'] for finding in report['findings']}, {'token-misuse'})
        self.assertEqual(sum(finding['count'] for finding in report['findings']), MILLION)
        self.assertLessEqual(len(report['findings']), 3)
        self.assertLess(many - few, 4 * MEBI)


if __name__ == '__main__':
    common.main('nvrtl', 'client')
