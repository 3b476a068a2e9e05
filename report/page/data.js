// SPDX-License-Identifier: MIT
// The report, and how its numbers and places are said. Everything is put into the page as text, never as markup.
'use strict';

const report = JSON.parse(document.getElementById('report').textContent);
const rules = new Map(report.rules.map(rule => [rule.id, rule]));
const files = report.files || [];
const stateNames = {
  untouched: 'not touched in this run',
  durable: 'made durable',
  ignored: 'meant to differ (NvrtlIgnore)',
  'in-flight': 'flushed, not drained',
  dirty: 'not durable',
};
const stateOrder = ['untouched', 'durable', 'ignored', 'in-flight', 'dirty'];

function byId(id) {
  return document.getElementById(id);
}

// An element with attributes and children; a child that is no element is text, null and false are nothing.
function element(name, attributes, ...children) {
  const space = ['svg', 'g', 'rect', 'text', 'title', 'line'].includes(name)
    ? 'http://www.w3.org/2000/svg'
    : 'http://www.w3.org/1999/xhtml';
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) made.append(child);
  return made;
}

function plural(count, noun) {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

function capital(sentence) {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function size(bytes) {
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  if (bytes < 1024) return plural(bytes, 'byte');
  let unit = -1;
  for (; bytes >= 1024 && unit + 1 < units.length; unit++) bytes /= 1024;
  return `${Number.isInteger(bytes) ? bytes : bytes.toFixed(1)} ${units[unit]}`;
}

function hex(number) {
  return '0x' + number.toString(16);
}

function seconds(time) {
  if (time >= 10) return `${time.toFixed(1)} s`;
  if (time >= 1) return `${time.toFixed(3)} s`;
  if (time >= 0.001) return `${(time * 1000).toFixed(time >= 0.1 ? 0 : 2)} ms`;
  return `${(time * 1e6).toFixed(1)} \u00b5s`;
}

// A frame as source:line, or module+offset.
function place(frame) {
  if (frame.source) return frame.line ? `${frame.source}:${frame.line}` : frame.source;
  return frame.module ? `${frame.module}+${hex(frame.module_offset)}` : 'an unknown place';
}

// The same without the folders in front, where they are many.
function shortPlace(frame) {
  const whole = place(frame),
    parts = whole.split('/');
  return whole.length > 36 && parts.length > 3 ? `\u2026/${parts.slice(-2).join('/')}` : whole;
}

function isOfSystem(frame) {
  return /^\/(usr\/)?lib(64)?\//.test(frame.module || '') || /^\/usr\/include\//.test(frame.source || '');
}

// The innermost frame that has a name and is not of the C library; else the innermost.
function nearestFrame(stack) {
  const isOfC = frame => /\/(libc\.so|ld-linux)[^/]*$/.test(frame.module || '');
  return stack.find(frame => frame.function && !isOfC(frame)) || stack[0];
}

// Up to main: what calls it is the system's own.
function shownFrames(stack) {
  const main = stack.findIndex(frame => frame.function === 'main');
  return main < 0 ? stack : stack.slice(0, main + 1);
}

function samePlace(stack, other) {
  return Boolean(
    stack.length &&
    other &&
    other.length &&
    stack[0].module === other[0].module &&
    stack[0].module_offset === other[0].module_offset,
  );
}

function announce(text) {
  byId('announce').textContent = text;
}

// Arrow keys move between the items of a group, of which one at a time is reached by Tab. `columns` is for up and down.
function rove(event, items, columns) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const at = items.indexOf(document.activeElement);
  let to = at;
  if (event.key in steps) to = at + steps[event.key];
  else if (event.key === 'Home') to = 0;
  else if (event.key === 'End') to = items.length - 1;
  else return;
  event.preventDefault();
  if (at < 0 || !items[to]) return;
  items[at].setAttribute('tabindex', '-1');
  items[to].setAttribute('tabindex', '0');
  items[to].focus();
}
