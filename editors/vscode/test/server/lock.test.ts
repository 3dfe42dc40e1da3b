import { existsSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../src/server/lock.js';
import { temporaryFolder } from './tools.js';

const signal = new AbortController().signal;

test('the second waits for the first', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  const order: string[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let entered = (): void => undefined;
  const isIn = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const first = withLock(file, signal, async () => {
    entered();
    await held;
    order.push('first');
  });
  await isIn;
  const second = withLock(file, signal, () => Promise.resolve(order.push('second')));
  release();
  await Promise.all([first, second]);
  expect(order).toEqual(['first', 'second']);
  expect(existsSync(file)).toBe(false);
});

test('a holder that has died is passed over', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  writeFileSync(file, String(spawnSync('true').pid));
  expect(await withLock(file, signal, () => Promise.resolve('in'))).toBe('in');
});

test('the lock is freed when the work fails', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  await expect(withLock(file, signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(file)).toBe(false);
});

test('waiting can be cancelled', async () => {
  const file = path.join(temporaryFolder(), 'lock');
  writeFileSync(file, String(process.pid));
  const controller = new AbortController();
  controller.abort();
  await expect(withLock(file, controller.signal, () => Promise.resolve())).rejects.toThrow(/cancelled/);
});
