#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""--format=html, as a browser shows it: all is there, can be reached and read, and nothing runs that should not.
Without Chromium, what can be told from the file alone.

usage: html.py NVRTL CLIENT RULES_CLIENT
"""
import json
import re
import struct
import zlib

import browser
import common
import findings_schema

DESKTOP, NARROW = (1280, 900), (390, 844)

# Text that stands out too little from what is behind it (WCAG 2.1, AA).
PALE = '''(() => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = c => c / 255 <= .03928 ? c / 255 / 12.92 : ((c / 255 + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => [r, g, b].map(linear)
    .reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, style = getComputedStyle(element);
    if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest('button:disabled, .hidden-visually, .suppressed, .system')) continue;
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(parse(colour)), light(behind(element))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 18.66;
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5))
      pale.push(`${texts.currentNode.textContent.trim().slice(0, 40)} ${colour}`);
  }
  return pale;
})()'''


def picture(png):
    """Width, height and the number of different colours of a PNG."""
    width, height = struct.unpack('>II', png[16:24])
    at, data = 8, b''
    while at < len(png):
        length, kind = struct.unpack('>I4s', png[at:at + 8])
        data += png[at + 8:at + 8 + length] if kind == b'IDAT' else b''
        at += length + 12
    raw = zlib.decompress(data)
    return width, height, len({raw[each:each + 3] for each in range(0, len(raw), 301)})


class Html(common.Test):
    browser = None

    @classmethod
    def tearDownClass(cls):
        if Html.browser:
            Html.browser.close()

    def page(self, *program, size=DESKTOP, dark=False, **more):
        """The report of a program, opened; and its data."""
        path = self.check(*program, form='html', **more)
        text = path.read_text()
        data = re.search(r'<script type="application/json" id="report">(.*?)</script>', text, re.S).group(1)
        self.assertFalse(set('<>&') & set(data))
        report = json.loads(data)
        self.assertEqual(findings_schema.problems(report), [])
        foreign = re.search(r'(src|href)="(?!#)|url\(|@import|https?://(?!www\.w3\.org/)', text.replace(data, ''))
        self.assertIsNone(foreign)
        if not browser.find():
            self.skipTest('chromium is not installed')
        if not Html.browser:
            Html.browser = browser.Browser(*size)
        self.show(size, dark)
        del Html.browser.said[:]
        Html.browser.open(path)
        return report

    def show(self, size, dark=False):
        Html.browser.resize(*size)
        Html.browser.call('Emulation.setEmulatedMedia',
                          features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])

    def run_js(self, expression):
        return Html.browser.run(expression)

    def count(self, selector):
        return self.run_js(f'document.querySelectorAll({json.dumps(selector)}).length')

    def text(self, selector):
        return self.run_js(f'document.querySelector({json.dumps(selector)}).textContent')

    def press(self, selector):
        self.run_js(f'document.querySelector({json.dumps(selector)}).dispatchEvent('
                    "new MouseEvent('click', {bubbles: true}))")

    def focused(self):
        return self.run_js('document.activeElement.className.baseVal || document.activeElement.className')

    def check_page(self, report):
        """What holds of every page."""
        self.assertEqual(Html.browser.said, [])
        self.assertEqual(self.count('.finding:not(.suppressed)'), len(report['findings']))
        self.assertEqual(self.count('.finding.suppressed'), len(report['suppressed']))
        self.assertEqual(self.count('#file-list button.file'),
                         len(report['files']) if len(report['files']) > 1 else 0)
        self.assertEqual(self.count('#grid') == 1, bool(report['files']))
        kinds = [kind for kind, count in report['timeline']['counts'].items() if count]
        for kind in kinds:
            self.assertGreater(self.count(f'.bin.{kind}'), 0)
        unnamed = "[...document.querySelectorAll('button, input, [role=button]')].filter(item => " \
                  "!item.textContent.trim() && !item.getAttribute('aria-label')).length"
        self.assertEqual(self.run_js(unnamed), 0)
        self.assertEqual(self.run_js('document.documentElement.scrollWidth <= innerWidth'), True)
        self.assertEqual(self.run_js(PALE), [])
        width, height, colours = picture(Html.browser.screenshot())
        self.assertGreater(colours, 20)
        self.assertEqual([width, height], self.run_js('[innerWidth, innerHeight]'))

    def test_one_finding(self):
        report = self.page(RULES_CLIENT, 'not-drained')
        self.check_page(report)
        self.assertEqual(self.text('#verdict'), '1 error')
        self.assertIn('would have been lost', self.text('#lead'))
        body = self.text('.finding .body')
        for part in report['findings'][0]['advice'], 'write_at', 'Flushed at', 'What happened there', \
                report['findings'][0]['suppression']:
            self.assertIn(part, body)
        self.assertEqual(self.count('#grid .cell'), 16384 / 64)
        self.assertEqual(self.count('#grid .cell.in-flight.pointed'), 1)
        self.assertGreater(self.count('.bin.pointed'), 0)

    def test_every_state_light_and_dark_wide_and_narrow(self):
        report = self.page(CLIENT, 'all-states')
        backs = set()
        for size in DESKTOP, NARROW:
            for dark in False, True:
                self.show(size, dark)
                self.check_page(report)
                backs.add(self.run_js('getComputedStyle(document.body).backgroundColor'))
                for state in 'durable', 'ignored', 'in-flight', 'dirty', 'untouched':
                    self.assertGreater(self.count(f'#grid .cell.{state}'), 0, state)
        self.assertEqual(len(backs), 2)
        self.press('#theme')
        self.assertEqual(self.text('#theme'), 'Dark')

    def test_two_thousand_findings(self):
        report = self.page(CLIENT, 'many-files', '2000')
        self.assertEqual(len(report['findings']), 2000)
        self.check_page(report)
        self.run_js("document.querySelector('#filters input').value = 'file-1234'")
        self.run_js("document.querySelector('#filters input').dispatchEvent(new Event('input'))")
        self.assertEqual(self.count('.finding:not([hidden])'), 1)
        self.press('.finding:not([hidden]) h3 button')
        self.assertIn('file-1234', self.text('.finding.selected .suppression'))
        self.assertEqual(Html.browser.said, [])

    def test_names_are_text_and_nothing_in_them_runs(self):
        report = self.page(CLIENT, 'odd-names')
        self.run_js("document.querySelectorAll('.finding h3 button, #file-list button').forEach(each => each.click())")
        self.run_js("document.querySelectorAll('details').forEach(item => { item.open = true; })")
        self.check_page(report)
        self.assertNotIn('owned', self.run_js('document.title'))
        self.assertEqual(self.count('script'), 2)
        self.assertEqual(self.count('img, iframe, object, embed, [onmouseover]'), 0)
        self.assertEqual(self.run_js("document.querySelectorAll('.finding .where')[2].textContent"),
                         "<img src=x onerror=document.title='owned'> at 0x0")
        # And should one get in: the policy of the page runs none that it does not know.
        self.run_js("document.body.append(Object.assign(document.createElement('script'), "
                    "{textContent: \"document.title = 'owned'\"}))")
        self.assertNotIn('owned', self.run_js('document.title'))

    def test_the_map_goes_closer_and_back_by_keys(self):
        self.page(CLIENT, 'all-states')
        whole = self.text('#map-scale')
        self.assertIn('Each square is 1 KiB', whole)
        self.run_js("document.querySelector('#grid .cell').focus()")
        self.assertEqual(self.count('#grid .cell[tabindex="0"]'), 1)
        for key, expected in (('ArrowRight', 1), ('ArrowDown', 65), ('Home', 0), ('End', 1023)):
            Html.browser.key(key)
            self.assertEqual(self.run_js('map.cells.indexOf(document.activeElement)'), expected)
        Html.browser.key('Enter')
        self.assertIn('Each square is 64 bytes', self.text('#map-scale'))
        self.assertIn('0xffc00 to 0x100000: not touched', self.text('#map-detail'))
        Html.browser.key('Escape')
        self.assertEqual(self.text('#map-scale'), whole)
        self.assertIn('cell', self.focused())
        self.press('#map-controls button:nth-child(2)')
        self.assertIn('Each square is 64 bytes', self.text('#map-scale'))
        self.press('#map-controls button:nth-child(3)')
        self.assertEqual(self.text('#map-scale'), whole)
        self.assertEqual(Html.browser.said, [])

    def test_findings_map_and_timeline_point_at_each_other(self):
        self.page(CLIENT, 'all-states')
        self.press('#finding-1 h3 button')
        self.assertEqual(self.count('#finding-1.selected'), 1)
        self.assertEqual(self.count('#grid .cell.dirty.pointed'), 1)
        self.assertGreater(self.count('.bin.write.pointed'), 0)
        self.press('#finding-1 .actions button')
        self.assertIn('cell dirty pointed', self.focused())
        self.press('#finding-1 .actions button:nth-child(2)')
        self.assertIn('pointed', self.focused())
        self.press('#grid .cell.in-flight')
        self.press('#map-detail button')
        self.assertEqual(self.count('#finding-0.selected .body:not([hidden])'), 1)
        self.assertTrue(self.run_js("document.activeElement === document.querySelector('#finding-0 h3 button')"))
        self.press('#time-controls button:nth-child(3)')
        self.press('.bin.sync')
        self.assertIn('fsync', self.text('#time-detail'))
        self.assertEqual(Html.browser.said, [])

    def test_the_timeline_goes_closer_by_keys(self):
        report = self.page(CLIENT, 'many-events', '20000', status=0)
        self.check_page(report)
        drawn = 'time.bins.filter(each => each.bin.kind === "{}").reduce((sum, each) => sum + each.bin.count, 0)'
        for kind, count in report['timeline']['counts'].items():
            self.assertAlmostEqual(self.run_js(drawn.format(kind)), count, places=3)
        span = self.run_js('time.to - time.from')
        self.run_js("document.querySelector('.bin[tabindex=\"0\"]').focus()")
        Html.browser.key('ArrowRight')
        self.assertIn('bin', self.focused())
        Html.browser.key('Enter')
        self.assertLess(self.run_js('time.to - time.from'), span / 7)
        self.assertGreater(self.count('#time-detail li'), 0)
        Html.browser.key('0')
        self.assertEqual(self.run_js('time.to - time.from'), span)
        self.assertEqual(Html.browser.said, [])

    def test_a_suppression_is_copied(self):
        report = self.page(RULES_CLIENT, 'not-drained')
        self.press('.suppression button')
        done = "new Promise(resolve => { const look = () => { const text = " \
               "document.querySelector('.suppression button').textContent; " \
               "if (text !== 'Copy') resolve(text); else setTimeout(look, 5); }; look(); })"
        if self.run_js(done) == 'Selected':
            self.assertEqual(self.run_js('String(getSelection())'), report['findings'][0]['suppression'])

    def test_suppressed_ones_are_there_when_asked_for(self):
        (self.base / 'list').write_text('not-flushed:*:*\n')
        report = self.page(CLIENT, 'all-states', options=[f'--suppressions={self.base}/list'])
        self.check_page(report)
        self.assertEqual(self.count('.finding:not([hidden])'), 1)
        self.press('#filters button:last-of-type')
        self.assertEqual(self.count('.finding:not([hidden])'), 2)

    def test_pages_with_nothing_to_show(self):
        for program, status, verdict in ((['true'], 125, 'Nothing could be verified'),
                                         ([CLIENT, 'other-calls'], 0, 'No findings'),
                                         (['sh', '-c', 'kill -9 $$'], 137, 'Power failure: nothing was judged')):
            report = self.page(*program, status=status)
            self.check_page(report)
            self.assertEqual(self.text('#verdict'), verdict)
            self.assertEqual(self.count('.workspace.clean'), 1)

    def test_many_ranges_are_drawn_in_steps(self):
        report = self.page(CLIENT, 'many-ranges', '100000')
        self.check_page(report)
        self.assertIn('Drawn in steps of', self.text('#map-scale'))
        self.assertGreater(self.count('#grid .cell.dirty'), 500)


if __name__ == '__main__':
    common.main('nvrtl', 'client', 'rules_client')
