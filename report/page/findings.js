// SPDX-License-Identifier: MIT
// The list of findings. Each opens to its bytes, stacks, history and suppression, and points into map and timeline.
'use strict';

const findings = [...report.findings, ...report.suppressed];
const cards = []; // by the finding's number
let selected = -1;
let filter = { rule: '', text: '', suppressed: false };

function extent(finding) {
  if (finding.crash) return finding.count > 1 ? `${finding.count.toLocaleString('en')} states` : '';
  if (!finding.length) return finding.count > 1 ? `${finding.count.toLocaleString('en')} times` : '';
  return finding.count > 1 ? `${size(finding.total_bytes)} in ${plural(finding.count, 'range')}` : size(finding.length);
}

function where(finding) {
  const frame = nearestFrame(shownFrames(finding.stack)) || shownFrames(finding.flush_stack)[0];
  const data = finding.file ? `${finding.file}${finding.length ? ` at ${hex(finding.offset)}` : ''}` : '';
  const code = frame ? `${frame.function || '?'} (${shortPlace(frame)})` : '';
  return [data, code].filter(Boolean).join(' \u00b7 ');
}

function parseHex(text) {
  return (text.match(/../g) || []).map(pair => parseInt(pair, 16));
}

function byteRow(name, offset, bytes, other, kind) {
  const shown = byte => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '\u00b7');
  const differs = at => (bytes[at] !== other[at] ? 'differs' : null);
  const cells = Array.from({ length: 16 }, (_, at) =>
    at < bytes.length
      ? element('td', { class: differs(at) }, bytes[at].toString(16).padStart(2, '0'))
      : element('td', {}, '  '),
  );
  return element(
    'tr',
    { class: kind },
    element('th', { scope: 'row' }, name),
    element('th', {}, offset),
    cells,
    element(
      'td',
      { class: 'text' },
      bytes.map((byte, at) => element('span', { class: differs(at) }, shown(byte))),
    ),
  );
}

function bytesView(finding) {
  const view = parseHex(finding.view),
    durable = parseHex(finding.durable);
  if (!view.length) return null;
  const rows = [];
  for (let at = 0; at < view.length; at += 16) {
    const now = view.slice(at, at + 16),
      then = durable.slice(at, at + 16);
    rows.push(byteRow('written', hex(finding.offset + at), now, then, 'is'), byteRow('durable', '', then, now, 'was'));
  }
  return element(
    'div',
    { class: 'bytes', tabindex: '0', role: 'group', 'aria-label': 'The first bytes' },
    element('table', {}, element('tbody', {}, rows)),
  );
}

function stackView(title, stack, unknown) {
  const frames = shownFrames(stack);
  if (!frames.length)
    return unknown && element('div', {}, element('h4', {}, title), element('p', { class: 'why' }, unknown));
  const inlined = at =>
    at + 1 < frames.length &&
    frames[at].module_offset === frames[at + 1].module_offset &&
    frames[at].module === frames[at + 1].module
      ? ' (inlined)'
      : '';
  return element(
    'div',
    {},
    element('h4', {}, title),
    element(
      'ol',
      {},
      frames.map((frame, at) =>
        element(
          'li',
          { class: isOfSystem(frame) ? 'system' : at ? null : 'first' },
          element('b', {}, frame.function || '?'),
          element('span', { title: place(frame) }, shortPlace(frame) + inlined(at)),
        ),
      ),
    ),
  );
}

function stacksView(finding) {
  const refused = ['outside-token', 'token-misuse', 'wrong-irql'].includes(finding.rule);
  const content = ['not-flushed', 'not-drained', 'changed-after-flush', 'flush-error-ignored'].includes(finding.rule);
  return element(
    'div',
    { class: 'stacks' },
    stackView(
      refused || finding.rule === 'name-not-flushed' ? 'Called at' : 'Written at',
      finding.stack,
      content && 'By no call of the interface; --explain looks for the code that stored it.',
    ),
    stackView(
      'Flushed at',
      finding.flush_stack,
      finding.rule === 'not-flushed' ? 'Never.' : content && 'By no call of the interface: a sync of the file.',
    ),
  );
}

// What happened to the bytes of the finding, as far as calls were recorded one by one.
function historyView(finding) {
  const touched = eventsOf(finding);
  if (!touched.length) return null;
  const shown = touched.length > 8 ? [...touched.slice(0, 3), null, ...touched.slice(-4)] : touched;
  return element(
    'div',
    {},
    element('h4', {}, 'What happened there'),
    element(
      'ol',
      { class: 'history' },
      shown.map(event =>
        event
          ? element(
              'li',
              {},
              element('time', {}, seconds(event.at)),
              element('span', {}, eventText(event, finding.file)),
            )
          : element(
              'li',
              {},
              element('time', {}, '\u22ee'),
              element('span', {}, `${plural(touched.length - 7, 'more call')}`),
            ),
      ),
    ),
  );
}

async function copy(text, button, source) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
    announce('It was copied');
  } catch {
    getSelection().selectAllChildren(source); // then the keyboard copies it
    button.textContent = 'Selected';
  }
}

function suppressionView(finding) {
  const code = element('code', {}, finding.suppression);
  const button = element('button', { type: 'button', onclick: () => copy(finding.suppression, button, code) }, 'Copy');
  if (finding.suppressed_by) return element('p', { class: 'why' }, `Left out by ${finding.suppressed_by}`);
  return element(
    'div',
    {},
    element('h4', {}, 'To leave it out, as a line of --suppressions=FILE'),
    element('div', { class: 'suppression' }, code, button),
  );
}

