# SPDX-License-Identifier: MIT
"""A headless Chromium, told what to do by its debugging protocol on a pair of pipes: nothing listens, nothing waits."""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds; nothing that works takes that long


def find():
    """The program, or None."""
    return shutil.which('chromium')


class Browser:
    """One page. Everything that it says on its console, and every exception, is in `said`."""

    def __init__(self, width, height, dark=False):
        self.profile = tempfile.TemporaryDirectory(prefix='nvrtl-browser.', ignore_cleanup_errors=True)
        down, up = os.pipe(), os.pipe()
        # It reads commands from descriptor 3, and writes answers to 4.
        self.process = subprocess.Popen(
            ['sh', '-c', f'exec "$@" 3<&{down[0]} 4>&{up[1]}', 'sh', find(), '--headless=new', '--no-sandbox',
             '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--disable-background-networking',
             f'--user-data-dir={self.profile.name}', '--remote-debugging-pipe', 'about:blank'],
            pass_fds=(down[0], up[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.profile.name))
        os.close(down[0])
        os.close(up[1])
        self.commands, self.answers = down[1], up[0]
        self.buffer, self.number, self.said, self.session = b'', 0, [], None
        target = next(each for each in self.call('Target.getTargets')['targetInfos'] if each['type'] == 'page')
        self.session = self.call('Target.attachToTarget', targetId=target['targetId'], flatten=True)['sessionId']
        for domain in 'Page', 'Runtime', 'Log', 'Network':
            self.call(f'{domain}.enable')
        self.resize(width, height)
        self.call('Emulation.setEmulatedMedia',
                  features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])

    def receive(self):
        deadline = time.monotonic() + PATIENCE
        while b'\0' not in self.buffer:
            if not select.select([self.answers], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError('the browser does not answer')
            part = os.read(self.answers, 1 << 20)
            if not part:
                raise EOFError('the browser has ended')
            self.buffer += part
        text, self.buffer = self.buffer.split(b'\0', 1)
        return self.note(json.loads(text))

    def note(self, message):
        kind, what = message.get('method'), message.get('params', {})
        if kind == 'Runtime.consoleAPICalled':
            self.said.append(' '.join(str(argument.get('value')) for argument in what['args']))
        elif kind == 'Runtime.exceptionThrown':
            self.said.append(json.dumps(what['exceptionDetails']))
        elif kind == 'Log.entryAdded':
            self.said.append(what['entry']['text'])
        elif kind == 'Network.requestWillBeSent' and not what['request']['url'].startswith(('file:', 'data:')):
            self.said.append('asked the network for ' + what['request']['url'])
        return message

    def call(self, method, **params):
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': params}
        if self.session:
            message['sessionId'] = self.session
        os.write(self.commands, json.dumps(message).encode() + b'\0')
        while True:
            answer = self.receive()
            if answer.get('id') == self.number:
                assert 'error' not in answer, answer
                return answer['result']

    def open(self, path):
        self.call('Page.navigate', url=pathlib.Path(path).resolve().as_uri())
        while self.receive().get('method') != 'Page.loadEventFired':
            pass

    def run(self, expression):
        """The value of an expression of JavaScript, in the page."""
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def key(self, key):
        codes = {'Enter': 13, 'Escape': 27, 'Tab': 9, 'ArrowRight': 39, 'ArrowDown': 40, ' ': 32}
        text = {'Enter': '\r', ' ': ' '}.get(key, key if len(key) == 1 else None)
        event = {'key': key, 'windowsVirtualKeyCode': codes.get(key, 0), 'code': key}
        self.call('Input.dispatchKeyEvent', type='keyDown', **event, **({'text': text} if text else {}))
        self.call('Input.dispatchKeyEvent', type='keyUp', **event)

    def resize(self, width, height):
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, whole=False):
        """PNG; whole: of the page, not of what the window shows of it."""
        more = {}
        if whole:
            box = self.call('Page.getLayoutMetrics')['cssContentSize']
            more = {'captureBeyondViewport': True, 'clip': {**box, 'scale': 1}}
        return base64.b64decode(self.call('Page.captureScreenshot', format='png', **more)['data'])

    def close(self):
        self.session = None
        try:
            self.call('Browser.close')
        except (EOFError, OSError, TimeoutError):
            pass
        os.close(self.commands)
        self.process.wait(PATIENCE)
        os.close(self.answers)
        self.profile.cleanup()
