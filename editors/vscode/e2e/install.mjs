/** A machine without the server: it is offered, installed from the wheel in the package, and completes. */

import assert from 'node:assert/strict';

const INSTALL_MS = 540_000;

export const files = { 'a.py': 'def add(a, b):\n    \n' };

export const checks = {
  async 'what would be installed is said before'(bench) {
    await bench.waitForStatus('not installed');
    const text = await bench.notification('needs its language server');
    assert.match(text, /pip will install fimble\S*/);
    await bench.screenshot('install-offer');
  },

  async 'install ends with a server that completes'(bench) {
    await bench.answer('needs its language server', 'Install');
    await bench.waitForStatus('installing');
    await bench.screenshot('installing');
    await bench.waitLongForStatus(INSTALL_MS, 'ready');
    assert.equal(bench.servers().length, 1);
    await bench.openFile('a.py');
    await bench.goTo(2, 80);
    await bench.type('ret');
    await bench.waitForGhost('urn a + b');
  },
};
