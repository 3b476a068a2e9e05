// SPDX-License-Identifier: MIT
// The map of one file: squares of equal size, each in the state of the worst byte in it. A click goes closer.
'use strict';

const LINE = 64;
const ROWS = 16;
// Squares of `bytes` bytes each, from the offset `from` on.
const map = { file: null, from: 0, bytes: LINE, cells: [], pointed: -1 };

function columns() {
  return byId('files').clientWidth >= 560 ? 64 : 32;
}

function fileBytes(file) {
  return Math.max(file.size, file.durable_size, 1);
}

// Of a square when the whole file is shown: a power of two, and a cache line at least.
function bytesOfWhole(file) {
  let bytes = LINE;
  while (bytes * columns() * ROWS < fileBytes(file)) bytes *= 2;
  return bytes;
}

// What each of `count` squares from `from` on holds: its worst state, and the findings in it.
function statesOf(file, from, bytes, count) {
  const states = Array.from({ length: count }, () => ({ state: 'untouched', findings: new Set() }));
  for (const range of [...file.durable, ...file.differs]) {
    const first = Math.max(0, Math.floor((range.offset - from) / bytes));
    const last = Math.min(count - 1, Math.floor((range.offset + range.length - 1 - from) / bytes));
    for (let at = first; at <= last; at++) {
      if (stateOrder.indexOf(range.state) > stateOrder.indexOf(states[at].state)) states[at].state = range.state;
      if (Number.isInteger(range.finding)) states[at].findings.add(range.finding);
    }
  }
  return states;
}

// A file at a glance, as one line.
function stripOf(file) {
  const parts = Math.min(96, fileBytes(file)),
    bytes = Math.ceil(fileBytes(file) / parts);
  const stops = statesOf(file, 0, bytes, parts).map(
    ({ state }, at) => `var(--${state}) ${(at * 100) / parts}% ${((at + 1) * 100) / parts}%`,
  );
  const strip = element('span', { class: 'strip' });
  strip.style.background = `linear-gradient(to right, ${stops.join(', ')})`;
  return strip;
}

function lostBytes(file) {
  return file.bytes.dirty + file.bytes['in-flight'];
}

function fileButton(file) {
  const lost = lostBytes(file);
  return element(
    'li',
    {},
    element(
      'button',
      {
        type: 'button',
        class: 'file',
        'aria-current': String(file === map.file),
        title: file.file,
        onclick: () => showFile(file),
      },
      element('span', { class: 'name' }, file.file),
      stripOf(file),
      element('span', { class: lost ? 'sum lost' : 'sum' }, lost ? `${size(lost)} lost` : 'all durable'),
    ),
  );
}

function legend() {
  const used = new Set(['untouched', 'durable', 'dirty']);
  for (const file of files) for (const range of file.differs) used.add(range.state);
  return element(
    'div',
    { class: 'legend' },
    stateOrder
      .filter(state => used.has(state))
      .map(state => element('span', {}, element('span', { class: `cell ${state}` }), stateNames[state])),
  );
}

function control(text, label, act) {
  return element('button', { type: 'button', 'aria-label': label, title: label, onclick: act }, text);
}

function drawFiles() {
  const section = byId('files');
  const ordered = [...files].sort((a, b) => lostBytes(b) - lostBytes(a) || (a.file < b.file ? -1 : 1));
  const more = report.files_left_out ? ` ${plural(report.files_left_out, 'more file')} are not drawn.` : '';
  if (!files.length) {
    section.append(
      element('h2', { id: 'files-title' }, 'Files'),
      element(
        'p',
        { class: 'explain' },
        summary.power_failure
          ? 'Nothing was compared, since the power failed.'
          : 'The program changed no file that was watched.',
      ),
    );
    return;
  }
  section.append(
    element(
      'div',
      { class: 'head' },
      element('h2', { id: 'files-title' }, `Files${files.length > 1 ? ` (${files.length})` : ''}`),
      element(
        'div',
        { class: 'actions', id: 'map-controls' },
        control('\u2212', 'Map: further away', () => zoomMap(1 / 16)),
        control('+', 'Map: closer', () => zoomMap(16)),
        control('Whole file', 'Map: the whole file', () => zoomMap(0)),
      ),
    ),
    element('p', { class: 'explain' }, `What became of each byte, when the program ended.${more}`),
    files.length > 1 ? element('ul', { class: 'file-list', id: 'file-list' }) : '',
    element('p', { class: 'explain', id: 'map-scale' }),
    element('div', { class: 'grid', id: 'grid', role: 'grid', 'aria-label': 'Map of the file', onkeydown: mapKey }),
    element('div', { class: 'detail', id: 'map-detail', role: 'status' }),
    legend(),
  );
  if (files.length > 1) byId('file-list').append(...ordered.map(fileButton));
  showFile(ordered[0]);
}

function showFile(file) {
  map.file = file;
  document
    .querySelectorAll('#file-list button')
    .forEach(button => button.setAttribute('aria-current', String(button.title === file.file)));
  byId('grid').setAttribute('aria-label', `Map of ${file.file}`);
  lookAt(0, bytesOfWhole(file));
  showDetail(null);
}

function cellLabel(from, bytes, cell) {
  const named = [...cell.findings].map(number => `finding ${number + 1}`).join(', ');
  return `${hex(from)}, ${size(bytes)}: ${stateNames[cell.state]}${named ? `, ${named}` : ''}`;
}

