// SPDX-License-Identifier: MIT
// The top of the page: the verdict in words, the numbers, and what the run could not see.
'use strict';

const summary = report.summary;

// One sentence for somebody who has never seen such a report.
function leadSentence() {
  const content = ['not-flushed', 'not-drained', 'changed-after-flush', 'flush-error-ignored'];
  const lost = report.findings.filter(finding => content.includes(finding.rule));
  const names = new Set(lost.map(finding => finding.file));
  if (summary.nothing_verified)
    return `${capital(summary.verdict.replace(/^nvrtl \w+: /, ''))}. This is no clean result.`;
  if (summary.crash) return crashSentence();
  if (summary.power_failure && !report.findings.length)
    return 'The run ended in a power failure (SIGKILL): the files hold what had been made durable until then.';
  if (lost.length) {
    const bytes = lost.reduce((sum, finding) => sum + finding.total_bytes, 0);
    return (
      `Had the power failed when this program ended, ${size(bytes)} that it wrote to ` +
      `${names.size === 1 ? [...names][0] : plural(names.size, 'file')} would have been lost.`
    );
  }
  if (report.findings.length) return 'What it found is listed below, with what to do about it.';
  return 'All that this program wrote was durable when it ended, as far as this run could see.';
}

function tile(name, value, more) {
  return element('div', {}, element('dt', {}, name), element('dd', {}, value, more && element('small', {}, more)));
}

function drawTop() {
  const bad = summary.errors || summary.nothing_verified;
  const counts = [
    [summary.errors, 'error'],
    [summary.warnings, 'warning'],
    [summary.notes, 'note'],
  ];
  const said = counts
    .filter(([count]) => count)
    .map(([count, noun]) => plural(count, noun))
    .join(', ');
  const verdict = summary.nothing_verified
    ? 'Nothing could be verified'
    : said || (summary.power_failure ? 'Power failure: nothing was judged' : 'No findings');
  byId('version').textContent = report.tool.version || '';
  byId('verdict').textContent = verdict;
  byId('verdict').className = bad ? '' : said || summary.power_failure ? 'unsure' : 'good';
  byId('lead').textContent = leadSentence();
  byId('program').textContent = report.program.join(' ');
  byId('ended').textContent = `ended with status ${summary.exit_status}`;
  document.title = `${verdict} \u2013 nvrtl ${summary.crash ? 'crash' : 'check'}`;
  if (summary.crash) byId('command').textContent = 'nvrtl crash';
}

function drawTiles() {
  if (summary.crash) {
    drawCrashTiles();
    return;
  }
  const times = summary.times;
  byId('tiles').append(
    tile(
      'Watched',
      plural(summary.files_watched, 'file'),
      `${size(summary.bytes_watched)} in ${summary.folders.join(', ')}`,
    ),
    tile(
      'Made durable',
      size(durableBytes()),
      `${plural(summary.syncs, 'sync')}; drains of ${plural(summary.tokens, 'token')}`,
    ),
    tile(
      'Time',
      seconds(times.program),
      `${seconds(times.stopped)} of it in syncs; before and after, nvrtl took ` +
        seconds(times.view + times.judging + times.finishing),
    ),
    tile(
      'Simulated',
      summary.domain || 'unknown',
      `${summary.file_system_model} file system, ${summary.view} as the view`,
    ),
  );
}

// Of the files that are drawn; without them, what syncs alone made so.
function durableBytes() {
  return files.length ? files.reduce((sum, file) => sum + file.bytes.durable, 0) : summary.bytes_made_durable;
}

function details(title, items) {
  return (
    items.length > 0 &&
    element(
      'details',
      {},
      element('summary', {}, `${title} (${items.length.toLocaleString('en')})`),
      element(
        'ul',
        {},
        items.map(item => element('li', {}, item)),
      ),
    )
  );
}

function drawCoverage() {
  const leftOut = summary.left_out.map(
    item => `${item.what}: ${item.why}${item.count > 1 ? ` (${item.count.toLocaleString('en')} times)` : ''}`,
  );
  const marks = summary.marks.map(mark => (mark.stack.length ? `${mark.text}, at ${place(mark.stack[0])}` : mark.text));
  byId('coverage').append(
    element('h2', {}, 'What this run could see'),
    element(
      'ul',
      {},
      summary.level_sees &&
        element('li', { class: 'sees' }, `${capital(summary.level_sees)} (level: ${summary.level}).`),
      summary.level_misses && element('li', { class: 'misses' }, `Not seen: ${summary.level_misses}.`),
      summary.not_seen.map(sentence => element('li', { class: 'misses' }, `Not seen: ${sentence}.`)),
    ),
    details('Left out, and why', leftOut) || '',
    details('Suppressions that matched nothing', summary.unused_suppressions) || '',
    details('Notes of the program', marks) || '',
  );
}

// The system's choice, until somebody makes one of their own.
function followTheme() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const show = on => {
    document.documentElement.classList.toggle('dark', on);
    byId('theme').textContent = on ? 'Light' : 'Dark';
    byId('theme').setAttribute('aria-label', on ? 'Light colours' : 'Dark colours');
  };
  let chosen = false;
  show(dark.matches);
  dark.addEventListener('change', () => chosen || show(dark.matches));
  byId('theme').addEventListener('click', () => {
    chosen = true;
    show(!document.documentElement.classList.contains('dark'));
  });
}
