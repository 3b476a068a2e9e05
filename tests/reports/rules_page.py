#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/RULES.md against the table of rules, as SARIF tells it: a section for each, with its words, and C that compiles.

usage: rules_page.py NVRTL ROOT CC
"""
import json
import pathlib
import re
import subprocess

import common

AROUND = '''
#include <nvrtl/nvrtl.h>
#include <nvrtl/kernel.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
struct header { ULONGLONG committed, checksum; };
struct record { ULONGLONG length; char text[56]; };
NTSTATUS example(PVOID token, char *base, struct header *header, struct record *record, int fd, HANDLE handle);
NTSTATUS example(PVOID token, char *base, struct header *header, struct record *record, int fd, HANDLE handle)
{
    static const char data[64];
    IO_STATUS_BLOCK block;
    (void)token, (void)base, (void)header, (void)record, (void)fd, (void)handle, (void)data, (void)block;
    {
%s
    }
    return STATUS_SUCCESS;
}
'''


def words(text):
    """Without line breaks and the marks of Markdown."""
    return ' '.join(text.replace('`', '').split())


class RulesPage(common.Test):

    def setUp(self):
        super().setUp()
        log = json.loads(self.check('true', form='sarif', status=125).read_text())
        self.rules = log['runs'][0]['tool']['driver']['rules']
        page = (pathlib.Path(ROOT) / 'docs' / 'RULES.md').read_text()
        self.sections = dict(re.findall(r'^## (\S+)\n(.*?)(?=^## |\Z)', page, re.S | re.M))

    def test_each_rule_has_its_section_in_order(self):
        self.assertEqual(list(self.sections), [rule['id'] for rule in self.rules])

    def test_sections_have_the_words_of_the_table(self):
        for rule in self.rules:
            text = words(self.sections[rule['id']])
            title = f"**{rule['defaultConfiguration']['level']}**: {rule['shortDescription']['text']}"
            for part in title, '> ' + rule['fullDescription']['text']:
                self.assertIn(part, text)
            explanation, advice = rule['help']['markdown'].split('\n\n**To do:** ')
            self.assertIn(words(advice), text)
            for sentence in re.split(r'(?<=[.;]) ', words(explanation)):
                kept = sentence.rstrip('.;').split(' (')[0].split(':')[0]
                self.assertIn(kept, text, rule['id'])

    def test_examples_are_c(self):
        for name, section in self.sections.items():
            examples = re.findall(r'^```c\n(.*?)^```', section, re.S | re.M)
            self.assertEqual(len(examples), 2, f'{name}: one that is wrong, one that is right')
            self.assertNotEqual(*examples)
            for example in examples:
                built = subprocess.run([*CC.split(), '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror',
                                        '-Wno-unused-result', f'-I{ROOT}/include', '-fsyntax-only', '-x', 'c', '-'],
                                       input=AROUND % example, capture_output=True, text=True, check=False)
                self.assertEqual(built.returncode, 0, f'{name}: {built.stderr}')


if __name__ == '__main__':
    common.main('nvrtl', 'root', 'cc')
