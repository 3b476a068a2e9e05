// SPDX-License-Identifier: MIT
// The timeline: a lane for each kind of call. Calls that lie near each other share a bar; a click goes closer.
'use strict';

const line = report.timeline || { seconds: 0, counts: {}, events: [], spans: [], places: [] };
const laneNames = { write: 'Written', flush: 'Flushed', drain: 'Drained', sync: 'Synced', mark: 'Marks' };
const time = { from: 0, to: 1, bins: [], pointed: new Set() };
const LANE = 24,
  LABEL = 62,
  AXIS = 20,
  BIN = 5;

const marks = summary.marks.filter(mark => mark.at !== null).map(mark => ({ at: mark.at, kinds: ['mark'], mark }));
const moments = [...line.events, ...marks].sort((a, b) => a.at - b.at);
const lanes = Object.keys(laneNames).filter(kind => (kind === 'mark' ? marks.length : line.counts[kind]));

function placeOf(event) {
  return Number.isInteger(event.place) ? line.places[event.place] : event.mark ? event.mark.stack : null;
}

// The calls that touched the finding's first range, or that its stacks name.
function eventsOf(finding) {
  const end = finding.offset + Math.max(finding.length, 1);
  return line.events.filter(event => {
    if (samePlace(finding.stack, placeOf(event)) || samePlace(finding.flush_stack, placeOf(event))) return true;
    if (!finding.file || event.file !== finding.file) return false;
    return !event.length || (event.offset < end && finding.offset < event.offset + event.length);
  });
}

// What was done, to what, where. `file` need not be named: the reader knows it.
function eventText(event, file) {
  const verbs = { write: 'written', flush: 'flushed', drain: 'drained' };
  if (event.mark) return `\u201c${event.mark.text}\u201d`;
  const named = event.file && event.file !== file ? event.file : '';
  const range = event.length ? ` at ${hex(event.offset)}` : '';
  const stack = shownFrames(placeOf(event) || []);
  const from = stack.length ? `, in ${stack[0].function || '?'} (${shortPlace(stack[0])})` : '';
  if (event.call && event.failed) return `${event.call}${named && ` of ${named}`} failed`;
  if (event.call) return `${event.call}${named && ` of ${named}`}: ${size(event.bytes)} became durable`;
  const done = event.kinds.map(kind => verbs[kind] || kind).join(', ');
  const what = event.length
    ? `${size(event.length)} ${named && `of ${named} `}${done}`
    : done + (named && `: ${named}`);
  return `${what}${range}${event.failed ? ', which failed' : ''}${from}`;
}

// All that is known, with a little air.
function fit() {
  const ends = line.spans.map(span => Math.max(span.from, Math.min(span.to, line.seconds)));
  const times = [...moments.map(event => event.at), ...line.spans.map(span => span.from), ...ends];
  const first = Math.min(...times),
    last = Math.max(...times);
  const air = Math.max((last - first) * 0.03, 1e-6);
  time.from = Math.max(0, first - air);
  time.to = last + air;
}

function drawTimeline() {
  const section = byId('timeline');
  section.append(
    element(
      'div',
      { class: 'head' },
      element('h2', { id: 'timeline-title' }, 'Timeline'),
      element(
        'div',
        { class: 'actions', id: 'time-controls' },
        control('\u2212', 'Timeline: further away', () => zoomTime(1 / 8)),
        control('+', 'Timeline: closer', () => zoomTime(8)),
        control('All calls', 'Timeline: all calls', () => {
          fit();
          drawLanes();
        }),
      ),
    ),
  );
  if (!lanes.length) {
    byId('time-controls').remove();
    section.append(
      element('p', { class: 'explain' }, 'The program made nothing durable: there was no flush, drain or sync.'),
    );
    return;
  }
  const told = lanes
    .filter(kind => kind !== 'mark')
    .map(kind => plural(line.counts[kind], kind === 'flush' ? 'flushe' : kind))
    .join(', ')
    .replace(/1 flushe\b/, '1 flush');
  section.append(
    element(
      'p',
      { class: 'explain' },
      `${told || 'There was no flush, drain or sync'}. ${
        line.spans.length
          ? `The first ${line.events.length.toLocaleString('en')} were recorded one by one, the others are counted.`
          : 'Click one for more.'
      }`,
    ),
    element('div', { id: 'lanes', role: 'group', 'aria-label': 'Timeline', onkeydown: timeKey }),
    element('ol', { class: 'events', id: 'time-detail', role: 'status' }),
  );
  fit();
  drawLanes();
}

function makeBins(kind, width) {
  const bins = new Map(),
    step = (time.to - time.from) / (width / BIN);
  const bin = at => {
    const number = Math.floor((at - time.from) / step);
    if (!bins.has(number))
      bins.set(number, { number, kind, count: 0, events: [], from: time.from + number * step, step });
    return bins.get(number);
  };
  for (const event of moments)
    if (event.kinds.includes(kind) && event.at >= time.from && event.at <= time.to) {
      bin(event.at).events.push(event);
      bin(event.at).count++;
    }
  for (const span of line.spans)
    if (span.counts[kind] && span.to > time.from && span.from < time.to) {
      const first = Math.max(span.from, time.from),
        last = Math.min(span.to, time.to);
      const parts = Math.max(1, Math.ceil((last - first) / step));
      for (let part = 0; part < parts; part++) bin(first + part * step).count += span.counts[kind] / parts;
    }
  return [...bins.values()].sort((a, b) => a.number - b.number);
}

function binLabel(bin) {
  const count = Math.max(1, Math.round(bin.count));
  return `${laneNames[bin.kind]}: ${
    count === 1 && bin.events.length === 1 ? eventText(bin.events[0]) : `${count.toLocaleString('en')} times`
  }, ${seconds(bin.from)}`;
}

