#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--format=sarif: what SARIF 2.1.0 requires, and what GitHub and the viewer of VS Code need of it.

usage: sarif.py NVRTL CLIENT RULES_CLIENT
"""
import json
import pathlib
import re
import urllib.parse

import common

LEVELS = ('error', 'warning', 'note')
URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")


class Sarif(common.Test):
    """Each check_ method holds one object of the standard to its section of it."""

    def sarif(self, *program, **more):
        log = json.loads(self.check(*program, form='sarif', **more).read_text())
        self.assertEqual(log['version'], '2.1.0')
        self.assertTrue(log['$schema'].endswith('sarif-schema-2.1.0.json'))
        self.assertEqual(len(log['runs']), 1)
        self.run_object = log['runs'][0]
        self.check_driver(self.run_object['tool']['driver'])
        self.check_invocation(self.run_object['invocations'][0])
        for result in self.run_object['results']:
            self.check_result(result)
        return self.run_object

    def check_message(self, message):
        self.assertEqual(set(message), {'text'})
        self.assertTrue(message['text'].strip())

    def check_driver(self, driver):
        self.assertEqual(driver['name'], 'nvrtl')
        self.assertRegex(driver['semanticVersion'], r'^\d+\.\d+\.\d+$')
        self.rules = [rule['id'] for rule in driver['rules']]
        self.assertEqual(len(set(self.rules)), len(self.rules))
        for rule in driver['rules']:
            self.check_message(rule['shortDescription'])
            self.check_message(rule['fullDescription'])
            self.assertTrue(rule['help']['text'] and rule['help']['markdown'])
            self.assertIn(rule['defaultConfiguration']['level'], LEVELS)

    def check_invocation(self, invocation):
        self.assertIsInstance(invocation['executionSuccessful'], bool)
        self.assertTrue(all(isinstance(word, str) for word in invocation['arguments']))
        self.check_uri(invocation['workingDirectory']['uri'])
        for notification in invocation['toolExecutionNotifications']:
            self.assertIn(notification['level'], LEVELS)
            self.check_message(notification['message'])

    def check_uri(self, uri):
        self.assertTrue(uri)
        self.assertTrue(URI.fullmatch(uri), uri)
        self.assertFalse(re.search('%(?![0-9A-F]{2})', uri), uri)

    def check_artifact(self, artifact):
        """A path below a known base, or a whole one."""
        self.check_uri(artifact['uri'])
        if 'uriBaseId' in artifact:
            base = self.run_object['originalUriBaseIds'][artifact['uriBaseId']]['uri']
            self.assertTrue(base.startswith('file:///') and base.endswith('/'))
            self.assertFalse(artifact['uri'].startswith(('/', 'file:')))
            whole = base + artifact['uri']
        else:
            self.assertTrue(artifact['uri'].startswith('file:///'), artifact)
            whole = artifact['uri']
        return pathlib.Path(urllib.parse.unquote(whole[len('file://'):], errors='surrogateescape'))

    def check_region(self, region):
        self.assertTrue(region)
        self.assertGreaterEqual(region.get('startLine', 1), 1)
        self.assertGreaterEqual(region.get('byteOffset', 0), 0)
        self.assertGreaterEqual(region.get('byteLength', 0), 0)

    def check_location(self, location):
        self.assertTrue(location.keys() <= {'id', 'physicalLocation', 'logicalLocations', 'message'}, location)
        for logical in location.get('logicalLocations', []):
            self.assertEqual(set(logical), {'name', 'kind'})
        if 'message' in location:
            self.check_message(location['message'])
        if 'physicalLocation' in location:
            self.check_region(location['physicalLocation']['region'])
            return self.check_artifact(location['physicalLocation']['artifactLocation'])
        return None

    def check_result(self, result):
        self.assertEqual(self.rules[result['ruleIndex']], result['ruleId'])
        self.assertIn(result['level'], LEVELS)
        self.check_message(result['message'])
        self.assertGreaterEqual(result['occurrenceCount'], 1)
        self.assertLessEqual(len(result['locations']), 1)
        for location in result['locations']:
            self.check_location(location)
            self.assertIn('startLine', location['physicalLocation']['region'])  # GitHub shows none without
        for location in result.get('relatedLocations', []):
            self.check_location(location)
        for stack in result['stacks']:
            self.check_message(stack['message'])
            self.assertTrue(stack['frames'])
            for frame in stack['frames']:
                self.check_location(frame['location'])
        for flow in result.get('codeFlows', []):
            for thread in flow['threadFlows']:
                self.assertTrue(thread['locations'])
                for step in thread['locations']:
                    self.assertIsNotNone(self.check_location(step['location']))
                    self.assertIn(step['importance'], ('important', 'essential', 'unimportant'))
                    self.assertGreaterEqual(step['nestingLevel'], 0)
        for name, fingerprint in result['partialFingerprints'].items():
            self.assertRegex(name, r'^[A-Za-z]+/v\d+$')
            self.assertTrue(fingerprint)
        for suppression in result['suppressions']:
            self.assertIn(suppression['kind'], ('inSource', 'external'))
            self.assertIn(suppression['status'], ('accepted', 'underReview', 'rejected'))
            self.assertTrue(suppression['justification'])

    def source_line(self, location):
        """The text there: what a viewer would mark."""
        path = self.check_location(location)
        return path.read_text().split('\n')[location['physicalLocation']['region']['startLine'] - 1]

    def test_a_finding_is_at_the_line_that_wrote(self):
        results = self.sarif(RULES_CLIENT, 'not-flushed')['results']
        first, second = sorted(results, key=lambda result: result['properties']['offset'])
        self.assertIn('RtlWriteNonVolatileMemory', self.source_line(first['locations'][0]))
        self.assertEqual(first['locations'][0]['logicalLocations'][0]['name'], 'write_at')
        self.assertEqual(first['properties']['file'], 'region')
        region = first['relatedLocations'][0]['physicalLocation']['region']
        self.assertEqual(region, {'byteOffset': 64, 'byteLength': 4})
        steps = first['codeFlows'][0]['threadFlows'][0]['locations']
        self.assertEqual(steps[0]['location']['logicalLocations'][0]['name'], 'main')
        self.assertEqual([step['nestingLevel'] for step in steps], list(range(len(steps))))
        self.assertEqual(steps[-1]['location']['message']['text'], 'written here')
        # A plain store has no place: the result is at its data file.
        data = second['locations'][0]['physicalLocation']
        self.assertEqual(data['artifactLocation'], {'uri': 'region', 'uriBaseId': '%SRCROOT%'})
        self.assertNotIn('codeFlows', second)

    def test_the_flush_comes_where_it_came(self):
        result, = self.sarif(RULES_CLIENT, 'changed-after-flush')['results']
        said = [step['location']['message']['text'] for step in result['codeFlows'][0]['threadFlows'][0]['locations']]
        self.assertEqual([text for text in said if text != 'calls'], ['flushed here', 'written here'])
        result, = self.sarif(RULES_CLIENT, 'drained-elsewhere')['results']
        said = [step['location']['message']['text'] for step in result['codeFlows'][0]['threadFlows'][0]['locations']]
        self.assertEqual([text for text in said if text != 'calls'], ['written here', 'flushed here'])
        self.assertEqual([stack['message']['text'] for stack in result['stacks']], ['written', 'flushed'])

    def test_refused_calls_are_called(self):
        for result in self.sarif(RULES_CLIENT, 'token-misuse')['results']:
            self.assertEqual(result['stacks'][0]['message']['text'], 'called')
            self.assertIn('Rtl', self.source_line(result['locations'][0]))

    def test_suppressed_ones_stay_and_say_so(self):
        (self.base / 'list').write_text('not-flushed:region:write_at\n*:nothing:*\n')
        results = self.sarif(RULES_CLIENT, 'not-flushed', options=[f'--suppressions={self.base}/list'])['results']
        self.assertEqual([len(result['suppressions']) for result in results], [0, 1])
        self.assertIn('line 1', results[1]['suppressions'][0]['justification'])
        said = [item['message']['text'] for item in self.run_object['invocations'][0]['toolExecutionNotifications']]
        self.assertTrue(any(text.startswith('Unused: ') and 'line 2' in text for text in said), said)

    def test_odd_names_are_no_markup(self):
        results = self.sarif(CLIENT, 'odd-names')['results']
        self.assertEqual(len(results), 7)
        for result in results:
            path = self.check_location(result['locations'][0])
            self.assertTrue(path.exists(), path)
            self.assertFalse(re.search(r'(?<!\\)\[[^\]]*\]\(|(?<!\{)\{\d', result['message']['text']))

    def test_nothing_verified_is_no_success(self):
        run = self.sarif('true', status=125)
        self.assertEqual(run['results'], [])
        self.assertFalse(run['invocations'][0]['executionSuccessful'])
        self.assertEqual(run['invocations'][0]['toolExecutionNotifications'][0]['level'], 'error')

    def test_fingerprints_outlive_the_run(self):
        def prints():
            return sorted(result['partialFingerprints']['nvrtlFinding/v1'] for result in
                          self.sarif(RULES_CLIENT, 'not-flushed')['results'])
        before = prints()
        self.assertEqual(len(set(before)), 2)
        (self.files / 'region').unlink()
        self.files = self.base / 'elsewhere'
        self.files.mkdir()
        self.assertEqual(prints(), before)


if __name__ == '__main__':
    common.main('nvrtl', 'client', 'rules_client')
