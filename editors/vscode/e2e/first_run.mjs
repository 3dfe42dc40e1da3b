/** A machine without weights: the server offers the default model, fetches it, and completes with it. */

import assert from 'node:assert/strict';

const DOWNLOAD_MS = 240_000;

export const files = { 'first.py': 'def add(a, b):\n    \n' };

export const checks = {
  async 'what would be downloaded is said before'(bench) {
    const text = await bench.notification('is not on this machine');
    assert.match(text, /qwen2\.5-coder-0\.5b/);
    assert.match(text, /491 MB/);
    assert.match(text, /Apache-2\.0/);
    assert.match(text, /from \S+/);
    await bench.screenshot('first-run-offer');
    const status = await bench.waitForStatus('error');
    assert.match(status, /not (here|on this machine|downloaded)/i);
  },

  async 'nothing is fetched before the answer, and typing does no harm'(bench) {
    await bench.openFile('first.py');
    await bench.goTo(2, 80);
    await bench.type('ret');
    await bench.waitForStatus('error');
    assert.equal(await bench.ghost(), '');
  },

  async 'download, with progress, ends with the model ready'(bench) {
    await bench.answer('is not on this machine', 'Download');
    await bench.waitForStatus('downloading');
    await bench.until('a percentage', async () => {
      const bar = await bench.statusItem().innerText();
      return /downloading \d+%/.test(bar) || undefined;
    });
    await bench.screenshot('first-run-downloading');
    await bench.waitLongForStatus(DOWNLOAD_MS, 'ready');
  },

  async 'and it completes'(bench) {
    await bench.press('Escape', 'Backspace', 'Backspace', 'Backspace');
    await bench.type('ret');
    const ghost = await bench.waitForGhost();
    await bench.press('Tab');
    await bench.save('first.py', `def add(a, b):\n    ret${ghost}\n`);
  },
};