function drawBin(bin, top, most) {
  const tall = bin.kind === 'mark' ? 1 : 0.3 + (0.7 * Math.log1p(bin.count)) / Math.log1p(most);
  const high = Math.max(5, Math.round((LANE - 6) * tall));
  const pointed = bin.events.some(event => time.pointed.has(event));
  const failed = bin.events.some(event => event.failed);
  const group = element(
    'g',
    {
      class: `bin ${bin.kind}${failed ? ' failed' : ''}${pointed ? ' pointed' : ''}`,
      tabindex: '-1',
      role: 'button',
      'aria-label': binLabel(bin),
      onclick: () => enterBin(bin),
    },
    element('title', {}, binLabel(bin)),
    element('rect', { x: LABEL + bin.number * BIN, y: top + LANE - 3 - high, width: BIN - 1, height: high, rx: 1 }),
  );
  group.bin = bin;
  return group;
}

function axis(width, top) {
  const count = Math.max(2, Math.floor(width / 130));
  return Array.from({ length: count + 1 }, (_, at) => {
    const x = LABEL + (width * at) / count;
    return element(
      'text',
      { x, y: top + 14, 'text-anchor': at === 0 ? 'start' : at === count ? 'end' : 'middle' },
      seconds(time.from + ((time.to - time.from) * at) / count),
    );
  });
}

function drawLanes() {
  const width = Math.max(200, Math.floor((byId('lanes').clientWidth - LABEL) / BIN) * BIN);
  const height = lanes.length * LANE + AXIS;
  const svg = element('svg', { viewBox: `0 0 ${LABEL + width} ${height}`, height });
  time.bins = [];
  lanes.forEach((kind, at) => {
    const bins = makeBins(kind, width),
      most = bins.reduce((max, bin) => Math.max(max, bin.count), 1);
    svg.append(
      element('rect', { class: 'lane', x: LABEL, y: at * LANE + 1, width, height: LANE - 3, rx: 3 }),
      element('text', { x: 0, y: at * LANE + 16 }, laneNames[kind]),
    );
    for (const bin of bins) {
      const drawn = drawBin(bin, at * LANE, most);
      time.bins.push(drawn);
      svg.append(drawn);
    }
  });
  svg.append(...axis(width, lanes.length * LANE));
  if (time.bins.length) time.bins[0].setAttribute('tabindex', '0');
  byId('lanes').replaceChildren(svg);
}

function zoomTime(factor, around) {
  const middle = around === undefined ? (time.from + time.to) / 2 : around;
  const span = Math.max((time.to - time.from) / factor, 1e-6);
  time.from = Math.max(0, middle - span / 2);
  time.to = Math.min(time.from + span, Math.max(line.seconds, time.from + 1e-6));
  drawLanes();
  announce(`${seconds(time.from)} to ${seconds(time.to)}`);
}

function showEvents(bin) {
  const shown = bin.events.slice(0, 6),
    rest = Math.round(bin.count) - shown.length;
  byId('time-detail').replaceChildren(
    ...shown.map(event =>
      element('li', {}, element('time', {}, seconds(event.at)), element('span', {}, eventText(event), linkTo(event))),
    ),
    rest > 0
      ? element(
          'li',
          {},
          element('time', {}, shown.length ? '\u22ee' : seconds(bin.from)),
          element('span', {}, `${rest.toLocaleString('en')}${shown.length ? ' more' : ' times'}`),
        )
      : '',
  );
}

// The first finding that the call has to do with.
function linkTo(event) {
  const number = report.findings.findIndex(finding => eventsOf(finding).includes(event));
  return number < 0
    ? ''
    : element(
        'span',
        {},
        ' ',
        element('button', { type: 'button', onclick: () => goTo(number) }, `Finding ${number + 1}`),
      );
}

// Several calls: closer, as long as that tells them apart.
function enterBin(bin) {
  if (Math.round(bin.count) > 1 && bin.step > 1e-7) {
    zoomTime(8, bin.from + bin.step / 2);
    const near = time.bins.find(drawn => drawn.bin.kind === bin.kind && drawn.bin.from + drawn.bin.step > bin.from);
    if (near) near.focus();
  }
  showEvents(bin);
}

function timeKey(event) {
  if (event.key === 'Enter' || event.key === ' ') {
    const bin = document.activeElement.bin;
    if (!bin) return;
    event.preventDefault();
    enterBin(bin);
  } else if (event.key === '+' || event.key === '-') {
    event.preventDefault();
    const bin = document.activeElement.bin;
    zoomTime(event.key === '+' ? 8 : 1 / 8, bin && bin.from);
    if (time.bins.length) time.bins[0].focus();
  } else if (event.key === '0' || event.key === 'Escape') {
    event.preventDefault();
    fit();
    drawLanes();
    if (time.bins.length) time.bins[0].focus();
  } else {
    rove(event, time.bins, 1);
  }
}

// Show the calls that the finding has to do with; `travel`: and go there.
function pointTimeline(number, travel) {
  if (!lanes.length) return;
  const touched = eventsOf(findings[number]);
  time.pointed = new Set(touched);
  if (travel && touched.length) {
    const first = touched[0].at,
      last = touched[touched.length - 1].at,
      air = Math.max((last - first) * 0.2, 1e-5);
    time.from = Math.max(0, first - air);
    time.to = last + air;
  }
  drawLanes();
  if (!travel) return;
  byId('timeline').scrollIntoView({ block: 'nearest' });
  const drawn = time.bins.find(bin => bin.classList.contains('pointed'));
  if (!drawn) return;
  drawn.focus();
  showEvents(drawn.bin);
}
