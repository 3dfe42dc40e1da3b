/** A server that cannot start: the user is told, and can go on once it is mended. */

import assert from 'node:assert/strict';
import fs from 'node:fs';

export const files = { 'a.py': 'def add(a, b):\n    \n' };

export const checks = {
  async 'tried again, then given up with the reason'(bench) {
    await bench.waitForStatus('restarting', 'stopped');
    const status = await bench.waitForStatus('stopped');
    assert.match(status, /no room on the moon/);
    assert.match(await bench.notification('again and again'), /no room on the moon/);
    await bench.screenshot('stopped');
  },

  async 'mended, the restart button brings it up'(bench) {
    const { path } = bench.server();
    fs.copyFileSync(`${path}.mended`, path);
    await bench.answer('again and again', 'Restart');
    await bench.waitForStatus('ready');
    await bench.openFile('a.py');
    await bench.goTo(2, 80);
    await bench.type('ret');
    await bench.waitForGhost('urn a + b');
  },
};
