import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { chosenServer, readAddress, requirement } from '../../src/server/find.js';
import { script, temporaryFolder } from './tools.js';

test('nothing chosen', async () => {
  expect(await chosenServer('', '')).toBeUndefined();
});

test('a program', async () => {
  const file = script(temporaryFolder(), 'fimble', 'true');
  expect(await chosenServer(file, '')).toEqual({ kind: 'program', path: file });
});

test.each([['fimble'], ['./fimble'], ['/no/such/fimble']])('%s is refused with a mend', async (file) => {
  await expect(chosenServer(file, '')).rejects.toHaveProperty('mend', expect.stringContaining('fimble.server.path'));
});

test('a file that cannot be run is refused', async () => {
  const file = path.join(temporaryFolder(), 'fimble');
  writeFileSync(file, '');
  await expect(chosenServer(file, '')).rejects.toThrow(/cannot be run/);
});

test('an address goes before a program', async () => {
  const expected = { kind: 'socket', host: '127.0.0.1', port: 7437 };
  expect(await chosenServer('/usr/bin/fimble', '127.0.0.1:7437')).toEqual(expected);
});

test('IPv6', () => {
  expect(readAddress('[::1]:80')).toEqual({ host: '::1', port: 80 });
});

test.each(['7437', 'host', 'host:', ':7437', 'host:0', 'host:99999', '::1:80'])('%s is no address', (address) => {
  expect(() => readAddress(address)).toThrow(/not an address/);
});

test('what pip installs: wish, then bundled wheel, then the index', () => {
  expect(requirement('fimble==9', ['/b/fimble.whl'], '0.1.0')).toBe('fimble==9');
  expect(requirement('', ['/b/fimble.whl'], '0.1.0')).toBe('/b/fimble.whl');
  expect(requirement('', [], '0.1.0')).toBe('fimble==0.1.0');
});