function actionsView(finding, number) {
  const inMap = files.some(file => file.file === finding.file);
  return element(
    'div',
    { class: 'actions' },
    inMap && element('button', { type: 'button', onclick: () => pointMap(number, true) }, 'Show in the map'),
    eventsOf(finding).length > 0 &&
      element('button', { type: 'button', onclick: () => pointTimeline(number, true) }, 'Show in the timeline'),
  );
}

function bodyOf(finding, number) {
  const rule = rules.get(finding.rule);
  return element(
    'div',
    { class: 'body', id: `body-${number}` },
    element('p', {}, finding.message),
    element('p', { class: 'advice' }, finding.advice),
    bytesView(finding),
    finding.crash ? crashView(finding.crash) : stacksView(finding),
    historyView(finding),
    rule && element('div', {}, element('h4', {}, 'Why it matters'), element('p', { class: 'why' }, rule.explanation)),
    actionsView(finding, number),
    suppressionView(finding),
  );
}

function toggle(number, open) {
  const card = cards[number],
    button = card.querySelector('h3 button'),
    body = card.querySelector('.body');
  button.setAttribute('aria-expanded', open);
  if (open && !body) card.append(bodyOf(findings[number], number));
  else if (body) body.hidden = !open;
}

// The finding that map and timeline point at.
function select(number) {
  if (selected >= 0) cards[selected].classList.remove('selected');
  selected = number;
  cards[number].classList.add('selected');
  pointMap(number, false);
  pointTimeline(number, false);
}

// From map or timeline: open it, and bring it into view.
function goTo(number) {
  filter = { rule: '', text: '', suppressed: filter.suppressed };
  drawFilters();
  select(number);
  toggle(number, true);
  cards[number].scrollIntoView({ block: 'nearest' });
  cards[number].querySelector('h3 button').focus();
}

function cardOf(finding, number) {
  const rule = rules.get(finding.rule);
  const kind = finding.suppressed_by ? 'suppressed' : finding.severity;
  const button = element(
    'button',
    {
      type: 'button',
      'aria-expanded': 'false',
      'aria-controls': `body-${number}`,
      onclick: () => {
        const open = button.getAttribute('aria-expanded') !== 'true';
        toggle(number, open);
        if (open) select(number);
      },
    },
    element('span', { class: 'badge' }, kind),
    element('span', { class: 'title' }, rule ? rule.title : finding.rule),
    element('span', { class: 'extent' }, extent(finding)),
    element('span', { class: 'where' }, where(finding)),
  );
  return element(
    'li',
    { class: `finding ${finding.severity}${finding.suppressed_by ? ' suppressed' : ''}`, id: `finding-${number}` },
    element('h3', {}, button),
  );
}

function matches(finding) {
  const functions = [...finding.stack, ...finding.flush_stack].map(frame => `${frame.function} ${frame.source}`);
  const text = [finding.file, finding.rule, finding.message, ...functions].join(' ').toLowerCase();
  return (
    (!filter.rule || finding.rule === filter.rule) &&
    (!finding.suppressed_by || filter.suppressed) &&
    text.includes(filter.text.toLowerCase())
  );
}

function applyFilter() {
  let shown = 0;
  findings.forEach((finding, number) => {
    const wanted = matches(finding);
    cards[number].hidden = !wanted;
    shown += wanted;
  });
  const none = byId('no-findings');
  none.hidden = shown > 0;
  none.textContent = report.findings.length
    ? 'No finding matches the filter.'
    : summary.power_failure
      ? 'Nothing was judged.'
      : 'There are none.';
  return shown;
}

function chip(text, on, act) {
  return element(
    'button',
    {
      type: 'button',
      'aria-pressed': String(on),
      onclick: () => {
        act();
        drawFilters();
        announce(`${plural(applyFilter(), 'finding')} shown`);
      },
    },
    text,
  );
}

// Only where there is something to choose.
function drawFilters() {
  const counts = new Map();
  for (const finding of report.findings) counts.set(finding.rule, (counts.get(finding.rule) || 0) + 1);
  const chips =
    counts.size > 1
      ? [...counts].map(([id, count]) =>
          chip(`${id} ${count.toLocaleString('en')}`, filter.rule === id, () => {
            filter.rule = filter.rule === id ? '' : id;
          }),
        )
      : [];
  if (report.suppressed.length)
    chips.push(
      chip(`suppressed ${report.suppressed.length.toLocaleString('en')}`, filter.suppressed, () => {
        filter.suppressed = !filter.suppressed;
      }),
    );
  if (findings.length > 6)
    chips.push(
      element('input', {
        type: 'search',
        placeholder: 'Filter by file or function',
        'aria-label': 'Filter',
        value: filter.text,
        oninput: event => {
          filter.text = event.target.value;
          applyFilter();
        },
      }),
    );
  byId('filters').replaceChildren(...chips);
  applyFilter();
}

function drawFindings() {
  byId('findings-title').textContent = plural(report.findings.length, 'finding');
  document.querySelector('.workspace').classList.toggle('clean', !findings.length);
  findings.forEach((finding, number) => cards.push(cardOf(finding, number)));
  byId('finding-list').append(...cards);
  drawFilters();
}
