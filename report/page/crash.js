// SPDX-License-Identifier: MIT
// A crash state: the parts that the failure hangs on, what recovery said, and how to build the state again.
'use strict';

const crash = summary.crash; // undefined: a report of nvrtl check

function causeText(cause) {
  const file = cause.file || 'a file';
  if (cause.what === 'length') return `length of ${file}, ${cause.offset} to ${plural(cause.length, 'byte')}`;
  if (!cause.length) return `${cause.what} of ${file}`;
  return `${cause.what} of ${size(cause.length)} at ${hex(cause.offset)} of ${file}`;
}

function guardText(cause) {
  if (!cause.guard) return 'Nothing would have made it durable.';
  return cause.guard === 'flush' ? 'Flushed here, and never drained' : `Made durable by this ${cause.guard}, too late`;
}

function causeView(cause) {
  return element(
    'li',
    {},
    element('span', { class: 'badge' }, cause.missing ? 'missing' : 'there'),
    element('span', {}, ` ${causeText(cause)}`),
    element(
      'div',
      { class: 'stacks' },
      stackView('Made at', cause.stack),
      stackView(guardText(cause), cause.guard_stack, cause.guard ? undefined : ' '),
    ),
  );
}

function crashView(failure) {
  const code = failure.replay && element('code', {}, failure.replay);
  const button =
    code && element('button', { type: 'button', onclick: () => copy(failure.replay, button, code) }, 'Copy');
  return element(
    'div',
    { class: 'crash' },
    failure.causes.length > 0 && element('h4', {}, 'It hangs on'),
    element('ul', { class: 'causes' }, failure.causes.map(causeView)),
    element('h4', {}, `Recovery ${failure.ending}`),
    failure.output && element('pre', { tabindex: '0' }, failure.output),
    element(
      'p',
      { class: 'why' },
      `State ${failure.id}, before event ${failure.event.toLocaleString('en')} of the trace; ` +
        `${plural(failure.promises, 'promise')} made` +
        (failure.unsteady ? '; recovery did not fail when it was tried again' : '') +
        (failure.kept ? `; kept in ${failure.kept}` : ''),
    ),
    failure.stack.length > 0 && element('div', { class: 'stacks' }, stackView('The power failed at', failure.stack)),
    code && element('h4', {}, 'To build it again'),
    code && element('div', { class: 'suppression' }, code, button),
  );
}

function crashSentence() {
  const verdict = capital(summary.verdict.replace(/^nvrtl crash: /, ''));
  return report.findings.length
    ? `${verdict}. Each is shrunk to what it hangs on.`
    : `${verdict}: recovery survived each state that it was tried on.`;
}

// Neither map nor timeline: states are many, and the trace has the calls.
function drawCrashTiles() {
  document.querySelector('.views').hidden = true;
  document.querySelector('.workspace').classList.add('alone');
  byId('tiles').append(
    tile(
      'Explored',
      plural(crash.judged + crash.skipped, 'state'),
      `${crash.exhaustive ? 'exhaustively' : crash.stopped ? 'stopped before the end' : 'sampled'}; ` +
        `${plural(crash.judged, 'state')} judged, ` +
        `${crash.skipped.toLocaleString('en')} agree with them in all that recovery read`,
    ),
    tile(
      'Crash points',
      `${crash.points_done.toLocaleString('en')} of ${crash.points.toLocaleString('en')}`,
      `${plural(crash.stacks, 'distinct stack')} of points`,
    ),
    tile('Time', seconds(crash.seconds), `${plural(crash.jobs, 'job')}, seed ${crash.seed}` + shardText()),
    tile('Recovery', 'Judged by', crash.recovery || 'nothing'),
    tile('Simulated', `${summary.file_system_model}`, 'file system'),
  );
}

function shardText() {
  if (!crash.shards) return '';
  return `; shard${crash.shard.length === 1 ? '' : 's'} ${crash.shard.join(', ')} of ${crash.shards}`;
}
