// SPDX-License-Identifier: MIT
// Draws the page, and again what depends on its width when that changes.
'use strict';

followTheme();
drawTop();
drawTiles();
drawCoverage();
drawFindings();
drawFiles();
drawTimeline();
if (report.findings.length) {
  toggle(0, report.findings.length < 4);
  select(0);
}

let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width) return;
  width = innerWidth;
  if (map.file) lookAt(map.from, Math.min(map.bytes, bytesOfWhole(map.file)));
  if (lanes.length) drawLanes();
});