function drawGrid() {
  const file = map.file,
    wide = columns(),
    bytes = map.bytes;
  const whole = fileBytes(file),
    shown = Math.min(bytes * wide * ROWS, whole - map.from);
  const states = statesOf(file, map.from, bytes, Math.ceil(shown / bytes));
  map.cells = states.map((cell, at) =>
    element('button', {
      type: 'button',
      role: 'gridcell',
      class: `cell ${cell.state}${cell.findings.has(map.pointed) ? ' pointed' : ''}`,
      tabindex: at ? '-1' : '0',
      'aria-label': cellLabel(map.from + at * bytes, bytes, cell),
      title: cellLabel(map.from + at * bytes, bytes, cell),
      onclick: () => enterCell(at, bytes, cell),
    }),
  );
  const rows = [];
  for (let at = 0; at < map.cells.length; at += wide)
    rows.push(
      element(
        'div',
        { class: 'row', role: 'row' },
        element('span', { role: 'rowheader' }, hex(map.from + at * bytes)),
        element('div', { class: 'cells', role: 'presentation' }, map.cells.slice(at, at + wide)),
      ),
    );
  byId('grid').classList.toggle('many', states.filter(cell => cell.findings.has(map.pointed)).length > 24);
  byId('grid').style.setProperty('--columns', wide);
  byId('grid').replaceChildren(...rows);
  const part = shown < whole ? `${hex(map.from)} to ${hex(map.from + shown)} of ` : '';
  const square = `${size(bytes)}${bytes > LINE ? '; click one to go closer' : ', a cache line'}`;
  const grain = Math.max(file.differs_grain, file.durable_grain);
  const steps = grain > LINE ? ` Drawn in steps of ${size(grain)}.` : '';
  byId('map-scale').textContent = `${file.file}: ${part}${size(file.size)}. Each square is ${square}.${steps}`;
  const [further, closer, all] = byId('map-controls').children;
  further.disabled = all.disabled = shown >= whole;
  closer.disabled = bytes <= LINE;
}

// Squares of that many bytes, with `middle` among them. Rows begin at multiples of their length.
function lookAt(middle, bytes) {
  const whole = fileBytes(map.file),
    row = bytes * columns();
  const last = Math.max(0, Math.ceil(whole / row) - ROWS) * row;
  map.bytes = bytes;
  map.from = Math.min(Math.max(0, Math.floor((middle - (row * ROWS) / 2) / row) * row), last);
  drawGrid();
}

function zoomMap(factor) {
  const whole = bytesOfWhole(map.file),
    middle = map.from + (map.bytes * columns() * ROWS) / 2;
  lookAt(middle, factor ? Math.min(whole, Math.max(LINE, map.bytes / factor)) : whole);
  announce(byId('map-scale').textContent);
}

function cellAt(offset) {
  return map.cells[Math.floor((offset - map.from) / map.bytes)];
}

function enterCell(at, bytes, cell) {
  const from = map.from + at * bytes;
  if (bytes > LINE) {
    lookAt(from + bytes / 2, Math.max(LINE, bytes / 16));
    if (cellAt(from)) cellAt(from).focus();
  }
  showDetail({ from, bytes, cell });
}

function showDetail(chosen) {
  if (!chosen) {
    const parts = ['dirty', 'in-flight', 'ignored', 'durable']
      .filter(state => map.file.bytes[state])
      .map(state => `${size(map.file.bytes[state])} ${stateNames[state]}`);
    byId('map-detail').replaceChildren(parts.length ? `${parts.join('; ')}.` : 'Nothing in it was changed.');
    return;
  }
  const links = [...chosen.cell.findings]
    .slice(0, 6)
    .map(number =>
      element(
        'button',
        { type: 'button', onclick: () => goTo(number) },
        `Finding ${number + 1}: ${findings[number].rule}`,
      ),
    );
  byId('map-detail').replaceChildren(
    `${hex(chosen.from)} to ${hex(chosen.from + chosen.bytes)}: ${stateNames[chosen.cell.state]}. `,
    ...links,
  );
}

function mapKey(event) {
  if (event.key === '+' || event.key === '-' || event.key === '0' || event.key === 'Escape') {
    event.preventDefault();
    zoomMap(event.key === '+' ? 16 : event.key === '-' ? 1 / 16 : 0);
    if (map.cells.length && !byId('grid').contains(document.activeElement)) map.cells[0].focus();
    return;
  }
  rove(event, map.cells, columns());
}

// Show where the finding's bytes are; `travel`: and go there.
function pointMap(number, travel) {
  const finding = findings[number],
    file = files.find(entry => entry.file === finding.file);
  map.pointed = number;
  if (!file) {
    if (map.file) drawGrid();
    if (map.file && finding.file)
      byId('map-detail').replaceChildren(`Finding ${number + 1} is of ${finding.file}, which is not drawn.`);
    return;
  }
  if (file !== map.file) showFile(file);
  else showDetail(null);
  const shown = map.bytes * columns() * ROWS;
  if (travel || finding.offset < map.from || finding.offset >= map.from + shown) lookAt(finding.offset, LINE);
  else drawGrid();
  if (!travel) return;
  byId('files').scrollIntoView({ block: 'nearest' });
  if (cellAt(finding.offset)) cellAt(finding.offset).focus();
}
