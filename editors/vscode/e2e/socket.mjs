/** A server that runs elsewhere, reached through a socket. */

import assert from 'node:assert/strict';
import { begin, checks as scripted, files as all } from './scripted.mjs';

export { begin };
export const files = { 'accept.py': all['accept.py'] };

export const checks = {
  async 'no server of our own is started'(bench) {
    assert.deepEqual(bench.servers(), []);
  },
  'python: tab accepts': scripted['python: tab accepts'],
};
